//! Money in the body: what is being lost or gained, always as a range, or what is missing to say it.

use super::sentences::{Sentences, ordered};
use super::{Context, LONGEST_TEXT, Stat, clip};
use crate::format::Range;
use crate::report::body::{MissingForMoney, Money};
use crate::texts::fill;

/// Entries of the list of what is missing.
const MOST_MISSING: usize = 6;

impl Sentences<'_> {
    /// What it means in dollars.
    pub(super) fn money(&self) -> String {
        let (format, texts) = (self.format(), self.texts());
        let Some(loss) = known_loss(&self.0.report.draft().money) else { return texts.money_unknown.into() };
        match sign(loss) {
            Sign::Loss => self.money_range(texts.money_loss, loss),
            Sign::Gain => self.money_range(texts.money_gain, Range::new(-loss.high, -loss.low)),
            Sign::Both => {
                let (gain, loss) = (format.money(-loss.low), format.money(loss.high));
                fill(texts.money_both, &[("gain", &gain), ("loss", &loss)])
            }
        }
    }

    /// What is missing to speak of dollars.
    pub(super) fn money_missing(&self) -> Vec<String> {
        let texts = self.texts();
        let Money::Unknown { missing } = &self.0.report.draft().money else { return Vec::new() };
        let entry = |missing: &MissingForMoney| match missing {
            MissingForMoney::ValuePerAnswer => texts.missing_value.into(),
            MissingForMoney::Outcomes => texts.missing_outcomes.into(),
            MissingForMoney::ReferenceQuality => texts.missing_reference.into(),
            MissingForMoney::Volume => texts.missing_volume.into(),
            MissingForMoney::Other(text) => clip(text, LONGEST_TEXT),
        };
        missing.iter().take(MOST_MISSING).map(entry).collect()
    }
}

/// Money as a figure at a glance; none when it is unknown.
pub(super) fn at_a_glance(context: &Context) -> Option<Stat> {
    let (format, texts) = (context.format, context.texts);
    let loss = known_loss(&context.report.draft().money)?;
    let (label, range) = match sign(loss) {
        Sign::Loss => (texts.stat_loss, loss),
        Sign::Gain => (texts.stat_gain, Range::new(-loss.high, -loss.low)),
        Sign::Both => (texts.stat_effect, loss),
    };
    // A value does not break between its sign and its figures.
    let whole = |value: f64| format.money(value).replace(' ', "\u{a0}");
    let low = format!("{}\u{a0}", whole(range.low));
    let value = fill(texts.stat_from_to, &[("low", &*low), ("high", &*whole(range.high))])
        .replace("\u{a0} ", "\u{a0}");
    Some(Stat { label, value, note: texts.stat_range.into() })
}

enum Sign {
    Loss,
    Gain,
    Both,
}

fn sign(loss: Range) -> Sign {
    if loss.low >= 0.0 {
        Sign::Loss
    } else if loss.high <= 0.0 {
        Sign::Gain
    } else {
        Sign::Both
    }
}

/// The monthly loss, when it is known and made of numbers.
fn known_loss(money: &Money) -> Option<Range> {
    match money {
        Money::Known { loss_per_month: loss } if loss.low.is_finite() && loss.high.is_finite() => {
            Some(ordered(*loss))
        }
        _ => None,
    }
}
