//! The closed set of two-sample tests, by the names that users of Evidently know.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{DriftError, domain, numbers};

/// What a compared column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Numbers.
    Numeric,
    /// Categories.
    Categorical,
    /// Free text.
    Text,
}

impl fmt::Display for ColumnType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Numeric => "numeric",
            Self::Categorical => "categorical",
            Self::Text => "text",
        })
    }
}

/// What a test's score is, and so on which side of its threshold drift lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreKind {
    /// A p-value: drift when it is at or below the threshold.
    PValue,
    /// A distance: drift when it is at or above the threshold.
    Distance,
    /// An area under the curve: drift when it is above the threshold and surely above 0.5.
    AreaUnderCurve,
}

/// A test of whether a column changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Test {
    /// Kolmogorov–Smirnov.
    KolmogorovSmirnov,
    /// Pearson's chi-squared test of homogeneity.
    ChiSquared,
    /// z-test of two proportions.
    Proportions,
    /// Student's t-test.
    Student,
    /// Mann–Whitney U, two-sided.
    MannWhitney,
    /// Anderson–Darling for two samples.
    AndersonDarling,
    /// Cramér–von Mises for two samples.
    CramerVonMises,
    /// Epps–Singleton.
    EppsSingleton,
    /// Fisher's exact test of two proportions.
    FisherExact,
    /// Likelihood ratio test of homogeneity.
    LikelihoodRatio,
    /// Permutation test of the total variation distance.
    TotalVariation,
    /// Permutation test of the maximum mean discrepancy.
    MeanDiscrepancy,
    /// Wasserstein distance in standard deviations of the reference.
    Wasserstein,
    /// Energy distance.
    Energy,
    /// Population stability index.
    PopulationStability,
    /// Kullback–Leibler divergence.
    KullbackLeibler,
    /// Jensen–Shannon distance, base e.
    JensenShannon,
    /// Hellinger distance.
    Hellinger,
    /// Domain classifier over the words of free text.
    TextContent,
}

impl Test {
    /// Every test.
    pub const ALL: [Self; 19] = [
        Self::KolmogorovSmirnov,
        Self::ChiSquared,
        Self::Proportions,
        Self::Student,
        Self::MannWhitney,
        Self::AndersonDarling,
        Self::CramerVonMises,
        Self::EppsSingleton,
        Self::FisherExact,
        Self::LikelihoodRatio,
        Self::TotalVariation,
        Self::MeanDiscrepancy,
        Self::Wasserstein,
        Self::Energy,
        Self::PopulationStability,
        Self::KullbackLeibler,
        Self::JensenShannon,
        Self::Hellinger,
        Self::TextContent,
    ];

    /// The name, as users of Evidently know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::KolmogorovSmirnov => "ks",
            Self::ChiSquared => "chisquare",
            Self::Proportions => "z",
            Self::Student => "t_test",
            Self::MannWhitney => "mannw",
            Self::AndersonDarling => "anderson",
            Self::CramerVonMises => "cramer_von_mises",
            Self::EppsSingleton => "es",
            Self::FisherExact => "fisher_exact",
            Self::LikelihoodRatio => "g_test",
            Self::TotalVariation => "TVD",
            Self::MeanDiscrepancy => "empirical_mmd",
            Self::Wasserstein => "wasserstein",
            Self::Energy => "ed",
            Self::PopulationStability => "psi",
            Self::KullbackLeibler => "kl_div",
            Self::JensenShannon => "jensenshannon",
            Self::Hellinger => "hellinger",
            Self::TextContent => "abs_text_content_drift",
        }
    }

    /// Whether the test is defined for columns of this type. Tests of categories take the distinct values of numbers,
    /// and beyond 20 of them the deciles of the reference.
    pub fn applies_to(self, column: ColumnType) -> bool {
        match self {
            Self::KolmogorovSmirnov
            | Self::Student
            | Self::MannWhitney
            | Self::AndersonDarling
            | Self::CramerVonMises
            | Self::EppsSingleton
            | Self::MeanDiscrepancy
            | Self::Wasserstein
            | Self::Energy => column == ColumnType::Numeric,
            Self::TextContent => column == ColumnType::Text,
            _ => column != ColumnType::Text,
        }
    }

    /// What the score is.
    pub fn score_kind(self) -> ScoreKind {
        match self {
            Self::Wasserstein
            | Self::Energy
            | Self::PopulationStability
            | Self::KullbackLeibler
            | Self::JensenShannon
            | Self::Hellinger => ScoreKind::Distance,
            Self::TextContent => ScoreKind::AreaUnderCurve,
            _ => ScoreKind::PValue,
        }
    }

    /// The rows of a side that the test looks at; more are drawn by the seed. None for tests that take every row.
    pub fn most_rows(self) -> Option<usize> {
        match self {
            Self::MeanDiscrepancy => Some(numbers::MEAN_DISCREPANCY_ROWS),
            Self::TextContent => Some(domain::MOST_ROWS),
            _ => None,
        }
    }

    /// Evidently's default threshold.
    pub fn threshold(self) -> f64 {
        match self {
            Self::KolmogorovSmirnov
            | Self::ChiSquared
            | Self::Proportions
            | Self::Student
            | Self::MannWhitney
            | Self::EppsSingleton => 0.05,
            Self::TextContent => 0.55,
            _ => 0.1,
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Test {
    type Err = DriftError;

    fn from_str(name: &str) -> Result<Self, DriftError> {
        Self::ALL.into_iter().find(|test| test.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|test| test.name()).collect();
            DriftError::UnknownTest { name: name.into(), valid: names.join(", ") }
        })
    }
}

impl From<Test> for String {
    fn from(test: Test) -> Self {
        test.name().into()
    }
}

impl TryFrom<String> for Test {
    type Error = DriftError;

    fn try_from(name: String) -> Result<Self, DriftError> {
        name.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_unknown_ones_refused_with_the_list() {
        for test in Test::ALL {
            assert_eq!(test.to_string().parse::<Test>().unwrap(), test);
            assert!(
                [ColumnType::Numeric, ColumnType::Categorical, ColumnType::Text]
                    .into_iter()
                    .any(|column| test.applies_to(column))
            );
        }
        let refused = "kolmogorov".parse::<Test>().unwrap_err().to_string();
        assert!(refused.contains("kolmogorov") && refused.contains("ks, chisquare"), "{refused}");
    }
}
