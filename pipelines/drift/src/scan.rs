//! The calibrated dyadic scan: the last 1, 2, 4 and 8 windows against the training data, with at most `alpha` false
//! alarms per model and year.
//!
//! Fixed thresholds on a distance alarm on small windows when nothing changed; here the p-value of four looks is
//! corrected for the looks, the columns and the windows of a year, and the distance must also exceed what chance
//! makes of it at that size.

use crate::{
    ColumnKind, ColumnProfile, DriftPolicy, DriftVerdict, FeatureDrift, Floors, Profile, Reference, Sketch,
    Summary, TestResult, Untested, WindowSketch, benjamini_hochberg, chi_squared,
    comparison::{effect, fits, usable},
    fisher::Shares,
    ks, psi,
    sketch::Cells,
    summary::{share, summaries},
};

/// How many of the last windows each look merges.
const LOOKS: [usize; 4] = [1, 2, 4, 8];

/// Scans the windows (oldest first) for drift against the training data. Simulated floors start from `seed`.
pub fn scan(profile: &Profile, windows: &[WindowSketch], policy: &DriftPolicy, seed: u64) -> DriftVerdict {
    scan_with(profile, windows, policy, &mut Floors::new(seed))
}

/// Like [`scan`], with floors kept from earlier scans: the answer is the same, without simulating them again.
pub fn scan_with(
    profile: &Profile,
    windows: &[WindowSketch],
    policy: &DriftPolicy,
    floors: &mut Floors,
) -> DriftVerdict {
    let threshold = policy.alpha / (policy.columns(profile) as f64 * policy.windows_per_year.max(1.0));
    let mut scanner = Scanner { policy, threshold, floors };
    let mut features: Vec<FeatureDrift> = Vec::with_capacity(profile.features.len());
    for (position, column) in profile.features.iter().enumerate() {
        features.push(scanner.column(column, |back| windows.iter().nth_back(back)?.features.get(position)));
    }
    let mut prediction = profile
        .prediction
        .as_ref()
        .map(|column| scanner.column(column, |back| windows.iter().nth_back(back)?.whole_prediction()));
    adjust(features.iter_mut().chain(&mut prediction));
    let looked_at = LOOKS.into_iter().rfind(|look| *look <= windows.len()).unwrap_or(0);
    let last = windows.iter().rev().take(looked_at);
    DriftVerdict {
        drifted: features.iter().chain(&prediction).any(|column| column.drifted),
        missing_changed: features.iter().chain(&prediction).any(|column| column.missing_changed),
        rows: last.fold(0, |rows, window| rows.saturating_add(window.rows)),
        windows: looked_at,
        features,
        prediction,
    }
}

/// Fills in the adjusted p-values of the columns that were tested.
fn adjust<'a>(columns: impl Iterator<Item = &'a mut FeatureDrift>) {
    let tested: Vec<&mut FeatureDrift> = columns.filter(|column| column.reason.is_none()).collect();
    let p_values: Vec<f64> = tested.iter().map(|column| column.p_value).collect();
    for (column, adjusted) in tested.into_iter().zip(benjamini_hochberg(&p_values)) {
        column.adjusted_p = adjusted;
    }
}

struct Scanner<'a> {
    policy: &'a DriftPolicy,
    threshold: f64,
    floors: &'a mut Floors,
}

/// The last `windows` windows merged.
struct Look {
    windows: usize,
    sketch: Sketch,
}

impl Scanner<'_> {
    /// Scans one column; `sketch_at(0)` is the last window's sketch.
    fn column<'w>(
        &mut self,
        column: &ColumnProfile,
        sketch_at: impl Fn(usize) -> Option<&'w Sketch>,
    ) -> FeatureDrift {
        let reference = &column.reference;
        let looks = looks(reference, sketch_at);
        let ignored = self.policy.ignore.contains(&column.name);
        let tested: Vec<(&Look, TestResult)> = looks
            .iter()
            .filter(|_| !ignored)
            .filter_map(|look| Some((look, self.test(reference, &look.sketch)?)))
            .collect();
        let strongest = tested.into_iter().reduce(|a, b| if b.1.p_value < a.1.p_value { b } else { a });
        let shown = strongest.map(|(look, _)| look).or(looks.last());
        let mut drift = untested(column);
        if let Some(look) = shown {
            drift.windows = look.windows;
            (drift.before, drift.after) = summaries(reference, &look.sketch);
        }
        self.compare_missing(reference, &looks, &mut drift);
        match strongest {
            Some((look, result)) => self.judge(reference, look, result, &mut drift),
            None if ignored => drift.reason = Some(Untested::Ignored),
            None => drift.reason = Some(self.reason(reference, shown)),
        }
        drift
    }

    /// The test of the column's type; `None` where it does not apply.
    fn test(&self, reference: &Reference, sketch: &Sketch) -> Option<TestResult> {
        if usable(sketch) < self.policy.min_rows {
            return None;
        }
        match reference {
            Reference::Number(_) => ks(reference, sketch),
            Reference::Text(_) => chi_squared(reference, sketch),
        }
    }

    fn judge(&mut self, reference: &Reference, look: &Look, result: TestResult, drift: &mut FeatureDrift) {
        drift.statistic = result.statistic;
        drift.p_value = (LOOKS.len() as f64 * result.p_value).min(1.0);
        drift.psi = psi(reference, &look.sketch).unwrap_or(0.0);
        drift.effect = effect(reference, &look.sketch).unwrap_or(0.0);
        drift.effect_floor = self.floors.floor(reference, &look.sketch).unwrap_or(0.0);
        let large = drift.effect > drift.effect_floor && drift.effect >= self.policy.min_effect;
        drift.drifted = drift.p_value <= self.threshold && large;
    }

    /// Compares the share of rows without a usable value (missing or infinite).
    fn compare_missing(&self, reference: &Reference, looks: &[Look], drift: &mut FeatureDrift) {
        let (hits_before, rows_before) = (unusable_in_training(reference), reference.rows());
        drift.missing_before = share(hits_before, rows_before);
        drift.missing_after =
            looks.first().map_or(0.0, |look| share(unusable(&look.sketch), look.sketch.count()));
        let mut smallest = 1.0;
        for sketch in looks.iter().map(|look| &look.sketch) {
            let (hits_after, rows_after) = (unusable(sketch), sketch.count());
            if rows_before == 0 || rows_after < self.policy.min_rows {
                continue;
            }
            let p_value = Shares { hits_before, rows_before, hits_after, rows_after }.change_p();
            if p_value < smallest {
                smallest = p_value;
                drift.missing_after = share(hits_after, rows_after);
            }
        }
        drift.missing_p_value = (LOOKS.len() as f64 * smallest).min(1.0);
        let change = (drift.missing_after - drift.missing_before).abs();
        drift.missing_changed =
            drift.missing_p_value <= self.threshold && change >= self.policy.min_missing_change;
    }

    /// Why no look could be tested.
    fn reason(&self, reference: &Reference, shown: Option<&Look>) -> Untested {
        let Some(look) = shown else {
            return Untested::NotHeld;
        };
        let trained = reference.rows().saturating_sub(unusable_in_training(reference));
        match usable(&look.sketch) {
            _ if trained == 0 => Untested::NoTrainingValues,
            0 => Untested::NoValues,
            values if values < self.policy.min_rows => {
                Untested::FewValues { values, needed: self.policy.min_rows }
            }
            _ => Untested::Constant,
        }
    }
}

/// Merges the last 1, 2, 4 and 8 windows, as far as there are that many and they hold the column.
fn looks<'w>(reference: &Reference, sketch_at: impl Fn(usize) -> Option<&'w Sketch>) -> Vec<Look> {
    let mut merged = Sketch::new(reference);
    let mut looks = Vec::new();
    for back in 0..LOOKS[LOOKS.len() - 1] {
        let Some(sketch) = sketch_at(back).filter(|sketch| fits(reference, sketch)) else { break };
        if merged.merge(sketch).is_err() {
            break;
        }
        if LOOKS.contains(&(back + 1)) {
            looks.push(Look { windows: back + 1, sketch: merged.clone() });
        }
    }
    looks
}

fn unusable(sketch: &Sketch) -> u64 {
    sketch.count().saturating_sub(usable(sketch))
}

fn unusable_in_training(reference: &Reference) -> u64 {
    match reference {
        Reference::Number(number) => number.missing.saturating_add(number.tally.infinite()),
        Reference::Text(text) => text.missing,
    }
}

/// A column before anything was found.
fn untested(column: &ColumnProfile) -> FeatureDrift {
    let empty = Sketch::new(&column.reference);
    let (kind, test) = match &empty.cells {
        Cells::Number(_) => (ColumnKind::Number, "ks"),
        Cells::Text(_) => (ColumnKind::Text, "chisquare"),
    };
    FeatureDrift {
        name: column.name.clone(),
        kind,
        importance: column.importance.filter(|importance| importance.is_finite()),
        test: test.into(),
        statistic: 0.0,
        p_value: 1.0,
        adjusted_p: 1.0,
        psi: 0.0,
        effect: 0.0,
        effect_floor: 0.0,
        windows: 0,
        drifted: false,
        reason: None,
        missing_before: 0.0,
        missing_after: 0.0,
        missing_p_value: 1.0,
        missing_changed: false,
        before: summaries(&column.reference, &empty).0,
        after: Summary::default(),
    }
}
