//! Floors.
/// x
#[derive(Clone, Debug, Default)]
pub struct Floors {
    _seed: u64,
}
impl Floors {
    /// x
    pub fn new(seed: u64) -> Self {
        Self { _seed: seed }
    }
}
