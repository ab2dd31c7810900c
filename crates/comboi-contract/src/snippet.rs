//! An entry for a transformation, put into the text of a transformations file without touching anything else.

use comboi_project::Stage;

use crate::yaml;

/// What a new transformation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its inputs: the alias, and the dataset.
    pub inputs: Vec<(String, String)>,
    /// The contract that it keeps.
    pub contract: Option<String>,
}

impl Entry {
    /// The entry as it stands in a list, this far in.
    pub fn yaml(&self, indent: usize) -> String {
        let mut lines = vec![
            format!("- name: {}", yaml::text(&self.name)),
            "  type: sql".to_owned(),
        ];
        if self.inputs.is_empty() {
            lines.push("  inputs: []".to_owned());
        } else {
            lines.push("  inputs:".to_owned());
        }
        for (alias, dataset) in &self.inputs {
            lines.push(format!("    - alias: {}", yaml::text(alias)));
            lines.push(format!("      dataset: {}", yaml::text(dataset)));
        }
        if let Some(contract) = &self.contract {
            lines.push("  quality_checks:".to_owned());
            lines.push(format!(
                "    - {}",
                yaml::quoted(&format!("contract:{contract}"))
            ));
        }
        let before = " ".repeat(indent);
        lines
            .iter()
            .map(|line| format!("{before}{line}\n"))
            .collect()
    }
}

/// The text of a transformations file with an entry at the end of its stage's list; comments and everything else stay as they are.
///
/// `None` when the list is written in a way (`silver: [...]`) that can't be added to line by line.
pub fn insert(text: &str, stage: Stage, entry: &Entry) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let key = format!("{stage}:");
    let Some(at) = lines.iter().position(|line| line.starts_with(&key)) else {
        let gap = match lines.last() {
            Some(last) if !last.trim().is_empty() => "\n",
            _ => "",
        };
        let whole: String = lines.iter().map(|line| format!("{line}\n")).collect();
        return Some(format!("{whole}{gap}{key}\n{}", entry.yaml(2)));
    };
    let rest = lines[at].get(key.len()..)?.trim();
    let is_empty_list = rest
        .split('#')
        .next()
        .is_some_and(|value| value.trim() == "[]");
    if !rest.is_empty() && !rest.starts_with('#') && !is_empty_list {
        return None;
    }
    let content = |line: &str| {
        let trimmed = line.trim_start();
        !trimmed.is_empty() && !trimmed.starts_with('#')
    };
    let in_list = |line: &str| line.starts_with([' ', '\t', '-']);
    let end = lines
        .iter()
        .enumerate()
        .skip(at + 1)
        .find(|(_, line)| content(line) && !in_list(line))
        .map_or(lines.len(), |(i, _)| i);
    let last = (at + 1..end)
        .rev()
        .find(|i| content(lines[*i]))
        .unwrap_or(at);
    let indent = lines[at + 1..end]
        .iter()
        .find(|line| line.trim_start().starts_with("- "))
        .map_or(2, |line| line.len() - line.trim_start().len());
    let mut out = String::new();
    for (i, line) in lines.iter().enumerate() {
        if i == at && is_empty_list {
            out.push_str(&key);
        } else {
            out.push_str(line);
        }
        out.push('\n');
        if i == last {
            if last > at {
                out.push('\n');
            }
            out.push_str(&entry.yaml(indent));
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let entry = Entry {
            name: "new".to_owned(),
            inputs: vec![("orders".to_owned(), "shop/orders".to_owned())],
            contract: None,
        };
        assert_eq!(insert(text, Stage::Silver, &entry).as_deref(), expected);
    }

    const NEW: &str = "  - name: new\n    type: sql\n    inputs:\n      - alias: orders\n        dataset: shop/orders\n";

    #[test]
    fn an_entry_goes_to_the_end_of_its_list_and_comments_stay() {
        check(
            "# all\nsilver:  # ours\n  # the first\n  - name: a\n    inputs: [x]  # one\n\n# then gold\ngold:\n  - name: g\n",
            Some(&format!(
                "# all\nsilver:  # ours\n  # the first\n  - name: a\n    inputs: [x]  # one\n\n{NEW}\n# then gold\ngold:\n  - name: g\n"
            )),
        );
        check(
            "silver:\n- name: a\n",
            Some(&format!(
                "silver:\n- name: a\n\n{}",
                NEW.replace("\n  ", "\n").trim_start_matches("  ")
            )),
        );
        check("gold: []\n", Some(&format!("gold: []\n\nsilver:\n{NEW}")));
        check("", Some(&format!("silver:\n{NEW}")));
        check("silver: []  # none yet\n", Some(&format!("silver:\n{NEW}")));
        check("silver:\n", Some(&format!("silver:\n{NEW}")));
    }

    #[test]
    fn a_list_in_brackets_is_left_to_the_person() {
        check("silver: [{name: a}]\n", None);
    }
}
