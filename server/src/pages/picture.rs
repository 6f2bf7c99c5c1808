//! Small pictures between the words: meters, badges of states, shares.

use chasqui_report::chart::{Share, ShareBar, escape, share_bar};
use chasqui_report::{Level, fill};

use super::voice::Voice;

/// A share of one as a bar; the figure stands beside it in words, so that the picture is silent for who listens.
/// The colour is a class of the style sheet; the width is an attribute, which a strict policy allows.
pub(super) fn bar(share: f64, class: &str) -> String {
    let width = if share.is_finite() { (share * 100.0).clamp(0.0, 100.0) } else { 0.0 };
    let class = escape(class);
    format!(
        "<svg class=\"bar {class}\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"bar-track\" width=\"100\" height=\"8\"/>\
         <rect class=\"bar-fill\" width=\"{width:.1}\" height=\"8\"/></svg>"
    )
}

/// A badge in the colours and with the sign of a level, with a word of its own.
pub(super) fn badge(level: Level, word: &str) -> String {
    let (code, icon, word) = (level.code(), level.icon(), escape(word));
    format!("<span class=\"badge badge-{code}\">{icon}<span>{word}</span></span>")
}

/// Who answers how much, the stable version first.
pub(super) fn shares(stable: i64, canary: i64, weight: f64, voice: Voice) -> String {
    let name = |version: i64| fill(voice.t.version, &[("n", &version.to_string())]);
    let part = |version: i64, share: f64| format!("{} {}", name(version), voice.format.percent(share));
    let weight = weight.clamp(0.0, 1.0);
    let chart = ShareBar {
        title: voice.t.shares.into(),
        description: format!("{}; {}", part(stable, 1.0 - weight), part(canary, weight)),
        parts: vec![
            Share { name: name(stable), share: 1.0 - weight },
            Share { name: name(canary), share: weight },
        ],
    };
    share_bar(&chart, voice.format)
}

#[cfg(test)]
mod tests {
    use chasqui_report::Language;

    use super::*;

    #[test]
    fn a_bar_stays_inside_its_track_and_has_no_inline_style() {
        assert!(bar(0.336, "ok").contains("width=\"33.6\""));
        assert!(bar(7.0, "ok").contains("bar-fill\" width=\"100.0\""));
        assert!(bar(f64::NAN, "ok").contains("bar-fill\" width=\"0.0\""));
        let all = [
            bar(0.5, "\"><script>"),
            badge(Level::Urgente, "<b>"),
            shares(2, 3, 0.25, Voice::new(Language::Es)),
        ];
        for html in all {
            assert!(
                !html.contains("style=") && !html.contains("<script>") && !html.contains("<b>"),
                "{html}"
            );
        }
    }

    #[test]
    fn shares_are_told_in_words_too() {
        let html = shares(2, 3, 0.25, Voice::new(Language::Es));
        assert!(html.contains("Versión 2 75,0 %; Versión 3 25,0 %"), "{html}");
    }
}
