//! Configuration: defaults, then `chasqui.toml`, then the environment (`CHASQUI_…`), then flags.
//!
//! An unknown key is an error in the file and in the environment: a misspelt setting never passes silently.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::limits::Limits;

pub(crate) mod grpc_listen;

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The folder with the database, the artifacts and the prediction log, unless they are elsewhere.
    pub data_dir: PathBuf,
    /// Address and port of HTTP.
    pub listen: SocketAddr,
    /// Address and port of gRPC; `off` or nothing for none.
    #[serde(with = "grpc_listen")]
    pub grpc_listen: Option<SocketAddr>,
    /// `postgres://…` or an SQLite file; by default `chasqui.db` in the data folder.
    pub database_url: Option<String>,
    /// `s3://…`, `gs://…`, `az://…` or `file://…`; by default the folder `artifacts` in the data folder.
    pub storage_url: Option<String>,
    /// The first admin's API key. Never written anywhere.
    #[serde(skip_serializing)]
    pub admin_key: Option<Concealed>,
    /// Under which personal values are pseudonymised and sessions signed, the same on every replica; by default
    /// made at the first start and kept beside the data. Never written anywhere.
    #[serde(skip_serializing)]
    pub secret: Option<Concealed>,
    /// Whether this process also runs jobs.
    pub worker: bool,
    /// Threads that answer HTTP, and as many that answer gRPC; by default one per core.
    pub http_threads: Option<usize>,
    /// Jobs at work at the same time in this process.
    pub jobs: usize,
    /// Seconds a connection may stay idle.
    pub keep_alive_seconds: u64,
    /// Seconds after a request to end in which connections are still taken, so that load balancers notice.
    pub drain_seconds: u64,
    /// Seconds that requests in progress get to finish.
    pub shutdown_seconds: u64,
    /// What is logged, `info` or `chasqui_server=debug,info` for instance.
    pub log: String,
    /// `json`, `text`, or `auto`: text on a terminal.
    pub log_format: LogFormat,
    /// The service that `/invocations` asks when the request names none; by default the only one.
    pub invocations_service: Option<String>,
    /// Whether cookies are only sent over TLS; to be set behind a TLS proxy.
    pub secure_cookies: bool,
    /// PEM file with the certificate and its chain; with `tls_key`, HTTPS is served instead of HTTP.
    pub tls_certificate: Option<PathBuf>,
    /// PEM file with the certificate's private key.
    pub tls_key: Option<PathBuf>,
    /// Limits on requests.
    pub limits: Limits,
}

/// A text that `Debug` does not show.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Concealed(pub String);

impl std::fmt::Debug for Concealed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Concealed(…)")
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: "chasqui-data".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            grpc_listen: Some(SocketAddr::from(([127, 0, 0, 1], 8081))),
            database_url: None,
            storage_url: None,
            admin_key: None,
            secret: None,
            worker: true,
            http_threads: None,
            jobs: 1,
            keep_alive_seconds: 15,
            drain_seconds: 1,
            shutdown_seconds: 30,
            log: "info".into(),
            log_format: LogFormat::Auto,
            invocations_service: None,
            secure_cookies: false,
            tls_certificate: None,
            tls_key: None,
            limits: Limits::default(),
        }
    }
}

/// What flags say; they win over everything else.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Flags {
    /// Configuration file [default: chasqui.toml, when there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder for the database, artifacts and the prediction log [default: ./chasqui-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Variables that other parts of the program and its tests read.
const OTHERS: [&str; 4] = ["CHASQUI_URL", "CHASQUI_API_KEY", "CHASQUI_CONFIG", "CHASQUI_BIN"];

impl Config {
    /// Reads file and environment; `flags` win.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let mut environment: Vec<(String, String)> = std::env::vars().collect();
        environment.sort();
        Self::from_sources(flags, &environment)
    }

    /// As [`Config::load`], with the environment as a parameter.
    pub fn from_sources(flags: &Flags, environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let named =
            environment.iter().find(|(name, _)| name == "CHASQUI_CONFIG").map(|(_, path)| path.into());
        let path = flags.config.clone().or(named);
        let mut table = read_file(path.as_deref())?;
        for (name, value) in environment {
            apply_variable(&mut table, name, value)?;
        }
        let mut config: Config = Value::Table(table).try_into().map_err(|error: toml::de::Error| {
            ConfigError(format!("the configuration is wrong: {}", error.message()))
        })?;
        if let Some(folder) = &flags.data_dir {
            config.data_dir.clone_from(folder);
        }
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let invalid = |text: &str| Err(ConfigError(text.into()));
        if self.http_threads == Some(0) || self.jobs == 0 {
            return invalid("`http_threads` and `jobs` must be at least 1");
        }
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            return invalid("`tls_certificate` and `tls_key` belong together; one of them is missing");
        }
        if self.limits.queue == 0 || self.limits.deadline_ms == 0 {
            return invalid("`queue` and `deadline_ms` in [limits] must be at least 1");
        }
        if self.admin_key.as_ref().is_some_and(|key| key.0.len() < 8) {
            return invalid("the admin key is too short; CHASQUI_ADMIN_KEY needs 8 characters or more");
        }
        Ok(())
    }

    /// Threads that answer each protocol.
    pub fn threads(&self) -> usize {
        self.http_threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1)
    }

    /// Whether cookies are only sent over TLS: when it is asked for, and always when this server speaks it.
    pub fn has_secure_cookies(&self) -> bool {
        self.secure_cookies || self.tls_certificate.is_some()
    }

    /// Where the database is.
    pub fn database(&self) -> String {
        self.database_url.clone().unwrap_or_else(|| self.data_dir.join("chasqui.db").display().to_string())
    }

    /// Where the artifacts are.
    pub fn storage(&self) -> Result<String, ConfigError> {
        if let Some(url) = &self.storage_url {
            return Ok(url.clone());
        }
        let folder = std::path::absolute(self.data_dir.join("artifacts"))
            .map_err(|error| ConfigError(format!("the data folder cannot be used: {error}")))?;
        let url = url::Url::from_directory_path(&folder)
            .map_err(|()| ConfigError(format!("the data folder {} is not a path", folder.display())))?;
        Ok(url.to_string())
    }

    /// Where the prediction log's local segments are.
    pub fn log_dir(&self) -> PathBuf {
        self.data_dir.join("log")
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

fn read_file(path: Option<&Path>) -> Result<Table, ConfigError> {
    let (path, required) = path.map_or((Path::new("chasqui.toml"), false), |path| (path, true));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if !required && error.kind() == std::io::ErrorKind::NotFound => return Ok(Table::new()),
        Err(error) => return Err(ConfigError(format!("cannot read {}: {error}", path.display()))),
    };
    text.parse().map_err(|error: toml::de::Error| ConfigError(format!("{}: {error}", path.display())))
}

/// Puts one `CHASQUI_…` variable over the table; `CHASQUI_LIMITS_ROWS` is `rows` in `[limits]`.
fn apply_variable(table: &mut Table, name: &str, value: &str) -> Result<(), ConfigError> {
    let Some(key) = name.strip_prefix("CHASQUI_") else { return Ok(()) };
    // Kubernetes sets CHASQUI_SERVICE_HOST, CHASQUI_PORT and more for a service called chasqui.
    let is_foreign =
        key == "PORT" || ["SERVICE_", "PORT_", "TEST_"].iter().any(|start| key.starts_with(start));
    if OTHERS.contains(&name) || is_foreign {
        return Ok(());
    }
    let key = key.to_lowercase();
    let known = known_keys();
    let (section, key) = match key.strip_prefix("limits_") {
        Some(rest) => (Some("limits"), rest.to_owned()),
        None => (None, key),
    };
    let target = match section {
        Some(section) => {
            let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            entry.as_table_mut().ok_or_else(|| ConfigError(format!("`{section}` must be a section")))?
        }
        None => table,
    };
    let Some(kind) = known.iter().find(|(known, _)| *known == (section, key.as_str())).map(|(_, kind)| *kind)
    else {
        return Err(ConfigError(format!("the environment variable {name} is not a setting of this program")));
    };
    target.insert(key, parsed(name, value, kind)?);
    Ok(())
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Flag,
}

type Key = (Option<&'static str>, &'static str);

fn known_keys() -> [(Key, Kind); 29] {
    [
        ((None, "data_dir"), Kind::Text),
        ((None, "listen"), Kind::Text),
        ((None, "grpc_listen"), Kind::Text),
        ((None, "database_url"), Kind::Text),
        ((None, "storage_url"), Kind::Text),
        ((None, "admin_key"), Kind::Text),
        ((None, "secret"), Kind::Text),
        ((None, "worker"), Kind::Flag),
        ((None, "http_threads"), Kind::Number),
        ((None, "jobs"), Kind::Number),
        ((None, "keep_alive_seconds"), Kind::Number),
        ((None, "drain_seconds"), Kind::Number),
        ((None, "shutdown_seconds"), Kind::Number),
        ((None, "log"), Kind::Text),
        ((None, "log_format"), Kind::Text),
        ((None, "invocations_service"), Kind::Text),
        ((None, "secure_cookies"), Kind::Flag),
        ((None, "tls_certificate"), Kind::Text),
        ((None, "tls_key"), Kind::Text),
        ((Some("limits"), "json_bytes"), Kind::Number),
        ((Some("limits"), "predict_bytes"), Kind::Number),
        ((Some("limits"), "model_bytes"), Kind::Number),
        ((Some("limits"), "dataset_bytes"), Kind::Number),
        ((Some("limits"), "records"), Kind::Number),
        ((Some("limits"), "rows"), Kind::Number),
        ((Some("limits"), "queue"), Kind::Number),
        ((Some("limits"), "deadline_ms"), Kind::Number),
        ((Some("limits"), "models_bytes"), Kind::Number),
        ((Some("limits"), "uploads"), Kind::Number),
    ]
}

fn parsed(name: &str, value: &str, kind: Kind) -> Result<Value, ConfigError> {
    match kind {
        Kind::Text => Ok(Value::String(value.to_owned())),
        Kind::Number => value
            .parse()
            .map(Value::Integer)
            .map_err(|_| ConfigError(format!("{name} must be a whole number, not {value:?}"))),
        Kind::Flag => match value {
            "true" | "1" => Ok(Value::Boolean(true)),
            "false" | "0" => Ok(Value::Boolean(false)),
            _ => Err(ConfigError(format!("{name} must be true or false, not {value:?}"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chasqui.toml");
        std::fs::write(&path, toml).unwrap();
        let flags = Flags { config: Some(path), data_dir: None };
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::from_sources(&flags, &environment)
    }

    #[test]
    fn later_sources_win() {
        let config = load("listen = \"0.0.0.0:1\"\njobs = 3", &[("CHASQUI_LISTEN", "127.0.0.1:9")]).unwrap();
        assert_eq!(config.listen.port(), 9);
        assert_eq!(config.jobs, 3);
        assert_eq!(config.limits, Limits::default());
        let config = load("[limits]\nrows = 4", &[("CHASQUI_LIMITS_RECORDS", "5")]).unwrap();
        assert_eq!((config.limits.rows, config.limits.records), (4, 5));
    }

    #[test]
    fn grpc_can_be_switched_off() {
        assert_eq!(load("", &[]).unwrap().grpc_listen.unwrap().port(), 8081);
        assert_eq!(load("grpc_listen = \"off\"", &[]).unwrap().grpc_listen, None);
        assert_eq!(load("", &[("CHASQUI_GRPC_LISTEN", "")]).unwrap().grpc_listen, None);
        let config = load("", &[("CHASQUI_GRPC_LISTEN", "0.0.0.0:7")]).unwrap();
        assert_eq!(config.grpc_listen.unwrap().port(), 7);
        assert!(load("", &[("CHASQUI_GRPC_LISTEN", "8081")]).unwrap_err().0.contains("8081"));
        let off = Config { grpc_listen: None, ..Config::default() };
        let text = toml::to_string(&off).unwrap();
        assert!(text.contains("grpc_listen = \"off\""), "{text}");
    }

    #[test]
    fn unknown_keys_are_errors() {
        assert!(load("lisen = \"x\"", &[]).unwrap_err().0.contains("lisen"));
        assert!(load("[limits]\nrowz = 4", &[]).unwrap_err().0.contains("rowz"));
        assert!(load("", &[("CHASQUI_LISEN", "x")]).unwrap_err().0.contains("CHASQUI_LISEN"));
        assert!(load("", &[("CHASQUI_JOBS", "many")]).unwrap_err().0.contains("whole number"));
        assert!(load("", &[("CHASQUI_ADMIN_KEY", "short")]).is_err());
    }

    #[test]
    fn variables_of_the_surroundings_are_left_alone() {
        let surroundings =
            [("CHASQUI_SERVICE_HOST", "10.0.0.1"), ("CHASQUI_PORT", "tcp://10.0.0.1:80"), ("PATH", "/")];
        assert!(load("", &surroundings).is_ok());
    }

    #[test]
    fn every_setting_can_come_from_the_environment() {
        let Value::Table(table) = Value::try_from(Config::default()).unwrap() else { panic!("not a table") };
        let known = known_keys();
        let has = |section: Option<&str>, key: &str| known.iter().any(|(known, _)| *known == (section, key));
        for (key, value) in &table {
            assert!(value.is_table() || has(None, key), "{key}");
        }
        for key in table["limits"].as_table().unwrap().keys() {
            assert!(has(Some("limits"), key), "{key}");
        }
    }
}
