//! The texts of the report, one value per language; the values stand in `locales/`.
//!
//! A placeholder is a word in braces, filled by [`fill`]. A text missing in a language does not compile; a test
//! holds that all languages use the same placeholders.

use crate::format::Language;

#[path = "../locales/en.rs"]
mod en;
#[path = "../locales/es.rs"]
mod es;

/// Every text of the report in one language.
#[cfg_attr(test, derive(serde::Serialize))]
pub(crate) struct Texts {
    // Level words and what each level asks, in the order of `Level::ALL`.
    pub(crate) levels: [&'static str; 5],
    pub(crate) level_calls: [&'static str; 5],
    // The page.
    pub(crate) report_title: &'static str,
    pub(crate) report_of: &'static str,
    pub(crate) period: &'static str,
    pub(crate) generated: &'static str,
    pub(crate) contents_annex: &'static str,
    pub(crate) back_to_top: &'static str,
    pub(crate) footer: &'static str,
    pub(crate) no_conclusion: &'static str,
    // Headings of the sections.
    pub(crate) verdict_title: &'static str,
    pub(crate) changes_title: &'static str,
    pub(crate) money_title: &'static str,
    pub(crate) season_title: &'static str,
    pub(crate) recommendation_title: &'static str,
    pub(crate) inaction_title: &'static str,
    pub(crate) confidence_title: &'static str,
    pub(crate) fairness_title: &'static str,
    pub(crate) charts_title: &'static str,
    pub(crate) annex_title: &'static str,
    // The verdict.
    pub(crate) verdict_few_rows: &'static str,
    pub(crate) verdict_normal: &'static str,
    pub(crate) verdict_normal_unmeasured: &'static str,
    pub(crate) verdict_season: &'static str,
    pub(crate) verdict_changed: &'static str,
    pub(crate) verdict_changed_masculine: &'static str,
    pub(crate) verdict_changed_feminine: &'static str,
    pub(crate) verdict_loss: &'static str,
    pub(crate) verdict_near: &'static str,
    pub(crate) verdict_at_minimum: &'static str,
    pub(crate) verdict_below: &'static str,
    pub(crate) verdict_damaged: &'static str,
    pub(crate) verdict_harmed: &'static str,
    pub(crate) within_range: &'static str,
    pub(crate) performance_unknown: &'static str,
    pub(crate) hits_estimated: &'static str,
    pub(crate) hits_measured: &'static str,
    pub(crate) error_estimated: &'static str,
    pub(crate) error_measured: &'static str,
    pub(crate) awaited: &'static str,
    pub(crate) awaited_outcomes: &'static str,
    // At a glance.
    pub(crate) stat_hits: &'static str,
    pub(crate) stat_error: &'static str,
    pub(crate) stat_loss: &'static str,
    pub(crate) stat_effect: &'static str,
    pub(crate) stat_gain: &'static str,
    pub(crate) stat_answers: &'static str,
    pub(crate) stat_due: &'static str,
    pub(crate) stat_was: &'static str,
    pub(crate) stat_range_estimated: &'static str,
    pub(crate) stat_range_measured: &'static str,
    pub(crate) stat_from_to: &'static str,
    pub(crate) stat_range: &'static str,
    pub(crate) stat_per_day: &'static str,
    // What changed.
    pub(crate) no_changes: &'static str,
    pub(crate) mean_of_label: &'static str,
    pub(crate) mean_of_column: &'static str,
    pub(crate) share_of: &'static str,
    pub(crate) moved_of: &'static str,
    pub(crate) missing_of: &'static str,
    pub(crate) prediction_of: &'static str,
    pub(crate) sentence_label: &'static str,
    pub(crate) sentence_column: &'static str,
    pub(crate) sentence_share: &'static str,
    pub(crate) sentence_moved: &'static str,
    pub(crate) sentence_missing: &'static str,
    pub(crate) sentence_prediction: &'static str,
    pub(crate) before: &'static str,
    pub(crate) now: &'static str,
    pub(crate) range: &'static str,
    pub(crate) sudden: &'static str,
    pub(crate) gradual: &'static str,
    pub(crate) gradual_since: &'static str,
    pub(crate) weeks_left: &'static str,
    pub(crate) pace_unknown: &'static str,
    pub(crate) coincides: &'static str,
    pub(crate) verified: &'static str,
    // Money.
    pub(crate) money_loss: &'static str,
    pub(crate) money_gain: &'static str,
    pub(crate) money_both: &'static str,
    pub(crate) money_unknown: &'static str,
    pub(crate) money_missing: &'static str,
    pub(crate) missing_value: &'static str,
    pub(crate) missing_outcomes: &'static str,
    pub(crate) missing_reference: &'static str,
    pub(crate) missing_volume: &'static str,
    // Season.
    pub(crate) season_unknown: &'static str,
    pub(crate) season_no_change: &'static str,
    pub(crate) season_up: &'static str,
    pub(crate) season_down: &'static str,
    pub(crate) season_same: &'static str,
    pub(crate) season_up_only: &'static str,
    pub(crate) season_down_only: &'static str,
    pub(crate) season_same_only: &'static str,
    pub(crate) season_stronger: &'static str,
    pub(crate) season_no: &'static str,
    // Recommendation.
    pub(crate) do_nothing: &'static str,
    pub(crate) do_review: &'static str,
    pub(crate) do_check_source: &'static str,
    pub(crate) do_retrain: &'static str,
    pub(crate) retrain_cost: &'static str,
    pub(crate) retrain_avoids: &'static str,
    pub(crate) retrain_cost_avoids: &'static str,
    pub(crate) do_promote: &'static str,
    pub(crate) do_keep: &'static str,
    pub(crate) do_send_outcomes: &'static str,
    pub(crate) do_protect: &'static str,
    pub(crate) responsible: &'static str,
    pub(crate) due: &'static str,
    pub(crate) not_assigned: &'static str,
    pub(crate) no_due: &'static str,
    // If nothing is done.
    pub(crate) inaction_unknown: &'static str,
    pub(crate) inaction_none: &'static str,
    pub(crate) inaction_loss: &'static str,
    pub(crate) inaction_weeks: &'static str,
    pub(crate) inaction_no_date: &'static str,
    // Confidence.
    pub(crate) certainty: &'static str,
    pub(crate) certainty_unknown: &'static str,
    pub(crate) rows: &'static str,
    pub(crate) outcomes: &'static str,
    pub(crate) no_outcomes: &'static str,
    pub(crate) few_rows: &'static str,
    // Fairness.
    pub(crate) fairness_not_measured: &'static str,
    pub(crate) fairness_harmed: &'static str,
    pub(crate) fairness_fine: &'static str,
    pub(crate) fairness_group: &'static str,
    pub(crate) fairness_favourable: &'static str,
    pub(crate) fairness_range: &'static str,
    pub(crate) fairness_cases: &'static str,
    pub(crate) fairness_by: &'static str,
    pub(crate) and_more: &'static str,
    // Charts.
    pub(crate) chart_daily: &'static str,
    pub(crate) chart_daily_of: &'static str,
    pub(crate) chart_predicted_only: &'static str,
    pub(crate) chart_volume: &'static str,
    pub(crate) chart_error: &'static str,
    pub(crate) chart_distribution: &'static str,
    pub(crate) chart_shares: &'static str,
    pub(crate) chart_from_to: &'static str,
    pub(crate) chart_distribution_note: &'static str,
    pub(crate) chart_shares_note: &'static str,
    pub(crate) chart_marks: &'static str,
    pub(crate) series_predicted: &'static str,
    pub(crate) series_actual: &'static str,
    pub(crate) series_band: &'static str,
    pub(crate) series_volume: &'static str,
    pub(crate) series_error: &'static str,
    pub(crate) event_change: &'static str,
    pub(crate) event_retrained: &'static str,
    pub(crate) event_version: &'static str,
    pub(crate) event_rollback: &'static str,
    pub(crate) version_name: &'static str,
    // The annex.
    pub(crate) annex_intro: &'static str,
    pub(crate) features_title: &'static str,
    pub(crate) features_note: &'static str,
    pub(crate) features_rest: &'static str,
    pub(crate) features_chart: &'static str,
    pub(crate) no_features: &'static str,
    pub(crate) col_feature: &'static str,
    pub(crate) col_test: &'static str,
    pub(crate) col_statistic: &'static str,
    pub(crate) col_p: &'static str,
    pub(crate) col_adjusted: &'static str,
    pub(crate) col_psi: &'static str,
    pub(crate) col_effect: &'static str,
    pub(crate) col_floor: &'static str,
    pub(crate) col_importance: &'static str,
    pub(crate) col_verdict: &'static str,
    pub(crate) drifted: &'static str,
    pub(crate) stable: &'static str,
    pub(crate) versions_title: &'static str,
    pub(crate) col_version: &'static str,
    pub(crate) col_share: &'static str,
    pub(crate) col_since: &'static str,
    pub(crate) col_until: &'static str,
    pub(crate) col_sha: &'static str,
    pub(crate) still: &'static str,
    pub(crate) gate_title: &'static str,
    pub(crate) col_check: &'static str,
    pub(crate) col_champion: &'static str,
    pub(crate) col_candidate: &'static str,
    pub(crate) col_difference: &'static str,
    pub(crate) col_interval: &'static str,
    pub(crate) gate_passed: &'static str,
    pub(crate) gate_failed: &'static str,
    pub(crate) gate_undecided: &'static str,
    pub(crate) rollout_title: &'static str,
    pub(crate) rollout_state: &'static str,
    pub(crate) rollout_weight: &'static str,
    pub(crate) rollout_skipped: &'static str,
    pub(crate) guard: &'static str,
    pub(crate) lineage_title: &'static str,
    pub(crate) lineage_version: &'static str,
    pub(crate) lineage_dataset: &'static str,
    pub(crate) lineage_dataset_sha: &'static str,
    pub(crate) lineage_run: &'static str,
    pub(crate) lineage_parent: &'static str,
    pub(crate) lineage_algorithm: &'static str,
    pub(crate) lineage_code: &'static str,
    pub(crate) lineage_trained: &'static str,
    pub(crate) not_recorded: &'static str,
}

impl Texts {
    /// The texts of a language.
    pub(crate) fn of(language: Language) -> &'static Self {
        match language {
            Language::Es => &es::ES,
            Language::En => &en::EN,
        }
    }
}

/// Puts values into the braces of a text, in one pass: braces inside a value stay what they are.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            out.push_str(value);
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// The same text with its first letter in upper case.
pub(crate) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Holds that each text is there in both languages, with places for the same values.
#[cfg(test)]
pub(crate) fn assert_alike<T: serde::Serialize>(spanish: &T, english: &T) {
    let places = |text: &str| {
        let names = text.split('{').skip(1).filter_map(|part| part.split_once('}'));
        let mut names: Vec<String> = names.map(|(name, _)| name.to_owned()).collect();
        names.sort_unstable();
        names
    };
    let spanish = serde_json::to_value(spanish).unwrap();
    let english = serde_json::to_value(english).unwrap();
    for (key, text) in spanish.as_object().unwrap() {
        let (Some(text), Some(other)) = (text.as_str(), english[key].as_str()) else { continue };
        assert_eq!(places(text), places(other), "{key}");
        assert!(!text.trim().is_empty() && !other.trim().is_empty(), "{key} is empty");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_the_same() {
        assert_alike(Texts::of(Language::Es), Texts::of(Language::En));
    }

    #[test]
    fn values_are_not_filled_again() {
        assert_eq!(fill("{a} y {b}", &[("a", "{b}"), ("b", "x")]), "{b} y x");
        assert_eq!(fill("sin cierre {", &[]), "sin cierre {");
    }

    #[test]
    fn capitals() {
        assert_eq!(capitalised("ámbar"), "Ámbar");
        assert_eq!(capitalised(""), "");
    }
}
