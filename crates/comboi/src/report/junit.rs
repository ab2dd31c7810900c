//! Verdicts as the XML of `JUnit`, which every build server shows: a suite for each dataset, a test for each rule.

use std::fmt::Write as _;

use comboi_engine::{Verdict, VerdictOutcome};
use comboi_run::RunReport;

use crate::cli::FailOn;
use crate::exit;

/// What became of a run: a suite for each task that checked rules or failed.
pub(crate) fn of_run(report: &RunReport, fail_on: FailOn) -> String {
    let suites = report.tasks.iter().filter_map(|task| {
        let dataset = task.dataset.to_string();
        let mut cases: Vec<Case> = cases(&dataset, &task.verdicts, fail_on);
        if let Some(failure) = &task.failure {
            let mut case = Case::passed(&dataset, "task");
            case.ended = Ended::Error(failure.message.clone());
            cases.insert(0, case);
        }
        cases.extend(task.warnings.iter().map(|warning| {
            let mut case = Case::passed(&dataset, "warning");
            case.ended = match fail_on {
                FailOn::Warning => Ended::Failed {
                    kind: "warning".to_owned(),
                    message: warning.clone(),
                },
                FailOn::Never | FailOn::Error => Ended::Noted(warning.clone()),
            };
            case
        }));
        (!cases.is_empty()).then(|| Suite {
            name: dataset,
            seconds: task.took().as_secs_f64(),
            cases,
        })
    });
    document(&suites.collect::<Vec<_>>())
}

/// The verdicts of one dataset.
pub(crate) fn of_verdicts(dataset: &str, verdicts: &[Verdict], fail_on: FailOn) -> String {
    document(&[Suite {
        name: dataset.to_owned(),
        seconds: 0.0,
        cases: cases(dataset, verdicts, fail_on),
    }])
}

struct Suite {
    name: String,
    seconds: f64,
    cases: Vec<Case>,
}

struct Case {
    class: String,
    name: String,
    file: Option<(String, u32)>,
    ended: Ended,
}

enum Ended {
    Passed,
    /// Broken, by a rule that does not count.
    Noted(String),
    Failed {
        kind: String,
        message: String,
    },
    Error(String),
}

impl Case {
    fn passed(class: &str, name: &str) -> Self {
        Self {
            class: class.to_owned(),
            name: name.to_owned(),
            file: None,
            ended: Ended::Passed,
        }
    }
}

/// Never with the sample: what a build server keeps is for many eyes.
fn cases(dataset: &str, verdicts: &[Verdict], fail_on: FailOn) -> Vec<Case> {
    let case = |verdict: &Verdict| {
        let message = verdict.to_string();
        let ended = match &verdict.outcome {
            VerdictOutcome::Passed => Ended::Passed,
            _ if !exit::counts(verdict, fail_on) => Ended::Noted(message),
            VerdictOutcome::Failed { .. } => Ended::Failed {
                kind: verdict.kind.clone(),
                message,
            },
            VerdictOutcome::CouldNotRun { .. } => Ended::Error(message),
        };
        Case {
            file: Some((verdict.place.file.display().to_string(), verdict.place.line)),
            ended,
            ..Case::passed(dataset, &verdict.rule)
        }
    };
    verdicts.iter().map(case).collect()
}

fn document(suites: &[Suite]) -> String {
    let all = || suites.iter().flat_map(|suite| &suite.cases);
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut line = |indent: usize, line: &str| {
        writeln!(text, "{:indent$}{line}", "").expect("writing to a string does not fail");
    };
    line(
        0,
        &format!("<testsuites name=\"comboi\" {}>", counts(&mut all())),
    );
    for suite in suites {
        line(
            2,
            &format!(
                "<testsuite name=\"{}\" {} time=\"{:.3}\">",
                escaped(&suite.name),
                counts(&mut suite.cases.iter()),
                suite.seconds
            ),
        );
        for case in &suite.cases {
            let file = case.file.as_ref().map_or_else(String::new, |(file, at)| {
                format!(" file=\"{}\" line=\"{at}\"", escaped(file))
            });
            let head = format!(
                "<testcase classname=\"{}\" name=\"{}\"{file}",
                escaped(&case.class),
                escaped(&case.name)
            );
            let inside = match &case.ended {
                Ended::Passed => {
                    line(4, &format!("{head}/>"));
                    continue;
                }
                Ended::Noted(message) => {
                    format!("<system-out>{}</system-out>", escaped(message))
                }
                Ended::Failed { kind, message } => {
                    let (kind, message) = (escaped(kind), escaped(message));
                    format!("<failure type=\"{kind}\" message=\"{message}\"/>")
                }
                Ended::Error(message) => format!("<error message=\"{}\"/>", escaped(message)),
            };
            line(4, &format!("{head}>"));
            line(6, &inside);
            line(4, "</testcase>");
        }
        line(2, "</testsuite>");
    }
    line(0, "</testsuites>");
    text
}

fn counts(cases: &mut dyn Iterator<Item = &Case>) -> String {
    let (mut tests, mut failures, mut errors) = (0, 0, 0);
    for case in cases {
        tests += 1;
        match case.ended {
            Ended::Failed { .. } => failures += 1,
            Ended::Error(_) => errors += 1,
            Ended::Passed | Ended::Noted(_) => {}
        }
    }
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"")
}

/// A text as it may stand in an attribute. Characters that XML does not know become a replacement.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\r' => escaped.push_str("&#13;"),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn verdicts() -> Vec<Verdict> {
        let verdict = |text: &str| serde_json::from_str(text).unwrap();
        vec![
            verdict(
                r#"{"rule": "schema", "kind": "schema", "severity": "error", "outcome": "passed", "measured": "2 columns",
                "place": {"file": "c.yml", "line": 3, "column": 1}}"#,
            ),
            verdict(
                r#"{"rule": "a<b", "kind": "compare", "severity": "error", "outcome": "failed", "failed_count": 2,
                "detail": "`a` < `b` & more", "sample": {"columns": ["a"], "rows": [["secret"]]}, "measured": "9 rows",
                "place": {"file": "c.yml", "line": 9, "column": 5}}"#,
            ),
            verdict(
                r#"{"rule": "few", "kind": "row_count", "severity": "warning", "outcome": "failed", "failed_count": null,
                "detail": "at least 10 rows are expected", "sample": {"columns": [], "rows": []}, "measured": "9 rows",
                "place": {"file": "c.yml", "line": 12, "column": 5}}"#,
            ),
            verdict(
                r#"{"rule": "odd", "kind": "custom_sql", "severity": "error", "outcome": "could_not_run", "why": "no such column",
                "measured": "nothing", "place": {"file": "c.yml", "line": 15, "column": 5}}"#,
            ),
        ]
    }

    #[test]
    fn every_rule_is_a_test() {
        let found = of_verdicts("shop", &verdicts(), FailOn::Error);
        assert_eq!(
            found,
            r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="comboi" tests="4" failures="1" errors="1">
  <testsuite name="shop" tests="4" failures="1" errors="1" time="0.000">
    <testcase classname="shop" name="schema" file="c.yml" line="3"/>
    <testcase classname="shop" name="a&lt;b" file="c.yml" line="9">
      <failure type="compare" message="a&lt;b: failed (error): 2 rows: `a` &lt; `b` &amp; more (9 rows)"/>
    </testcase>
    <testcase classname="shop" name="few" file="c.yml" line="12">
      <system-out>few: failed (warning): at least 10 rows are expected (9 rows)</system-out>
    </testcase>
    <testcase classname="shop" name="odd" file="c.yml" line="15">
      <error message="odd: could not run (error): no such column"/>
    </testcase>
  </testsuite>
</testsuites>
"#
        );
        let strict = of_verdicts("shop", &verdicts(), FailOn::Warning);
        assert!(strict.contains("failures=\"2\" errors=\"1\""), "{strict}");
        let never = of_verdicts("shop", &verdicts(), FailOn::Never);
        assert!(never.contains("failures=\"0\" errors=\"0\""), "{never}");
    }
}
