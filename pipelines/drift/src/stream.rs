//! Change detectors over a stream of numbers or of errors, one value at a time, in constant or logarithmic memory.
//!
//! They answer as river 0.23 does, update by update; after a drift each begins anew, so that a later change is
//! found too. They are for confirming a change that something else has found: EDDM, and Page–Hinkley with river's
//! default forgetting, fire on stable streams, so nothing here raises an alarm by itself.

mod adwin;
mod ddm;
mod eddm;
mod hddm_a;
mod hddm_w;
mod page_hinkley;

pub use adwin::{Adwin, AdwinSettings, Cut};
pub use ddm::{Ddm, DdmSettings};
pub use eddm::{Eddm, EddmSettings};
pub use hddm_a::{HddmA, HddmASettings};
pub use hddm_w::{HddmW, HddmWSettings};
pub use page_hinkley::{Direction, PageHinkley, PageHinkleySettings};

/// What a detector says after one more value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Nothing changed as far as can be told.
    Steady,
    /// Something may be changing; detectors without a warning level never say so.
    Warning,
    /// The stream changed. The detector has begun anew with the next value.
    Drift,
}

/// A running mean, updated in the order of operations that river uses, so that thresholds are met at the same update.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Mean {
    count: f64,
    value: f64,
}

impl Mean {
    fn update(&mut self, value: f64) {
        self.count += 1.0;
        self.value += (1.0 / self.count) * (value - self.value);
    }
}

/// 1 for an error, 0 for a right answer.
fn indicator(error: bool) -> f64 {
    f64::from(u8::from(error))
}
