//! What DuckDB's own catalogue says about its functions: whose value is another each time, and what else calls them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use crate::instance::Instance;
use crate::select::{FORBIDDEN_FUNCTIONS, Tree};
use crate::{Error, Session};

/// Functions whose value changes although the catalogue of DuckDB 1.5.5 calls them `CONSISTENT`.
const CALLED_CONSISTENT: [&str; 3] = [
    // Values of settings: the folder to spill into is another in each run.
    "current_setting",
    // ICU's clock; its other functions are marked.
    "current_localtime",
    "current_localtimestamp",
];

/// Marked `VOLATILE` so that it is not computed before its turn. It gives no value at all.
const WITHOUT_VALUE: &str = "error";

/// What SQL writes without parentheses, and the parser takes for columns. The catalogue does not list them.
pub(crate) const CLOCK_WORDS: [&str; 5] = [
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
];

/// Functions of the engine, in small letters.
pub(crate) struct Catalog {
    /// Their value depends on the time, on chance or on the connection.
    changing: BTreeSet<String>,
    /// The functions that each macro calls, at first or second hand.
    calls: BTreeMap<String, BTreeSet<String>>,
}

impl Catalog {
    /// The catalogue, which is read once for each process.
    pub(crate) fn of(session: &Session) -> Result<&'static Self, Error> {
        static CATALOG: OnceLock<Catalog> = OnceLock::new();
        if let Some(catalog) = CATALOG.get() {
            return Ok(catalog);
        }
        let catalog = Self::read(session.parser()?)?;
        Ok(CATALOG.get_or_init(|| catalog))
    }

    fn read(instance: &Instance) -> Result<Self, Error> {
        // comboi's own macros are not internal: they give constants of the run.
        const QUERY: &str = "SELECT lower(function_name), CASE WHEN function_type = 'macro' \
            THEN json_serialize_sql('SELECT ' || macro_definition)::VARCHAR END \
            FROM duckdb_functions() WHERE internal \
            AND (function_type = 'macro' OR stability <> 'CONSISTENT')";
        let rows = instance
            .rows(QUERY)
            .map_err(|failure| instance.explain(failure, "read the catalogue of functions"))?;
        let mut marked = BTreeSet::from(CALLED_CONSISTENT.map(str::to_owned));
        let mut bodies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in rows {
            let mut cells = row.into_iter();
            let (Some(Some(name)), body) = (cells.next(), cells.next().flatten()) else {
                continue;
            };
            match body {
                Some(body) => bodies.entry(name).or_default().extend(names_in(&body)),
                None => drop(marked.insert(name)),
            }
        }
        marked.remove(WITHOUT_VALUE);
        let calls = closed(&bodies);
        let clock = |name: &String| marked.contains(name) || CLOCK_WORDS.contains(&name.as_str());
        let macros = calls.iter().filter(|(_, called)| called.iter().any(clock));
        let changing = macros
            .map(|(name, _)| name.clone())
            .collect::<BTreeSet<_>>();
        Ok(Self {
            changing: &changing | &marked,
            calls,
        })
    }

    /// Whether a function's value may differ from run to run, or from row to row, with the same arguments. Those that no
    /// query can use count too.
    pub(crate) fn changes(&self, function: &str, arguments: usize) -> bool {
        // `age(x)` is the time since then, `age(x, y)` the time between; the catalogue calls both consistent.
        let function = function.to_lowercase();
        self.changing.contains(&function)
            || FORBIDDEN_FUNCTIONS.contains(&function.as_str())
            || (function == "age" && arguments == 1)
    }

    /// The functions that a macro calls, at first or second hand.
    pub(crate) fn calls(&self, function: &str) -> impl Iterator<Item = &str> {
        let called = self.calls.get(&function.to_lowercase());
        called.into_iter().flatten().map(String::as_str)
    }
}

/// Names of functions, and of columns as which SQL's own words without parentheses are parsed.
fn names_in(tree: &str) -> BTreeSet<String> {
    let tree = Tree::of(tree);
    let names = tree.nodes().filter_map(|node| {
        let words = || node.column().filter(|it| is_clock_word(it));
        node.text("function_name").or_else(words)
    });
    names.map(|name| name.to_lowercase()).collect()
}

pub(crate) fn is_clock_word(column: &str) -> bool {
    CLOCK_WORDS.contains(&column.to_lowercase().as_str())
}

/// What each calls, and what that calls.
fn closed(bodies: &BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    let reached = |name: &String| {
        let mut reached = BTreeSet::new();
        let mut ahead = vec![name];
        while let Some(next) = ahead.pop() {
            for called in bodies.get(next).into_iter().flatten() {
                if reached.insert(called.clone()) {
                    ahead.push(called);
                }
            }
        }
        reached
    };
    let all = bodies.keys().map(|name| (name.clone(), reached(name)));
    all.collect()
}

/// Whether a function's value may differ from run to run, or from row to row, with as many arguments as these:
/// it asks for the time, for chance or for the connection. By the catalogue of the engine.
pub fn changes(session: &Session, function: &str, arguments: usize) -> Result<bool, Error> {
    Ok(Catalog::of(session)?.changes(function, arguments))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Limits;

    fn session(folder: &tempfile::TempDir) -> Session {
        Session::open(&Limits::of_machine(), folder.path()).unwrap()
    }

    fn names(instance: &Instance, query: &str) -> BTreeSet<String> {
        let rows = instance.rows(query).unwrap();
        rows.into_iter().flatten().flatten().collect()
    }

    /// Every function without arguments is asked twice, in two instances and more than a second apart.
    #[test]
    fn what_gives_something_else_the_second_time_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let session = session(&folder);
        let ask = || -> BTreeMap<String, String> {
            let instance = session.confined(&[]).unwrap();
            let all = "SELECT DISTINCT lower(function_name) FROM duckdb_functions() \
                WHERE function_type IN ('scalar', 'macro') AND len(parameters) = 0";
            let asked = names(&instance, all).into_iter().filter_map(|name| {
                let rows = instance
                    .rows(&format!("SELECT \"{name}\"()::VARCHAR"))
                    .ok()?;
                Some((name, format!("{rows:?}")))
            });
            asked.collect()
        };
        let first = ask();
        std::thread::sleep(Duration::from_millis(1100));
        let second = ask();
        assert!(first.len() > 25, "{first:?}");
        let differ: Vec<&String> = first
            .iter()
            .filter(|(name, value)| second.get(*name) != Some(value))
            .map(|(name, _)| name)
            .collect();
        assert!(differ.len() >= 13, "{differ:?}");
        let catalog = Catalog::of(&session).unwrap();
        for name in differ {
            assert!(catalog.changes(name, 0), "{name}");
        }
        for name in ["pi", "version", "list_value", "current_user"] {
            assert!(!catalog.changes(name, 0), "{name}");
        }
    }

    /// What the catalogue marks, and every macro that calls it: the ones written here were found by reading it.
    #[test]
    fn the_catalogue_and_its_macros_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let session = session(&folder);
        let catalog = Catalog::of(&session).unwrap();
        let marked = "SELECT DISTINCT function_name FROM duckdb_functions() \
            WHERE stability <> 'CONSISTENT' AND function_name <> 'error'";
        for name in names(session.parser().unwrap(), marked) {
            assert!(catalog.changes(&name, 0), "{name}");
        }
        for name in [
            "ago",
            "AGO",
            "pg_conf_load_time",
            "pg_postmaster_start_time",
            "pg_sleep",
        ] {
            assert!(catalog.changes(name, 1), "{name}");
        }
        assert!(catalog.calls("pg_sleep").any(|it| it == "sleep_ms"));
        for (name, arguments) in [
            ("age", 2),
            ("nullif", 2),
            ("split_part", 3),
            ("json_group_object", 2),
            ("list_median", 1),
            ("comboi_hmac", 1),
            ("comboi_run_at", 0),
        ] {
            assert!(!catalog.changes(name, arguments), "{name}");
        }
    }

    /// No name without parentheses gives a value but those that are listed and constants. If an engine marks what
    /// is listed as called consistent, it can be taken off the list.
    #[test]
    fn the_lists_are_what_the_catalogue_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let session = session(&folder);
        let instance = session.confined(&[]).unwrap();
        let all = "SELECT keyword_name FROM duckdb_keywords() \
            UNION SELECT lower(function_name) FROM duckdb_functions()";
        let mut words = names(&instance, all);
        words.extend(CLOCK_WORDS.map(str::to_owned));
        let values = words.into_iter().filter(|word| {
            let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            plain && instance.rows(&format!("SELECT {word}::VARCHAR")).is_ok()
        });
        let mut expected = BTreeSet::from(CLOCK_WORDS);
        expected.extend([
            "current_catalog",
            "current_role",
            "current_schema",
            "current_user",
        ]);
        expected.extend(["false", "null", "session_user", "true", "user"]);
        assert_eq!(values.collect::<BTreeSet<_>>(), {
            expected.into_iter().map(str::to_owned).collect()
        });
        for name in CALLED_CONSISTENT {
            let query = format!(
                "SELECT DISTINCT stability FROM duckdb_functions() WHERE function_name = '{name}'"
            );
            assert_eq!(
                names(&instance, &query),
                BTreeSet::from(["CONSISTENT".to_owned()])
            );
        }
    }
}
