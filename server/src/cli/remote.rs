//! Commands that are clients of the API: the same powers, with CHASQUI_URL and CHASQUI_API_KEY.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::output;
use crate::client::Client;

/// Where the server is, and who asks.
#[derive(Debug, Args)]
pub struct Remote {
    /// Address of the server
    #[arg(long, env = "CHASQUI_URL", default_value = "http://127.0.0.1:8080", global = true)]
    url: String,
    /// API key
    #[arg(long, env = "CHASQUI_API_KEY", hide_env_values = true, default_value = "", global = true)]
    api_key: String,
    /// Print the server's JSON instead of tables
    #[arg(long, global = true)]
    json: bool,
}

/// Models and their versions
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Registers an ONNX file as the next version of a model
    Register {
        /// The model's name
        model: String,
        /// The ONNX file
        file: PathBuf,
        /// Names of the features in input and column order, separated by commas
        #[arg(long, value_delimiter = ',')]
        feature_names: Vec<String>,
    },
    /// Lists models, or the versions of one
    List {
        /// The model's name
        model: Option<String>,
    },
    /// Points an alias at a version
    Alias {
        /// The model's name
        model: String,
        /// `champion`, `challenger` or any other
        alias: String,
        /// The version's number
        version: i64,
    },
}

/// Datasets and their versions
#[derive(Debug, Subcommand)]
pub enum DatasetCommand {
    /// Uploads CSV, Parquet or JSON lines as the next version of a dataset
    Add {
        /// The dataset's name
        dataset: String,
        /// The file; its format and dialect are detected
        file: PathBuf,
    },
    /// Lists datasets, or the versions of one
    List {
        /// The dataset's name
        dataset: Option<String>,
    },
}

/// Rollouts of new versions
#[derive(Debug, Subcommand)]
pub enum RolloutCommand {
    /// Starts a rollout
    Start {
        /// The service
        service: String,
        /// The version to bring in
        version: i64,
        /// Canary shares in order, such as `0.05,0.25,0.5`
        #[arg(long, value_delimiter = ',', default_value = "0.05,0.25,0.5")]
        steps: Vec<f64>,
        /// The least time at each share
        #[arg(long, default_value = "10m")]
        hold: String,
    },
    /// Tells where a rollout is and what it has seen
    Status {
        /// The rollout's id, or a service: its newest rollout
        rollout: String,
    },
    /// Takes the canary out of traffic
    Abort {
        /// The rollout's id
        rollout: String,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
    },
}

/// API keys
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Makes a key; its secret is printed once
    Create {
        /// Who or what will use it
        name: String,
        /// `viewer`, `editor` or `admin`
        #[arg(long, default_value = "viewer")]
        role: String,
    },
    /// Lists keys, without their secrets
    List,
    /// Ends a key
    Revoke {
        /// The key's id
        id: String,
    },
}

impl Remote {
    /// Whether JSON is wanted instead of tables.
    pub fn wants_json(&self) -> bool {
        self.json
    }

    fn client(&self) -> anyhow::Result<Client> {
        if self.api_key.is_empty() {
            bail!("an API key is needed: set CHASQUI_API_KEY or give --api-key");
        }
        Ok(Client::new(&self.url, &self.api_key)?)
    }

    /// Shows an answer: as JSON when asked for, else as `human` puts it.
    fn show(&self, answer: &Value, human: impl FnOnce(&Value)) {
        if self.json { output::json(answer) } else { human(answer) }
    }

    fn list(&self, answer: &Value, titles: &[&str], fields: &[&str]) {
        self.show(answer, |answer| {
            let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let row = |item: &Value| fields.iter().map(|field| text(&item[*field])).collect();
            output::table(titles, &items.iter().map(row).collect::<Vec<_>>());
            if answer["next_cursor"].is_string() {
                output::note("there are more; --json shows the cursor of the next page");
            }
        });
    }

    /// Models.
    pub async fn model(&self, command: ModelCommand) -> anyhow::Result<()> {
        let client = self.client()?;
        match command {
            ModelCommand::Register { model, file, feature_names } => {
                let bytes = read(&file)?;
                let mut path = format!("/api/v1/models/{}/versions", segment(&model));
                if !feature_names.is_empty() {
                    path = format!("{path}?{}", query("feature_names", &feature_names.join(",")));
                }
                let version = client.upload(Method::POST, &path, "application/octet-stream", bytes).await?;
                self.show(&version, |v| {
                    output::line(format!("{model} version {}, sha256 {}", v["version"], text(&v["sha256"])));
                });
            }
            ModelCommand::List { model: None } => {
                self.list(
                    &client.get("/api/v1/models?limit=1000").await?,
                    &["name", "task"],
                    &["name", "task"],
                );
            }
            ModelCommand::List { model: Some(model) } => {
                let path = format!("/api/v1/models/{}/versions?limit=1000", segment(&model));
                let fields = ["version", "size_bytes", "sha256", "metrics"];
                self.list(&client.get(&path).await?, &["version", "bytes", "sha256", "metrics"], &fields);
            }
            ModelCommand::Alias { model, alias, version } => {
                let path = format!("/api/v1/models/{}/aliases/{}", segment(&model), segment(&alias));
                let answer = client.put(&path, &json!({ "version": version })).await?;
                self.show(&answer, |_| output::line(format!("{model}@{alias} is version {version}")));
            }
        }
        Ok(())
    }

    /// Datasets.
    pub async fn dataset(&self, command: DatasetCommand) -> anyhow::Result<()> {
        let client = self.client()?;
        match command {
            DatasetCommand::Add { dataset, file } => {
                let path = format!("/api/v1/datasets/{}/versions", segment(&dataset));
                let version = client.upload(Method::POST, &path, content_type(&file), read(&file)?).await?;
                self.show(&version, |v| {
                    output::line(format!("{dataset} version {}: {} rows", v["version"], v["row_count"]));
                });
            }
            DatasetCommand::List { dataset: None } => {
                self.list(&client.get("/api/v1/datasets?limit=1000").await?, &["name"], &["name"]);
            }
            DatasetCommand::List { dataset: Some(dataset) } => {
                let path = format!("/api/v1/datasets/{}/versions?limit=1000", segment(&dataset));
                let fields = ["version", "row_count", "size_bytes", "sha256"];
                self.list(&client.get(&path).await?, &["version", "rows", "bytes", "sha256"], &fields);
            }
        }
        Ok(())
    }

    /// Predictions for the records of a JSON file: an array, one object, or one object a line.
    pub async fn predict(&self, service: &str, file: &Path) -> anyhow::Result<()> {
        let records = records(&read(file)?)?;
        let path = format!("/api/v1/services/{}/predict", segment(service));
        let answer = self.client()?.post(&path, &json!({ "records": records })).await?;
        output::json(&answer);
        Ok(())
    }

    /// Rollouts.
    pub async fn rollout(&self, command: RolloutCommand) -> anyhow::Result<()> {
        let client = self.client()?;
        let answer = match command {
            RolloutCommand::Start { service, version, steps, hold } => {
                let steps: Vec<Value> =
                    steps.iter().map(|weight| json!({ "weight": weight, "hold": hold })).collect();
                let path = format!("/api/v1/services/{}/rollouts", segment(&service));
                client.post(&path, &json!({ "version": version, "steps": steps })).await?
            }
            RolloutCommand::Status { rollout } => {
                if let Ok(found) = client.get(&format!("/api/v1/rollouts/{}", segment(&rollout))).await {
                    found
                } else {
                    let path = format!("/api/v1/services/{}/rollouts?limit=1", segment(&rollout));
                    client.get(&path).await?["items"][0].clone()
                }
            }
            RolloutCommand::Abort { rollout, reason } => {
                let path = format!("/api/v1/rollouts/{}/abort", segment(&rollout));
                client.post(&path, &json!({ "reason": reason })).await?
            }
        };
        if answer.is_null() {
            bail!("there is no such rollout");
        }
        self.show(&answer, |r| {
            output::line(format!(
                "rollout {} of {}: version {} beside {}, {}, share {}",
                text(&r["id"]),
                text(&r["service"]),
                r["canary_version"],
                r["stable_version"],
                text(&r["status"]),
                r["weight"]
            ));
        });
        Ok(())
    }

    /// Runs a pipeline and follows its job to the end.
    pub async fn retrain(&self, pipeline: &str, wait: bool) -> anyhow::Result<()> {
        let client = self.client()?;
        let path = format!("/api/v1/pipelines/{}/runs", segment(pipeline));
        let run = client.post(&path, &json!({})).await?;
        if !wait {
            output::json(&run);
            return Ok(());
        }
        let id = run["job"]["id"].as_str().context("the server named no job")?;
        let job = follow(&client, id).await?;
        self.show(&job, |job| output::line(format!("{}: {:#}", text(&job["state"]), job["result"])));
        if job["state"] != "succeeded" {
            bail!("{}", text(&job["error"]));
        }
        Ok(())
    }

    /// Writes a report and tells where it is.
    pub async fn report(&self, service: &str) -> anyhow::Result<()> {
        let client = self.client()?;
        let path = format!("/api/v1/services/{}/reports", segment(service));
        let made = client.post(&path, &json!({})).await?;
        let job = follow(&client, made["job"]["id"].as_str().context("the server named no job")?).await?;
        if job["state"] != "succeeded" {
            bail!("{}", text(&job["error"]));
        }
        output::line(client.address(&format!("/api/v1/reports/{}.html", text(&made["report_id"]))));
        Ok(())
    }

    /// API keys.
    pub async fn key(&self, command: KeyCommand) -> anyhow::Result<()> {
        let client = self.client()?;
        match command {
            KeyCommand::Create { name, role } => {
                let made = client.post("/api/v1/keys", &json!({ "name": name, "role": role })).await?;
                self.show(&made, |made| {
                    output::note("this is the only time the secret is shown");
                    output::line(text(&made["secret"]));
                });
            }
            KeyCommand::List => {
                let answer = client.get("/api/v1/keys?limit=1000").await?;
                self.list(&answer, &["id", "name", "role", "revoked"], &["id", "name", "role", "revoked_at"]);
            }
            KeyCommand::Revoke { id } => {
                client.delete(&format!("/api/v1/keys/{}", segment(&id))).await?;
                output::line(format!("{id} is revoked"));
            }
        }
        Ok(())
    }
}

/// Asks for a job until it has ended, showing its progress.
pub async fn follow(client: &Client, id: &str) -> anyhow::Result<Value> {
    let mut said = String::new();
    loop {
        let job = client.get(&format!("/api/v1/jobs/{id}")).await?;
        let state = text(&job["state"]);
        let message = text(&job["message"]);
        if message != said {
            output::progress(job["progress"].as_f64().unwrap_or(0.0), &message);
            said = message;
        }
        if matches!(state.as_str(), "succeeded" | "failed" | "cancelled") {
            return Ok(job);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn records(bytes: &[u8]) -> anyhow::Result<Vec<Value>> {
    let mut records = Vec::new();
    for value in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        match value.context("the file is not JSON")? {
            Value::Array(items) => records.extend(items),
            record => records.push(record),
        }
    }
    Ok(records)
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("parquet") => "application/vnd.apache.parquet",
        Some("ndjson" | "jsonl") => "application/x-ndjson",
        _ => "text/csv",
    }
}

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    Serializer::new(String::new()).append_key_only(name).finish().replace('+', "%20")
}

fn query(name: &str, value: &str) -> String {
    Serializer::new(String::new()).append_pair(name, value).finish()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{records, segment};

    #[test]
    fn records_come_as_an_array_an_object_or_lines() {
        for text in ["[{\"a\":1},{\"a\":2}]", "{\"a\":1}\n{\"a\":2}\n"] {
            assert_eq!(records(text.as_bytes()).unwrap().len(), 2);
        }
        assert!(records(b"a,b\n1,2").is_err());
    }

    #[test]
    fn names_travel_as_one_segment() {
        assert_eq!(segment("ventas diarias/ñ"), "ventas%20diarias%2F%C3%B1");
    }
}
