//! What may be told of personal columns: that they changed and by how much, never a value. In the prediction log they
//! are pseudonyms, which are no values of theirs either.

use chasqui_drift::quality::Fault;
use chasqui_drift::{DriftVerdict, Summary};
use chasqui_registry::service::ServiceConfig;
use chasqui_registry::version::Version;

/// A version takes a personal input: no model can be asked again about rows of the log.
pub(super) fn takes_personal(config: &ServiceConfig, version: &Version) -> bool {
    version.signature.features.iter().any(|feature| config.personal.contains(&feature.name))
}

/// Takes the values of personal columns out of a verdict: rows, shares and distances stay.
pub(super) fn hide_values(verdict: &mut DriftVerdict, personal: &[String]) {
    for column in verdict.features.iter_mut().filter(|column| personal.contains(&column.name)) {
        for summary in [&mut column.before, &mut column.after] {
            let Summary { rows, missing, infinite, other, new, .. } = *summary;
            *summary = Summary { rows, missing, infinite, other, new, ..Summary::default() };
        }
    }
}

/// Takes the values of personal columns out of faults.
pub(super) fn hide_examples(faults: &mut [Fault], personal: &[String]) {
    let is_personal = |fault: &Fault| fault.column.as_ref().is_some_and(|column| personal.contains(column));
    faults.iter_mut().filter(|fault| is_personal(fault)).for_each(|fault| fault.example = None);
}

#[cfg(test)]
mod tests {
    use chasqui_drift::quality::{Check, column_faults};
    use chasqui_drift::{ColumnProfile, DriftPolicy, Profile, Reference, WindowSketch, scan};

    use super::*;

    /// A window of texts and numbers that training never had.
    fn window() -> (Profile, WindowSketch) {
        let column = |name: &str, reference| ColumnProfile { name: name.into(), importance: None, reference };
        let names = ["Av. Uno 12", "Av. Dos 34"].repeat(300);
        let ages: Vec<f64> = (0..600).map(|row| f64::from(20 + row % 40)).collect();
        let features = vec![
            column("direccion", Reference::of_texts(names.iter().map(|name| Some(*name)))),
            column("edad", Reference::of_numbers(&ages)),
            column("ciudad", Reference::of_texts(["Quito", "Manta"].repeat(300).iter().map(|x| Some(*x)))),
        ];
        let profile = Profile { rows: 600, features, prediction: None };
        let mut window = WindowSketch::new(&profile);
        for _ in 0..200 {
            window.rows += 1;
            window.features[0].add_text(&profile.features[0].reference, "Av. Tres 56");
            window.features[1].add_number(&profile.features[1].reference, 977.5);
            window.features[2].add_text(&profile.features[2].reference, "Loja");
        }
        (profile, window)
    }

    #[test]
    fn of_personal_columns_shares_are_told_and_no_value() {
        let (profile, window) = window();
        let policy = DriftPolicy::default();
        let personal = ["direccion".to_owned(), "edad".to_owned()];
        let mut verdict = scan(&profile, std::slice::from_ref(&window), &policy, 1);
        let mut faults = column_faults(&profile, &window, &policy);
        assert!(faults.iter().any(|fault| fault.check == Check::Category && fault.example.is_some()));
        hide_values(&mut verdict, &personal);
        hide_examples(&mut faults, &personal);
        let told = serde_json::to_string(&(&verdict, &faults)).unwrap();
        for value in ["Av. Tres 56", "Av. Uno 12", "977.5", "39.5"] {
            assert!(!told.contains(value), "{value} in {told}");
        }
        assert!(told.contains("Loja") && told.contains("Quito"), "other columns keep their values");
        assert!(verdict.features.iter().all(|column| column.drifted && column.effect > 0.5));
        assert_eq!((verdict.features[0].after.rows, verdict.features[0].after.new), (200, 1.0));
    }
}
