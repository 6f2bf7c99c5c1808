//! Writes a full report, made of generated figures, to a file, to look at it:
//! `cargo run -p chasqui-report --example report_preview -- report.html [es|en]`.

mod sample;

use std::error::Error;

use chasqui_report::{Language, Report};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("say where to write the report, for example report.html")?;
    let language = Language::of_tag(&arguments.next().unwrap_or_default());
    let report = Report::new(sample::important()?)?;
    std::fs::write(path, report.html(language)?)?;
    Ok(())
}
