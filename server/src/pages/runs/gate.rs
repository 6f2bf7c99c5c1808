//! The verdict of the gates on a candidate, in words with its figures.

use chasqui_pipelines::gate::{GateVerdict, Verdict};
use chasqui_pipelines::pipeline::Run;
use chasqui_report::{Level, fill, page};

use crate::pages::picture;
use crate::pages::voice::Voice;

/// What the gates said.
pub(in crate::pages) struct GateView {
    pub(in crate::pages) badge: String,
    pub(in crate::pages) sentences: Vec<String>,
}

impl GateView {
    pub(super) fn new(run: &Run, voice: Voice) -> Self {
        match &run.gate {
            Some(verdict) => Self { badge: badge(verdict, voice), sentences: sentences(verdict, voice) },
            None if run.finished_at.is_some() && run.version == Some(1) => {
                Self { badge: String::new(), sentences: vec![voice.t.gate_first.into()] }
            }
            None => Self { badge: page::neutral_badge(voice.t.gate_none), sentences: Vec::new() },
        }
    }
}

fn badge(verdict: &GateVerdict, voice: Voice) -> String {
    let (text, level) = match verdict.verdict {
        Verdict::Better => (voice.t.gate_better, Some(Level::Normal)),
        Verdict::NotBetter => (voice.t.gate_worse, Some(Level::Atencion)),
        Verdict::Undecided => (voice.t.gate_undecided, None),
    };
    let word = fill(text, &[("champion", &verdict.champion.to_string())]);
    level.map_or_else(|| page::neutral_badge(&word), |level| picture::badge(level, &word))
}

/// The comparison, and whatever else forbids the candidate.
fn sentences(verdict: &GateVerdict, voice: Voice) -> Vec<String> {
    let (t, format) = (voice.t, voice.format);
    let quality = &verdict.quality;
    let (candidate, champion) = voice.pair(quality.candidate_loss, quality.champion_loss);
    let (low, high) = voice.pair(quality.low, quality.high);
    let figures = [
        ("rows", format.count(quality.rows as u64)),
        ("candidate", candidate),
        ("champion", champion),
        ("low", low),
        ("high", high),
    ];
    let figures: Vec<(&str, &str)> = figures.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut sentences = vec![fill(t.gate_figures, &figures)];
    if !verdict.latency.passed {
        let (value, limit) = (verdict.latency.candidate.p95_us, verdict.latency.limit_us);
        let (value, limit) = (format.number(value, 0), format.number(limit, 0));
        sentences.push(fill(t.gate_slow, &[("value", &value), ("limit", &limit)]));
    }
    if verdict.signature_clash.is_some() {
        sentences.push(t.gate_clash.into());
    }
    sentences
}

#[cfg(test)]
mod tests {
    use chasqui_pipelines::gate::{Comparison, Latency, LatencyGate};
    use chasqui_registry::Micros;
    use chasqui_report::Language;

    use super::*;

    fn verdict(overall: Verdict, is_fast: bool) -> GateVerdict {
        let latency = Latency { median_us: 100.0, p95_us: 1_300.0 };
        GateVerdict {
            verdict: overall,
            model: "ventas".into(),
            champion: 2,
            candidate: 3,
            quality: Comparison {
                verdict: Verdict::Better,
                rows: 1_200,
                champion_loss: 0.412,
                candidate_loss: 0.398,
                mean_difference: -0.014,
                low: -0.02,
                high: -0.008,
                min_effect: 0.0,
                confidence: 0.95,
                resamples: 2_000,
                seed: 1,
            },
            latency: LatencyGate { champion: latency, candidate: latency, limit_us: 500.0, passed: is_fast },
            signature_clash: None,
            reasons: Vec::new(),
        }
    }

    fn run(gate: Option<GateVerdict>, version: Option<i64>) -> Run {
        Run {
            id: "r".into(),
            pipeline: "p".into(),
            job_id: "r".into(),
            trigger: "hand".into(),
            dataset: None,
            dataset_version: None,
            model: None,
            version,
            gate,
            rollout_id: None,
            created_at: Micros(0),
            finished_at: Some(Micros(1)),
        }
    }

    #[test]
    fn the_comparison_is_told_with_its_range() {
        let voice = Voice::new(Language::Es);
        let view = GateView::new(&run(Some(verdict(Verdict::Better, true)), Some(3)), voice);
        assert!(view.badge.contains("Es mejor que la versión 2"));
        assert_eq!(
            view.sentences,
            [
                "En 1.200 casos reservados, su error medio fue 0,398 frente a 0,412 (diferencia entre -0,0200 y -0,0080)."
            ]
        );
    }

    #[test]
    fn a_slow_candidate_says_so() {
        let view =
            GateView::new(&run(Some(verdict(Verdict::NotBetter, false)), Some(3)), Voice::new(Language::Es));
        assert_eq!(view.sentences[1], "Es demasiado lenta: 1.300 µs por caso; el límite es 500 µs.");
    }

    #[test]
    fn the_first_version_needed_no_comparison() {
        let view = GateView::new(&run(None, Some(1)), Voice::new(Language::Es));
        assert_eq!(view.sentences, ["Primera versión: empezó a responder sin comparación."]);
        assert!(GateView::new(&run(None, None), Voice::new(Language::Es)).sentences.is_empty());
    }
}
