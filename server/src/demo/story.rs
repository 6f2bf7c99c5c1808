//! The loop, step by step.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use reqwest::Method;
use serde_json::{Value, json};

use super::chain::Chain;
use super::summary::Summary;
use super::traffic::{SERVICE, Traffic};
use crate::cli::{output, remote};
use crate::client::Client;

const SEED: u64 = 2026;
/// Days that the first model learns from.
const HISTORY: i64 = 365;
/// Calm days of live traffic before the shock.
const CALM: usize = 28;
/// Days of traffic that finding the drift, and each rollout, may take at the most.
const PATIENCE: usize = 60;
/// The pause between days while something is awaited: a day of a real chain is longer.
const PACE: Duration = Duration::from_millis(400);

const PIPELINE: &str = r#"
service = "demanda"
seed = 2026

[source]
dataset = "ventas"
append_predictions = true

[features]
target = "units"
task = "regression"
time = "date"
numeric = ["day_of_week", "payday", "holiday", "promotion", "price", "plan"]
categorical = ["store", "province", "family"]

[learner]
kind = "gradient_boosting"
trees = 80
depth = 6
learning_rate = 0.12

[gates]
holdout = 0.01

[rollout]
metrics = ["errors", "latency"]
steps = [
    { weight = 0.1, hold = "1s", min_requests = 60 },
    { weight = 0.5, hold = "1s", min_requests = 200 },
]
bake = { hold = "2s", min_requests = 300 }

[triggers]
drift = true
cooldown = "1s"
"#;

/// The loop, driven and watched through the API.
struct Story<'a> {
    client: &'a Client,
    traffic: Traffic<'a>,
    summary: Summary,
    clock: Instant,
    /// When the live traffic began, RFC 3339.
    from: String,
}

/// Tells the whole story.
pub(super) async fn tell(client: &Client) -> anyhow::Result<Summary> {
    let live_from = live_from();
    let chain = Chain::new(live_from.saturating_sub(HISTORY.days()), SEED);
    let traffic = Traffic::new(client, chain);
    let from = format!("{live_from}T00:00:00-05:00");
    let mut story = Story { client, traffic, summary: Summary::default(), clock: Instant::now(), from };
    story.register_data().await?;
    story.train().await?;
    story.serve_calmly().await?;
    let drift = story.be_shocked().await?;
    story.be_retrained(&drift).await?;
    story.be_promoted().await?;
    story.survive_a_bad_candidate().await?;
    story.report().await?;
    Ok(story.summary)
}

/// A Thursday, when a week of monitoring begins, some months ago, so that the story ends before today.
fn live_from() -> Date {
    let mut day = jiff::Timestamp::now().to_zoned(TimeZone::UTC).date().saturating_sub(170.days());
    while day.weekday() != Weekday::Thursday {
        day = day.saturating_sub(1.day());
    }
    day
}

impl Story<'_> {
    /// Writes down a step that began when the last one ended.
    fn step(&mut self, what: &'static str, happened: bool, facts: impl Into<String>) {
        self.summary.step(what, self.clock.elapsed(), happened, facts);
        self.clock = Instant::now();
    }

    async fn register_data(&mut self) -> anyhow::Result<()> {
        let mut csv = String::from(
            "date,store,province,family,day_of_week,payday,holiday,promotion,price,plan,units\n",
        );
        for _ in 0..HISTORY {
            let date = self.traffic.chain.today();
            for r in self.traffic.chain.next_day() {
                let (payday, holiday, promotion) =
                    (u8::from(r.payday), u8::from(r.holiday), u8::from(r.promotion));
                writeln!(
                    csv,
                    "{date},{},{},{},{},{payday},{holiday},{promotion},{},{},{}",
                    r.store, r.province, r.family, r.day_of_week, r.price, r.plan, r.units
                )?;
            }
        }
        let sent = csv.lines().count() - 1;
        let path = "/api/v1/datasets/ventas/versions";
        let version = self.client.upload(Method::POST, path, "text/csv", csv.into_bytes()).await?;
        let facts = format!(
            "a year of sales: {} rows of 40 shops, dataset version {}",
            version["row_count"], version["version"]
        );
        self.step("generate and store", version["row_count"] == sent, facts);
        Ok(())
    }

    async fn declare(&self, pipeline: String) -> anyhow::Result<()> {
        let path = format!("/api/v1/pipelines/{SERVICE}");
        self.client.upload(Method::PUT, &path, "application/toml", pipeline.into_bytes()).await?;
        Ok(())
    }

    async fn train(&mut self) -> anyhow::Result<()> {
        self.declare(PIPELINE.into()).await?;
        let path = format!("/api/v1/pipelines/{SERVICE}");
        let run = self.client.post(&format!("{path}/runs"), &json!({})).await?;
        let job =
            remote::follow(self.client, run["job"]["id"].as_str().context("a run without a job")?).await?;
        let version = self.client.get(&format!("/api/v1/models/{SERVICE}/versions/1")).await?;
        self.step(
            "train",
            job["state"] == "succeeded",
            format!("version 1, held-out {}", figures(&version["metrics"])),
        );
        Ok(())
    }

    async fn serve_calmly(&mut self) -> anyhow::Result<()> {
        self.configure().await?;
        for _ in 0..CALM {
            self.traffic.day().await?;
        }
        let verdicts = self.await_verdicts(CALM / 7 - 1).await?;
        let alarms = verdicts.iter().filter(|verdict| verdict["drifted"] == true).count();
        let (sent, error) = (self.traffic.sent(), self.traffic.take_error() * 100.0);
        let facts = format!(
            "{sent} predictions, error {error:.1} %, {} weeks judged, {alarms} alarms",
            verdicts.len()
        );
        self.step("serve calm weeks", alarms == 0 && !verdicts.is_empty(), facts);
        Ok(())
    }

    /// Watches weeks, and leaves out what moves by itself: the calendar, and the shops' own size.
    async fn configure(&self) -> anyhow::Result<()> {
        let path = format!("/api/v1/services/{SERVICE}");
        let mut config = self.client.get(&path).await?["config"].clone();
        config["monitor"]["ignore"] = json!(["day_of_week", "payday", "holiday", "plan"]);
        self.client.put(&path, &config).await?;
        Ok(())
    }

    async fn verdicts(&self) -> anyhow::Result<Vec<Value>> {
        let answer = self.client.get(&format!("/api/v1/services/{SERVICE}/drift?limit=1000")).await?;
        Ok(answer["items"].as_array().cloned().unwrap_or_default())
    }

    async fn await_verdicts(&self, count: usize) -> anyhow::Result<Vec<Value>> {
        for _ in 0..40 {
            let verdicts = self.verdicts().await?;
            if verdicts.len() >= count {
                return Ok(verdicts);
            }
            tokio::time::sleep(PACE).await;
        }
        self.verdicts().await
    }

    /// A verdict that found drift, as soon as the last week is judged.
    async fn await_drift(&self) -> anyhow::Result<Option<Value>> {
        let known = self.verdicts().await?.len();
        let verdicts = self.await_verdicts(known + 1).await?;
        Ok(verdicts.into_iter().find(|verdict| verdict["drifted"] == true))
    }

    /// Lets the shock begin and goes on selling until the drift is found.
    async fn be_shocked(&mut self) -> anyhow::Result<Value> {
        let began = self.traffic.chain.today();
        self.traffic.chain.begin_shock();
        for days in 1..=PATIENCE {
            self.traffic.day().await?;
            // A week is judged when the next has begun and its last counts are written.
            if days % 7 != 1 || days == 1 {
                continue;
            }
            let found = self.await_drift().await?;
            if let Some(verdict) = found {
                let error = self.traffic.take_error() * 100.0;
                let columns = drifted_columns(&verdict).join(", ");
                let facts = format!(
                    "shock on {began}; found after {days} days in {columns}; error rose to {error:.1} %"
                );
                self.step("find the shock", !columns.is_empty(), facts);
                return Ok(verdict);
            }
        }
        anyhow::bail!("the shock of {began} was not found in {PATIENCE} days")
    }

    /// The drift started a run by itself; its candidate must pass the gate.
    async fn be_retrained(&mut self, drift: &Value) -> anyhow::Result<()> {
        let path = format!("/api/v1/pipelines/{SERVICE}/runs");
        for _ in 0..PATIENCE {
            let runs = self.client.get(&path).await?;
            let run =
                runs["items"].as_array().into_iter().flatten().find(|run| run["trigger"] == "drift").cloned();
            if let Some(run) = run {
                let id = run["job_id"].as_str().context("a run without a job")?.to_owned();
                let job = remote::follow(self.client, &id).await?;
                anyhow::ensure!(job["state"] == "succeeded", "the retraining failed: {}", job["error"]);
                let run = self.client.get(&path).await?["items"][0].clone();
                let comparison = &run["gate"]["quality"];
                let facts = format!(
                    "version {} after the drift of week {}: gate {} on {} held-out rows, loss {:.1} -> {:.1}",
                    run["version"],
                    drift["window_start"].as_i64().map_or(String::new(), day),
                    comparison["verdict"],
                    comparison["rows"],
                    comparison["champion_loss"].as_f64().unwrap_or(f64::NAN),
                    comparison["candidate_loss"].as_f64().unwrap_or(f64::NAN),
                );
                self.step("retrain and compare", run["gate"]["verdict"] == "better", facts);
                return Ok(());
            }
            self.traffic.day().await?;
            tokio::time::sleep(PACE).await;
        }
        anyhow::bail!("the drift started no retraining")
    }

    async fn newest_rollout(&self) -> anyhow::Result<Option<Value>> {
        let answer = self.client.get(&format!("/api/v1/services/{SERVICE}/rollouts?limit=1")).await?;
        Ok(answer["items"].as_array().and_then(|items| items.first().cloned()))
    }

    /// Goes on selling until the newest rollout has ended.
    async fn sell_until_ended(&mut self) -> anyhow::Result<Value> {
        let mut said = String::new();
        for _ in 0..PATIENCE {
            self.traffic.day().await?;
            let rollout = self.newest_rollout().await?.context("there is no rollout")?;
            let now =
                format!("{} at {} %", rollout["status"], rollout["weight"].as_f64().unwrap_or(0.0) * 100.0);
            if now != said {
                output::note(format!("    rollout {now}"));
                said = now;
            }
            if rollout["terminal"] == true {
                return Ok(rollout);
            }
            tokio::time::sleep(PACE).await;
        }
        anyhow::bail!("the rollout did not end: {said}")
    }

    async fn be_promoted(&mut self) -> anyhow::Result<()> {
        self.traffic.take_error();
        let before = self.traffic.by_version.clone();
        let rollout = self.sell_until_ended().await?;
        let during: Vec<String> = self
            .traffic
            .by_version
            .iter()
            .map(|(version, count)| {
                format!("version {version}: {}", count - before.get(version).copied().unwrap_or(0))
            })
            .collect();
        self.traffic.take_error();
        for _ in 0..7 {
            self.traffic.day().await?;
        }
        let error = self.traffic.take_error() * 100.0;
        let facts = format!(
            "{}; predictions meanwhile: {}; error now {error:.1} %",
            rollout["status"],
            during.join(", ")
        );
        self.step("canary to promotion", rollout["status"] == "succeeded", facts);
        Ok(())
    }

    /// The version that serves.
    async fn champion(&self) -> anyhow::Result<Value> {
        let alias = self.client.get(&format!("/api/v1/models/{SERVICE}/aliases/champion")).await?;
        Ok(self.client.get(&format!("/api/v1/models/{SERVICE}/versions/{}", alias["version"])).await?)
    }

    /// A candidate with a real fault, in spite of its right signature: it fails on Sundays.
    async fn survive_a_bad_candidate(&mut self) -> anyhow::Result<()> {
        // Only one rollout may be under way: from here on drift starts no other.
        self.declare(PIPELINE.replace("drift = true", "drift = false")).await?;
        let champion = self.champion().await?;
        let signature = serde_json::from_value(champion["signature"].clone())?;
        let bytes = super::faulty::ends_before(&signature, "day_of_week", 7)?;
        let path = format!("/api/v1/models/{SERVICE}/versions");
        let bad = self.client.upload(Method::POST, &path, "application/octet-stream", bytes).await?;
        let plan = json!({
            "version": bad["version"], "metrics": ["errors", "latency"],
            "steps": [{ "weight": 0.3, "hold": "60s", "min_requests": 5000 }],
        });
        self.client.post(&format!("/api/v1/services/{SERVICE}/rollouts"), &plan).await?;
        let before = self.traffic.sent();
        let rollout = self.sell_until_ended().await?;
        let answered = self.traffic.sent() - before;
        let after = self.champion().await?;
        let facts = format!(
            "version {}, which fails on Sundays: {}; all {answered} requests were answered; version {} serves",
            bad["version"], rollout["status"], after["version"]
        );
        let happened = rollout["status"] == "rolled_back" && after["version"] == champion["version"];
        self.step("roll a bad one back", happened, facts);
        Ok(())
    }

    async fn report(&mut self) -> anyhow::Result<()> {
        self.traffic.tell_outcomes().await?;
        let made = self
            .client
            .post(&format!("/api/v1/services/{SERVICE}/reports"), &json!({ "from": self.from }))
            .await?;
        let job = remote::follow(self.client, made["job"]["id"].as_str().context("a report without a job")?)
            .await?;
        anyhow::ensure!(job["state"] == "succeeded", "the report failed: {}", job["error"]);
        let id = made["report_id"].as_str().context("a report without an id")?.to_owned();
        let path = format!("/api/v1/reports/{id}.html");
        let html = String::from_utf8(self.client.download(&path).await?)?;
        let charts = html.matches("<svg").count();
        self.summary.report_url = self.client.address(&format!("/reports/{id}"));
        self.step(
            "report in Spanish",
            charts >= 2,
            format!("{} kB of HTML with {charts} charts", html.len() / 1000),
        );
        Ok(())
    }
}

fn drifted_columns(verdict: &Value) -> Vec<String> {
    let features = verdict["verdict"]["features"].as_array().map(Vec::as_slice).unwrap_or_default();
    features
        .iter()
        .filter(|f| f["drifted"] == true)
        .filter_map(|f| f["name"].as_str().map(String::from))
        .collect()
}

/// `mae 4.21, r2 0.95, …`.
fn figures(metrics: &Value) -> String {
    let shown = metrics.as_object().into_iter().flatten();
    shown
        .map(|(name, value)| format!("{name} {:.3}", value.as_f64().unwrap_or(f64::NAN)))
        .collect::<Vec<_>>()
        .join(", ")
}

fn day(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros)
        .map_or_else(|_| micros.to_string(), |at| at.strftime("%Y-%m-%d").to_string())
}
