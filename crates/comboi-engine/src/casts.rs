//! From what people's SQL sees to what the lake keeps, and back: expressions of SQL.

use comboi_project::SqlType;

use crate::sql;

/// What DuckDB's error says when a value can't be kept: this, the column's place, and why.
const MARK: &str = "comboi can not keep column ";

/// The expression that turns `value` (of type `from`) into its lake type, or fails the statement when the value
/// would not come back as it was. `column` is its place in the query, for [`not_kept`].
pub(crate) fn to_lake(value: &str, from: &SqlType, kept: &SqlType, column: usize) -> String {
    use SqlType::*;
    let stop = |why: &str| format!("error({})", sql::text(&format!("{MARK}{column}: {why}")));
    let infinite = || {
        stop(
            "it has an infinite value, which the lake has no place for; turn it into NULL or a real date",
        )
    };
    match (from, kept) {
        (Date, _) | (TimestampTz, TimestampTz) => format!(
            "CASE WHEN isinf({value}) THEN {} ELSE {value} END",
            infinite()
        ),
        // epoch_us of an infinite timestamp is NULL. The cast through ICU would take four times as long.
        (Timestamp, TimestampTz) => or_stop(
            &format!("make_timestamptz(epoch_us({value}))"),
            value,
            &infinite(),
        ),
        (TimestampS | TimestampMs, TimestampTz) => {
            format!(
                "CASE WHEN isinf({value}) THEN {} ELSE make_timestamptz(epoch_us({value})) END",
                infinite()
            )
        }
        (TimestampNs, TimestampTz) => format!(
            "CASE WHEN isinf({value}) THEN {} WHEN epoch_ns({value}) % 1000 <> 0 THEN {} ELSE make_timestamptz(epoch_ns({value}) // 1000) END",
            infinite(),
            stop(
                "it has digits below a microsecond, which the lake would lose; cast it to TIMESTAMP, or to VARCHAR to keep every digit"
            ),
        ),
        (HugeInt | UHugeInt, Decimal(38, 0)) => or_stop(
            &format!("TRY_CAST({value} AS DECIMAL(38,0))"),
            value,
            &stop(
                "it has a number of more than 38 digits, the most that the lake keeps; cast it to VARCHAR",
            ),
        ),
        _ if from == kept && !has_checks(from) => value.to_owned(),
        (List(_) | Array(..) | Struct(_) | Map(..), _) => {
            through(value, from, kept, 0, &|value, from, kept| {
                to_lake(value, from, kept, column)
            })
        }
        _ => format!("CAST({value} AS {kept})"),
    }
}

/// The expression that gives `value`, of the type that a file has, the type that people's SQL sees.
pub(crate) fn from_lake(value: &str, stored: &SqlType, wanted: &SqlType) -> String {
    use SqlType::*;
    match (stored, wanted) {
        _ if stored == wanted => value.to_owned(),
        (TimestampTz, Timestamp) => format!("make_timestamp(epoch_us({value}))"),
        (TimestampTz, TimestampS | TimestampMs | TimestampNs) => {
            format!("CAST(make_timestamp(epoch_us({value})) AS {wanted})")
        }
        (Timestamp, TimestampTz) => format!("make_timestamptz(epoch_us({value}))"),
        (List(_) | Array(..) | Struct(_) | Map(..), _) => {
            through(value, stored, wanted, 0, &from_lake)
        }
        _ => format!("CAST({value} AS {wanted})"),
    }
}

/// The expression that casts `value` to the type of its contract, or fails the statement when it does not fit.
pub(crate) fn to_contract(value: &str, wanted: &SqlType, column: usize) -> String {
    let why = format!("it has a value that does not fit into {wanted}, as its contract wants it");
    let stop = format!("error({})", sql::text(&format!("{MARK}{column}: {why}")));
    or_stop(&format!("TRY_CAST({value} AS {wanted})"), value, &stop)
}

/// Whether a contract may have a value in another type than the query gave it: only what `SUM` and `COUNT` choose,
/// and only where every digit is kept.
pub(crate) fn fits_contract(given: &SqlType, wanted: &SqlType) -> bool {
    use SqlType::*;
    let scale = match given {
        // Nothing but NULL, as of a source's column that has no value yet.
        Null => return true,
        HugeInt | BigInt => 0,
        Decimal(38, scale) => *scale,
        _ => return false,
    };
    match wanted {
        Decimal(_, wanted) => *wanted >= scale,
        other => scale == 0 && other.is_integer(),
    }
}

/// The column and the reason, if an error's message was made by one of these casts.
pub(crate) fn not_kept(message: &str) -> Option<(usize, &str)> {
    let (column, why) = message.strip_prefix(MARK)?.split_once(": ")?;
    Some((column.parse().ok()?, why))
}

/// `converted`, which must be NULL for NULL only.
fn or_stop(converted: &str, value: &str, stop: &str) -> String {
    format!("coalesce({converted}, CASE WHEN {value} IS NOT NULL THEN {stop} END)")
}

fn has_checks(sql_type: &SqlType) -> bool {
    use SqlType::*;
    match sql_type {
        Date | TimestampTz => true,
        List(item) | Array(item, _) => has_checks(item),
        Struct(fields) => fields.iter().any(|(_, of)| has_checks(of)),
        Map(key, value) => has_checks(key) || has_checks(value),
        _ => false,
    }
}

type Convert<'a> = &'a dyn Fn(&str, &SqlType, &SqlType) -> String;

/// Takes a nested value apart, converts its parts and puts it together again. `depth` keeps the names of the
/// lambdas' arguments apart.
fn through(
    value: &str,
    from: &SqlType,
    to: &SqlType,
    depth: usize,
    convert: Convert<'_>,
) -> String {
    use SqlType::*;
    let part = |value: &str, from: &SqlType, to: &SqlType, depth: usize| match from {
        List(_) | Array(..) | Struct(_) | Map(..) if from != to || has_checks(from) => {
            through(value, from, to, depth, convert)
        }
        _ => convert(value, from, to),
    };
    let each = |value: &str, from: &SqlType, to: &SqlType| {
        let item = format!("e{depth}");
        let converted = part(&item, from, to, depth + 1);
        if converted == item {
            value.to_owned()
        } else {
            format!("list_transform({value}, lambda {item}: {converted})")
        }
    };
    match (from, to) {
        (List(item) | Array(item, _), List(kept)) => {
            let list = if matches!(from, Array(..)) {
                format!("CAST({value} AS {item}[])")
            } else {
                value.to_owned()
            };
            each(&list, item, kept)
        }
        (List(item) | Array(item, _), Array(kept, _)) => {
            format!("CAST({} AS {to})", each(value, item, kept))
        }
        (Struct(fields), Struct(kept)) => {
            let field = |(name, from): &(String, SqlType), (new, to): &(String, SqlType)| {
                let inner = format!("struct_extract({value}, {})", sql::text(name));
                format!("{} := {}", sql::ident(new), part(&inner, from, to, depth))
            };
            let fields: Vec<String> = fields
                .iter()
                .zip(kept)
                .map(|(from, to)| field(from, to))
                .collect();
            format!(
                "CASE WHEN {value} IS NULL THEN NULL ELSE struct_pack({}) END",
                fields.join(", ")
            )
        }
        (Map(key, item), Map(to_key, to_item)) => {
            let entry = format!("e{depth}");
            let key = part(&format!("{entry}.key"), key, to_key, depth + 1);
            let item = part(&format!("{entry}.value"), item, to_item, depth + 1);
            format!(
                "map_from_entries(list_transform(map_entries({value}), lambda {entry}: struct_pack(k := {key}, v := {item})))"
            )
        }
        _ => format!("CAST({value} AS {to})"),
    }
}
