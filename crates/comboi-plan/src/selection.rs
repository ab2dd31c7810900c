//! Which datasets a person means: stages, names with `*`, and what lies up or down from them.

use std::collections::BTreeSet;

use comboi_project::{DatasetId, Project, Stage, did_you_mean};

use crate::graph::Graph;

/// A selection that can't be understood, or that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSelection(String);

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
            "all" => None,
            stage => Some(
                stage
                    .parse()
                    .map_err(|e: comboi_project::BadStage| BadSelection(e.to_string()))?,
            ),
        };
        let select = select.map(Expression::parse).transpose()?;
        Ok(Self {
            stage,
            select,
            exclude: exclude.map(Expression::parse).transpose()?,
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
        let mut chosen = match &self.select {
            Some(select) => select.datasets(project, graph)?,
            None => graph.datasets().iter().cloned().collect(),
        };
        if let Some(stage) = self.stage {
            chosen.retain(|id| id.stage() == stage);
        }
        if let Some(exclude) = &self.exclude {
            let excluded = exclude.datasets(project, graph)?;
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
            Err(BadSelection(format!(
                "`{text}` may be {}: say which",
                listed.join(" or ")
            )))
        }
    }
}

impl Expression {
    fn parse(text: &str) -> Result<Self, BadSelection> {
        let terms: Result<Vec<Vec<Part>>, BadSelection> = text
            .split_whitespace()
            .map(|term| term.split(',').map(Part::parse).collect())
            .collect();
        let terms = terms?;
        if terms.is_empty() {
            return Err(BadSelection(
                "the selection is empty; `*` selects everything".to_owned(),
            ));
        }
        Ok(Self(terms))
    }

    fn datasets(
        &self,
        project: &Project,
        graph: &Graph,
    ) -> Result<BTreeSet<DatasetId>, BadSelection> {
        let mut chosen = BTreeSet::new();
        for term in &self.0 {
            let mut all: Option<BTreeSet<DatasetId>> = None;
            for part in term {
                let these = part.datasets(project, graph)?;
                all = Some(match all {
                    Some(before) => before.intersection(&these).cloned().collect(),
                    None => these,
                });
            }
            chosen.extend(all.into_iter().flatten());
        }
        Ok(chosen)
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
                return Err(BadSelection(format!(
                    "`{text}` in the selection names nothing"
                )));
            }
            None => What::Name(rest.to_owned()),
            Some(("stage", stage)) => What::Stage(
                stage
                    .parse()
                    .map_err(|e: comboi_project::BadStage| BadSelection(e.to_string()))?,
            ),
            Some(("source", source)) => What::Source(source.to_owned()),
            Some(("tag", tag)) => What::Tag(tag.to_owned()),
            Some((method, _)) => {
                return Err(BadSelection(format!(
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
            Some(hint) => BadSelection(format!("{what}; {hint}")),
            None => BadSelection(what),
        }
    }
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
}
