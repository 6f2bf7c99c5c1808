//! What changed, as a report tells it: the columns of a verdict, before and after.

use chasqui_drift::{Category, FeatureDrift, Summary};
use chasqui_report::{Change, Distribution, DistributionCell, Measure, Pace, Unit};

use super::meaning;
use crate::monitor::StoredVerdict;
use crate::monitor::performance::WindowPerformance;

/// The columns that changed, the most important first; the model's own answers last.
pub(super) fn changes(verdict: &StoredVerdict, performance: Option<&WindowPerformance>) -> Vec<Change> {
    let mut told = changed_columns(verdict);
    for change in &mut told {
        let dated = verdict.assessment.changes.iter().find(|dated| dated.column == change.feature);
        change.pace = meaning::pace(dated, performance);
    }
    told
}

fn changed_columns(verdict: &StoredVerdict) -> Vec<Change> {
    let drifted = |feature: &&FeatureDrift| feature.drifted || feature.missing_changed;
    let mut features: Vec<&FeatureDrift> = verdict.verdict.features.iter().filter(drifted).collect();
    let weight =
        |feature: &FeatureDrift| feature.importance.unwrap_or(0.0) * feature.effect + feature.effect * 1e-3;
    features.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    let of_features = features.into_iter().map(|feature| change(feature, false));
    let prediction = verdict.verdict.prediction.iter().filter(drifted);
    of_features.chain(prediction.map(|feature| change(feature, true))).collect()
}

fn change(feature: &FeatureDrift, prediction: bool) -> Change {
    let (before, after) = (&feature.before, &feature.after);
    let (measure, unit, was, is) = if feature.missing_changed && !feature.drifted {
        (Measure::Missing, Unit::Percent, feature.missing_before, feature.missing_after)
    } else if let Some((was, is)) = before.mean.zip(after.mean) {
        let measure = if prediction { Measure::Prediction } else { Measure::Mean };
        (measure, Unit::Plain, was, is)
    } else if let Some((value, was, is)) = largest_move(before, after) {
        (Measure::Share { value }, Unit::Percent, was, is)
    } else {
        (Measure::Moved, Unit::Percent, 0.0, feature.effect)
    };
    Change {
        feature: feature.name.clone(),
        label: None,
        measure,
        unit,
        before: was,
        after: is,
        range: None,
        pace: Pace::Unknown,
        coincides_with: None,
        verified_cause: None,
        distribution: distribution(before, after),
    }
}

/// The category whose share moved most, and its shares.
fn largest_move(before: &Summary, after: &Summary) -> Option<(String, f64, f64)> {
    let share = |value: &str| {
        after
            .categories
            .iter()
            .find(|category| category.value == value)
            .map_or(0.0, |category| category.share)
    };
    let known = before.categories.iter().map(|c| (c.value.clone(), c.share, share(&c.value)));
    let new = after.new_categories.iter().map(|c| (c.value.clone(), 0.0, c.share));
    known.chain(new).max_by(|a, b| (a.2 - a.1).abs().total_cmp(&(b.2 - b.1).abs()))
}

fn distribution(before: &Summary, after: &Summary) -> Option<Distribution> {
    if !before.histogram.is_empty() && before.histogram.len() == after.histogram.len() {
        let mut edges: Vec<Option<f64>> = before.histogram.iter().map(|bin| Some(bin.from)).collect();
        edges.push(before.histogram.last().map(|bin| bin.to));
        let shares = |summary: &Summary| summary.histogram.iter().map(|bin| Some(bin.share)).collect();
        return Some(Distribution::Intervals { edges, before: shares(before), after: shares(after) });
    }
    if before.categories.is_empty() {
        return None;
    }
    let cell = |(was, is): (&Category, &Category)| DistributionCell {
        label: was.value.clone(),
        before: was.share,
        after: is.share,
    };
    Some(Distribution::Categories(before.categories.iter().zip(&after.categories).map(cell).collect()))
}
