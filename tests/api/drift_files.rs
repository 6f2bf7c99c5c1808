//! `chasqui drift compare`: two files beside each other, without a server.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use chasqui_tests::binary;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Files in a folder of their own, and the command on them.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(name), bytes).unwrap();
        self
    }

    fn command(&self, reference: &str, current: &str, more: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(["drift", "compare", "--reference", reference, "--current", current]).args(more);
        command.current_dir(self.0.path()).env_clear();
        command
    }

    fn compare(&self, reference: &str, current: &str, more: &[&str]) -> Output {
        self.command(reference, current, more).output().unwrap()
    }

    fn json(&self, reference: &str, current: &str, more: &[&str]) -> Value {
        let output = self.compare(reference, current, &[more, &["--json"]].concat());
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What is said about files that cannot be compared.
    fn refused(&self, reference: &str, current: &str, more: &[&str]) -> String {
        let output = self.compare(reference, current, more);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(output.stdout.is_empty(), "{}", said(&output));
        said(&output)
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// `rows` rows: `x` is spread over `low` and above, `city` has two values, one of them in one row of `n`.
fn table(rows: usize, low: f64, n: usize) -> String {
    let mut text = String::from("x;city;day\n");
    for row in 0..rows {
        let x = format!("{:.3}", low + (row * 7919 % 1000) as f64 / 1000.0).replace('.', ",");
        let city = if row.is_multiple_of(n) { "Loja" } else { "Quito" };
        writeln!(text, "{x};{city};{:02}/03/2026", row % 28 + 1).unwrap();
    }
    text
}

/// Reference, the same again, and with `x` moved.
fn tables() -> Files {
    let files = Files::new();
    files.write("before.csv", table(2000, 0.0, 4)).write("same.csv", table(1500, 0.0, 4));
    files.write("moved.csv", table(1500, 0.3, 4));
    files
}

#[test]
fn two_files_are_compared_without_a_server() {
    let files = tables();
    let same = files.compare("before.csv", "same.csv", &["--fail-on-drift"]);
    assert_eq!(same.status.code(), Some(0), "{}", said(&same));
    assert!(said(&same).contains("no drift: 0 of 2 columns"), "{}", said(&same));
    let moved = files.compare("before.csv", "moved.csv", &["--json", "--tests", "all"]);
    assert!(moved.status.success(), "{}", said(&moved));
    assert!(said(&moved).contains("left out (dates and times, which move by nature): day"));
    assert!(!said(&moved).contains("reading"), "no progress where nobody watches: {}", said(&moved));
    let answer: Value = serde_json::from_slice(&moved.stdout).unwrap();
    assert_eq!(answer["verdict"]["drifted_columns"], json!(["x"]), "{answer:#}");
    let ks = &answer["columns"]["x"]["tests"]["ks"];
    assert!(ks["drifted"] == true && (ks["statistic"].as_f64().unwrap() - 0.3).abs() < 0.01, "{ks}");
    assert!(answer["columns"]["city"]["tests"]["chisquare"]["p_value"].as_f64().unwrap() > 0.5);
    let drift = files.compare("before.csv", "moved.csv", &["--fail-on-drift"]);
    assert_eq!(drift.status.code(), Some(3), "{}", said(&drift));
    assert!(said(&drift).contains("the data drifted: 1 of 2 columns"), "{}", said(&drift));
}

#[test]
fn the_json_has_the_promised_form() {
    let files = tables();
    let answer = files.json("before.csv", "moved.csv", &["--tests", "all"]);
    let numeric = [
        "ks",
        "chisquare",
        "z",
        "t_test",
        "mannw",
        "anderson",
        "cramer_von_mises",
        "es",
        "fisher_exact",
        "g_test",
        "TVD",
        "empirical_mmd",
        "wasserstein",
        "ed",
        "psi",
        "kl_div",
        "jensenshannon",
        "hellinger",
    ];
    let columns = answer["columns"].as_object().unwrap();
    assert_eq!(columns.keys().collect::<Vec<_>>(), ["city", "x"]);
    for (name, column) in columns {
        let keys: Vec<&String> = column.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["tests", "type"], "{name}");
        for (test, result) in column["tests"].as_object().unwrap() {
            assert!(numeric.contains(&test.as_str()), "{test}");
            for key in result.as_object().unwrap().keys() {
                let known = ["statistic", "p_value", "score", "threshold", "drifted", "reason"];
                assert!(known.contains(&key.as_str()), "{test}: {key}");
            }
            assert!(result["threshold"].is_f64() && result["drifted"].is_boolean(), "{test}: {result}");
            assert!(!result["score"].is_null() || !result["reason"].is_null(), "{test}: {result}");
        }
    }
    assert_eq!(columns["x"]["type"], "numeric");
    assert_eq!(columns["x"]["tests"].as_object().unwrap().len(), numeric.len());
    assert_eq!(columns["city"]["type"], "categorical");
    assert_eq!(answer["rows"], json!({"reference": 2000, "current": 1500}));
    let named = files.json("before.csv", "moved.csv", &["--tests", "ks,psi", "--columns", "x"]);
    let tests = named["columns"]["x"]["tests"].as_object().unwrap();
    assert_eq!(tests.keys().collect::<Vec<_>>(), ["ks", "psi"]);
    assert_eq!(named["columns"].as_object().unwrap().len(), 1);
    assert_eq!(named["left_out"]["not_asked"], json!(["city", "day"]));
    assert!(named.get("sampled").is_none(), "{named:#}");
}

#[test]
fn wrong_files_are_told_apart() {
    let files = tables();
    files
        .write("empty.csv", "")
        .write("header.csv", "x;city;day\n")
        .write("prose.txt", "Quito es la capital\nGuayaquil es el puerto\nCuenca queda al sur\n")
        .write("other.csv", "a,b\n1,2\n3,4\n")
        .write("ragged.csv", "x;city\n1;Quito\n2\n")
        .write("headless.csv", "1;Quito\n2;Loja\n")
        .write("book.xlsx", b"PK\x03\x04\x14\x00")
        .write("dates.csv", "day\n01/02/2026\n02/02/2026\n");
    let refused = |current: &str| files.refused("before.csv", current, &[]);
    for (current, words) in [
        ("absent.csv", &["absent.csv", "no such file"][..]),
        ("empty.csv", &["empty.csv", "the file is empty"]),
        ("header.csv", &["header.csv has no rows", "\"x\", \"city\", \"day\""]),
        ("book.xlsx", &["book.xlsx", "Excel", "export it as CSV"]),
        ("ragged.csv", &["ragged.csv", "row 3 has 1 cells instead of 2"]),
        (
            "prose.txt",
            &[
                "no column in common",
                "before.csv was read as delimited text in UTF-8, delimiter ';', names in the first row",
                "with 3 columns: \"x\", \"city\", \"day\"",
                "prose.txt was read as delimited text",
                "with 1 column: \"Quito es la capital\"",
                "--delimiter",
            ],
        ),
        ("other.csv", &["no column in common", "2 columns: \"a\", \"b\""]),
        ("headless.csv", &["no column in common", "the first row of headless.csv was taken for values"]),
        (".", &["it is a folder"]),
    ] {
        let told = refused(current);
        for word in words {
            assert!(told.contains(word), "{current}: «{word}» is not in {told}");
        }
    }
    let told = files.refused("dates.csv", "dates.csv", &[]);
    assert!(told.contains("nothing but dates and times in common"), "{told}");
}

#[test]
fn wrong_words_are_answered_with_the_right_ones() {
    let files = tables();
    let told = files.refused("before.csv", "same.csv", &["--tests", "kolmogorov"]);
    assert!(told.contains("kolmogorov") && told.contains("wasserstein"), "{told}");
    for option in ["--columns", "--ignore", "--text"] {
        let told = files.refused("before.csv", "same.csv", &[option, "price"]);
        assert!(told.contains(option) && told.contains("\"price\"") && told.contains("\"city\""), "{told}");
    }
    let told = files.refused("before.csv", "same.csv", &["--columns", "x", "--ignore", "x"]);
    assert!(told.contains("left out by --ignore"), "{told}");
    let wrong = files.compare("before.csv", "same.csv", &["--rules", "mine"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", said(&wrong));
    let help = said(&files.compare("a", "b", &["--help"]));
    for word in ["Exit codes", "Examples", "empirical_mmd", "--fail-on-drift", "--html"] {
        assert!(help.contains(word), "«{word}» is not in {help}");
    }
}

#[test]
fn columns_of_different_types_and_without_values_say_so() {
    let files = Files::new();
    let rows = |cell: fn(usize) -> String| -> String {
        (0..50).fold("a,b,c\n".to_owned(), |text, row| text + &format!("{},{row},{}\n", cell(row), row % 7))
    };
    files.write("numbers.csv", rows(|row| row.to_string()));
    files.write("words.csv", rows(|row| format!("w{row}")));
    files.write("nothing.csv", rows(|_| String::new()));
    let output = files.compare("numbers.csv", "words.csv", &["--json"]);
    let noted = "\"a\" holds numbers in numbers.csv and categories in words.csv: no test applies to it";
    assert!(said(&output).contains(noted), "{}", said(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ks = &answer["columns"]["a"]["tests"]["ks"];
    assert_eq!(ks["reason"], "the column holds numbers in the reference and categories in the current data");
    assert!(ks["score"].is_null() && ks["drifted"] == false, "{ks}");
    let answer = files.json("numbers.csv", "nothing.csv", &[]);
    assert_eq!(answer["columns"]["a"]["tests"]["ks"]["reason"], "the current data has no usable values");
    assert_eq!(answer["missing"]["a"], json!({"reference": 0.0, "current": 1.0}));
    let answer = files.json("nothing.csv", "words.csv", &[]);
    assert_eq!(answer["columns"]["a"]["tests"]["chisquare"]["reason"], "the reference has no usable values");
}

#[test]
fn the_page_is_small_and_self_contained() {
    let files = tables();
    let output = files.compare("before.csv", "moved.csv", &["--html", "page.html"]);
    assert!(output.status.success() && said(&output).contains("wrote page.html"), "{}", said(&output));
    let page = std::fs::read_to_string(files.path("page.html")).unwrap();
    assert!(page.len() < 300_000 && page.contains("Cambió una de 2 columnas: x."), "{page}");
    assert!(page.contains("El promedio pasó de 0,50 a 0,80.") && page.contains("moved.csv"), "{page}");
    assert!(!page.contains("<script") && !page.contains("href=\"http"), "{page}");
    assert_eq!(page.matches("class=\"chart-small\"").count(), 2);
    files.compare("before.csv", "moved.csv", &["--html", "page.html", "--lang", "en", "--tests", "all"]);
    let page = std::fs::read_to_string(files.path("page.html")).unwrap();
    assert!(page.contains("One of 2 columns changed: x.") && page.contains("cramer_von_mises"), "{page}");
    assert!(page.contains("The test empirical_mmd looks at 750 rows"), "{page}");
    let wide = |name: &str, shift: usize| {
        let names: Vec<String> = (0..1000).map(|column| format!("columna_{column}")).collect();
        let mut text = names.join(",") + "\n";
        for row in 0..60 {
            let cells: Vec<String> =
                (0..1000).map(|column| (row * 7 % 60 + shift * column).to_string()).collect();
            text += &(cells.join(",") + "\n");
        }
        files.write(name, text);
    };
    wide("wide_before.csv", 0);
    wide("wide_after.csv", 1);
    let output =
        files.compare("wide_before.csv", "wide_after.csv", &["--html", "wide.html", "--tests", "all"]);
    assert!(output.status.success(), "{}", said(&output));
    let page = std::fs::read_to_string(files.path("wide.html")).unwrap();
    assert!(
        page.len() < 300_000 && page.contains("de 1.000 columnas, las que más cambiaron"),
        "{}",
        page.len()
    );
}

#[test]
fn what_is_sampled_is_said_everywhere() {
    let files = Files::new();
    files.write("before.csv", table(30_000, 0.0, 4)).write("after.csv", table(500, 0.3, 4));
    let whole = files.json("before.csv", "after.csv", &[]);
    assert!(whole.get("sampled").is_none(), "{whole:#}");
    let sample = ["--sample", "1000", "--seed", "5"];
    let answer = files.json("before.csv", "after.csv", &sample);
    let sampled = &answer["sampled"];
    assert_eq!((&sampled["rows"], &sampled["of"]), (&json!(1000), &json!(30_000)), "{sampled:#}");
    assert_eq!(sampled["current"], json!({"rows": 500, "of": 500}));
    assert_eq!((&sampled["seed"], &sampled["columns"]), (&json!(5), &json!(["x"])));
    let error = sampled["error"].as_f64().unwrap();
    let ks = |answer: &Value| answer["columns"]["x"]["tests"]["ks"]["statistic"].as_f64().unwrap();
    assert!((ks(&answer) - ks(&whole)).abs() <= error && error < 0.06, "{error}");
    // Categories are of all rows.
    assert_eq!(answer["columns"]["city"]["tests"]["psi"], whole["columns"]["city"]["tests"]["psi"]);
    assert_eq!(answer, files.json("before.csv", "after.csv", &sample), "the same seed, the same answer");
    assert_ne!(ks(&answer), ks(&files.json("before.csv", "after.csv", &["--sample", "1000"])));
    let output = files.compare("before.csv", "after.csv", &["--sample", "1000", "--html", "page.html"]);
    assert!(
        said(&output).contains("sampled: numbers are compared by 1,000 of 30,000 rows"),
        "{}",
        said(&output)
    );
    let page = std::fs::read_to_string(files.path("page.html")).unwrap();
    assert!(page.contains("se tomó al azar 1.000 de 30.000 filas"), "{page}");
    let all = files.json("before.csv", "after.csv", &["--tests", "all"]);
    assert_eq!(all["sampled"]["tests"]["empirical_mmd"], json!({"rows": 750, "of": 30_000}));
}

#[test]
fn progress_is_told_on_demand() {
    let files = tables();
    let output = files.compare("before.csv", "same.csv", &["--progress"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("100 % reading: 2,000 rows of the reference, 1,500 of the current data"), "{told}");
}

#[test]
fn json_lines_and_other_dialects_are_the_same_data() {
    let files = tables();
    let mut lines = String::new();
    let mut points = b"x,city,day,caf\xE9\n".to_vec();
    for row in table(1500, 0.3, 4).lines().skip(1) {
        let cells: Vec<&str> = row.split(';').collect();
        let x = cells[0].replace(',', ".");
        writeln!(lines, "{{\"x\": {x}, \"city\": \"{}\", \"day\": \"{}\"}}", cells[1], cells[2]).unwrap();
        points.extend_from_slice(format!("{x},{},{},1\n", cells[1], cells[2]).as_bytes());
    }
    files.write("moved.ndjson", lines).write("moved_latin.csv", points);
    let csv = files.json("before.csv", "moved.csv", &[]);
    assert_eq!(csv["columns"], files.json("before.csv", "moved.ndjson", &[])["columns"]);
    let latin = files.json("before.csv", "moved_latin.csv", &[]);
    assert_eq!(csv["columns"], latin["columns"]);
    assert_eq!(latin["left_out"]["only_in_current"], json!(["café"]));
}

/// Peak resident memory of a running process in MiB, as far as it was seen.
fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

/// A million rows of five columns; texts among them, one with a name of its own in every row.
fn write_million(path: &Path, shift: f64) {
    use std::io::Write as _;
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    writeln!(file, "a,b,c,city,id").unwrap();
    for row in 0..1_000_000_u64 {
        let mixed = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let unit = mixed as f64 / f64::from(1 << 24);
        writeln!(file, "{:.4},{},{:.3},c{},id{row}", unit + shift, mixed % 97, unit * unit, mixed % 40)
            .unwrap();
    }
}

/// The files have 75 MB together, their values as numbers 60 MB, the names of one column 120 MB.
#[test]
fn memory_does_not_grow_with_the_rows() {
    let files = Files::new();
    write_million(&files.path("before.csv"), 0.0);
    write_million(&files.path("after.csv"), 0.02);
    let mut command = files.command("before.csv", "after.csv", &["--json", "--sample", "50000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(peak_memory(child.id()).unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["rows"], json!({"reference": 1_000_000, "current": 1_000_000}));
    assert_eq!(answer["verdict"]["drifted_columns"], json!(["a"]), "{:#}", answer["verdict"]);
    assert_eq!(answer["sampled"]["grouped"], json!(["id"]));
    assert!(peak > 0 && peak < 150, "{peak} MiB");
}
