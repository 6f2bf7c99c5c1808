//! The only place of the program that prints.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks on standard output")]

use std::io::IsTerminal;

use serde_json::Value;

/// What was asked for.
pub fn line(text: impl AsRef<str>) {
    println!("{}", text.as_ref());
}

/// What the reader should know beside it.
pub fn note(text: impl AsRef<str>) {
    eprintln!("{}", text.as_ref());
}

/// A JSON document, indented; written as one, for standard output passes on every line as it comes.
pub fn json(value: &Value) {
    let text = format!("{value:#}");
    println!("{text}");
}

/// Progress: one line that is overwritten on a terminal, lines elsewhere.
pub fn progress(share: f64, text: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{:>4.0} % {text}", share * 100.0);
        if share >= 1.0 {
            eprintln!();
        }
    } else {
        eprintln!("{:>4.0} % {text}", share * 100.0);
    }
}

/// Rows under their titles, columns as wide as their widest value.
pub fn table(titles: &[&str], rows: &[Vec<String>]) {
    let width = |i: usize| {
        let cells = rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.chars().count());
        cells.chain([titles[i].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let print = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    print(titles.to_vec());
    for row in rows {
        print(row.iter().map(String::as_str).collect());
    }
}
