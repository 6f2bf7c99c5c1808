//! What each test measures on a pair of columns.

use std::cell::OnceCell;

use super::{ColumnData, applicable};
use crate::categories::CategorySide;
use crate::{
    CategoryPair, ColumnType, NotApplicable, NumberPair, Table, Test, TestResult,
    numbers::{self, Bridges, ChanceLevels},
    tail,
    test_verdict::Measured,
    text_content,
};

/// The chance with which a distance stays below its chance level when nothing changed is 1 − this.
const CHANCE: f64 = 0.01;

/// Two columns of one type, sorted or counted once.
pub(super) enum Pair<'a> {
    Numbers { pair: NumberPair, bins: OnceCell<Result<Table, NotApplicable>> },
    Categories { pair: CategoryPair<'a>, counts: Result<Table, NotApplicable>, sides: [CategorySide<'a>; 2] },
    Texts { reference: &'a [Option<&'a str>], current: &'a [Option<&'a str>] },
}

impl<'a> Pair<'a> {
    pub(super) fn of(reference: ColumnData<'a>, current: ColumnData<'a>) -> Result<Self, NotApplicable> {
        match (reference, current) {
            (ColumnData::Numbers(reference), ColumnData::Numbers(current)) => {
                Ok(Self::Numbers { pair: NumberPair::of(reference, current), bins: OnceCell::new() })
            }
            (ColumnData::Texts(reference), ColumnData::Texts(current)) => {
                Ok(Self::Texts { reference, current })
            }
            (reference, current) => match (reference.categories(), current.categories()) {
                (Some(reference), Some(current)) => {
                    let pair = CategoryPair::of_sides(reference, current);
                    Ok(Self::Categories { counts: pair.counts(), pair, sides: [reference, current] })
                }
                _ => Err(NotApplicable::TypesDiffer),
            },
        }
    }

    pub(super) fn column_type(&self) -> ColumnType {
        match self {
            Self::Numbers { .. } => ColumnType::Numeric,
            Self::Categories { .. } => ColumnType::Categorical,
            Self::Texts { .. } => ColumnType::Text,
        }
    }

    /// Distinct values of both sides; texts are not counted.
    pub(super) fn distinct(&self) -> usize {
        match self {
            Self::Numbers { pair, .. } => pair.distinct(),
            Self::Categories { pair, .. } => pair.cells(),
            Self::Texts { .. } => usize::MAX,
        }
    }

    /// Rows of the reference, missing ones included.
    pub(super) fn reference_rows(&self) -> usize {
        match self {
            Self::Numbers { pair, .. } => pair.reference_rows(),
            Self::Categories { sides: [reference, _], .. } => reference.rows(),
            Self::Texts { reference, .. } => reference.len(),
        }
    }

    /// Runs one test; `seed` drives permutations and splits.
    pub(super) fn measure(&self, test: Test, seed: u64) -> Result<Measured, NotApplicable> {
        applicable(test, self.column_type())?;
        match self {
            Self::Texts { reference, current } => {
                let result = text_content(reference, current, seed)?;
                let (p_value, score) = (Some(result.p_value), result.auc);
                Ok(Measured { statistic: None, p_value, score, smallest: None })
            }
            Self::Numbers { pair, .. } => match of_numbers(pair, test, seed) {
                Some(measured) => measured,
                None => self.of_counts(test, seed),
            },
            Self::Categories { .. } => self.of_counts(test, seed),
        }
    }

    /// The smallest p-value that a test can give on this pair, of tests that permute or read a table.
    pub(super) fn smallest_p(&self, test: Test) -> Option<f64> {
        match (test, self) {
            (Test::TotalVariation, _) => Some(self.categories().ok()?.smallest_permuted_p()),
            (Test::CramerVonMises, Self::Numbers { pair, .. }) => pair.smallest_cramer_von_mises_p(),
            (Test::MeanDiscrepancy, _) => Some(numbers::SMALLEST_DISCREPANCY_P),
            (Test::AndersonDarling, _) => Some(numbers::SMALLEST_ANDERSON_P),
            _ => None,
        }
    }

    /// Tests of counts, over the distinct values or the bins of numbers.
    fn of_counts(&self, test: Test, seed: u64) -> Result<Measured, NotApplicable> {
        match test {
            Test::PopulationStability => Ok(Measured::distance(self.binned(test)?.psi())),
            Test::KullbackLeibler => Ok(Measured::distance(self.binned(test)?.kullback_leibler())),
            Test::JensenShannon => {
                let in_nats = self.binned(test)?.jensen_shannon() * std::f64::consts::LN_2.sqrt();
                Ok(Measured::distance(in_nats))
            }
            Test::Hellinger => Ok(Measured::distance(self.binned(test)?.hellinger())),
            Test::ChiSquared => tested(self.categories()?.chi_squared()),
            Test::LikelihoodRatio => tested(self.categories()?.likelihood_ratio()),
            Test::TotalVariation => tested(Some(self.categories()?.permuted_total_variation(seed)?)),
            Test::Proportions => tested(Some(self.two_values()?.proportions()?)),
            Test::FisherExact => {
                let result = self.two_values()?.fisher_exact()?;
                Ok(Measured::p_value(result.odds_ratio, result.p_value))
            }
            _ => Err(NotApplicable::WrongType),
        }
    }

    /// Counts over the cells that a distance compares.
    fn binned(&self, test: Test) -> Result<Table, NotApplicable> {
        match self {
            Self::Numbers { pair, .. } if test == Test::Hellinger => pair.counts(&pair.distinct_bins()?),
            Self::Numbers { pair, bins } => bins.get_or_init(|| pair.counts(&pair.bins()?)).clone(),
            _ => self.categories(),
        }
    }

    fn categories(&self) -> Result<Table, NotApplicable> {
        match self {
            Self::Numbers { pair, .. } => pair.categories(),
            Self::Categories { counts, .. } => counts.clone(),
            Self::Texts { .. } => Err(NotApplicable::WrongType),
        }
    }

    fn two_values(&self) -> Result<Table, NotApplicable> {
        match self {
            Self::Numbers { pair, .. } => pair.two_values(),
            _ => self.categories(),
        }
    }

    /// How far the distribution moved (0–1): Kolmogorov–Smirnov, total variation, or twice the area above 0.5.
    pub(super) fn effect(&self, base: &Result<Measured, NotApplicable>) -> Option<f64> {
        match self {
            Self::Numbers { .. } => base.ok()?.statistic,
            Self::Categories { .. } => Some(self.categories().ok()?.total_variation()),
            Self::Texts { .. } => Some((2.0 * base.ok()?.score - 1.0).max(0.0)),
        }
    }

    /// What a distance stays below in 99 % of the cases when nothing changed. For distances over cells: PSI, eight
    /// times the squared Jensen–Shannon and Hellinger distances and twice the Kullback–Leibler divergence are near
    /// (1/n + 1/m) χ² with one degree of freedom less than cells; with few rows per cell that is too small.
    pub(super) fn chance_level(&self, test: Test, bridges: &Bridges) -> Option<f64> {
        if let (Self::Numbers { pair, .. }, Test::Wasserstein | Test::Energy) = (self, test) {
            let ChanceLevels { wasserstein, energy } = pair.chance_levels(bridges).ok()?;
            return match test {
                Test::Energy => Some(energy),
                _ => Some(wasserstein / pair.reference_deviation().ok()?).filter(|level| level.is_finite()),
            };
        }
        let table = self.binned(test).ok()?;
        let (before, after) = table.totals();
        let freedom = table.filled().checked_sub(1).filter(|freedom| *freedom > 0)? as f64;
        let level = tail::chi_squared_quantile(CHANCE, freedom) * (1.0 / before + 1.0 / after);
        match test {
            Test::PopulationStability => Some(level),
            Test::KullbackLeibler => Some(level / 2.0),
            Test::JensenShannon | Test::Hellinger => Some((level / 8.0).sqrt()),
            _ => None,
        }
    }
}

/// Tests of the values themselves; none for tests of counts.
fn of_numbers(pair: &NumberPair, test: Test, seed: u64) -> Option<Result<Measured, NotApplicable>> {
    let plain = |result: TestResult| Measured::p_value(Some(result.statistic), result.p_value);
    Some(match test {
        Test::KolmogorovSmirnov => {
            pair.kolmogorov_smirnov().map(|result| Measured::p_value(Some(result.distance), result.p_value))
        }
        Test::Student => {
            pair.student().map(|result| Measured::p_value(Some(result.statistic), result.p_value))
        }
        Test::MannWhitney => {
            pair.mann_whitney().map(|result| Measured::p_value(Some(result.u), result.p_value))
        }
        Test::AndersonDarling => pair.anderson_darling().map(plain),
        Test::CramerVonMises => pair.cramer_von_mises(seed).map(plain),
        Test::EppsSingleton => pair.epps_singleton().map(plain),
        Test::MeanDiscrepancy => {
            pair.mean_discrepancy(seed).map(|result| Measured::p_value(Some(result.unbiased), result.p_value))
        }
        Test::Wasserstein => pair.normed_wasserstein().map(Measured::distance),
        Test::Energy => pair.energy().map(Measured::distance),
        _ => return None,
    })
}

fn tested(result: Option<TestResult>) -> Result<Measured, NotApplicable> {
    let result = result.ok_or(NotApplicable::Sparse)?;
    Ok(Measured::p_value(Some(result.statistic), result.p_value))
}
