//! Columns of inputs that have no type yet, in what is told of a query that fails.

use comboi_project::{Column, DatasetId, Problems, SqlType};

use crate::{Error, Input, SqlFile};

/// An error with what to do about columns that the query names and that have no value yet, which is why they have no type: most
/// likely it fails for that. `inputs` have the dataset of each.
pub fn with_untyped(error: Error, sql: &SqlFile<'_>, inputs: &[(&DatasetId, Input<'_>)]) -> Error {
    let Error::Problems(Problems(mut problems)) = error else {
        return error;
    };
    let named =
        |column: &&Column| column.sql_type == SqlType::Null && names(sql.text, &column.name);
    for (dataset, input) in inputs {
        let columns = input.columns.iter().filter(named);
        let columns: Vec<String> = columns.map(|it| format!("`{}`", it.name)).collect();
        let (Some(first), Some(problem)) = (columns.first(), problems.first_mut()) else {
            continue;
        };
        let remedy = match dataset {
            DatasetId::Extracted(..) => format!(
                "under `columns` of the table in the configuration, such as `columns: {{{}: VARCHAR}}`",
                first.trim_matches('`')
            ),
            DatasetId::Built(..) => format!("in its query, such as `CAST({first} AS VARCHAR)`"),
        };
        let said = format!(
            "{dataset} has no value in {} yet, so that the type is not known; say it {remedy}",
            columns.join(", ")
        );
        let before = problem.hint.take().map(|hint| format!("{hint}; "));
        problem.hint = Some(before.unwrap_or_default() + &said);
    }
    Problems(problems).into()
}

/// Whether a text has a name as a word, whatever the case of its letters.
fn names(text: &str, name: &str) -> bool {
    let (text, name) = (text.to_lowercase(), name.to_lowercase());
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    if name.contains(|c| !is_part(c)) {
        return text.contains(&name);
    }
    text.split(|c| !is_part(c)).any(|word| word == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_whole_word() {
        let check =
            |text: &str, expected: bool| assert_eq!(names(text, "Tags"), expected, "{text}");
        check("SELECT unnest(tags) FROM t", true);
        check("SELECT unnest(t.\"TAGS\")", true);
        check("SELECT hashtags, tags_2 FROM t", false);
        check("", false);
    }
}
