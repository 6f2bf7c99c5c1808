//! The table of versions: which one answers how much, and what is known about each.

use chasqui_pipelines::rollout::Rollout;
use chasqui_registry::alias::Alias;
use chasqui_registry::version::Version;
use chasqui_report::fill;

use crate::pages::picture;
use crate::pages::voice::{Voice, clip};

/// Figures of merit shown of each version.
const FIGURES_SHOWN: usize = 3;

/// A row of the table.
pub(super) struct VersionView {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    /// Its share of the requests, as a bar and in figures; none when it gets no requests.
    pub(super) share: Option<(String, String)>,
    pub(super) figures: Vec<String>,
    pub(super) registered: String,
    pub(super) by: String,
    pub(super) sha256: String,
    pub(super) size: String,
    pub(super) is_watched: bool,
}

/// What decides who answers.
pub(super) struct Versions<'a> {
    /// The version that answers whoever no rollout sends elsewhere.
    pub(super) serving: Option<i64>,
    /// The rollout under way.
    pub(super) rollout: Option<&'a Rollout>,
    pub(super) aliases: &'a [Alias],
}

impl Versions<'_> {
    /// The rows, the latest version first.
    pub(super) fn views(&self, versions: &[Version], voice: Voice) -> Vec<VersionView> {
        let mut views: Vec<(i64, VersionView)> =
            versions.iter().map(|version| (version.version, self.view(version, voice))).collect();
        views.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        views.into_iter().map(|(_, view)| view).collect()
    }

    fn view(&self, version: &Version, voice: Voice) -> VersionView {
        let format = voice.format;
        let number = version.version;
        let names = self.aliases.iter().filter(|alias| alias.version == number);
        let figures = version.metrics.iter().take(FIGURES_SHOWN);
        let share = self.share(number).filter(|share| *share > 0.0);
        VersionView {
            name: fill(voice.t.version, &[("n", &number.to_string())]),
            aliases: names.map(|alias| voice.alias(alias.alias.as_str())).collect(),
            share: share.map(|share| (picture::bar(share, "calm"), format.percent_with(share, 0))),
            figures: figures
                .map(|(name, value)| format!("{} {}", clip(name), format.plain(*value)))
                .collect(),
            registered: voice.at(version.created_at),
            by: fill(voice.t.by, &[("who", &voice.actor(version.created_by.as_str()))]),
            sha256: version.sha256.as_str().chars().take(10).collect(),
            size: size(version.size_bytes, voice),
            is_watched: version.profile_sha256.is_some(),
        }
    }

    fn share(&self, number: i64) -> Option<f64> {
        let weight = self.rollout.map_or(0.0, |rollout| rollout.weight);
        let canary = self.rollout.map(|rollout| rollout.canary_version);
        if canary == Some(number) {
            Some(weight)
        } else if self.serving == Some(number) {
            Some(1.0 - weight)
        } else {
            None
        }
    }
}

/// A file's size: `12,5 kB`, `1,2 MB`.
fn size(bytes: i64, voice: Voice) -> String {
    let bytes = bytes.max(0) as f64;
    if bytes < 1e6 {
        format!("{} kB", voice.format.number(bytes / 1e3, 1))
    } else {
        format!("{} MB", voice.format.number(bytes / 1e6, 1))
    }
}

#[cfg(test)]
mod tests {
    use chasqui_report::Language;

    use super::*;

    #[test]
    fn sizes_are_told_in_units_that_fit() {
        let voice = Voice::new(Language::Es);
        assert_eq!(size(12_480, voice), "12,5 kB");
        assert_eq!(size(3_400_000, voice), "3,4 MB");
    }

    #[test]
    fn without_a_rollout_the_champion_answers_everybody() {
        let versions = Versions { serving: Some(2), rollout: None, aliases: &[] };
        assert_eq!(versions.share(2), Some(1.0));
        assert_eq!(versions.share(3), None);
    }
}
