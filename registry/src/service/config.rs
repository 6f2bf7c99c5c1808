//! How a service is routed, logged and watched, and what of that makes sense.

use std::time::Duration;

use chasqui_runtime::Signature;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expectation::Expectations;
use super::worth::{Groups, Worth};
use crate::name::{AliasName, ModelName, check_text};
use crate::{Error, Result};

const FIELD_BYTES: usize = 250;
/// A year.
const MAX_WINDOW_SECONDS: i64 = 366 * 86_400;
const MAX_SLO_MS: f64 = 3_600_000.0;
const MAX_DELAY_MS: f64 = 1000.0;

/// How a service is routed, logged and watched.
///
/// - `slo_ms` is above 0 and at most an hour.
/// - A column is named in `personal` at most once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    /// The model that answers.
    pub model: ModelName,
    /// Which version of it.
    #[serde(default)]
    pub routing: Routing,
    /// The input field that names the entity (customer, store …) when a request gives no key itself: the same
    /// key is always answered by the same version.
    #[serde(default)]
    pub key_field: Option<String>,
    /// Input fields that are personal data: they are not written to the prediction log in clear.
    #[serde(default)]
    pub personal: Vec<String>,
    /// The latency in milliseconds that an answer must not exceed.
    #[serde(default = "default_slo_ms")]
    pub slo_ms: f64,
    /// How predictions are watched for drift.
    #[serde(default)]
    pub monitor: MonitorPolicy,
    /// What is expected of the fields of a request beyond the signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expectations: Option<Expectations>,
    /// Whether it is taken out of service: nothing is answered and its versions are not kept in memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unloaded: bool,
    /// How requests that wait for the same version are computed together.
    #[serde(default)]
    pub batching: Batching,
    /// What answers are worth in dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worth: Option<Worth>,
    /// The groups that answers are compared for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Groups>,
}

/// Which versions answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Routing {
    /// What answers whoever no rollout sends elsewhere.
    pub stable: Target,
}

/// A version, by number or by alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "RoutingTarget")]
pub enum Target {
    /// Whatever version has this alias: `{"alias": "champion"}`.
    Alias(AliasName),
    /// Always this version: `{"version": 3}`.
    Version(i64),
}

impl Default for Target {
    fn default() -> Self {
        Target::Alias(AliasName::champion())
    }
}

/// How requests that wait for the same version are computed together. Without a delay nobody waits for others to
/// come: only what has gathered while all cores were busy is one batch.
///
/// - `max_rows` is at least 1; at 1 every request is computed alone.
/// - `max_delay_ms` is at least 0 and at most 1,000.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Batching {
    /// Rows of one batch; a request with as many or more is computed alone.
    pub max_rows: usize,
    /// Milliseconds that a request may wait for others.
    pub max_delay_ms: f64,
}

impl Default for Batching {
    fn default() -> Self {
        Batching { max_rows: 64, max_delay_ms: 0.0 }
    }
}

impl Batching {
    /// See [`Batching::max_delay_ms`].
    pub fn max_delay(&self) -> Duration {
        Duration::try_from_secs_f64(self.max_delay_ms / 1e3).unwrap_or_default()
    }

    fn check(&self) -> Result<()> {
        if self.max_rows == 0 {
            return Err(Error::Invalid("`batching.max_rows` must be at least 1".into()));
        }
        if !(0.0..=MAX_DELAY_MS).contains(&self.max_delay_ms) {
            return Err(Error::Invalid(format!(
                "`batching.max_delay_ms` is {}; it must be between 0 and {MAX_DELAY_MS}",
                self.max_delay_ms
            )));
        }
        Ok(())
    }
}

/// How predictions are watched for drift.
///
/// - `window_seconds` is at least 1 and at most 366 days.
/// - `min_rows` is at least 1.
/// - `ignore` names each feature once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MonitorPolicy {
    /// The length of a window, which ends with a verdict.
    pub window_seconds: i64,
    /// Predictions below which a window is not compared with training: only how they came is judged.
    pub min_rows: u64,
    /// Features whose distribution moves by nature, such as the calendar: no verdict rests on them.
    pub ignore: Vec<String>,
}

impl Default for MonitorPolicy {
    fn default() -> Self {
        MonitorPolicy { window_seconds: 7 * 86_400, min_rows: 100, ignore: Vec::new() }
    }
}

fn default_slo_ms() -> f64 {
    200.0
}

impl ServiceConfig {
    /// The configuration of a service that nothing has been said about: the model's champion answers.
    pub fn of_model(model: ModelName) -> Self {
        ServiceConfig {
            model,
            routing: Routing::default(),
            key_field: None,
            personal: Vec::new(),
            slo_ms: default_slo_ms(),
            monitor: MonitorPolicy::default(),
            expectations: None,
            unloaded: false,
            batching: Batching::default(),
            worth: None,
            groups: None,
        }
    }

    /// Checks everything that can be checked without looking anything up.
    pub fn check(&self) -> Result<()> {
        if !(self.slo_ms > 0.0 && self.slo_ms <= MAX_SLO_MS) {
            return Err(Error::Invalid(format!(
                "`slo_ms` is {}; it must be above 0 and finite",
                self.slo_ms
            )));
        }
        let seconds = self.monitor.window_seconds;
        if !(1..=MAX_WINDOW_SECONDS).contains(&seconds) {
            return Err(Error::Invalid(format!(
                "`monitor.window_seconds` is {seconds}; it must be between 1 and {MAX_WINDOW_SECONDS}"
            )));
        }
        if self.monitor.min_rows == 0 {
            return Err(Error::Invalid("`monitor.min_rows` must be at least 1".into()));
        }
        self.batching.check()?;
        distinct("monitor.ignore", &self.monitor.ignore)?;
        self.expectations.as_ref().map_or(Ok(()), Expectations::check)?;
        self.worth.as_ref().map_or(Ok(()), Worth::check)?;
        self.groups.as_ref().map_or(Ok(()), |groups| groups.check(&self.personal))?;
        self.check_fields()
    }

    /// Checks what depends on the model that answers.
    pub(super) fn check_fit(&self, signature: &Signature) -> Result<()> {
        if let Some(groups) = &self.groups
            && !signature.features.iter().any(|feature| feature.name == groups.column)
        {
            return Err(Error::Invalid(format!(
                "`groups.column` names `{}`, which is no input",
                groups.column
            )));
        }
        let Some(expectations) = &self.expectations else { return Ok(()) };
        expectations.check_fit(signature, self.key_field.as_deref())
    }

    fn check_fields(&self) -> Result<()> {
        distinct("personal", &self.personal)?;
        distinct("key_field", self.key_field.as_slice())
    }
}

/// Refuses field names that are empty, too long or named twice.
fn distinct(setting: &str, names: &[String]) -> Result<()> {
    for (position, name) in names.iter().enumerate() {
        check_text("field name", name, FIELD_BYTES)?;
        if name.is_empty() {
            return Err(Error::Invalid(format!("`{setting}` must not contain an empty name")));
        }
        if names[..position].contains(name) {
            return Err(Error::Invalid(format!("`{setting}` names `{name}` twice")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{MonitorPolicy, ServiceConfig, Target};
    use crate::name::{AliasName, ModelName};

    fn config() -> ServiceConfig {
        ServiceConfig::of_model(ModelName::try_from("ventas").unwrap())
    }

    #[test]
    fn a_model_is_all_that_must_be_said() {
        let parsed: ServiceConfig = serde_json::from_str(r#"{"model": "ventas"}"#).unwrap();
        assert_eq!(parsed, config());
        assert_eq!(
            parsed.monitor,
            MonitorPolicy { window_seconds: 604_800, min_rows: 100, ignore: Vec::new() }
        );
        assert_eq!(parsed.slo_ms, 200.0);
        assert_eq!(parsed.routing.stable, Target::Alias(AliasName::champion()));
        assert!(serde_json::from_str::<ServiceConfig>(r#"{"model": "ventas", "colour": 1}"#).is_err());
    }

    #[test]
    fn a_configuration_survives_json() {
        let mut config = config();
        config.routing.stable = Target::Version(3);
        config.key_field = Some("cédula".into());
        let json = serde_json::to_string(&config).unwrap();
        assert!(json.contains(r#""stable":{"version":3}"#), "{json}");
        assert_eq!(serde_json::from_str::<ServiceConfig>(&json).unwrap(), config);
    }

    #[test]
    fn nonsense_is_refused() {
        let broken: [fn(&mut ServiceConfig); 10] = [
            |c| c.slo_ms = 0.0,
            |c| c.slo_ms = f64::NAN,
            |c| c.monitor.window_seconds = 0,
            |c| c.monitor.min_rows = 0,
            |c| c.personal = vec!["a".into(), "a".into()],
            |c| c.key_field = Some(String::new()),
            |c| c.personal = vec!["\0".into()],
            |c| c.batching.max_rows = 0,
            |c| c.batching.max_delay_ms = -1.0,
            |c| c.batching.max_delay_ms = f64::NAN,
        ];
        for break_it in broken {
            let mut config = config();
            break_it(&mut config);
            assert!(config.check().is_err(), "{config:?}");
        }
        let mut fine = config();
        fine.personal = vec!["cédula".into()];
        fine.key_field = Some("cédula".into());
        assert!(fine.check().is_ok());
    }
}
