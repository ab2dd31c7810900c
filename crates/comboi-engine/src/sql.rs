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

/// A path as a literal, for a place where DuckDB takes it as it is (`COPY … TO`, `allowed_paths`).
pub(crate) fn path(path: &Path) -> String {
    text(&path.to_string_lossy())
}

/// A list of paths that exist, for `read_parquet`, `read_csv` and their like. They take patterns, but a path that
/// exists as it is written wins, so `*`, `?` and `[` need no quoting.
pub(crate) fn file_list<P: AsRef<Path>>(files: &[P]) -> String {
    let files: Vec<String> = files.iter().map(|file| path(file.as_ref())).collect();
    format!("[{}]", files.join(", "))
}

#[cfg(test)]
mod tests {
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
}
