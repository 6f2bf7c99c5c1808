//! The texts of the comparison, one value per language; the values stand in `locales/comparison/`.

use crate::format::Language;

#[path = "../../locales/comparison/en.rs"]
mod en;
#[path = "../../locales/comparison/es.rs"]
mod es;

/// Every text of the comparison in one language.
#[cfg_attr(test, derive(serde::Serialize))]
pub(super) struct ComparisonTexts {
    // The page.
    pub(super) title: &'static str,
    pub(super) eyebrow: &'static str,
    pub(super) against: &'static str,
    pub(super) generated: &'static str,
    pub(super) footer: &'static str,
    // The verdict.
    pub(super) verdict_title: &'static str,
    pub(super) badge_drift: &'static str,
    pub(super) badge_same: &'static str,
    pub(super) verdict_drift_only: &'static str,
    pub(super) verdict_drift_one: &'static str,
    pub(super) verdict_drift: &'static str,
    pub(super) verdict_some: &'static str,
    pub(super) verdict_same_only: &'static str,
    pub(super) verdict_same: &'static str,
    pub(super) verdict_untested: &'static str,
    pub(super) rules_calibrated: &'static str,
    pub(super) rules_evidently: &'static str,
    // Sampling.
    pub(super) sampled: &'static str,
    pub(super) sampled_side: &'static str,
    pub(super) sampled_whole: &'static str,
    pub(super) sampled_error: &'static str,
    pub(super) sampled_test: &'static str,
    pub(super) sampled_grouped: &'static str,
    // At a glance.
    pub(super) stat_reference: &'static str,
    pub(super) stat_current: &'static str,
    pub(super) stat_columns: &'static str,
    pub(super) stat_drifted: &'static str,
    pub(super) rows: &'static str,
    // The columns.
    pub(super) columns_title: &'static str,
    pub(super) before: &'static str,
    pub(super) now: &'static str,
    pub(super) order: &'static str,
    pub(super) drawn: &'static str,
    pub(super) rest_title: &'static str,
    pub(super) rest_missing: &'static str,
    pub(super) changed: &'static str,
    pub(super) same: &'static str,
    pub(super) not_tested: &'static str,
    pub(super) chart: &'static str,
    pub(super) others: &'static str,
    pub(super) col_column: &'static str,
    pub(super) col_type: &'static str,
    pub(super) col_verdict: &'static str,
    pub(super) col_moved: &'static str,
    pub(super) col_adjusted: &'static str,
    pub(super) col_test: &'static str,
    pub(super) col_score: &'static str,
    pub(super) col_threshold: &'static str,
    /// In the order of `ComparedKind`.
    pub(super) kinds: [&'static str; 3],
    // What happened to a column.
    pub(super) mean_moved: &'static str,
    pub(super) wider: &'static str,
    pub(super) narrower: &'static str,
    pub(super) shape: &'static str,
    pub(super) category_moved: &'static str,
    pub(super) new_categories: &'static str,
    pub(super) words_moved: &'static str,
    pub(super) groups_moved: &'static str,
    pub(super) missing_moved: &'static str,
    pub(super) no_change: &'static str,
    // What a test says.
    pub(super) test_changed: &'static str,
    pub(super) test_same: &'static str,
    pub(super) test_above: &'static str,
    pub(super) test_below: &'static str,
    pub(super) test_small: &'static str,
    pub(super) test_coarse: &'static str,
    pub(super) not_applicable: &'static str,
    pub(super) reason_empty_reference: &'static str,
    pub(super) reason_empty_current: &'static str,
    pub(super) reason_constant: &'static str,
    pub(super) reason_constant_reference: &'static str,
    pub(super) reason_few: &'static str,
    pub(super) reason_more_than_two: &'static str,
    pub(super) reason_no_spread: &'static str,
    pub(super) reason_sparse: &'static str,
    pub(super) reason_too_large: &'static str,
    pub(super) reason_wrong_type: &'static str,
    pub(super) reason_types_differ: &'static str,
    // Columns that were not compared.
    pub(super) left_out_title: &'static str,
    pub(super) left_out_reference: &'static str,
    pub(super) left_out_current: &'static str,
    pub(super) left_out_times: &'static str,
    pub(super) left_out_times_in_one: &'static str,
    pub(super) left_out_not_asked: &'static str,
    pub(super) and_more: &'static str,
    // How to read it.
    pub(super) reading_title: &'static str,
    pub(super) reading_p_value: &'static str,
    pub(super) reading_distance: &'static str,
    pub(super) reading_auc: &'static str,
    pub(super) reading_decides: &'static str,
}

impl ComparisonTexts {
    /// The texts of a language.
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::Es => &es::ES,
            Language::En => &en::EN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::assert_alike;

    #[test]
    fn both_languages_say_the_same() {
        assert_alike(ComparisonTexts::of(Language::Es), ComparisonTexts::of(Language::En));
    }
}
