//! When retraining will be needed: the first week in which the value falls below what was agreed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::trend::{State, Trend, trends};
use crate::random::Random;

/// Fewer weeks than this show no trend.
const MIN_WEEKS: usize = 6;
/// Share of the paths inside the interval.
const INTERVAL: f64 = 0.8;

/// Parameters of [`forecast`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForecastSettings {
    /// The value below which the model must be retrained, in the series' unit.
    pub minimum: f64,
    /// Weeks looked ahead.
    pub horizon: u32,
    /// Simulated futures.
    pub paths: usize,
    /// Seed of the futures.
    pub seed: u64,
}

impl ForecastSettings {
    /// 2,000 futures of a year.
    pub fn new(minimum: f64, seed: u64) -> Self {
        Self { minimum, horizon: 52, paths: 2000, seed }
    }
}

/// When the value crosses the minimum, in weeks from the last one of the series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ForecastCrossing")]
pub struct Crossing {
    /// First week of the 80 % interval.
    pub earliest: u32,
    /// The middle one; None beyond the horizon.
    pub likeliest: Option<u32>,
    /// Last week of the interval; None beyond the horizon.
    pub latest: Option<u32>,
}

/// What is known of the time of the next retraining.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "forecast")]
pub enum RetrainingForecast {
    /// Fewer than 6 weeks are known.
    TooEarly {
        /// Weeks that are.
        weeks: usize,
    },
    /// The value is below the minimum already.
    Now,
    /// «Sin fecha prevista»: the slope may as well be nothing, or the value does not fall.
    NoDate {
        /// 80 % interval of the slope, in the series' unit per week.
        slope: (f64, f64),
    },
    /// Few of the futures cross within the horizon.
    Beyond {
        /// Share of those that do, 0–1.
        probability: f64,
    },
    /// It falls, and crosses.
    Due {
        /// When.
        crossing: Crossing,
        /// Share of the futures that cross within the horizon, 0–1.
        probability: f64,
        /// 80 % interval of the slope, in the series' unit per week.
        slope: (f64, f64),
    },
}

/// Forecasts from a weekly estimated value, the oldest first, when it will be below the minimum.
///
/// A local linear trend is filtered with every pair of a grid of variance ratios; each future draws a pair by its
/// probability, the variance, the state, and then its own way, so that what is not known widens the interval. The
/// first week whose level is below the minimum counts. Values that are not finite are left out.
pub fn forecast(weekly: &[f64], settings: ForecastSettings) -> RetrainingForecast {
    let values: Vec<f64> = weekly.iter().copied().filter(|value| value.is_finite()).collect();
    if values.len() < MIN_WEEKS {
        return RetrainingForecast::TooEarly { weeks: values.len() };
    }
    let trends = trends(&values);
    let level: f64 = trends.iter().map(|trend| trend.weight * trend.state.level).sum();
    if level < settings.minimum {
        return RetrainingForecast::Now;
    }
    let (slopes, crossings) = futures(&trends, settings);
    let tail = (1.0 - INTERVAL) / 2.0;
    let slope = (quantile(&slopes, tail), quantile(&slopes, 1.0 - tail));
    if slope.1 >= 0.0 {
        return RetrainingForecast::NoDate { slope };
    }
    let within = crossings.partition_point(|week| *week <= settings.horizon);
    let probability = within as f64 / crossings.len() as f64;
    let (earliest, latest) = stretch(&crossings);
    let known = |week: u32| (week <= settings.horizon).then_some(week);
    match known(earliest) {
        None => RetrainingForecast::Beyond { probability },
        Some(earliest) => RetrainingForecast::Due {
            crossing: Crossing {
                earliest,
                likeliest: known(quantile(&crossings, 0.5)),
                latest: known(latest),
            },
            probability,
            slope,
        },
    }
}

/// The slopes and the crossings of the futures, each sorted.
fn futures(trends: &[Trend], settings: ForecastSettings) -> (Vec<f64>, Vec<u32>) {
    let mut random = Random::new(settings.seed);
    let (mut slopes, mut crossings): (Vec<f64>, Vec<u32>) = (0..settings.paths.max(1))
        .map(|_| {
            let mut future = Future::draw(trends, &mut random);
            (future.slope, future.crossing(settings, &mut random))
        })
        .unzip();
    slopes.sort_by(f64::total_cmp);
    crossings.sort_unstable();
    (slopes, crossings)
}

/// The weeks between the tails of sorted crossings, whole weeks taken off either end as long as that brings their
/// share nearer to what the interval is to hold: whole weeks at both ends would hold more.
fn stretch(crossings: &[u32]) -> (u32, u32) {
    let tail = (1.0 - INTERVAL) / 2.0;
    let (mut first, mut last) = (quantile(crossings, tail), quantile(crossings, 1.0 - tail));
    let held = |first: u32, last: u32| {
        let inside =
            crossings.partition_point(|week| *week <= last) - crossings.partition_point(|week| *week < first);
        inside as f64 / crossings.len() as f64
    };
    while first < last {
        let shorter = [(first + 1, last), (first, last - 1)];
        let off = |stretch: (u32, u32)| (held(stretch.0, stretch.1) - INTERVAL).abs();
        let nearer = if off(shorter[0]) < off(shorter[1]) { shorter[0] } else { shorter[1] };
        if off(nearer) >= off((first, last)) {
            break;
        }
        (first, last) = nearer;
    }
    (first, last)
}

/// The smallest value that at least `share` of the sorted values do not exceed.
fn quantile<T: Copy>(sorted: &[T], share: f64) -> T {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// One way that the value may go on.
struct Future {
    level: f64,
    slope: f64,
    level_deviation: f64,
    slope_deviation: f64,
}

impl Future {
    fn draw(trends: &[Trend], random: &mut Random) -> Self {
        let mut left = random.uniform();
        let drawn = trends.iter().find(|trend| {
            left -= trend.weight;
            left < 0.0
        });
        let trend = drawn.unwrap_or(&trends[trends.len() - 1]);
        // The observation's variance given the series: its sum of squares over a chi-squared number.
        let chi_squared: f64 = (0..trend.freedom as usize).map(|_| normal(random).powi(2)).sum();
        let deviation = (trend.squares / chi_squared.max(f64::MIN_POSITIVE)).sqrt();
        let State { level, slope, level_variance, covariance, slope_variance } = trend.state;
        let of_level = normal(random) * level_variance.sqrt();
        let shared = if level_variance > 0.0 { covariance / level_variance } else { 0.0 };
        let rest = (slope_variance - shared * covariance).max(0.0).sqrt();
        Self {
            level: level + deviation * of_level,
            slope: slope + deviation * (shared * of_level + normal(random) * rest),
            level_deviation: deviation * trend.level_ratio.sqrt(),
            slope_deviation: deviation * trend.slope_ratio.sqrt(),
        }
    }

    /// The first week whose level is below the minimum; the one after the horizon when there is none.
    fn crossing(&mut self, settings: ForecastSettings, random: &mut Random) -> u32 {
        for week in 1..=settings.horizon {
            self.level += self.slope;
            // Most futures have parts that do not move; drawing for them would be half of the time.
            if self.level_deviation > 0.0 {
                self.level += self.level_deviation * normal(random);
            }
            if self.slope_deviation > 0.0 {
                self.slope += self.slope_deviation * normal(random);
            }
            if self.level < settings.minimum {
                return week;
            }
        }
        settings.horizon + 1
    }
}

/// A standard normal number (Box & Muller 1958, equation 1).
fn normal(random: &mut Random) -> f64 {
    let radius = (-2.0 * (1.0 - random.uniform()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.uniform()).cos()
}

#[cfg(test)]
mod tests {
    use super::{ForecastSettings, RetrainingForecast, forecast};
    use crate::random::Random;

    #[test]
    fn a_straight_fall_crosses_on_its_day() {
        // 100, 98, …, 62 after 20 weeks; below 51 in the 6th week after.
        let line: Vec<f64> = (0..20).map(|week| 100.0 - 2.0 * f64::from(week)).collect();
        let RetrainingForecast::Due { crossing, probability, slope } =
            forecast(&line, ForecastSettings::new(51.0, 1))
        else {
            panic!("a straight fall has a date")
        };
        assert_eq!((crossing.earliest, crossing.likeliest, crossing.latest), (6, Some(6), Some(6)));
        assert_eq!(probability, 1.0);
        assert!((slope.0 + 2.0).abs() < 1e-6 && (slope.1 + 2.0).abs() < 1e-6);
    }

    #[test]
    fn no_slope_no_date() {
        let mut random = Random::new(3);
        let noise: Vec<f64> = (0..30).map(|_| 100.0 + random.uniform()).collect();
        assert!(matches!(
            forecast(&noise, ForecastSettings::new(90.0, 1)),
            RetrainingForecast::NoDate { slope } if slope.0 < 0.0 && slope.1 > 0.0
        ));
        let rising: Vec<f64> = (0..20).map(f64::from).collect();
        assert!(matches!(
            forecast(&rising, ForecastSettings::new(-5.0, 1)),
            RetrainingForecast::NoDate { .. }
        ));
    }

    #[test]
    fn below_the_minimum_is_now_and_little_is_too_early() {
        let settings = ForecastSettings::new(10.0, 1);
        assert_eq!(forecast(&[5.0; 10], settings), RetrainingForecast::Now);
        assert_eq!(forecast(&[50.0; 5], settings), RetrainingForecast::TooEarly { weeks: 5 });
        assert_eq!(forecast(&[f64::NAN; 50], settings), RetrainingForecast::TooEarly { weeks: 0 });
    }

    #[test]
    fn a_fall_that_ends_far_away_is_beyond() {
        let line: Vec<f64> = (0..20).map(|week| 100.0 - 0.01 * f64::from(week)).collect();
        let far = forecast(&line, ForecastSettings::new(50.0, 1));
        assert_eq!(far, RetrainingForecast::Beyond { probability: 0.0 });
    }
}
