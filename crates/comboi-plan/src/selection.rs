//! Which datasets a person means: stages, names with `*`, and what lies up or down from them.

use std::collections::BTreeSet;

use comboi_project::{DatasetId, Project, Stage, did_you_mean};

use crate::graph::Graph;

/// A selection that can't be understood, or that means nothing: every mistake in it, one line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct BadSelection(Vec<String>);

impl BadSelection {
    fn because(what: impl Into<String>) -> Self {
        Self(vec![what.into()])
    }
}

/// What went well of several, or all that did not.
fn all<T>(
    results: impl IntoIterator<Item = Result<T, BadSelection>>,
) -> Result<Vec<T>, BadSelection> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(BadSelection(mistakes)) => bad.extend(mistakes),
        }
    }
    // The same word may stand there twice.
    let mut seen = BTreeSet::new();
    bad.retain(|mistake| seen.insert(mistake.clone()));
    if bad.is_empty() {
        Ok(good)
    } else {
        Err(BadSelection(bad))
    }
}

/// Both, or what is wrong with either.
fn both<A, B>(
    a: Result<A, BadSelection>,
    b: Result<B, BadSelection>,
) -> Result<(A, B), BadSelection> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (a, b) => Err(BadSelection(
            [a.err(), b.err()]
                .into_iter()
                .flatten()
                .flat_map(|bad| bad.0)
                .collect(),
        )),
    }
}

/// Which datasets a person means.
///
/// An expression is terms with spaces between them, of which one has to hold; a term is parts with commas between
/// them, all of which have to hold. A part is a dataset's name or id (`*` stands for any text), `stage:silver`,
/// `source:shop` or `tag:daily`; with `+` before it, also what it reads; with `+` after it, also what reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    stage: Option<Stage>,
    select: Option<Expression>,
    exclude: Option<Expression>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Expression(Vec<Vec<Part>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    upstream: bool,
    downstream: bool,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Name(String),
    Stage(Stage),
    Source(String),
    Tag(String),
}

impl Selection {
    /// Reads what stands on the command line: `all` or a stage, and expressions.
    pub fn parse(
        stage: &str,
        select: Option<&str>,
        exclude: Option<&str>,
    ) -> Result<Self, BadSelection> {
        let stage = match stage {
            "all" => Ok(None),
            stage => stage_called(stage).map(Some),
        };
        let expression = |text: Option<&str>| text.map(Expression::parse).transpose();
        let (stage, (select, exclude)) =
            both(stage, both(expression(select), expression(exclude)))?;
        Ok(Self {
            stage,
            select,
            exclude,
        })
    }

    /// The datasets that are meant. A part that means none is an error.
    ///
    /// A stage narrows what an expression means to that stage.
    pub fn datasets(
        &self,
        project: &Project,
        graph: &Graph,
    ) -> Result<BTreeSet<DatasetId>, BadSelection> {
        let of = |expression: &Expression| expression.datasets(project, graph);
        let (chosen, excluded) = both(
            self.select.as_ref().map(of).transpose(),
            self.exclude.as_ref().map(of).transpose(),
        )?;
        let mut chosen = chosen.unwrap_or_else(|| graph.datasets().iter().cloned().collect());
        if let Some(stage) = self.stage {
            chosen.retain(|id| id.stage() == stage);
        }
        if let Some(excluded) = excluded {
            chosen.retain(|id| !excluded.contains(id));
        }
        Ok(chosen)
    }
}

/// The one dataset that a person names: by its id, or by the end of it where only one dataset has that.
pub fn find_dataset(project: &Project, text: &str) -> Result<DatasetId, BadSelection> {
    let ids = project.dataset_ids();
    let meant: Vec<&DatasetId> = ids
        .iter()
        .filter(|id| names_of(id).iter().any(|name| name == text))
        .collect();
    match meant.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(What::Name(text.to_owned()).nothing(project, &Graph::of(project))),
        several => {
            let listed: Vec<String> = several.iter().map(|id| format!("`{id}`")).collect();
            Err(BadSelection::because(format!(
                "`{text}` may be {}: say which",
                listed.join(" or ")
            )))
        }
    }
}

impl Expression {
    fn parse(text: &str) -> Result<Self, BadSelection> {
        let term = |term: &str| all(term.split(',').map(Part::parse));
        let terms = all(text.split_whitespace().map(term))?;
        if terms.is_empty() {
            return Err(BadSelection::because(
                "the selection is empty; `*` selects everything",
            ));
        }
        Ok(Self(terms))
    }

    fn datasets(
        &self,
        project: &Project,
        graph: &Graph,
    ) -> Result<BTreeSet<DatasetId>, BadSelection> {
        let term = |parts: &Vec<Part>| {
            let parts = all(parts.iter().map(|part| part.datasets(project, graph)))?;
            let common = parts
                .into_iter()
                .reduce(|a, b| a.intersection(&b).cloned().collect());
            Ok(common.unwrap_or_default())
        };
        Ok(all(self.0.iter().map(term))?
            .into_iter()
            .flatten()
            .collect())
    }
}

impl Part {
    fn parse(text: &str) -> Result<Self, BadSelection> {
        let (upstream, rest) = text
            .strip_prefix('+')
            .map_or((false, text), |rest| (true, rest));
        let (downstream, rest) = rest
            .strip_suffix('+')
            .map_or((false, rest), |rest| (true, rest));
        let what = match rest.split_once(':') {
            None if rest.is_empty() => {
                return Err(BadSelection::because(format!(
                    "`{text}` in the selection names nothing"
                )));
            }
            None => What::Name(rest.to_owned()),
            Some(("stage", stage)) => What::Stage(stage_called(stage)?),
            Some(("source", source)) => What::Source(source.to_owned()),
            Some(("tag", tag)) => What::Tag(tag.to_owned()),
            Some((method, _)) => {
                return Err(BadSelection::because(format!(
                    "`{method}:` can't be selected by; there is `stage:`, `source:` and `tag:`, or a dataset's name"
                )));
            }
        };
        Ok(Self {
            upstream,
            downstream,
            what,
        })
    }

    fn datasets(
        &self,
        project: &Project,
        graph: &Graph,
    ) -> Result<BTreeSet<DatasetId>, BadSelection> {
        let named: BTreeSet<DatasetId> = graph
            .datasets()
            .iter()
            .filter(|id| self.what.means(id, project))
            .cloned()
            .collect();
        if named.is_empty() {
            return Err(self.what.nothing(project, graph));
        }
        let mut chosen = named.clone();
        for id in &named {
            if self.upstream {
                chosen.extend(graph.upstream(id));
            }
            if self.downstream {
                chosen.extend(graph.downstream(id));
            }
        }
        Ok(chosen)
    }
}

impl What {
    fn means(&self, id: &DatasetId, project: &Project) -> bool {
        match self {
            Self::Name(pattern) => names_of(id).iter().any(|name| matches(pattern, name)),
            Self::Stage(stage) => id.stage() == *stage,
            Self::Source(pattern) => {
                matches!(id, DatasetId::Extracted(source, _) if matches(pattern, source.as_str()))
            }
            Self::Tag(tag) => project
                .dataset(id)
                .is_some_and(|dataset| dataset.tags.contains(tag)),
        }
    }

    fn nothing(&self, project: &Project, graph: &Graph) -> BadSelection {
        let (what, known): (String, Vec<String>) = match self {
            Self::Name(name) => (
                format!("no dataset is called `{name}`"),
                graph.datasets().iter().flat_map(names_of).collect(),
            ),
            Self::Stage(stage) => (format!("there is no dataset in {stage}"), Vec::new()),
            Self::Source(name) => (
                format!("there is no source `{name}`"),
                project
                    .sources
                    .iter()
                    .map(|source| source.name().value.to_string())
                    .collect(),
            ),
            Self::Tag(tag) => (
                format!("no dataset has the tag `{tag}`"),
                project
                    .datasets
                    .iter()
                    .flat_map(|dataset| dataset.tags.clone())
                    .collect(),
            ),
        };
        let wanted = match self {
            Self::Name(text) | Self::Source(text) | Self::Tag(text) => text.as_str(),
            Self::Stage(_) => "",
        };
        match did_you_mean(wanted, known.iter().map(String::as_str)) {
            Some(hint) => BadSelection::because(format!("{what}; {hint}")),
            None => BadSelection::because(what),
        }
    }
}

fn stage_called(text: &str) -> Result<Stage, BadSelection> {
    text.parse()
        .map_err(|e: comboi_project::BadStage| BadSelection::because(e.to_string()))
}

/// `bronze/shop/orders`, `shop/orders`, `orders`.
fn names_of(id: &DatasetId) -> Vec<String> {
    let whole = id.to_string();
    let parts: Vec<&str> = whole.split('/').collect();
    (0..parts.len())
        .map(|from| {
            parts
                .iter()
                .skip(from)
                .copied()
                .collect::<Vec<_>>()
                .join("/")
        })
        .collect()
}

/// Whether a text is what a pattern says, in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|after| {
            after
                .char_indices()
                .map(|(i, _)| i)
                .chain([after.len()])
                .any(|i| after.get(i..).is_some_and(|tail| matches(rest, tail)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("orders", "orders", true),
            ("orders", "orders_clean", false),
            ("orders*", "orders_clean", true),
            ("*_clean", "orders_clean", true),
            ("*", "", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_part_says_which_way_it_reaches() {
        let part = |text| Part::parse(text).map(|part| (part.upstream, part.downstream));
        assert_eq!(part("orders"), Ok((false, false)));
        assert_eq!(part("+orders"), Ok((true, false)));
        assert_eq!(part("orders+"), Ok((false, true)));
        assert_eq!(part("+orders+"), Ok((true, true)));
        for wrong in ["+", "", "state:modified", "stage:copper"] {
            assert!(part(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let told = Selection::parse("copper", Some("orders+ state:new,+ state:new"), Some(" "));
        assert_eq!(
            told.unwrap_err().to_string(),
            "`copper` is not a stage: expected `bronze`, `silver` or `gold`\n\
             `state:` can't be selected by; there is `stage:`, `source:` and `tag:`, or a dataset's name\n\
             `+` in the selection names nothing\n\
             the selection is empty; `*` selects everything"
        );
    }
}
