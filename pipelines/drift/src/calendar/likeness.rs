//! Whether a column that no longer looks like training looks like the same stretch of an earlier year.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Floors, Reference, Sketch, chi_squared,
    comparison::{effect, usable},
    ks,
};

/// An earlier year explains a change only when it is this much nearer than training is. Rows of a week share its
/// weather and its paydays, so that two years are never quite alike and a test alone would tell every week apart.
const NEARER: f64 = 0.75;

/// A column beside training and beside the same stretch of an earlier year. Distances are those of the scan (0–1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Likeness {
    /// Distance between now and training.
    pub from_training: f64,
    /// Distance between the earlier year and training.
    pub last_year: f64,
    /// Distance between now and the earlier year.
    pub between_years: f64,
    /// The chance of `between_years` when both are samples of one source.
    pub p_value: f64,
    /// The years differ too: significantly, beyond chance, and not much less than now differs from training.
    pub differs: bool,
}

/// Compares `now` with `then`, sketches of the same stretch of two years over the cells of `reference`. Significant
/// is a p-value up to `threshold`. None when either has fewer than `min_rows` values, or cannot be tested.
pub fn likeness(
    reference: &Reference,
    now: &Sketch,
    then: &Sketch,
    (threshold, min_rows): (f64, u64),
    floors: &mut Floors,
) -> Option<Likeness> {
    if usable(now) < min_rows || usable(then) < min_rows {
        return None;
    }
    let earlier = reference.refilled(then)?;
    let test = match &earlier {
        Reference::Number(_) => ks(&earlier, now),
        Reference::Text(_) => chi_squared(&earlier, now),
    };
    let from_training = effect(reference, now)?;
    let between_years = effect(&earlier, now)?;
    // A constant that is the same in both years has no test, and no difference either.
    let p_value = test.map_or(1.0, |test| test.p_value);
    let floor = floors.floor(&earlier, now)?;
    let beyond_chance = p_value <= threshold && between_years > floor;
    Some(Likeness {
        from_training,
        last_year: effect(reference, then)?,
        between_years,
        p_value,
        differs: beyond_chance && between_years >= NEARER * from_training,
    })
}

#[cfg(test)]
mod tests {
    use super::{Likeness, likeness};
    use crate::{Floors, Reference, Sketch};

    fn sketch(reference: &Reference, rows: usize, value: impl Fn(usize) -> f64) -> Sketch {
        let mut sketch = Sketch::new(reference);
        (0..rows).for_each(|row| sketch.add_number(reference, value(row)));
        sketch
    }

    fn trained() -> Reference {
        Reference::of_numbers(&(0..2000).map(|i| (i * 37 % 1000) as f64).collect::<Vec<f64>>())
    }

    fn compare(now: f64, then: f64) -> Likeness {
        let reference = trained();
        let (now, then) = (
            sketch(&reference, 300, |row| (row * 37 % 1000) as f64 + now),
            sketch(&reference, 280, |row| (row * 53 % 1000) as f64 + then),
        );
        likeness(&reference, &now, &then, (1e-4, 30), &mut Floors::new(1)).unwrap()
    }

    #[test]
    fn the_same_season_is_alike_and_another_change_is_not() {
        let december = compare(400.0, 380.0);
        assert!(!december.differs && december.from_training > 0.3, "{december:?}");
        assert!((december.last_year - december.from_training).abs() < 0.1);
        let quake = compare(400.0, 0.0);
        assert!(quake.differs && quake.between_years > 0.3, "{quake:?}");
        let opposite = compare(300.0, -300.0);
        assert!(opposite.differs && opposite.between_years > opposite.from_training);
    }

    #[test]
    fn too_little_or_another_column_is_not_compared() {
        let reference = trained();
        let few = sketch(&reference, 10, |row| row as f64);
        let many = sketch(&reference, 300, |row| row as f64);
        let other = Reference::of_numbers(&[1.0, 2.0, 3.0]);
        let foreign = sketch(&other, 300, |row| row as f64);
        let mut floors = Floors::new(1);
        assert!(likeness(&reference, &many, &few, (1e-4, 30), &mut floors).is_none());
        assert!(likeness(&reference, &many, &foreign, (1e-4, 30), &mut floors).is_none());
    }
}
