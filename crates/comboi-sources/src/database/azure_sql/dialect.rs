//! T-SQL: pure.

use comboi_project::{Lookback, SqlType};

use super::catalog::{ABOUT, CATALOG, OPEN_TRANSACTIONS};
use super::lexer::parts;
use super::types::Family;
use crate::database::condition::Spelling;
use crate::database::{
    Cursor, CursorKind, Dialect, Filter, FoundTable, OwnCursor, Relation, SourceColumn,
};

/// The SQL of SQL Server and Azure SQL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sql;

impl Dialect for Sql {
    fn select(&self, relation: &Relation, columns: &[SourceColumn], filter: &Filter) -> String {
        let values: Vec<String> = columns.iter().map(value).collect();
        Rows::of(relation).select(&values.join(", "), &condition(filter))
    }

    fn count(&self, relation: &Relation, filter: &Filter) -> String {
        Rows::of(relation).select("CONVERT(varchar(20), COUNT_BIG(*))", &condition(filter))
    }

    fn greatest(&self, relation: &Relation, cursor: &Cursor, filter: &Filter) -> String {
        let rows = Rows::of(relation);
        let condition = condition(filter);
        let terms: Vec<(String, String)> = cursor
            .columns
            .iter()
            .map(|(name, of)| (term(name, of), Family::of(of).exact_text("{}")))
            .collect();
        if let [(term, text)] = terms.as_slice() {
            return rows.select(&text.replace("{}", &format!("MAX({term})")), &condition);
        }
        let texts: Vec<String> = terms
            .iter()
            .map(|(term, text)| text.replace("{}", term))
            .collect();
        let order: Vec<String> = terms
            .iter()
            .map(|(term, _)| format!("{term} DESC"))
            .collect();
        let there: Vec<String> = terms
            .iter()
            .map(|(term, _)| format!("{term} IS NOT NULL"))
            .collect();
        let and = if condition.is_empty() {
            " WHERE"
        } else {
            " AND"
        };
        rows.select(
            &format!("TOP (1) {}", texts.join(", ")),
            &format!(
                "{condition}{and} {} ORDER BY {}",
                there.join(" AND "),
                order.join(", ")
            ),
        )
    }

    fn open_transactions(&self) -> String {
        OPEN_TRANSACTIONS.to_owned()
    }

    fn capped(
        &self,
        cursor: &Cursor,
        value: &str,
        time: i64,
        floor: Option<&str>,
    ) -> Option<String> {
        let [(_, of)] = cursor.columns.as_slice() else {
            return None;
        };
        if !of.starts_with("datetimeoffset") {
            return None;
        }
        // A column of fewer digits rounds what is put into it, so its values may lie up to half a second before the time.
        let time = time - 1_000_000;
        let (days, seconds) = (
            time.div_euclid(86_400_000_000),
            time.rem_euclid(86_400_000_000),
        );
        let moment = format!(
            "DATEADD(MICROSECOND, {}, DATEADD(SECOND, {}, DATEADD(DAY, {days}, CAST('1970-01-01T00:00:00+00:00' AS datetimeoffset(7)))))",
            seconds % 1_000_000,
            seconds / 1_000_000,
        );
        let value = literal(value, of);
        let least =
            format!("CASE WHEN {value} < {moment} THEN {value} ELSE CAST({moment} AS {of}) END");
        let floored = floor.map(|floor| {
            let floor = literal(floor, of);
            format!("(SELECT MAX(v) FROM (VALUES ({floor}), ({least})) AS x (v))")
        });
        let text = Family::of(of).exact_text(&floored.unwrap_or(least));
        Some(format!("SELECT {text}"))
    }

    fn cursor_kind(&self, of: &str) -> Result<CursorKind, &'static str> {
        use Family::*;
        Ok(match Family::of(of) {
            TinyInt | SmallInt | Int | BigInt => CursorKind::Whole,
            Decimal(..) | Money | SmallMoney | Real | Float => CursorKind::Number,
            Date => CursorKind::Date,
            SmallDateTime | DateTime | DateTime2(_) => CursorKind::Local,
            DateTimeOffset(_) => CursorKind::Moment,
            CodePage | Unicode => CursorKind::Text,
            Binary | Rowversion => CursorKind::Other,
            Bit => return Err("it has only two values"),
            Time(_) => return Err("times of day begin again every day"),
            Uuid => {
                return Err(
                    "SQL Server puts identifiers in an order of its own, in which new rows are anywhere; use a `rowversion` column",
                );
            }
            Xml | Json | Variant | HierarchyId | Spatial | Vector | Other => {
                return Err("such values do not grow from row to row");
            }
        })
    }

    fn lowered(&self, cursor: &Cursor, low: &str, lookback: &Lookback) -> String {
        let of = cursor
            .columns
            .first()
            .map_or("nvarchar(max)", |(_, of)| of.as_str());
        let value = literal(low, of);
        let lowered = match lookback {
            // Below zero there is nothing in a `tinyint`.
            Lookback::Number(number) if Family::of(of) == Family::TinyInt => {
                format!(
                    "CAST(CASE WHEN {value} < {number} THEN 0 ELSE {value} - {number} END AS {of})"
                )
            }
            Lookback::Number(number) => format!("CAST({value} - {number} AS {of})"),
            // A part of T-SQL's arithmetic takes no more than an `int`.
            Lookback::Time(span) => {
                let seconds = span.as_secs();
                let (unit, count) = match Family::of(of) {
                    Family::Date => ("DAY", seconds.div_ceil(86_400)),
                    Family::SmallDateTime => ("MINUTE", seconds.div_ceil(60)),
                    _ if seconds > i32::MAX.unsigned_abs().into() => {
                        ("DAY", seconds.div_ceil(86_400))
                    }
                    _ => ("SECOND", seconds),
                };
                format!("DATEADD({unit}, -{count}, {value})")
            }
        };
        format!("SELECT {}", Family::of(of).exact_text(&lowered))
    }

    fn bound(&self, mode: OwnCursor) -> Option<String> {
        // A replica does not know of the transactions of its primary.
        (mode == OwnCursor::Rowversion).then(|| {
            "IF CONVERT(nvarchar(20), DATABASEPROPERTYEX(DB_NAME(), 'Updateability')) = N'READ_ONLY' \
             THROW 50000, N'this is a read-only replica, which does not know where row versions are complete; read the primary (without ApplicationIntent=ReadOnly)', 1; \
             SELECT CONVERT(varchar(18), MIN_ACTIVE_ROWVERSION(), 1), CASE WHEN MIN_ACTIVE_ROWVERSION() <= @@DBTS THEN 't' ELSE 'f' END"
                .to_owned()
        })
    }

    fn about(&self) -> String {
        ABOUT.to_owned()
    }

    fn catalog(&self) -> String {
        CATALOG.to_owned()
    }

    fn digits(&self, _: &FoundTable, _: &[&str]) -> Option<String> {
        None
    }

    fn cuts(&self, column: &SourceColumn) -> bool {
        let family = Family::of(&column.source_type);
        family.is_finer_than_microseconds() && !matches!(column.sql_type, SqlType::Varchar(_))
    }

    fn told(&self, filter: &Filter) -> String {
        let Filter::Window {
            cursor,
            from,
            below,
            ..
        } = filter
        else {
            return "everything".to_owned();
        };
        let names: Vec<&str> = cursor
            .columns
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let bound = |sign: &str, values: &Vec<String>| {
            let names = names.get(..values.len()).unwrap_or(&names);
            format!("{} {sign} {}", names.join(", "), values.join(", "))
        };
        let bounds: Vec<String> = from
            .iter()
            .map(|it| bound(">=", it))
            .chain(below.iter().map(|it| bound("<", it)))
            .collect();
        if bounds.is_empty() {
            "everything".to_owned()
        } else {
            bounds.join(" and ")
        }
    }
}

/// A relation in the three places of a statement that it may need.
pub(super) struct Rows {
    with: String,
    from: String,
    option: String,
}

impl Rows {
    /// A query has lines of its own, so that a comment at its end ends there.
    pub(super) fn of(relation: &Relation) -> Self {
        let text = match relation {
            Relation::Table(name) => {
                return Self {
                    with: String::new(),
                    from: table(name),
                    option: String::new(),
                };
            }
            Relation::Query(text) => text,
        };
        // What can't be understood is refused before it gets here; as it stands it is for the server to refuse.
        let Ok(parts) = parts(text) else {
            return Self {
                with: String::new(),
                from: format!("(\n{text}\n)"),
                option: String::new(),
            };
        };
        let order = if parts.is_ordered {
            "\nOFFSET 0 ROWS"
        } else {
            ""
        };
        let option = parts.option.map(|it| format!("\n{it}")).unwrap_or_default();
        let body = parts.body;
        match parts.with {
            None => Self {
                with: String::new(),
                from: format!("(\n{body}{order}\n)"),
                option,
            },
            Some(with) => Self {
                with: format!("{with}\n, [comboi_query] AS (\n{body}{order}\n)\n"),
                from: "[comboi_query]".to_owned(),
                option,
            },
        }
    }

    /// A statement over it, in which it is called `q`.
    pub(super) fn select(&self, values: &str, condition: &str) -> String {
        format!(
            "{}SELECT {values} FROM {} AS q{condition}{}",
            self.with, self.from, self.option
        )
    }
}

pub(super) fn table(name: &str) -> String {
    let parts: Vec<String> = name_parts(name).iter().map(|part| ident(part)).collect();
    parts.join(".")
}

/// The least and the greatest value of a column of a table.
pub(super) fn ends(name: &str, of: &str) -> String {
    let column = column(of);
    format!(
        "SELECT CONVERT(varchar(20), MIN({column})), CONVERT(varchar(20), MAX({column})) FROM {} AS q",
        table(name)
    )
}

/// `sales.orders`, `[odd.name].orders`, `"odd.name".orders`.
fn name_parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut end: Option<char> = None;
    let mut chars = name.trim().chars().peekable();
    while let Some(c) = chars.next() {
        let part = parts.last_mut().expect("there is one from the start");
        match (c, end) {
            (c, Some(quote)) if c == quote && chars.peek() == Some(&quote) => {
                chars.next();
                part.push(quote);
            }
            (c, Some(quote)) if c == quote => end = None,
            (c, Some(_)) => part.push(c),
            ('[', None) => end = Some(']'),
            ('"', None) => end = Some('"'),
            ('.', None) => parts.push(String::new()),
            (c, None) => part.push(c),
        }
    }
    parts
}

pub(super) fn ident(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

pub(super) fn text(value: &str) -> String {
    format!("N'{}'", value.replace('\'', "''"))
}

fn column(name: &str) -> String {
    format!("q.{}", ident(name))
}

fn value(of: &SourceColumn) -> String {
    let name = column(&of.name);
    match &of.sent_as {
        Some(expression) => expression.replace("{}", &name),
        None => name,
    }
}

/// A column as it is compared.
fn term(name: &str, of: &str) -> String {
    match Family::of(of) {
        // The order of a collation may differ between its code page and Unicode, in which our texts are.
        Family::CodePage => format!("CONVERT(nvarchar(max), {})", column(name)),
        _ => column(name),
    }
}

/// A value of a type, such that the server makes of it what it was.
fn literal(value: &str, of: &str) -> String {
    match Family::of(of) {
        Family::CodePage | Family::Unicode => text(value),
        Family::Rowversion => format!("CONVERT(binary(8), {}, 1)", text(value)),
        Family::Binary => format!("CONVERT({of}, {}, 1)", text(value)),
        _ => format!("CAST({} AS {of})", text(value)),
    }
}

fn condition(filter: &Filter) -> String {
    let spelling = Spelling {
        column,
        compared,
        lowest: |_| None,
    };
    // The others are PostgreSQL's. Nothing here makes one, and a server refuses it.
    let condition = spelling.condition(filter);
    condition.unwrap_or_else(|| " WHERE [no such filter in T-SQL] = 1".to_owned())
}

/// `(a, b) >= (1, 2)`, which T-SQL has to have spelt out: as many columns as there are values. The first column is compared by
/// itself too, for the sake of an index.
fn compared(columns: &[(String, String)], sign: &str, values: &[String]) -> String {
    let pairs: Vec<(String, String)> = columns
        .iter()
        .zip(values)
        .map(|((name, of), value)| (term(name, of), literal(value, of)))
        .collect();
    let [first, rest @ ..] = pairs.as_slice() else {
        return "1 = 1".to_owned();
    };
    if rest.is_empty() {
        return format!("{} {sign} {}", first.0, first.1);
    }
    let strict = sign.trim_end_matches('=');
    let mut spelt = String::new();
    for (place, (name, value)) in pairs.iter().enumerate().rev() {
        let sign = if place + 1 == pairs.len() {
            sign
        } else {
            strict
        };
        spelt = if spelt.is_empty() {
            format!("{name} {sign} {value}")
        } else {
            format!("({name} {sign} {value} OR ({name} = {value} AND {spelt}))")
        };
    }
    format!("{} {strict}= {} AND {spelt}", first.0, first.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Part;

    fn cursor(columns: &[(&str, &str)]) -> Cursor {
        Cursor {
            columns: columns
                .iter()
                .map(|(name, of)| ((*name).to_owned(), (*of).to_owned()))
                .collect(),
        }
    }

    fn column() -> SourceColumn {
        SourceColumn {
            name: "it's [odd]".into(),
            source_type: "xml".into(),
            sql_type: SqlType::Varchar(None),
            sent_as: Some("CONVERT(nvarchar(max), {})".into()),
            is_composite: false,
        }
    }

    const SELECT: &str =
        "SELECT CONVERT(nvarchar(max), q.[it's [odd]]]) FROM [sales].[Orders] AS q";

    fn check(filter: &Filter, expected: &str) {
        let table = Relation::Table("sales.Orders".into());
        assert_eq!(
            Sql.select(&table, &[column()], filter),
            format!("{SELECT}{expected}")
        );
    }

    fn window(columns: &[(&str, &str)], from: &[&str], below: &[&str], nulls: bool) -> Filter {
        let values =
            |it: &[&str]| (!it.is_empty()).then(|| it.iter().map(|it| (*it).to_owned()).collect());
        Filter::Window {
            cursor: cursor(columns),
            from: values(from),
            below: values(below),
            nulls,
            lowest: false,
        }
    }

    #[test]
    fn windows_compare_column_by_column() {
        let at = [("at", "datetime2(7)")];
        check(&window(&at, &[], &[], true), "");
        check(&window(&at, &[], &[], false), " WHERE q.[at] IS NOT NULL");
        check(
            &window(&at, &["2026-01-01T00:00:00.1234567"], &[], true),
            " WHERE (q.[at] >= CAST(N'2026-01-01T00:00:00.1234567' AS datetime2(7)) OR q.[at] IS NULL)",
        );
        let two = [("at", "date"), ("id", "int")];
        check(
            &window(&two, &["2026-01-01", "7"], &[], false),
            " WHERE q.[at] >= CAST(N'2026-01-01' AS date) AND (q.[at] > CAST(N'2026-01-01' AS date) OR (q.[at] = CAST(N'2026-01-01' AS date) AND q.[id] >= CAST(N'7' AS int)))",
        );
        check(
            &window(&two, &["2026-01-01"], &[], false),
            " WHERE q.[at] >= CAST(N'2026-01-01' AS date)",
        );
        check(
            &window(
                &[("rv", "rowversion")],
                &["0x00000000000007D1"],
                &["0x00000000000007E0"],
                false,
            ),
            " WHERE q.[rv] >= CONVERT(binary(8), N'0x00000000000007D1', 1) AND q.[rv] < CONVERT(binary(8), N'0x00000000000007E0', 1)",
        );
        check(
            &window(&[("code", "varchar(10)")], &["it's"], &[], false),
            " WHERE CONVERT(nvarchar(max), q.[code]) >= N'it''s'",
        );
    }

    #[test]
    fn parts_leave_nothing_out() {
        let keys = |after: Option<&str>, to: Option<&str>| {
            let value = |it: &str| vec![it.to_owned()];
            Filter::Part(Part::Keys {
                columns: vec![("id".into(), "bigint".into())],
                after: after.map(value),
                to: to.map(value),
            })
        };
        check(
            &keys(None, Some("5")),
            " WHERE (q.[id] <= CAST(N'5' AS bigint) OR q.[id] IS NULL)",
        );
        check(
            &keys(Some("5"), Some("9")),
            " WHERE q.[id] > CAST(N'5' AS bigint) AND q.[id] <= CAST(N'9' AS bigint)",
        );
        check(
            &keys(Some("9"), None),
            " WHERE q.[id] > CAST(N'9' AS bigint)",
        );
    }

    #[test]
    fn a_query_is_wrapped_and_not_edited() {
        let check = |query: &str, expected: &str| {
            let relation = Relation::Query(query.into());
            assert_eq!(Sql.count(&relation, &Filter::All), expected);
        };
        const COUNT: &str = "SELECT CONVERT(varchar(20), COUNT_BIG(*)) FROM";
        check(
            "SELECT 1 AS a -- one;\n;",
            &format!("{COUNT} (\nSELECT 1 AS a\n) AS q"),
        );
        check(
            "SELECT a FROM t ORDER BY a",
            &format!("{COUNT} (\nSELECT a FROM t ORDER BY a\nOFFSET 0 ROWS\n) AS q"),
        );
        check(
            "WITH x AS (SELECT 1 AS a) SELECT a FROM x OPTION (MAXDOP 1)",
            &format!(
                "WITH x AS (SELECT 1 AS a) \n, [comboi_query] AS (\nSELECT a FROM x \n)\n{COUNT} [comboi_query] AS q\nOPTION (MAXDOP 1)"
            ),
        );
    }

    #[test]
    fn the_greatest_value_is_an_exact_text() {
        let check = |columns: &[(&str, &str)], expected: &str| {
            let table = Relation::Table("t".into());
            assert_eq!(
                Sql.greatest(&table, &cursor(columns), &Filter::All),
                expected
            );
        };
        check(
            &[("at", "datetime2(7)")],
            "SELECT CONVERT(varchar(33), MAX(q.[at]), 126) FROM [t] AS q",
        );
        check(
            &[("n", "decimal(38,10)")],
            "SELECT CONVERT(varchar(60), MAX(q.[n])) FROM [t] AS q",
        );
        check(
            &[("rv", "rowversion")],
            "SELECT CONVERT(varchar(18), CONVERT(binary(8), MAX(q.[rv])), 1) FROM [t] AS q",
        );
        check(
            &[("c", "varchar(5)")],
            "SELECT CONVERT(nvarchar(max), MAX(CONVERT(nvarchar(max), q.[c]))) FROM [t] AS q",
        );
        check(
            &[("at", "date"), ("id", "int")],
            "SELECT TOP (1) CONVERT(varchar(10), q.[at], 23), CONVERT(varchar(60), q.[id]) FROM [t] AS q WHERE q.[at] IS NOT NULL AND q.[id] IS NOT NULL ORDER BY q.[at] DESC, q.[id] DESC",
        );
    }

    #[test]
    fn a_lookback_goes_back_in_the_column_s_own_type() {
        let check = |of: &str, low: &str, lookback: &str, expected: &str| {
            let sql = Sql.lowered(&cursor(&[("c", of)]), low, &lookback.parse().unwrap());
            assert_eq!(sql, expected);
        };
        check(
            "datetime2(3)",
            "2026-01-01T00:00:00",
            "90s",
            "SELECT CONVERT(varchar(33), DATEADD(SECOND, -90, CAST(N'2026-01-01T00:00:00' AS datetime2(3))), 126)",
        );
        check(
            "date",
            "2026-01-03",
            "25h",
            "SELECT CONVERT(varchar(10), DATEADD(DAY, -2, CAST(N'2026-01-03' AS date)), 23)",
        );
        check(
            "int",
            "500",
            "100",
            "SELECT CONVERT(varchar(60), CAST(CAST(N'500' AS int) - 100 AS int))",
        );
    }

    #[test]
    fn only_moments_with_a_zone_are_bounded_by_a_time() {
        assert_eq!(
            Sql.capped(
                &cursor(&[("c", "datetime2(7)")]),
                "2026-01-01T00:00:00",
                5,
                None
            ),
            None
        );
        assert_eq!(
            Sql.capped(
                &cursor(&[("c", "datetimeoffset(3)")]),
                "2026-01-01T00:00:00+00:00",
                86_401_500_000,
                None
            )
            .unwrap(),
            "SELECT CONVERT(varchar(34), CASE WHEN CAST(N'2026-01-01T00:00:00+00:00' AS datetimeoffset(3)) < DATEADD(MICROSECOND, 500000, DATEADD(SECOND, 0, DATEADD(DAY, 1, CAST('1970-01-01T00:00:00+00:00' AS datetimeoffset(7))))) THEN CAST(N'2026-01-01T00:00:00+00:00' AS datetimeoffset(3)) ELSE CAST(DATEADD(MICROSECOND, 500000, DATEADD(SECOND, 0, DATEADD(DAY, 1, CAST('1970-01-01T00:00:00+00:00' AS datetimeoffset(7))))) AS datetimeoffset(3)) END, 126)",
        );
    }

    #[test]
    fn names_are_taken_as_they_are_written() {
        assert_eq!(name_parts("a.b"), ["a", "b"]);
        assert_eq!(
            name_parts("[a.b].\"c\"\"d\".[e]]f]"),
            ["a.b", "c\"d", "e]f"]
        );
        assert_eq!(name_parts("Order Items"), ["Order Items"]);
    }
}
