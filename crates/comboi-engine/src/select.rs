//! People's SQL: one `SELECT` over its inputs, and nothing else.
//!
//! DuckDB itself parses it ([`json_serialize_sql`](https://duckdb.org/docs/stable/data/json/sql_to_and_from_json)
//! knows `SELECT` only), and what it says about the tree is held against what a transformation may do. The
//! locked configuration of the instance that runs it is the second fence.

mod clean;
mod foreign;
mod tree;

use std::collections::BTreeSet;
use std::path::Path;

use comboi_project::{Place, Problem, Problems};

use crate::catalog::{Catalog, is_clock_word};
use crate::failure::{Failure, Kind, first_line};
use crate::given::HMAC;
use crate::instance::Instance;
use crate::{Error, Session, SqlFile, sql};
use tree::Node;

pub(crate) use tree::Tree;

pub(crate) use clean::{in_sql, place_of, said_of};

/// Table functions that make rows out of their arguments. All others read files, settings or other statements.
const TABLE_FUNCTIONS: [&str; 8] = [
    "generate_series",
    "json_each",
    "json_tree",
    "range",
    "repeat",
    "repeat_row",
    "summary",
    "unnest",
];

/// Scalar functions that do something beside giving a value.
pub(crate) const FORBIDDEN_FUNCTIONS: [&str; 10] = [
    "current_connection_id",
    "current_query",
    "current_setting",
    "currval",
    "getenv",
    "getvariable",
    "nextval",
    "setseed",
    "sleep_ms",
    "write_log",
];

/// One `SELECT`, found to be nothing else.
pub(crate) struct Select {
    /// Without byte order mark and what comes from its `;` on, so that it can stand in parentheses on lines of
    /// its own. Every byte is at its old place but for the mark.
    pub(crate) text: String,
    tree: Tree,
}

impl Select {
    /// Reads somebody's SQL, which may use the relations called `inputs` (in any case).
    pub(crate) fn read(
        session: &Session,
        sql: &SqlFile<'_>,
        inputs: &[&str],
    ) -> Result<Self, Error> {
        let parser = session.parser()?;
        let text = sql.text.strip_prefix('\u{feff}').unwrap_or(sql.text);
        let whole = tree_of(parser, sql, text)?;
        let clean = clean::without_semicolon(text);
        if clean != text && tree_of(parser, sql, clean)? != whole {
            let place = Place::file(sql.path);
            return Err(refused(
                Problem::at(
                    &place,
                    "what follows the query's `;` can't be told from the query",
                )
                .hint("remove the `;` and what follows it"),
            ));
        }
        let select = Self {
            text: clean.to_owned(),
            tree: whole,
        };
        let problems = select.problems(Catalog::of(session)?, sql, inputs);
        if problems.is_empty() {
            Ok(select)
        } else {
            Err(Problems(problems).into())
        }
    }

    /// Whether its result differs from run to run with the same inputs.
    fn uses_the_clock(&self, catalog: &Catalog) -> bool {
        self.tree.nodes().any(|node| {
            let function = node
                .text("function_name")
                .is_some_and(|name| catalog.changes(&name, node.arguments()));
            // `CURRENT_TIMESTAMP` looks like a column until it is bound.
            let column = node.column().is_some_and(|name| is_clock_word(&name));
            let sample = node.text("seed").is_some_and(|seed| seed == "-1");
            function || column || sample
        })
    }

    /// The relation whose rows it returns as they are, if it does nothing else.
    pub(crate) fn hands_on(&self, session: &Session) -> Result<Option<String>, Error> {
        let Some(name) = self.tree.nodes().find_map(|node| node.text("table_name")) else {
            return Ok(None);
        };
        let plain = format!("SELECT * FROM {}", sql::ident(&name));
        let file = SqlFile {
            path: Path::new("plain.sql"),
            text: &plain,
        };
        let plain = tree_of(session.parser()?, &file, &plain)?;
        Ok(self.tree.is_alike(&plain).then_some(name))
    }

    /// Where it asks for a pseudonym first, if it does.
    pub(crate) fn needs_key(&self, sql: &SqlFile<'_>) -> Option<Place> {
        self.tree.nodes().find_map(|node| {
            let name = node.text("function_name")?;
            let place = || node.location().map(|at| place_of(sql, at));
            name.eq_ignore_ascii_case(HMAC)
                .then(|| place().unwrap_or_else(|| Place::file(sql.path)))
        })
    }

    fn problems(&self, catalog: &Catalog, sql: &SqlFile<'_>, inputs: &[&str]) -> Vec<Problem> {
        let known: BTreeSet<String> = inputs
            .iter()
            .map(|name| name.to_lowercase())
            .chain(self.tree.ctes().map(|name| name.to_lowercase()))
            .collect();
        let mut problems: Vec<Problem> = self
            .tree
            .nodes()
            .filter_map(|node| {
                let (message, hint) = node_problem(&node, catalog, &known, inputs)?;
                let place = node
                    .location()
                    .map_or_else(|| Place::file(sql.path), |at| place_of(sql, at));
                Some(Problem::at(&place, message).hint(hint))
            })
            .collect();
        problems.sort();
        problems.dedup();
        problems
    }
}

/// Finds what keeps somebody's SQL from being one `SELECT` over the relations called `inputs`. Runs nothing.
pub fn check_sql(session: &Session, sql: &SqlFile<'_>, inputs: &[&str]) -> Result<(), Error> {
    Select::read(session, sql, inputs).map(drop)
}

/// Whether a query's result differs from run to run with the same inputs.
///
/// It does when it asks for the time, for a random number or for a sample without a seed; the catalogue of the
/// engine says which functions do. A column that is called like one of SQL's words for the time (`current_date`)
/// counts too; that is a false alarm which costs a rebuild.
pub fn uses_the_clock(session: &Session, sql: &SqlFile<'_>) -> Result<bool, Error> {
    let text = sql.text.strip_prefix('\u{feff}').unwrap_or(sql.text);
    let tree = tree_of(session.parser()?, sql, text)?;
    Ok(Select {
        text: String::new(),
        tree,
    }
    .uses_the_clock(Catalog::of(session)?))
}

/// The names of the relations that a query reads, but for those that it defines itself.
pub fn table_names(session: &Session, sql: &SqlFile<'_>) -> Result<BTreeSet<String>, Error> {
    let text = sql.text.strip_prefix('\u{feff}').unwrap_or(sql.text);
    let tree = tree_of(session.parser()?, sql, text)?;
    let own: BTreeSet<String> = tree.ctes().map(|name| name.to_lowercase()).collect();
    let names = tree.nodes().filter_map(|node| node.text("table_name"));
    Ok(names
        .filter(|name| !own.contains(&name.to_lowercase()))
        .collect())
}

/// Whether a query returns nothing but a count of rows or values.
pub(crate) fn is_count(session: &Session, sql: &SqlFile<'_>) -> Result<bool, Error> {
    Ok(tree_of(session.parser()?, sql, sql.text)?.is_count())
}

/// The names of all columns that a query spells out, in small letters.
pub fn column_names(session: &Session, sql: &SqlFile<'_>) -> Result<BTreeSet<String>, Error> {
    let text = sql.text.strip_prefix('\u{feff}').unwrap_or(sql.text);
    let tree = tree_of(session.parser()?, sql, text)?;
    let names = tree.nodes().filter_map(|node| node.column());
    Ok(names.map(|name| name.to_lowercase()).collect())
}

/// Where a query asks for a pseudonym first, for which there has to be a key; `None` if it does not.
pub fn needs_key(session: &Session, sql: &SqlFile<'_>) -> Result<Option<Place>, Error> {
    let text = sql.text.strip_prefix('\u{feff}').unwrap_or(sql.text);
    let tree = tree_of(session.parser()?, sql, text)?;
    let select = Select {
        text: String::new(),
        tree,
    };
    Ok(select.needs_key(sql))
}

fn node_problem(
    node: &Node<'_>,
    catalog: &Catalog,
    known: &BTreeSet<String>,
    inputs: &[&str],
) -> Option<(String, String)> {
    let kind = node.text("type")?;
    match kind.as_str() {
        "BASE_TABLE" => table_problem(node, known, inputs),
        "TABLE_FUNCTION" => {
            let name = node.table_function()?;
            let allowed = in_list(&TABLE_FUNCTIONS, &name);
            (!allowed).then(|| {
                (
                    format!("the table function `{name}` can't be used here"),
                    table_function_hint(&name),
                )
            })
        }
        "SHOW_REF" => Some((
            "DESCRIBE, SHOW and SUMMARIZE can't be used here".into(),
            "a transformation is one SELECT".into(),
        )),
        "VALUE_PARAMETER" => Some((
            "a parameter (`?`, `$1`) has no value here".into(),
            "write the value itself".into(),
        )),
        "FUNCTION" => {
            let name = node.text("function_name")?;
            let calls = || {
                catalog
                    .calls(&name)
                    .any(|it| in_list(&FORBIDDEN_FUNCTIONS, it))
            };
            (in_list(&FORBIDDEN_FUNCTIONS, &name) || calls()).then(|| {
                (
                    format!("the function `{name}` can't be used here"),
                    "a transformation only computes from its inputs".into(),
                )
            })
        }
        _ => None,
    }
}

fn table_problem(
    node: &Node<'_>,
    known: &BTreeSet<String>,
    inputs: &[&str],
) -> Option<(String, String)> {
    let name = node.text("table_name")?;
    let qualifiers = ["catalog_name", "schema_name"].map(|key| node.text(key).unwrap_or_default());
    let qualified = qualifiers.iter().any(|part| !part.is_empty());
    if !qualified && known.contains(&name.to_lowercase()) {
        return None;
    }
    let full: Vec<&str> = qualifiers
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .chain([name.as_str()])
        .collect();
    let full = full.join(".");
    let message = format!("`{full}` is not an input of this query");
    let looks_like_a_file = full.contains(['/', '\\'])
        || [".csv", ".parquet", ".json"]
            .iter()
            .any(|end| full.to_lowercase().contains(end));
    let hint = match inputs {
        _ if looks_like_a_file => {
            "a query reads no files: make the file a source, and its table an input".to_owned()
        }
        [] => "it has no inputs; list what it reads under `inputs`".to_owned(),
        names => format!(
            "its inputs are {}; list what it reads under `inputs`",
            names
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    Some((message, hint))
}

fn table_function_hint(name: &str) -> String {
    if name.contains("read_") || name.contains("scan") || name == "glob" {
        "a query reads no files: make the file a source, and its table an input".to_owned()
    } else {
        format!("these can: {}", TABLE_FUNCTIONS.join(", "))
    }
}

/// The tree of exactly one `SELECT`.
fn tree_of(parser: &Instance, file: &SqlFile<'_>, text: &str) -> Result<Tree, Error> {
    if let Some(at) = text.find('\0') {
        // DuckDB would read no further, and take the rest for nothing.
        return Err(refused(
            Problem::at(
                &place_of(file, at),
                "there is a NUL character in this query",
            )
            .hint("remove it; in a text, write chr(0)"),
        ));
    }
    let query = format!("SELECT json_serialize_sql({})::VARCHAR", sql::text(text));
    let rows = parser
        .rows(&query)
        .map_err(|failure| parser.explain(failure, &format!("read {}", file.path.display())))?;
    let tree = Tree::of(
        rows.first()
            .and_then(|row| row.first()?.as_deref())
            .unwrap_or_default(),
    );
    if let Some(message) = tree.root("error_message") {
        let not_select = tree.root("error_type").as_deref() == Some("not implemented");
        let failure = Failure {
            kind: Kind::Statement,
            message: if not_select {
                "a transformation is one SELECT, and this is something else".into()
            } else {
                message
            },
            position: tree.root("position").and_then(|text| text.parse().ok()),
            ..Failure::interrupted()
        };
        let hint = if not_select {
            Some("write one SELECT; comboi itself stores its result (a PIVOT needs its list of values: `ON column IN (…)`)".into())
        } else {
            let near = failure.message.contains("syntax error at or near");
            near.then(|| "look at what stands before it: a comma, an operator or a parenthesis may be missing".to_owned())
        };
        return Err(refused(
            Problem::at(
                &statement_place(file, &failure, 0),
                first_line(&failure.message),
            )
            .maybe_hint(hint),
        ));
    }
    match tree.statements() {
        1 => Ok(tree),
        0 => Err(refused(Problem::at(&Place::file(file.path), "there is no query in this file").hint("write one SELECT"))),
        n => Err(refused(Problem::at(&Place::file(file.path), format!("there are {n} statements in this file")).hint("keep one SELECT; steps of it can be named with WITH, or become datasets of their own"))),
    }
}

/// The place in somebody's file of a failure of a statement in which their text begins at byte `start`.
fn statement_place(sql: &SqlFile<'_>, failure: &Failure, start: usize) -> Place {
    match failure.position.and_then(|at| at.checked_sub(start)) {
        Some(at) => place_of(sql, at),
        None => Place::file(sql.path),
    }
}

fn refused(problem: Problem) -> Error {
    Problems(vec![problem]).into()
}

fn in_list(list: &[&str], name: &str) -> bool {
    list.contains(&name.to_lowercase().as_str())
}
