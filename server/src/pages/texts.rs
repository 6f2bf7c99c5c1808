//! The texts of the pages, one value per language; the values stand in `locales/`.
//!
//! A placeholder is a word in braces, filled by [`chasqui_report::fill`]. A text missing in a language does not compile; a test
//! holds that all languages use the same placeholders. Pairs are singular and plural.

use chasqui_report::Language;

#[path = "../../locales/en.rs"]
mod en;
#[path = "../../locales/es.rs"]
mod es;

/// Every text of the pages in one language.
#[cfg_attr(test, derive(serde::Serialize))]
pub(super) struct Texts {
    // The frame of every page.
    pub(super) skip: &'static str,
    pub(super) panel: &'static str,
    pub(super) sign_out: &'static str,
    pub(super) other_language: &'static str,
    pub(super) footer: &'static str,
    pub(super) stale: &'static str,
    pub(super) since: &'static str,
    pub(super) and: &'static str,
    pub(super) nothing_known: &'static str,
    pub(super) roles: [&'static str; 3],
    pub(super) automatic: &'static str,
    // The API's reference.
    pub(super) api_title: &'static str,
    pub(super) api_lead: &'static str,
    pub(super) api_general: &'static str,
    pub(super) api_needs: &'static str,
    pub(super) api_open: &'static str,
    pub(super) api_parameters: &'static str,
    pub(super) api_required: &'static str,
    pub(super) api_body: &'static str,
    pub(super) api_answers: &'static str,
    pub(super) api_members: &'static str,
    pub(super) api_schemas: &'static str,
    pub(super) api_try: &'static str,
    pub(super) api_send: &'static str,
    pub(super) api_send_note: &'static str,
    // The dashboard.
    pub(super) lead_none: &'static str,
    pub(super) lead_only: &'static str,
    pub(super) lead_calm: [&'static str; 2],
    pub(super) lead_attention: [&'static str; 2],
    pub(super) services: &'static str,
    pub(super) open_alerts: [&'static str; 2],
    pub(super) alerts: &'static str,
    pub(super) no_alerts: &'static str,
    pub(super) more_alerts: [&'static str; 2],
    pub(super) acknowledge: &'static str,
    pub(super) acknowledged: &'static str,
    pub(super) jobs_running: &'static str,
    pub(super) no_jobs_running: &'static str,
    pub(super) latest_reports: &'static str,
    pub(super) no_reports: &'static str,
    pub(super) latest_report: &'static str,
    pub(super) of_service: &'static str,
    // Services at a glance.
    pub(super) state_unknown: &'static str,
    pub(super) state_ready: &'static str,
    pub(super) not_ready: &'static str,
    pub(super) champion: &'static str,
    pub(super) version: &'static str,
    pub(super) version_word: &'static str,
    pub(super) no_version: &'static str,
    pub(super) model: &'static str,
    pub(super) predictions: &'static str,
    pub(super) errors: &'static str,
    pub(super) errors_note: &'static str,
    pub(super) no_errors_note: &'static str,
    pub(super) mean_latency: &'static str,
    pub(super) since_start: &'static str,
    pub(super) milliseconds: &'static str,
    pub(super) rollout_live: &'static str,
    // What changed in the data.
    pub(super) drift: &'static str,
    pub(super) drift_none: &'static str,
    pub(super) drift_few: &'static str,
    pub(super) drift_one: &'static str,
    pub(super) drift_two: &'static str,
    pub(super) drift_many: [&'static str; 2],
    pub(super) drift_missing: &'static str,
    pub(super) drift_answers: &'static str,
    pub(super) drift_waiting: &'static str,
    pub(super) drift_unwatched: &'static str,
    pub(super) drift_window: [&'static str; 2],
    pub(super) rows: [&'static str; 2],
    pub(super) drift_chart: &'static str,
    pub(super) drift_chart_note: &'static str,
    pub(super) before: &'static str,
    pub(super) now: &'static str,
    pub(super) drift_over_time: &'static str,
    pub(super) drift_over_time_note: &'static str,
    pub(super) drift_found: &'static str,
    pub(super) drift_too_early: &'static str,
    pub(super) column: &'static str,
    pub(super) what_happened: &'static str,
    pub(super) training: &'static str,
    pub(super) importance: &'static str,
    pub(super) answers_column: &'static str,
    pub(super) technical: &'static str,
    pub(super) unchanged_columns: [&'static str; 2],
    pub(super) test: &'static str,
    pub(super) statistic: &'static str,
    pub(super) adjusted_p: &'static str,
    pub(super) psi: &'static str,
    pub(super) effect: &'static str,
    pub(super) effect_floor: &'static str,
    pub(super) column_same: &'static str,
    pub(super) column_mean: &'static str,
    pub(super) column_wider: &'static str,
    pub(super) column_narrower: &'static str,
    pub(super) column_shape: &'static str,
    pub(super) column_values: &'static str,
    pub(super) column_category: &'static str,
    pub(super) column_new: &'static str,
    pub(super) column_missing: &'static str,
    pub(super) column_reason_few: &'static str,
    pub(super) column_reason_none: &'static str,
    pub(super) column_reason_constant: &'static str,
    pub(super) column_reason_other: &'static str,
    // Faults, seasons, kinds of change, performance.
    pub(super) fault_missing: &'static str,
    pub(super) fault_type: &'static str,
    pub(super) fault_range: &'static str,
    pub(super) fault_category: &'static str,
    pub(super) fault_duplicate: &'static str,
    pub(super) fault_freshness: &'static str,
    pub(super) fault_silence: &'static str,
    pub(super) fault_volume: &'static str,
    pub(super) fault_example: &'static str,
    pub(super) faults_title: &'static str,
    pub(super) season_expected: &'static str,
    pub(super) season_same: &'static str,
    pub(super) season_notice: &'static str,
    pub(super) season_watched: &'static str,
    pub(super) season_no: &'static str,
    pub(super) kind_sudden: &'static str,
    pub(super) kind_gradual: &'static str,
    pub(super) kind_one_off: &'static str,
    pub(super) kind_recurring: &'static str,
    pub(super) kind_unknown: &'static str,
    pub(super) kind_between: &'static str,
    pub(super) kind_groups: &'static str,
    pub(super) groups_too_many: &'static str,
    pub(super) changes_page: &'static str,
    pub(super) changes_title: &'static str,
    pub(super) column_trend: &'static str,
    pub(super) column_trend_floor: &'static str,
    pub(super) column_distance: &'static str,
    pub(super) performance: &'static str,
    pub(super) perf_hits_estimated: &'static str,
    pub(super) perf_hits_realized: &'static str,
    pub(super) perf_error_estimated: &'static str,
    pub(super) perf_error_realized: &'static str,
    pub(super) perf_usual: &'static str,
    pub(super) perf_fell: &'static str,
    pub(super) perf_none: &'static str,
    pub(super) perf_labels: [&'static str; 2],
    pub(super) perf_doubt_few: &'static str,
    pub(super) perf_doubt_outside: &'static str,
    pub(super) perf_doubt_concept: &'static str,
    pub(super) perf_chart: &'static str,
    pub(super) perf_chart_note: &'static str,
    pub(super) perf_estimated: &'static str,
    pub(super) perf_realized: &'static str,
    pub(super) perf_limit_low: &'static str,
    pub(super) perf_limit_high: &'static str,
    pub(super) perf_band: &'static str,
    pub(super) outlook_early: &'static str,
    pub(super) outlook_now: &'static str,
    pub(super) outlook_none: &'static str,
    pub(super) outlook_beyond: &'static str,
    pub(super) outlook_due: &'static str,
    pub(super) outlook_due_open: &'static str,
    pub(super) value_loss: &'static str,
    pub(super) value_gain: &'static str,
    pub(super) advice_retrain: &'static str,
    pub(super) advice_wait: &'static str,
    pub(super) fairness: &'static str,
    pub(super) fairness_note: &'static str,
    pub(super) fairness_estimated: &'static str,
    pub(super) group: &'static str,
    pub(super) favourable: &'static str,
    pub(super) beside_favoured: &'static str,
    pub(super) treatment: &'static str,
    pub(super) treatment_even: &'static str,
    pub(super) treatment_uneven: &'static str,
    pub(super) treatment_few: &'static str,
    // Rollouts.
    pub(super) rollout: &'static str,
    pub(super) rollout_title: &'static str,
    pub(super) no_rollout: &'static str,
    pub(super) status_draft: &'static str,
    pub(super) status_scheduled: &'static str,
    pub(super) status_warming: &'static str,
    pub(super) status_running: &'static str,
    pub(super) status_baking: &'static str,
    pub(super) status_holding: &'static str,
    pub(super) status_await: &'static str,
    pub(super) status_paused: &'static str,
    pub(super) status_rolling_back: &'static str,
    pub(super) status_rolled_back: &'static str,
    pub(super) status_succeeded: &'static str,
    pub(super) status_superseded: &'static str,
    pub(super) status_failed: &'static str,
    pub(super) phase_draft: &'static str,
    pub(super) phase_scheduled: &'static str,
    pub(super) phase_warming: &'static str,
    pub(super) phase_step: &'static str,
    pub(super) phase_baking: &'static str,
    pub(super) phase_holding: &'static str,
    pub(super) phase_await: &'static str,
    pub(super) phase_await_held: &'static str,
    pub(super) phase_paused: &'static str,
    pub(super) phase_rolling_back: &'static str,
    pub(super) phase_rolled_back: &'static str,
    pub(super) phase_succeeded: &'static str,
    pub(super) phase_superseded: &'static str,
    pub(super) phase_failed: &'static str,
    pub(super) hold_requests: &'static str,
    pub(super) hold_suspicion: &'static str,
    pub(super) hold_not_shown: &'static str,
    pub(super) hold_split: &'static str,
    pub(super) hold_outage: &'static str,
    pub(super) hold_window: &'static str,
    pub(super) metric_errors: &'static str,
    pub(super) metric_latency: &'static str,
    pub(super) shares: &'static str,
    pub(super) steps: &'static str,
    pub(super) step_share: &'static str,
    pub(super) step_last: &'static str,
    pub(super) evidence: &'static str,
    pub(super) evidence_note: &'static str,
    pub(super) meter: &'static str,
    pub(super) meter_requests: &'static str,
    pub(super) meter_events: [&'static str; 2],
    pub(super) chain_broken: &'static str,
    pub(super) timeline: &'static str,
    pub(super) earlier_events: [&'static str; 2],
    pub(super) by: &'static str,
    pub(super) why_window_open: &'static str,
    pub(super) why_warm: &'static str,
    pub(super) why_step_done: &'static str,
    pub(super) why_bake_done: &'static str,
    pub(super) why_all_done: &'static str,
    pub(super) why_plan_asks: &'static str,
    pub(super) why_not_warm: &'static str,
    pub(super) why_holds: &'static str,
    pub(super) why_cleared: &'static str,
    pub(super) why_step_back: &'static str,
    pub(super) why_held_too_long: &'static str,
    pub(super) why_approved: &'static str,
    pub(super) why_resumed: &'static str,
    pub(super) why_started: &'static str,
    pub(super) why_paused: &'static str,
    pub(super) why_aborted: &'static str,
    pub(super) why_pipeline: &'static str,
    pub(super) why_superseded: &'static str,
    pub(super) why_breach: &'static str,
    pub(super) approve: &'static str,
    pub(super) pause: &'static str,
    pub(super) resume: &'static str,
    pub(super) start: &'static str,
    pub(super) abort: &'static str,
    pub(super) reason: &'static str,
    // Versions.
    pub(super) versions: &'static str,
    pub(super) share: &'static str,
    pub(super) figures: &'static str,
    pub(super) registered: &'static str,
    pub(super) file: &'static str,
    pub(super) watched: &'static str,
    pub(super) yes: &'static str,
    pub(super) no: &'static str,
    pub(super) more_versions: &'static str,
    pub(super) aliases: [&'static str; 2],
    // Runs, jobs and reports.
    pub(super) runs: &'static str,
    pub(super) no_runs: &'static str,
    pub(super) triggers: [&'static str; 4],
    pub(super) gate_better: &'static str,
    pub(super) gate_worse: &'static str,
    pub(super) gate_undecided: &'static str,
    pub(super) gate_figures: &'static str,
    pub(super) gate_slow: &'static str,
    pub(super) gate_clash: &'static str,
    pub(super) gate_first: &'static str,
    pub(super) gate_none: &'static str,
    pub(super) jobs: &'static str,
    pub(super) no_jobs: &'static str,
    pub(super) job_kinds: [&'static str; 4],
    pub(super) job_states: [&'static str; 5],
    pub(super) job_attempts: &'static str,
    pub(super) job_messages: [&'static str; 8],
    pub(super) reports: &'static str,
    pub(super) report_written: &'static str,
    pub(super) no_service_reports: &'static str,
    // The empty dashboard.
    pub(super) first_title: &'static str,
    pub(super) first_intro: &'static str,
    pub(super) first_key: &'static str,
    pub(super) first_register: &'static str,
    pub(super) first_register_note: &'static str,
    pub(super) first_predict: &'static str,
    pub(super) first_predict_note: &'static str,
    pub(super) first_then: &'static str,
    pub(super) example_key: &'static str,
    pub(super) example_model: &'static str,
    // Signing in.
    pub(super) login_title: &'static str,
    pub(super) login_intro: &'static str,
    pub(super) login_key: &'static str,
    pub(super) login_submit: &'static str,
    pub(super) login_wrong: &'static str,
    pub(super) login_empty: &'static str,
    pub(super) login_help: &'static str,
    // Errors.
    pub(super) error_titles: [&'static str; 6],
    pub(super) error_words: [&'static str; 6],
    pub(super) back_to_panel: &'static str,
    pub(super) message: &'static str,
    // Alerts; `None` where the stored titles are in this language already.
    pub(super) alert_titles: Option<AlertTitles>,
}

/// Titles of alerts, which are stored in Spanish, in another language.
#[cfg_attr(test, derive(serde::Serialize))]
pub(super) struct AlertTitles {
    pub(super) data: &'static str,
    pub(super) performance: &'static str,
    pub(super) digest: &'static str,
    pub(super) drift: &'static str,
    pub(super) rollback: &'static str,
    pub(super) approval: &'static str,
    pub(super) failed: &'static str,
    pub(super) succeeded: &'static str,
    pub(super) undecided: &'static str,
    pub(super) not_better: &'static str,
    pub(super) retrain: &'static str,
}

impl Texts {
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
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn places(text: &str) -> BTreeSet<String> {
        text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name.into()).collect()
    }

    /// The placeholders of a text; in a pair, of the plural, since a singular need not tell the number.
    fn all_places(value: &Value) -> BTreeSet<String> {
        match value {
            Value::String(text) => places(text),
            Value::Array(texts) => texts.iter().flat_map(all_places).collect(),
            _ => BTreeSet::new(),
        }
    }

    #[test]
    fn languages_use_the_same_places() {
        let spanish = serde_json::to_value(Texts::of(Language::Es)).unwrap();
        let english = serde_json::to_value(Texts::of(Language::En)).unwrap();
        for (name, text) in spanish.as_object().unwrap() {
            if name != "alert_titles" {
                assert_eq!(all_places(text), all_places(&english[name]), "{name}");
            }
        }
    }

    #[test]
    fn managers_read_no_statistics() {
        let spanish = serde_json::to_value(Texts::of(Language::Es)).unwrap();
        // Columns of the technical table, which is folded away.
        let technical = ["psi", "adjusted_p", "statistic", "test", "technical"];
        for (name, text) in spanish.as_object().unwrap() {
            let text = text.to_string().to_lowercase();
            let forbidden = ["p-valor", "psi", "deriva", "kolmogorov", "e-valor"];
            let found = forbidden.iter().find(|word| text.contains(*word));
            assert!(found.is_none() || technical.contains(&name.as_str()), "{name}: {text}");
        }
    }
}
