//! Which columns other programs may look for in the statistics of a table's files.
//!
//! Programs that use delta-rs from Python (pandas, pyarrow) take a bound that a file's statistics lack
//! for NULL and pass over the file, so its rows are lost to them
//! (<https://github.com/delta-io/delta-rs/issues/3173>). Bounds can be missing: of numbers among which
//! are NaN, of times that no text of Delta's can say, of a column that is newer than the file. Delta
//! has a setting that names the columns with statistics, and every reader heeds it: a column that
//! lacks bounds in any file is left out there. The setting is absent while no column is left out.

use std::collections::{BTreeMap, BTreeSet};

use comboi_project::{Columns, SqlType};
use serde_json::Value;

use crate::draft::Draft;
use crate::snapshot::added;

/// The columns with statistics, by name.
const COLUMNS: &str = "delta.dataSkippingStatsColumns";
/// The columns with statistics, by number.
const COUNT: &str = "delta.dataSkippingNumIndexedCols";
/// How many columns readers expect statistics of if nothing else is set: fields of structs are
/// counted one by one, anything else is one.
const INDEXED: usize = 32;

/// The columns that readers expect bounds of and that lack them in a file of the version that is
/// committed.
pub(crate) fn without_bounds(draft: &Draft<'_>) -> BTreeSet<String> {
    let indexed = indexed(draft.columns);
    let mut without = BTreeSet::new();
    for add in &draft.add {
        collect(&indexed, add.stats.as_deref(), &mut without);
    }
    let Some(base) = draft.base else {
        return without;
    };
    let gone: BTreeSet<&str> = draft.remove.iter().map(|it| it.path.as_str()).collect();
    if base.files.len() == gone.len() {
        return without;
    }
    match &base.without_bounds {
        Some(known) if base.by_comboi => {
            let before = self::indexed(&base.columns);
            let lacks = |name: &&str| known.contains(*name) || !before.contains(name);
            without.extend(indexed.iter().copied().filter(lacks).map(str::to_owned));
        }
        // Others' files, or those of a comboi that did not note it.
        _ => {
            for view in base.views().filter(|view| !gone.contains(&*view.path())) {
                collect(&indexed, added(&view).stats.as_deref(), &mut without);
            }
        }
    }
    without
}

/// Puts the setting into the configuration, unless somebody else has made one of their own.
///
/// `before` is what comboi would have set in the version that the configuration is from.
pub(crate) fn set(
    configuration: &mut BTreeMap<String, String>,
    before: Option<(&'static str, String)>,
    now: Option<(&'static str, String)>,
) {
    if let Some((key, value)) = before
        && configuration.get(key) == Some(&value)
    {
        configuration.remove(key);
    }
    if let Some((key, value)) = now
        && !configuration.contains_key(COLUMNS)
    {
        configuration.insert(key.to_owned(), value);
    }
}

/// The setting for a table of these columns; `None` if none of them is without bounds.
pub(crate) fn setting(
    columns: &Columns,
    without: &BTreeSet<String>,
) -> Option<(&'static str, String)> {
    if without.is_empty() {
        return None;
    }
    let with = indexed(columns).into_iter().filter(|name| {
        // Spark refuses a setting that names a column which it keeps no bounds of.
        let kept = columns.get(name).map(|it| it.sql_type.lake_type());
        let refused = matches!(kept, Some(Ok(SqlType::Boolean | SqlType::Struct(_))));
        !without.contains(*name) && !refused
    });
    let with: Vec<String> = with.map(quoted).collect();
    // Not every reader takes an empty list.
    Some(match with.as_slice() {
        [] => (COUNT, "0".to_owned()),
        with => (COLUMNS, with.join(",")),
    })
}

fn quoted(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    match is_plain {
        true => name.to_owned(),
        false => format!("`{}`", name.replace('`', "``")),
    }
}

/// The columns that readers expect bounds of.
fn indexed(columns: &Columns) -> Vec<&str> {
    let mut number = 0;
    let mut indexed = Vec::new();
    for column in columns.iter() {
        let Ok(kept) = column.sql_type.lake_type() else {
            continue;
        };
        if number < INDEXED && has_bounds(&kept) {
            indexed.push(column.name.as_str());
        }
        number += leaves(&kept);
    }
    indexed
}

fn has_bounds(kept: &SqlType) -> bool {
    match kept {
        SqlType::Struct(fields) => fields.iter().any(|(_, of)| has_bounds(of)),
        SqlType::Blob | SqlType::List(_) | SqlType::Map(..) => false,
        _ => true,
    }
}

fn leaves(kept: &SqlType) -> usize {
    match kept {
        SqlType::Struct(fields) => fields.iter().map(|(_, of)| leaves(of)).sum(),
        _ => 1,
    }
}

/// Adds those of the columns that a file with these statistics lacks bounds of.
fn collect(columns: &[&str], stats: Option<&str>, without: &mut BTreeSet<String>) {
    let stats: Value = stats
        .and_then(|stats| serde_json::from_str(stats).ok())
        .unwrap_or_default();
    let rows = stats["numRecords"].as_u64();
    if rows == Some(0) {
        return;
    }
    for name in columns {
        let nulls = &stats["nullCount"][*name];
        let is_null = nulls.is_u64() && nulls.as_u64() == rows;
        // Of a struct, any field's are enough.
        let is_bounded =
            !stats["minValues"][*name].is_null() && !stats["maxValues"][*name].is_null();
        if nulls.is_null() || !is_null && !is_bounded {
            without.insert((*name).to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use comboi_project::Column;

    use super::*;

    fn columns(text: &str) -> Columns {
        let column = |text: &str| {
            let (name, sql_type) = text.split_once(' ').unwrap();
            Column::new(name, sql_type.parse().unwrap())
        };
        text.split("; ").map(column).collect()
    }

    fn check(of: &str, stats: &str, expected: &str) {
        let columns = columns(of);
        let mut without = BTreeSet::new();
        collect(&indexed(&columns), Some(stats), &mut without);
        let told = setting(&columns, &without).map(|(key, value)| format!("{key}={value}"));
        assert_eq!(told.unwrap_or_default(), expected, "{stats}");
    }

    #[test]
    fn columns_that_a_file_has_no_bounds_of_are_left_out() {
        let of = "id BIGINT; v DOUBLE; b BOOLEAN; x BLOB; l BIGINT[]; s STRUCT(a DOUBLE)";
        let whole = r#"{"numRecords":2,"minValues":{"id":1,"v":1.5,"b":false,"s":{"a":1}},"maxValues":{"id":2,"v":2.5,"b":true,"s":{"a":2}},"nullCount":{"id":0,"v":0,"b":1,"s":{"a":0}}}"#;
        check(of, whole, "");
        check(
            of,
            &whole.replace(r#""v":1.5,"#, ""),
            "delta.dataSkippingStatsColumns=id",
        );
        check(
            of,
            &whole.replace(r#","b":true"#, ""),
            "delta.dataSkippingStatsColumns=id,v",
        );
        check(
            of,
            &whole.replace(r#","s":{"a":1}"#, ""),
            "delta.dataSkippingStatsColumns=id,v",
        );
        // NULL everywhere needs no bounds, but somebody has to say so.
        check(
            of,
            &whole
                .replace(r#""v":1.5,"#, "")
                .replace(r#""v":0"#, r#""v":2"#),
            "",
        );
        check(
            of,
            &whole.replace(r#","v":0"#, ""),
            "delta.dataSkippingStatsColumns=id",
        );
        check(of, r#"{"numRecords":0}"#, "");
        check(
            of,
            r#"{"numRecords":1}"#,
            "delta.dataSkippingNumIndexedCols=0",
        );
        check(
            "a.b BIGINT; a`b BIGINT; 1 BIGINT; v DOUBLE",
            r#"{"numRecords":1,"minValues":{"a.b":1,"a`b":1,"1":1},"maxValues":{"a.b":1,"a`b":1,"1":1},"nullCount":{"a.b":0,"a`b":0,"1":0,"v":0}}"#,
            "delta.dataSkippingStatsColumns=`a.b`,`a``b`,`1`",
        );
    }

    #[test]
    fn only_the_first_columns_count() {
        let many: Vec<String> = (0..31).map(|i| format!("c{i} BLOB")).collect();
        let of = format!("{}; last BIGINT; v DOUBLE", many.join("; "));
        assert_eq!(indexed(&columns(&of)), ["last"]);
        let of = format!(
            "s STRUCT(a INTEGER, b INTEGER); {}; v DOUBLE",
            many.join("; ")
        );
        assert_eq!(indexed(&columns(&of)), ["s"]);
    }

    #[test]
    fn a_setting_of_somebody_elses_stays() {
        let now = || Some((COLUMNS, "id".to_owned()));
        let check = |configuration: &[(&str, &str)], before, now, expected: &[(&str, &str)]| {
            let owned = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
                let pairs = pairs.iter();
                pairs.map(|(k, v)| ((*k).into(), (*v).into())).collect()
            };
            let mut configuration = owned(configuration);
            set(&mut configuration, before, now);
            assert_eq!(configuration, owned(expected));
        };
        check(&[], None, now(), &[(COLUMNS, "id")]);
        check(&[(COLUMNS, "id")], now(), None, &[]);
        check(&[(COLUMNS, "theirs")], None, now(), &[(COLUMNS, "theirs")]);
        check(&[(COLUMNS, "theirs")], now(), now(), &[(COLUMNS, "theirs")]);
        let both = [(COUNT, "64"), (COLUMNS, "id")];
        check(&[(COUNT, "64")], None, now(), &both);
        check(&both, now(), None, &[(COUNT, "64")]);
    }
}
