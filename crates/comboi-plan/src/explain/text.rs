//! A plan as lines of text, for a terminal of 100 columns.

use std::fmt::Write as _;

use comboi_project::Stage;

use super::{DatasetNote, Estimate, Explanation, StageNote};
use crate::TaskKind;

/// How the text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// A picture in front of each heading.
    pub emoji: bool,
}

const WIDTH: usize = 100;

impl Explanation {
    /// The plan as a person reads it; ends with a line break.
    pub fn text(&self, style: Style) -> String {
        let mut page = Page {
            text: String::new(),
            style,
        };
        page.heading("🔍", &format!("Plan of pipeline `{}`", self.pipeline));
        self.sources(&mut page);
        page.heading("📋", "Pipeline DAG");
        if self.stages.is_empty() {
            page.line("", "", "nothing is selected");
        }
        for stage in &self.stages {
            page.line("", "", &format!("Stage: {}", capital(stage.stage)));
            for (i, dataset) in stage.datasets.iter().enumerate() {
                node(&mut page, dataset, i + 1 == stage.datasets.len());
            }
        }
        page.heading("⚡", "Execution Queue");
        let digits = self.queue.len().to_string().len();
        for (i, task) in self.queue.iter().enumerate() {
            page.line("", "", &format!("{:>digits$}. {task}", i + 1));
        }
        page.heading("📦", "Estimated Data");
        for stage in &self.stages {
            page.line(
                "",
                "  ",
                &format!("{}: {}", capital(stage.stage), amount(stage)),
            );
        }
        page.text
    }

    fn sources(&self, page: &mut Page) {
        page.heading("📊", "Metadata Extraction");
        let names: Vec<String> = self
            .sources
            .iter()
            .map(|source| format!("{} ({})", source.name, source.kind))
            .collect();
        page.line(
            "",
            "  ",
            &format!("{}{}", counted(names.len(), "source"), listed(&names)),
        );
        let tables: Vec<String> = self
            .sources
            .iter()
            .flat_map(|source| source.tables.iter().cloned())
            .collect();
        page.line(
            "",
            "  ",
            &format!("{}{}", counted(tables.len(), "table"), listed(&tables)),
        );
        match &self.last_run {
            Some(at) => page.line("", "  ", &format!("Checkpoint: last run {at}")),
            None if tables.is_empty() => {}
            None => page.line("", "  ", "Checkpoint: none yet, everything is read"),
        }
    }
}

/// A branch of the tree: the dataset, then what is known about it.
fn node(page: &mut Page, note: &DatasetNote, last: bool) {
    let (branch, below) = if last {
        ("  └─ ", "     ")
    } else {
        ("  ├─ ", "  │  ")
    };
    let id = note.dataset.to_string();
    let name = id.split_once('/').map_or(id.as_str(), |(_, name)| name);
    let about = match note.kind {
        TaskKind::Extract => note.filter.clone(),
        TaskKind::Build => {
            let names: Vec<String> = note.depends_on.iter().map(ToString::to_string).collect();
            (!names.is_empty()).then(|| format!("depends on: {}", names.join(", ")))
        }
    };
    let about = about.map(|about| format!(" ({about})")).unwrap_or_default();
    page.line(branch, &format!("{below}  "), &format!("{name}{about}"));
    let leaves = leaves(note);
    for (i, leaf) in leaves.iter().enumerate() {
        let leaf_branch = if i + 1 == leaves.len() {
            "└─ "
        } else {
            "├─ "
        };
        let leaf_below = if i + 1 == leaves.len() {
            "   "
        } else {
            "│  "
        };
        page.line(
            &format!("{below} {leaf_branch}"),
            &format!("{below} {leaf_below}  "),
            leaf,
        );
    }
}

fn leaves(note: &DatasetNote) -> Vec<String> {
    let mut leaves = Vec::new();
    if let Some(checkpoint) = &note.checkpoint {
        leaves.push(format!("Checkpoint: {checkpoint}"));
    }
    for contract in &note.contracts {
        leaves.push(format!(
            "Contract: {} ({})",
            contract.file,
            counted(contract.rule_count, "rule")
        ));
    }
    match (note.version, note.row_count) {
        (Some(version), Some(rows)) => leaves.push(format!(
            "In the lake: version {version}, {}",
            counted_u64(rows, "row")
        )),
        (Some(version), None) => leaves.push(format!("In the lake: version {version}")),
        (None, _) => {}
    }
    if let Some(rebuild) = &note.rebuild {
        let what = if rebuild.needed {
            "Will be built"
        } else {
            "Will be left as it is"
        };
        leaves.push(format!("{what}: {}", rebuild.reason));
    }
    leaves.extend(note.notes.iter().map(|text| format!("Note: {text}")));
    leaves
}

fn amount(stage: &StageNote) -> String {
    let what = match stage.stage {
        Stage::Bronze => "table",
        Stage::Silver => "transformation",
        Stage::Gold => "aggregation",
    };
    let mut parts = vec![counted(stage.datasets.len(), what)];
    let Estimate {
        new_files,
        row_count,
        size_bytes,
    } = &stage.estimate;
    parts.extend(new_files.map(|files| counted_u64(files, "new file")));
    parts.extend(row_count.map(|rows| format!("~{}", counted_u64(rows, "row"))));
    parts.extend(size_bytes.map(|bytes| format!("~{}", human_bytes(bytes))));
    let rebuilds: Vec<bool> = stage
        .datasets
        .iter()
        .filter_map(|note| note.rebuild.as_ref().map(|rebuild| rebuild.needed))
        .collect();
    if !rebuilds.is_empty() {
        parts.push(format!(
            "{} to be built",
            rebuilds.iter().filter(|needed| **needed).count()
        ));
    }
    parts.join(", ")
}

struct Page {
    text: String,
    style: Style,
}

impl Page {
    fn heading(&mut self, emoji: &str, words: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let picture = if self.style.emoji {
            format!("{emoji} ")
        } else {
            String::new()
        };
        writeln!(self.text, "{picture}{words}").expect("writing to a string does not fail");
    }

    /// A line, indented; what does not fit goes on below, behind its own indent.
    fn line(&mut self, first: &str, rest: &str, words: &str) {
        let mut line = format!("  {first}");
        let mut fresh = true;
        for word in words.split(' ') {
            if !fresh && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.push(&line);
                line = format!("  {rest}");
                fresh = true;
            }
            if !fresh {
                line.push(' ');
            }
            line.push_str(word);
            fresh = false;
        }
        self.push(&line);
    }

    fn push(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

fn capital(stage: Stage) -> &'static str {
    match stage {
        Stage::Bronze => "Bronze",
        Stage::Silver => "Silver",
        Stage::Gold => "Gold",
    }
}

/// `: a, b`, or nothing.
fn listed(names: &[String]) -> String {
    if names.is_empty() {
        String::new()
    } else {
        format!(": {}", names.join(", "))
    }
}

fn counted(count: usize, what: &str) -> String {
    counted_u64(count as u64, what)
}

fn counted_u64(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count))
}

/// A number with a comma before every three digits: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An amount of bytes for a person, 1000 to the kilo: `812 B`, `1.4 MB`, `23 GB`.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut unit = UNITS[0];
    // In tenths, so that nothing passes through a float.
    let mut tenths = bytes / 100;
    for next in &UNITS[1..] {
        if tenths < 10_000 {
            break;
        }
        tenths /= 1000;
        unit = next;
    }
    if tenths < 100 {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    } else {
        format!("{} {unit}", tenths / 10)
    }
}

#[cfg(test)]
mod tests {
    use super::{grouped, human_bytes};

    #[test]
    fn numbers_are_easy_to_read() {
        let shown: Vec<String> = [0, 999, 1000, 1_234_567, u64::MAX]
            .into_iter()
            .map(grouped)
            .collect();
        assert_eq!(
            shown,
            [
                "0",
                "999",
                "1,000",
                "1,234,567",
                "18,446,744,073,709,551,615"
            ]
        );
    }

    #[test]
    fn bytes_have_the_unit_that_fits() {
        let shown: Vec<String> = [
            0,
            999,
            1000,
            1400,
            999_999,
            1_000_000,
            23_456_789_000,
            u64::MAX,
        ]
        .into_iter()
        .map(human_bytes)
        .collect();
        assert_eq!(
            shown,
            [
                "0 B", "999 B", "1.0 kB", "1.4 kB", "999 kB", "1.0 MB", "23 GB", "18 EB"
            ]
        );
    }
}
