//! What an operator types: `doctor` finds what is wrong and changes nothing, `config` keeps secrets to itself.

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
