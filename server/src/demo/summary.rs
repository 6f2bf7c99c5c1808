//! What the demo showed, step by step.

use std::time::Duration;

use crate::cli::output;

/// One step.
#[derive(Debug)]
struct Step {
    what: &'static str,
    took: Duration,
    happened: bool,
    facts: String,
}

/// What the demo showed.
#[derive(Debug, Default)]
pub struct Summary {
    steps: Vec<Step>,
    /// Where the report is.
    pub report_url: String,
}

impl Summary {
    /// Writes down a step that ended; it is told at once.
    pub fn step(&mut self, what: &'static str, took: Duration, happened: bool, facts: impl Into<String>) {
        let facts = facts.into();
        let mark = if happened { "✔" } else { "✘" };
        output::line(format!("{mark} {what:<22} {:>5.1} s  {facts}", took.as_secs_f64()));
        self.steps.push(Step { what, took, happened, facts });
    }

    /// True when there are steps and every one of them happened.
    pub fn complete(&self) -> bool {
        !self.steps.is_empty() && self.steps.iter().all(|step| step.happened)
    }

    /// Prints all steps again, with the time in all.
    pub fn print(&self) {
        let row = |step: &Step| {
            let seen = if step.happened { "yes" } else { "NO" };
            vec![
                step.what.into(),
                format!("{:.1} s", step.took.as_secs_f64()),
                seen.into(),
                step.facts.clone(),
            ]
        };
        output::line("");
        output::table(&["step", "took", "happened", "seen"], &self.steps.iter().map(row).collect::<Vec<_>>());
        let total: Duration = self.steps.iter().map(|step| step.took).sum();
        output::line(format!("\n{:.1} s in all. The report: {}", total.as_secs_f64(), self.report_url));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Summary;

    #[test]
    fn one_step_that_did_not_happen_spoils_it() {
        let mut summary = Summary::default();
        assert!(!summary.complete(), "nothing shown is not everything shown");
        summary.step("train", Duration::ZERO, true, "");
        assert!(summary.complete());
        summary.step("promote", Duration::ZERO, false, "");
        assert!(!summary.complete());
    }
}
