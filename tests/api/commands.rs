//! What an operator types: `doctor` finds what is wrong and changes nothing, `config` keeps secrets to itself.

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Output};

use chasqui_tests::{ADMIN_KEY, Server, binary};

fn chasqui(arguments: &[&str], folder: &Path, settings: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary());
    command.args(arguments).arg("--data-dir").arg(folder).env_clear().envs(settings.iter().copied());
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[tokio::test]
async fn the_doctor_looks_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let nothing_yet = folder.path().join("data");
    let before = chasqui(&["doctor"], &nothing_yet, &[]);
    assert!(before.status.success(), "{}", said(&before));
    assert!(!nothing_yet.exists(), "a look makes no folder");
    let nowhere = chasqui(&["doctor"], Path::new("/proc/nowhere/data"), &[]);
    assert!(
        !nowhere.status.success() && said(&nowhere).contains("/proc cannot be written"),
        "{}",
        said(&nowhere)
    );

    let server = Server::start().await;
    let while_it_runs = chasqui(&["doctor"], server.data_dir(), &[]);
    let seen = said(&while_it_runs);
    assert!(while_it_runs.status.success() && seen.contains("every hash holds"), "{seen}");
    assert!(!seen.contains("FAILS") && !seen.contains(ADMIN_KEY), "{seen}");
}

#[tokio::test]
async fn the_doctor_names_what_is_wrong_and_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("CHASQUI_DATABASE_URL", "postgres://chasqui:geheimnis@127.0.0.1:1/chasqui")];
    let output = chasqui(&["doctor"], folder.path(), &settings);
    let seen = said(&output);
    assert!(!output.status.success() && seen.contains("FAILS"), "{seen}");
    assert!(seen.contains("127.0.0.1:1/chasqui") && !seen.contains("geheimnis"), "{seen}");
}

#[test]
fn the_configuration_is_shown_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("CHASQUI_ADMIN_KEY", "no-one-may-see-this-key"),
        ("CHASQUI_DATABASE_URL", "postgres://chasqui:geheimnis@db/chasqui"),
        ("CHASQUI_LIMITS_ROWS", "77"),
    ];
    let output = chasqui(&["config"], folder.path(), &settings);
    let seen = said(&output);
    assert!(output.status.success() && seen.contains("rows = 77"), "{seen}");
    assert!(!seen.contains("no-one-may-see") && !seen.contains("geheimnis"), "{seen}");
    let shown: toml::Table = String::from_utf8(output.stdout).unwrap().parse().unwrap();
    assert_eq!(shown["data_dir"].as_str(), folder.path().to_str(), "it can be used as a chasqui.toml");
}

/// A CSV file of `rows` rows: `x` is spread over `low` and above, `city` has two values, one of them in one row of `n`.
fn table(path: &Path, rows: usize, low: f64, n: usize) {
    let mut text = String::from("x;city;day\n");
    for row in 0..rows {
        let x = format!("{:.3}", low + (row * 7919 % 1000) as f64 / 1000.0).replace('.', ",");
        let city = if row.is_multiple_of(n) { "Loja" } else { "Quito" };
        writeln!(text, "{x};{city};{:02}/03/2026", row % 28 + 1).unwrap();
    }
    std::fs::write(path, text).unwrap();
}

#[test]
fn two_files_are_compared_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    table(path("before").as_ref(), 2000, 0.0, 4);
    table(path("same").as_ref(), 1500, 0.0, 4);
    table(path("moved").as_ref(), 1500, 0.3, 4);
    let compare = |current: &str, more: &[&str]| {
        let mut command = Command::new(binary());
        command.args(["drift", "compare", "--reference", &path("before"), "--current", &path(current)]);
        command.args(more).env_clear().output().unwrap()
    };
    let same = compare("same", &["--fail-on-drift"]);
    assert!(same.status.success() && said(&same).contains("no drift: 0 of 2 columns"), "{}", said(&same));
    let moved = compare("moved", &["--json", "--tests", "all"]);
    assert!(moved.status.success(), "{}", said(&moved));
    assert!(said(&moved).contains("left out (dates and times, which move by nature): day"));
    let answer: serde_json::Value = serde_json::from_slice(&moved.stdout).unwrap();
    assert_eq!(answer["verdict"]["drifted_columns"], serde_json::json!(["x"]), "{answer:#}");
    let ks = &answer["columns"]["x"]["tests"]["ks"];
    assert!(ks["drifted"] == true && (ks["statistic"].as_f64().unwrap() - 0.3).abs() < 0.01, "{ks}");
    assert!(answer["columns"]["city"]["tests"]["chisquare"]["p_value"].as_f64().unwrap() > 0.5);
    assert!(!compare("moved", &["--fail-on-drift"]).status.success());
    let wrong = compare("moved", &["--tests", "kolmogorov"]);
    assert!(!wrong.status.success() && said(&wrong).contains("wasserstein"), "{}", said(&wrong));
    let absent = compare("absent", &[]);
    assert!(!absent.status.success() && said(&absent).contains("absent"), "{}", said(&absent));
}
