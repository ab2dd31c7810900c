//! What somebody knows of which rows are one thing.

use std::collections::HashMap;
use std::path::Path;

use comboi_engine::{Input, Rows};

use super::Opened;
use crate::exit::Usage;

/// What is known.
pub(super) enum Labels {
    /// The thing that a row is, for the rows of which it is known.
    Things(Vec<(u32, u32)>),
    /// Whether two rows are one thing.
    Pairs(Vec<(u32, u32, bool)>),
}

/// Reads labels: a column of the query's rows, or a file.
pub(super) fn read(opened: &Opened, labels: &str) -> anyhow::Result<Labels> {
    let id = &opened.how.unique_id.value;
    if opened.rows.columns.get(labels).is_some() {
        let files = [opened.rows.file.clone()];
        let rows = Input {
            alias: "rows",
            columns: &opened.rows.columns,
            files: &files,
        };
        let limit = usize::try_from(opened.rows.row_count).unwrap_or(usize::MAX);
        let shown = comboi_engine::show(&opened.session, &rows, limit)?;
        return things(opened, &shown, id, labels, "rows");
    }
    let file = Path::new(labels);
    if !file.is_file() {
        let text = format!(
            "`{labels}` is neither a column of the query's result nor a file with labels: a CSV or Parquet file with `{id}` and one more column, or with `{id}_l`, `{id}_r` and whether they match"
        );
        return Err(Usage(text).into());
    }
    let table = comboi_engine::read_table(&opened.session, file)?;
    let named = |name: &str| {
        table
            .names
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
    };
    if named(&format!("{id}_l")) && named(&format!("{id}_r")) {
        return pairs(opened, &table, id, labels);
    }
    let other: Vec<&String> = table
        .names
        .iter()
        .filter(|name| !name.eq_ignore_ascii_case(id))
        .collect();
    match other.as_slice() {
        [label] if named(id) => things(opened, &table, id, label, labels),
        _ => Err(Usage(format!(
            "`{labels}` has the columns `{}`: labels are `{id}` and one more column, or `{id}_l`, `{id}_r` and whether they match",
            table.names.join("`, `")
        ))
        .into()),
    }
}

fn things(
    opened: &Opened,
    table: &Rows,
    id: &str,
    label: &str,
    from: &str,
) -> anyhow::Result<Labels> {
    let (ids, labels) = (place(table, id), place(table, label));
    let rows = row_numbers(opened)?;
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let mut found: HashMap<u32, u32> = HashMap::new();
    let mut contradicting = 0_usize;
    for row in &table.rows {
        let (Some(id), Some(label)) = (cell(row, ids), cell(row, labels)) else {
            continue;
        };
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let thing = *numbers.entry(label).or_insert(next);
        let Some(row) = rows.get(id) else { continue };
        if found
            .insert(*row, thing)
            .is_some_and(|other| other != thing)
        {
            contradicting += 1;
        }
    }
    if contradicting > 0 {
        return Err(contradiction(from, contradicting, "have two different labels").into());
    }
    if found.is_empty() {
        return Err(nothing(from).into());
    }
    let mut found: Vec<(u32, u32)> = found.into_iter().collect();
    found.sort_unstable();
    Ok(Labels::Things(found))
}

fn pairs(opened: &Opened, table: &Rows, id: &str, from: &str) -> anyhow::Result<Labels> {
    let (left, right) = (
        place(table, &format!("{id}_l")),
        place(table, &format!("{id}_r")),
    );
    let known = [
        "clerical_match_score",
        "match_probability",
        "match",
        "is_match",
        "label",
    ];
    let verdict = known.iter().find_map(|name| {
        table
            .names
            .iter()
            .position(|column| column.eq_ignore_ascii_case(name))
    });
    let Some(verdict) = verdict else {
        let text = format!("`{from}` does not say which pairs match: call the column `match`");
        return Err(Usage(text).into());
    };
    let rows = row_numbers(opened)?;
    let mut found = Vec::new();
    for row in &table.rows {
        let cells = (cell(row, left), cell(row, right), cell(row, Some(verdict)));
        let (Some(l), Some(r), Some(verdict)) = cells else {
            continue;
        };
        if let (Some(l), Some(r)) = (rows.get(l), rows.get(r)) {
            found.push((*l, *r, is_yes(verdict)));
        }
    }
    let contradicting = contradicting_pairs(&found);
    if contradicting > 0 {
        let what = "are said to be no match, but other labels make them one";
        return Err(contradiction(from, contradicting, what).into());
    }
    if found.is_empty() {
        return Err(nothing(from).into());
    }
    Ok(Labels::Pairs(found))
}

/// Pairs that are no match, but are connected by pairs that are.
fn contradicting_pairs(pairs: &[(u32, u32, bool)]) -> usize {
    let mut parents: HashMap<u32, u32> = HashMap::new();
    fn root(parents: &HashMap<u32, u32>, row: u32) -> u32 {
        let mut at = row;
        while let Some(above) = parents.get(&at).copied().filter(|above| *above != at) {
            at = above;
        }
        at
    }
    for (l, r, _) in pairs.iter().filter(|pair| pair.2) {
        let (l, r) = (root(&parents, *l), root(&parents, *r));
        parents.insert(l.max(r), l.min(r));
    }
    let different = pairs.iter().filter(|pair| !pair.2);
    different
        .filter(|(l, r, _)| root(&parents, *l) == root(&parents, *r))
        .count()
}

fn is_yes(text: &str) -> bool {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "match" => true,
        number => number.parse::<f64>().is_ok_and(|score| score >= 0.5),
    }
}

fn contradiction(from: &str, count: usize, what: &str) -> Usage {
    Usage(format!(
        "the labels of `{from}` contradict each other: {count} {what}; nothing can be measured by them"
    ))
}

fn nothing(from: &str) -> Usage {
    Usage(format!(
        "no label of `{from}` is about a row of the dataset"
    ))
}

fn place(table: &Rows, name: &str) -> Option<usize> {
    table
        .names
        .iter()
        .position(|column| column.eq_ignore_ascii_case(name))
}

fn cell(row: &[Option<String>], at: Option<usize>) -> Option<&str> {
    row.get(at?)?.as_deref()
}

/// The rows by their ids.
fn row_numbers(opened: &Opened) -> anyhow::Result<HashMap<String, u32>> {
    let columns = &opened.rows.columns;
    let id = columns
        .iter()
        .filter(|column| column.name.eq_ignore_ascii_case(&opened.how.unique_id));
    let columns = id.cloned().collect();
    let files = [opened.rows.file.clone()];
    let rows = Input {
        alias: "rows",
        columns: &columns,
        files: &files,
    };
    let limit = usize::try_from(opened.rows.row_count).unwrap_or(usize::MAX);
    // In the order of the file, by which the linkage numbers them.
    let shown = comboi_engine::show(&opened.session, &rows, limit)?;
    let ids = shown
        .rows
        .into_iter()
        .filter_map(|row| row.into_iter().next());
    Ok((0_u32..)
        .zip(ids)
        .filter_map(|(row, id)| Some((id?, row)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::contradicting_pairs;

    #[test]
    fn what_other_labels_make_one_can_not_be_two() {
        let check =
            |pairs: &[(u32, u32, bool)], count| assert_eq!(contradicting_pairs(pairs), count);
        check(&[(1, 2, true), (2, 3, true), (4, 1, false)], 0);
        check(&[(1, 2, true), (2, 3, true), (3, 1, false)], 1);
        check(&[(1, 2, true), (2, 1, false)], 1);
        check(&[(1, 2, false)], 0);
    }
}
