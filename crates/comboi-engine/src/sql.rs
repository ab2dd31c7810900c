//! Names and values as SQL text.

use std::path::Path;

/// A name in double quotes, whatever it is made of.
pub(crate) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as a literal. DuckDB reads a statement up to the first NUL, so a NUL is spelled `chr(0)`.
pub(crate) fn text(value: &str) -> String {
    let mut parts = value
        .split('\0')
        .map(|part| format!("'{}'", part.replace('\'', "''")));
    let first = parts.next().unwrap_or_default();
    let rest: String = parts.map(|part| format!("||chr(0)||{part}")).collect();
    if rest.is_empty() {
        first
    } else {
        format!("({first}{rest})")
    }
}

/// What a text that is not blank has: a character that is neither white space of any kind (tabs, line breaks and no-break
/// spaces too) nor a control or format character, such as a space of no width.
const VISIBLE: &str = r"[^\pZ\p{Cc}\p{Cf}]";

/// Whether a text is empty or blank, as a condition. NULL for NULL.
pub(crate) fn is_blank(value: &str) -> String {
    format!("(NOT regexp_matches({value}, '{VISIBLE}'))")
}

/// A value of any type, or NULL where its text is empty or blank, which says as little.
pub fn unless_blank(value: &str) -> String {
    format!("CASE WHEN regexp_matches(CAST({value} AS VARCHAR), '{VISIBLE}') THEN {value} END")
}

/// A path as a literal, for a place where DuckDB takes it as it is (`COPY … TO`, `allowed_paths`).
pub(crate) fn path(path: &Path) -> String {
    text(&path.to_string_lossy())
}

/// A path as a literal, for `read_parquet`, `read_csv` and their like. They take patterns: `a[1].csv` would be `a1.csv`
/// if that is there.
pub(crate) fn file(path: &Path) -> String {
    text(&pattern(path))
}

/// The same for several.
pub(crate) fn file_list<P: AsRef<Path>>(files: &[P]) -> String {
    list(files.iter().map(|path| file(path.as_ref())))
}

/// A list for `allowed_paths`: of a pattern, both itself and what it matches must be allowed.
pub(crate) fn allowed_list<P: AsRef<Path>>(files: &[P]) -> String {
    list(files.iter().flat_map(|it| {
        let (plain, pattern) = (path(it.as_ref()), file(it.as_ref()));
        let pattern = (pattern != plain).then_some(pattern);
        std::iter::once(plain).chain(pattern)
    }))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// The pattern that matches this path alone.
fn pattern(path: &Path) -> String {
    let mut pattern = String::new();
    for c in path.to_string_lossy().chars() {
        match c {
            '*' | '?' | '[' => pattern.extend(['[', c, ']']),
            // In a pattern a backslash separates folders, even in brackets. This is what lies from `[` to `]`.
            '\\' if cfg!(unix) => pattern.push_str("[[-]]"),
            c => pattern.push(c),
        }
    }
    pattern
}

/// What reads Parquet files that are alike.
pub(crate) fn parquet<P: AsRef<Path>>(files: &[P]) -> String {
    format!("read_parquet({})", file_list(files))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use duckdb::Connection;
    use proptest::prelude::*;

    use super::*;

    fn comes_back(value: &str) {
        thread_local!(static DB: Connection = Connection::open_in_memory().unwrap());
        DB.with(|db| {
            let back: String = db
                .query_row(&format!("SELECT {}", text(value)), [], |row| row.get(0))
                .unwrap();
            assert_eq!(back, value);
            // Neither can be in a name: DuckDB has no empty one, and reads no further than a NUL.
            if !value.is_empty() && !value.contains('\0') {
                let mut statement = db
                    .prepare(&format!("SELECT 1 AS {}", ident(value)))
                    .unwrap();
                statement.execute([]).unwrap();
                assert_eq!(statement.column_names(), [value]);
            }
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn any_text_comes_back_unchanged(value in any::<String>()) {
            comes_back(&value);
        }

        #[test]
        fn quotes_and_comments_come_back_unchanged(value in "['\"\\\\;$/*\\-\\n\0 aé?{}%]{0,12}") {
            comes_back(&value);
        }
    }

    /// A file is read, and none that its name matches as a pattern.
    fn check_file(name: &str, others: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        for name in others.iter().chain([&name]) {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("name\n\"{name}\"\n")).unwrap();
        }
        let files = [folder.path().join(name)];
        let db = Connection::open_in_memory().unwrap();
        let read = || -> duckdb::Result<String> {
            let query = format!(
                "SELECT string_agg(name) FROM read_csv({}, header = true, columns = {{'name': 'VARCHAR'}})",
                file_list(&files)
            );
            db.query_row(&query, [], |row| row.get(0))
        };
        assert_eq!(read().unwrap(), name);
        let confine = format!(
            "SET allowed_paths = {}; SET enable_external_access = false",
            allowed_list(&files)
        );
        db.execute_batch(&confine).unwrap();
        assert_eq!(read().unwrap(), name, "confined");
        for other in others {
            let other = file(&folder.path().join(other));
            let query = format!("SELECT content FROM read_text({other})");
            assert!(db.execute_batch(&query).is_err(), "{other}");
        }
    }

    #[test]
    fn a_file_is_itself_whatever_its_name() {
        check_file("plain.csv", &["plain2.csv"]);
        check_file("a[1].csv", &["a1.csv"]);
        check_file("*.csv", &["a.csv", "b.csv"]);
        check_file("a[1]* b'c/?.csv", &["a1 b'c/x.csv", "a[1]x b'c/y.csv"]);
        check_file("**/x.csv", &["a/b/x.csv"]);
        check_file("{a,b}[!c].csv", &["a!.csv", "a.csv"]);
        if cfg!(unix) {
            check_file(
                "a\\b[1]/c\\.csv",
                &["a/b1/c.csv", "a/b[1]/c.csv", "ab[1]/c.csv"],
            );
        }
    }
}
