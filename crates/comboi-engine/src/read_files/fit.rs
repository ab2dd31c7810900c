//! Which values a text (or a value of another type) stands for, exactly: SQL expressions.
//!
//! DuckDB's own casts are more generous than a copy of somebody's data may be: `'1.5'::INTEGER` is 2,
//! `'1.239'::DECIMAL(9,2)` is 1.24, `'2024-01-01 13:45'::DATE` forgets the time,
//! `'2024-01-01T00:00+02:00'::TIMESTAMP` the offset, `'0x1F'` and `'1_000'` are numbers.
//!
//! There are two rules, by the [`Origin`] of a column's type. A type that was *found* takes the texts by which
//! [`counts`](super::counts) would find it, so that it does not matter how values are spread over files. A type
//! that was *declared* takes every text of an equal value. docs/types.md has both, type by type.
//!
//! For another format: make texts of its values, give them to [`Counts::see`](super::counts::Counts::see) with
//! their kind to find a type, and use [`text`] to read them: [`Fit::value`] is NULL where a text does not fit.

use comboi_project::SqlType;

use super::changed::{self, Changed};
use super::number::{Float, FloatRule};
use super::unfit::with_article;
use super::{TextRules, json, nested};
use crate::sql;

/// The mark of our own errors in DuckDB's messages.
pub(super) const UNFIT: &str = "comboi: a value does not fit";
pub(super) const NULL_FOUND: &str = "comboi: no value in the incremental column";

/// Where a column's type comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Values showed it: a text is a value if the type writes it so.
    Found,
    /// Somebody wrote it down: a text is a value if it means an equal one.
    Declared,
}

/// A column's value as SQL.
pub(super) struct Fit {
    /// NULL where the value does not fit.
    pub(super) value: String,
    /// The value before, NULL where there is none.
    from: String,
    /// Whether every value fits, so that nothing is to be checked.
    always: bool,
    /// What it would be if the type were declared, where that makes a difference.
    declared: Option<IfDeclared>,
}

struct IfDeclared {
    /// NULL where the value does not fit either.
    value: String,
    /// How the text is written, as the end of a sentence.
    how: String,
}

impl Fit {
    /// A column that is not in the file.
    pub(super) fn missing(to: &SqlType) -> Self {
        Self {
            value: format!("CAST(NULL AS {})", plain(to)),
            from: "NULL".into(),
            always: true,
            declared: None,
        }
    }

    /// A value that fits whatever it is.
    pub(super) fn always(value: &str) -> Self {
        Self {
            value: value.to_owned(),
            from: value.to_owned(),
            always: true,
            declared: None,
        }
    }

    /// A value that is NULL where `from` does not fit.
    pub(super) fn checked(from: &str, value: String) -> Self {
        Self {
            value,
            from: from.to_owned(),
            always: false,
            declared: None,
        }
    }

    /// The value, or the end of the statement.
    pub(super) fn strict(&self) -> String {
        if self.always {
            return self.value.clone();
        }
        let Self { value, from, .. } = self;
        format!(
            "CASE WHEN {from} IS NULL THEN NULL ELSE coalesce({value}, error({})) END",
            sql::text(UNFIT)
        )
    }

    /// Whether there is a value that does not fit.
    pub(super) fn unfit(&self) -> Option<String> {
        let Self { value, from, .. } = self;
        (!self.always).then(|| format!("({from} IS NOT NULL AND ({value}) IS NULL)"))
    }

    /// Whether a value that does not fit would do so if its type were declared, and how it is written, as the end of
    /// a sentence.
    pub(super) fn fits_declared(&self) -> Option<(String, &str)> {
        let IfDeclared { value, how } = self.declared.as_ref()?;
        Some((format!("({value}) IS NOT NULL"), how))
    }

    /// Whether a value that does not fit is a number.
    pub(super) fn is_number(&self) -> String {
        let Self { from, .. } = self;
        format!("regexp_full_match(replace(CAST({from} AS VARCHAR), ',', '.'), '{NUMBER}')")
    }
}

/// `NULL`-typed columns are text to DuckDB's `CAST`.
fn plain(to: &SqlType) -> String {
    match to {
        SqlType::Null | SqlType::Varchar(_) => "VARCHAR".into(),
        to => to.to_string(),
    }
}

/// What a text stands for.
pub(super) fn text(from: &str, to: &SqlType, rules: &TextRules, origin: Origin) -> Fit {
    match to {
        SqlType::Varchar(None) => return Fit::always(from),
        // A column without a value: any is one that does not fit.
        SqlType::Null => return Fit::checked(from, "CAST(NULL AS VARCHAR)".to_owned()),
        _ if to.is_nested() => return nested::of_text(from, to, rules, origin),
        _ => {}
    }
    let value = |origin| text_value(from, to, rules, origin);
    let differs = origin == Origin::Found && (to.is_number() || matches!(to, SqlType::Boolean));
    Fit {
        value: value(origin),
        from: from.to_owned(),
        always: false,
        declared: differs.then(|| IfDeclared {
            value: value(Origin::Declared),
            how: how_written(from, to),
        }),
    }
}

/// A number, however it is written.
const NUMBER: &str = r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*";
/// One without leading zeros, `+`, blanks and `-0`.
const TIDY_NUMBER: &str = r"0|-?([1-9]\d*)(\.\d+)?([eE][-+]?\d+)?|-?0?\.\d+([eE][-+]?\d+)?";

/// How a text is written that a type takes only if it is declared: SQL.
fn how_written(c: &str, to: &SqlType) -> String {
    let article = with_article(&to.to_string());
    let tidy = match to {
        SqlType::Boolean => return sql::text("is not `true` or `false`"),
        SqlType::Float | SqlType::Double => format!(
            "is not exactly {article} (it has more digits, which a declared type rounds; DECIMAL or VARCHAR keeps them)"
        ),
        _ => format!("is not written as {article} is (no exponent)"),
    };
    let not_tidy =
        format!("is not written as {article} is (no leading zeros, `+`, blanks or `-0`)");
    let not_finite = format!("is not taken for {article} (NaN or infinity)");
    format!(
        "CASE WHEN regexp_full_match(replace({c}, ',', '.'), '{TIDY_NUMBER}') THEN {} \
         WHEN regexp_full_match({c}, '{NOT_FINITE}') THEN {} ELSE {} END",
        sql::text(&tidy),
        sql::text(&not_finite),
        sql::text(&not_tidy)
    )
}

fn text_value(c: &str, to: &SqlType, rules: &TextRules, origin: Origin) -> String {
    use SqlType::*;
    let try_cast = || format!("TRY_CAST({c} AS {})", plain(to));
    match to {
        Boolean if origin == Origin::Found => format!(
            "CASE WHEN lower({c}) IN ('true', 'false') THEN {} END",
            try_cast()
        ),
        HugeInt | UHugeInt => {
            let checked = number(c, &Decimal(38, 0), rules, origin, whole);
            format!("CAST({checked} AS {to})")
        }
        _ if to.is_integer() => number(c, to, rules, origin, whole),
        Decimal(..) => number(c, to, rules, origin, decimal),
        Float | Double => number(c, to, rules, origin, floating),
        Date => date(c, rules),
        Timestamp | TimestampS | TimestampMs | TimestampNs | TimestampTz => timestamp(c, to, rules),
        // DuckDB passes over an offset.
        Time => format!(
            r"CASE WHEN regexp_full_match({c}, '\s*\d{{1,2}}:\d{{2}}(:\d{{2}}(\.\d{{1,6}}0*)?)?\s*') THEN {} END",
            try_cast()
        ),
        TimeTz => format!(
            r"CASE WHEN NOT regexp_matches({c}, '\.\d{{6}}0*[1-9]') THEN {} END",
            try_cast()
        ),
        // DuckDB rounds parts of months to days, and parts of microseconds away.
        Interval => format!(
            r"CASE WHEN NOT contains({c}, '.') OR regexp_full_match({c}, '[^.]*\d\.\d{{1,6}}0*\s*(s|secs?|seconds?)?\s*') THEN {} END",
            try_cast()
        ),
        Json => format!("CASE WHEN {} THEN CAST({c} AS JSON) END", json::is_json(c)),
        _ => try_cast(),
    }
}

/// A number by one of the functions below, with the decimal separator that the table has.
fn number(
    c: &str,
    to: &SqlType,
    rules: &TextRules,
    origin: Origin,
    value: impl Fn(&str, &SqlType, Origin) -> String,
) -> String {
    if !rules.decimal_comma {
        return value(c, to, origin);
    }
    let point = format!("replace({c}, ',', '.')");
    format!(
        "CASE WHEN NOT contains({c}, '.') THEN {} END",
        value(&point, to, origin)
    )
}

/// Whole numbers, also as `12.0`: what programs write that know only floating-point columns with gaps.
fn whole(c: &str, to: &SqlType, origin: Origin) -> String {
    let cast = format!("TRY_CAST({c} AS {to})");
    let otherwise = match origin {
        Origin::Found => format!(
            r"CASE WHEN regexp_full_match({c}, '(0|-?[1-9]\d*)\.0+') THEN TRY_CAST(split_part({c}, '.', 1) AS {to}) END"
        ),
        Origin::Declared => format!("TRY_CAST(comboi_plain({c}, 0) AS {to})"),
    };
    as_written(c, &cast, &otherwise)
}

fn decimal(c: &str, to: &SqlType, origin: Origin) -> String {
    let SqlType::Decimal(_, scale) = to else {
        return "NULL".to_owned();
    };
    let plain = format!("TRY_CAST(comboi_plain({c}, {scale}) AS {to})");
    let otherwise = match origin {
        Origin::Found => format!(
            r"CASE WHEN regexp_full_match({c}, '-?(0|[1-9]\d*)?(\.\d+)?([eE][-+]?\d+)?') THEN {plain} END"
        ),
        Origin::Declared => plain,
    };
    as_written(c, &format!("TRY_CAST({c} AS {to})"), &otherwise)
}

fn floating(c: &str, to: &SqlType, origin: Origin) -> String {
    let float = if matches!(to, SqlType::Float) {
        Float::Single
    } else {
        Float::Double
    };
    let rule = FloatRule::new(float, origin == Origin::Found);
    let cast = format!("TRY_CAST({c} AS {to})");
    let takes = format!("{}({c})", rule.function());
    match origin {
        // `nan` is no number that a type is found by.
        Origin::Found => {
            let finite = format!("CASE WHEN isfinite({cast}) THEN {cast} END");
            as_written(c, &finite, &format!("CASE WHEN {takes} THEN {cast} END"))
        }
        Origin::Declared => {
            let not_finite = format!("regexp_full_match({c}, '{NOT_FINITE}')");
            let otherwise = format!("CASE WHEN {takes} OR {not_finite} THEN {cast} END");
            as_written(c, &cast, &otherwise)
        }
    }
}

const NOT_FINITE: &str = r"(?i)\s*[-+]?(nan|inf|infinity)\s*";

/// The cast's value where its type writes the text just so, which is quickly seen; else what another expression says.
fn as_written(c: &str, cast: &str, otherwise: &str) -> String {
    format!("CASE WHEN CAST({cast} AS VARCHAR) = {c} THEN {cast} ELSE {otherwise} END")
}

fn date(c: &str, rules: &TextRules) -> String {
    if let Some(format) = &rules.date_format {
        let moment = format!("try_strptime({c}, {})", sql::text(format));
        return format!(
            "CASE WHEN date_trunc('day', {moment}) = {moment} THEN CAST({moment} AS DATE) END"
        );
    }
    format!(
        r"CASE WHEN regexp_full_match({c}, '\s*\d{{4,6}}[-/]\d{{1,2}}[-/]\d{{1,2}}\s*') THEN TRY_CAST({c} AS DATE) END"
    )
}

/// A text with an offset is that instant; one without counts as UTC.
fn timestamp(c: &str, to: &SqlType, rules: &TextRules) -> String {
    let cast = |c: &str, to: &str| format!("TRY_CAST({c} AS {to})");
    let instant = cast(c, "TIMESTAMPTZ");
    let utc = |instant: &str| format!("make_timestamp(epoch_us({instant}))");
    let micros = match &rules.timestamp_format {
        // A format that reads offsets or zones (`%z`, `%Z`) makes an instant out of them.
        Some(format) if format.contains("%z") || format.contains("%Z") => {
            utc(&format!("try_strptime({c}, {})", sql::text(format)))
        }
        Some(format) => whole_micros(&format!("try_strptime({c}, {})", sql::text(format))),
        None => format!(
            // The shortest text with seven digits of a fraction has 22 characters: `2026-3-1 1:2:3.1234567`.
            r"CASE WHEN NOT regexp_full_match({c}, '\s*\d{{4,6}}[-/]\d.*') OR (length({c}) >= 22 AND regexp_matches({c}, '\.\d{{6}}0*[1-9]')) THEN NULL WHEN contains(substr({c}, 11), '+') OR contains(substr({c}, 11), '-') OR contains(substr({c}, 11), '/') THEN {} ELSE {} END",
            utc(&instant),
            cast(c, "TIMESTAMP"),
        ),
    };
    match to {
        SqlType::TimestampTz => format!("make_timestamptz(epoch_us({micros}))"),
        SqlType::Timestamp => micros,
        // Seconds and milliseconds are checked by going there and back.
        SqlType::TimestampS | SqlType::TimestampMs => {
            format!(
                "CASE WHEN CAST(TRY_CAST({micros} AS {to}) AS TIMESTAMP) = {micros} THEN TRY_CAST({micros} AS {to}) END"
            )
        }
        _ => cast(&micros, &to.to_string()),
    }
}

/// A format with `%n` gives nanoseconds.
fn whole_micros(moment: &str) -> String {
    let micros = format!("CAST({moment} AS TIMESTAMP)");
    format!("CASE WHEN {micros} = {moment} THEN {micros} END")
}

/// What a value of another type becomes, if nothing of it is lost. `others_ignored`: but for fields that the other type does not
/// have.
pub(super) fn typed(
    from: &str,
    of: &SqlType,
    to: &SqlType,
    rules: &TextRules,
    origin: Origin,
    others_ignored: bool,
) -> Fit {
    use SqlType::*;
    let from = from.to_owned();
    let always = |value: String| Fit {
        value,
        from: from.clone(),
        always: true,
        declared: None,
    };
    if matches!(of, Varchar(_)) && !matches!(to, Varchar(_)) {
        return text(&from, to, rules, origin);
    }
    let checked = |condition: &str| Fit {
        value: format!("CASE WHEN {condition} THEN {from} END"),
        from: from.clone(),
        always: false,
        declared: None,
    };
    match (of, to) {
        (of, to) if is_null(of) => always(format!("CAST(NULL AS {})", plain(to))),
        (_, Null) => Fit {
            value: "CAST(NULL AS VARCHAR)".to_owned(),
            from,
            always: false,
            declared: None,
        },
        (of, Varchar(None)) if !matches!(of, Blob) => match sound(&from, of) {
            None => always(format!("CAST({from} AS VARCHAR)")),
            Some(sound) => Fit::checked(
                &from,
                format!("CASE WHEN {sound} THEN CAST({from} AS VARCHAR) END"),
            ),
        },
        (Time, Time) => checked(&sound(&from, of).unwrap_or_default()),
        // Infinite dates have no place in the lake.
        (Date | Timestamp | TimestampTz, to) if of == to => checked(&format!(
            "isfinite({from}) AND {}",
            sound(&from, of).unwrap_or_default()
        )),
        (TimestampNs, TimestampNs) => checked(&format!("epoch_ns({from}) % 1000 = 0")),
        (HugeInt | UHugeInt, to) if of == to => {
            checked(&format!("TRY_CAST({from} AS DECIMAL(38,0)) IS NOT NULL"))
        }
        (of, to) if changed::is_taken_apart(of, to) => {
            let parts = Changed {
                rules,
                origin,
                others_ignored,
            };
            let value = parts.value(&from, of, to, 0);
            match parts.unfit(&from, of, to, 0) {
                None => always(value),
                Some(unfit) => {
                    Fit::checked(&from, format!("CASE WHEN NOT {unfit} THEN {value} END"))
                }
            }
        }
        (of, to) if of == to => always(from.clone()),
        (of, to) => {
            let value = format!("TRY_CAST({from} AS {to})");
            let mut same = format!("TRY_CAST({value} AS {of}) IS NOT DISTINCT FROM {from}");
            if of.is_moment() && to.is_moment() {
                same += &format!(" AND isfinite({from})");
            }
            if let Some(sound) = sound(&from, of) {
                same = format!("{sound} AND {same}");
            }
            // DuckDB writes NaN, which JSON does not have.
            if *to == Json {
                same = format!(
                    "{same} AND {}",
                    json::is_json(&format!("CAST({value} AS VARCHAR)"))
                );
            }
            Fit {
                value: format!("CASE WHEN {same} THEN {value} END"),
                from: from.clone(),
                always: false,
                declared: None,
            }
        }
    }
}

/// Whether a date or a time is one that DuckDB can read: those of Parquet files are taken from them as they are.
fn sound(from: &str, of: &SqlType) -> Option<String> {
    Some(match of {
        SqlType::Date => format!("{from} >= DATE '5877642-06-25 (BC)'"),
        SqlType::Time => format!("{from} BETWEEN TIME '00:00:00' AND TIME '24:00:00'"),
        SqlType::Timestamp | SqlType::TimestampTz => {
            format!("(NOT isfinite({from}) OR epoch_us({from}) >= -9223372022400000000)")
        }
        _ => return None,
    })
}

/// A nested value with other names of fields, which are in the same order.
pub(super) fn renamed(value: &str, of: &SqlType, to: &SqlType, depth: usize) -> String {
    match (of, to) {
        (of, to) if of == to => value.to_owned(),
        (SqlType::List(of) | SqlType::Array(of, _), SqlType::List(to) | SqlType::Array(to, _)) => {
            let item = format!("r{depth}");
            let renamed = renamed(&item, of, to, depth + 1);
            format!("list_transform({value}, lambda {item}: {renamed})")
        }
        (SqlType::Struct(of), SqlType::Struct(to)) => {
            let fields = of.iter().zip(to).zip(1..);
            let fields = fields.map(|(((_, of), (name, to)), place): (_, u32)| {
                let part = format!("struct_extract_at({value}, {place})");
                format!("{} := {}", sql::ident(name), renamed(&part, of, to, depth))
            });
            let fields: Vec<String> = fields.collect();
            format!(
                "CASE WHEN {value} IS NOT NULL THEN struct_pack({}) END",
                fields.join(", ")
            )
        }
        _ => value.to_owned(),
    }
}

/// Whether a type is that of NULL, or of lists without an item.
fn is_null(of: &SqlType) -> bool {
    match of {
        SqlType::Null => true,
        SqlType::List(item) | SqlType::Array(item, _) => is_null(item),
        _ => false,
    }
}
