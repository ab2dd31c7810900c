//! Which datasets are meant: stages, names, tags, and what they read or are read by.

use std::collections::BTreeSet;

use comboi_project::{DatasetId, Place, Problem, Problems, Stage, did_you_mean};

use crate::Graph;

/// The words of a command line that pick datasets.
///
/// An expression is a list of alternatives between spaces; an alternative is a list of conditions between commas, all
/// of which hold; a condition is a name (`orders`, `shop/orders`, `silver/orders_clean`, with `*` for any text),
/// `stage:silver`, `source:shop`, `tag:daily` or `contract:orders`. A `+` in front adds everything it is made from, a
/// `+` behind everything that is made from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only datasets of this stage, whatever else is said.
    pub stage: Option<Stage>,
    /// Any of these expressions; all datasets when there is none.
    pub select: Vec<String>,
    /// None of these expressions.
    pub exclude: Vec<String>,
}

impl Selection {
    /// Everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// Everything in one stage.
    pub fn stage(stage: Stage) -> Self {
        Self {
            stage: Some(stage),
            ..Self::default()
        }
    }

    /// From a command line: `all` or a stage, and the values of `--select` and `--exclude`.
    pub fn parse(stages: &str, select: &[String], exclude: &[String]) -> Result<Self, Problems> {
        let stage = match stages {
            "all" => None,
            word => Some(word.parse().map_err(|bad: comboi_project::BadStage| {
                let hint = did_you_mean(word, ["all", "bronze", "silver", "gold"])
                    .unwrap_or_else(|| "or `all`".to_owned());
                Problems(vec![
                    Problem::at(&Place::file("the command line"), bad.to_string()).hint(hint),
                ])
            })?),
        };
        Ok(Self {
            stage,
            select: select.to_vec(),
            exclude: exclude.to_vec(),
        })
    }

    /// The datasets that are meant. Problems are conditions that fit nothing.
    pub fn of(&self, graph: &Graph) -> Result<BTreeSet<DatasetId>, Problems> {
        let mut problems = Vec::new();
        let mut found: BTreeSet<DatasetId> = match self.select.is_empty() {
            true => graph.datasets().cloned().collect(),
            false => any_of(&self.select, "--select", graph, &mut problems),
        };
        for excluded in any_of(&self.exclude, "--exclude", graph, &mut problems) {
            found.remove(&excluded);
        }
        if let Some(stage) = self.stage {
            found.retain(|id| id.stage() == stage);
        }
        if problems.is_empty() {
            Ok(found)
        } else {
            Err(Problems(problems))
        }
    }
}

fn any_of(
    expressions: &[String],
    option: &str,
    graph: &Graph,
    problems: &mut Vec<Problem>,
) -> BTreeSet<DatasetId> {
    let alternatives = expressions
        .iter()
        .flat_map(|expression| expression.split_whitespace());
    alternatives
        .flat_map(|alternative| all_of(alternative, option, graph, problems))
        .collect()
}

fn all_of(
    alternative: &str,
    option: &str,
    graph: &Graph,
    problems: &mut Vec<Problem>,
) -> BTreeSet<DatasetId> {
    let mut found: Option<BTreeSet<DatasetId>> = None;
    for condition in alternative
        .split(',')
        .map(str::trim)
        .filter(|condition| !condition.is_empty())
    {
        match matching(condition, graph) {
            Ok(matching) => {
                found = Some(match found {
                    Some(found) => found.intersection(&matching).cloned().collect(),
                    None => matching,
                });
            }
            Err((message, hint)) => {
                problems.push(Problem::at(&Place::file(option), message).maybe_hint(hint))
            }
        }
    }
    found.unwrap_or_default()
}

type Wrong = (String, Option<String>);

fn matching(condition: &str, graph: &Graph) -> Result<BTreeSet<DatasetId>, Wrong> {
    let (above, rest) = condition
        .strip_prefix('+')
        .map_or((false, condition), |rest| (true, rest));
    let (below, word) = rest
        .strip_suffix('+')
        .map_or((false, rest), |rest| (true, rest));
    let named = named(word, graph)?;
    let mut found = named.clone();
    if above {
        found.extend(graph.with_what_they_read(&named));
    }
    if below {
        found.extend(graph.with_what_reads_them(&named));
    }
    Ok(found)
}

fn named(word: &str, graph: &Graph) -> Result<BTreeSet<DatasetId>, Wrong> {
    let (method, value) = word.split_once(':').unwrap_or(("", word));
    if value.is_empty() {
        return Err((format!("`{word}` names nothing"), None));
    }
    match method {
        "" => by_words(graph, value, "dataset", |id| names_of(id)),
        "source" => by_words(graph, value, "source", |id| match id {
            DatasetId::Extracted(source, _) => vec![source.to_string()],
            DatasetId::Built(..) => Vec::new(),
        }),
        "tag" => by_words(graph, value, "tag", |id| graph.tags(id).to_vec()),
        "contract" => by_words(graph, value, "contract", |id| graph.contracts(id).to_vec()),
        "stage" => match value.parse::<Stage>() {
            // A stage may be empty: that is no mistake.
            Ok(stage) => Ok(graph
                .datasets()
                .filter(|id| id.stage() == stage)
                .cloned()
                .collect()),
            Err(bad) => Err((
                bad.to_string(),
                did_you_mean(value, ["bronze", "silver", "gold"]),
            )),
        },
        unknown => Err((
            format!("datasets can't be selected by `{unknown}:`"),
            did_you_mean(unknown, ["stage", "source", "tag", "contract"]).or_else(|| {
                Some("one of `stage:`, `source:`, `tag:` and `contract:`, or a name".to_owned())
            }),
        )),
    }
}

/// The datasets one of whose words fits.
fn by_words(
    graph: &Graph,
    wanted: &str,
    what: &str,
    words: impl Fn(&DatasetId) -> Vec<String>,
) -> Result<BTreeSet<DatasetId>, Wrong> {
    let found: BTreeSet<DatasetId> = graph
        .datasets()
        .filter(|id| words(id).iter().any(|word| fits(wanted, word)))
        .cloned()
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    if wanted.contains('*') {
        return Err((format!("no {what} fits `{wanted}`"), None));
    }
    let all: Vec<String> = graph.datasets().flat_map(&words).collect();
    Err((
        format!("there is no {what} `{wanted}`"),
        did_you_mean(wanted, all.iter().map(String::as_str)),
    ))
}

/// `orders`, `shop/orders` and `bronze/shop/orders`; `orders_clean` and `silver/orders_clean`.
fn names_of(id: &DatasetId) -> Vec<String> {
    let full = id.to_string();
    let mut names = vec![id.name().to_owned()];
    if let Some(short) = full.strip_prefix("bronze/") {
        names.push(short.to_owned());
    }
    names.push(full);
    names
}

/// `*` stands for any text, also for none.
fn fits(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text) in [
            ("a", "a"),
            ("*", ""),
            ("*", "abc"),
            ("a*", "a"),
            ("*_clean", "orders_clean"),
            ("a*b*c", "a1b2c"),
            ("a**b", "ab"),
            ("*a*", "bab"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("a", "ab"),
            ("a*", "ba"),
            ("*a", "ab"),
            ("ab*ba", "aba"),
            ("a*b*c", "acb"),
            ("", "a"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
