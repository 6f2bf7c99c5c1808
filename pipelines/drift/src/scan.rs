//! The calibrated dyadic scan.
use crate::{DriftPolicy, DriftVerdict, Floors, Profile, WindowSketch};
/// x
pub fn scan(profile: &Profile, windows: &[WindowSketch], policy: &DriftPolicy, seed: u64) -> DriftVerdict {
    scan_with(profile, windows, policy, &mut Floors::new(seed))
}
/// x
pub fn scan_with(
    _profile: &Profile,
    windows: &[WindowSketch],
    _policy: &DriftPolicy,
    _floors: &mut Floors,
) -> DriftVerdict {
    DriftVerdict {
        drifted: false,
        missing_changed: false,
        rows: 0,
        windows: windows.len(),
        features: Vec::new(),
        prediction: None,
    }
}
