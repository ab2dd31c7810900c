//! What a column is, by how many of its values are what.

use comboi_project::SqlType;

use super::{TextRules, fit};

/// How many of a column's values are what.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    all: u64,
    boolean: u64,
    bigint: u64,
    hugeint: u64,
    float: u64,
    date: u64,
    timestamp: u64,
    instant: u64,
    /// Objects and lists of JSON.
    nested: u64,
}

pub(super) const COUNTS: usize = 9;

impl Counts {
    pub(super) fn parse(cells: &[Option<String>]) -> Self {
        let mut numbers = cells.iter().map(|cell| {
            cell.as_deref()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0)
        });
        let mut next = || numbers.next().unwrap_or(0);
        Self {
            all: next(),
            boolean: next(),
            bigint: next(),
            hugeint: next(),
            float: next(),
            date: next(),
            timestamp: next(),
            instant: next(),
            nested: next(),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.all += other.all;
        self.boolean += other.boolean;
        self.bigint += other.bigint;
        self.hugeint += other.hugeint;
        self.float += other.float;
        self.date += other.date;
        self.timestamp += other.timestamp;
        self.instant += other.instant;
        self.nested += other.nested;
    }

    /// How many values there are.
    pub(super) fn all(&self) -> u64 {
        self.all
    }

    pub(super) fn sql_type(&self) -> SqlType {
        let all = |count: u64| count == self.all;
        if self.all == 0 {
            SqlType::Null
        } else if self.nested > 0 {
            SqlType::Json
        } else if all(self.boolean) {
            SqlType::Boolean
        } else if all(self.bigint) {
            SqlType::BigInt
        } else if all(self.hugeint) {
            SqlType::HugeInt
        } else if all(self.float) {
            SqlType::Double
        } else if all(self.date) {
            SqlType::Date
        } else if all(self.date + self.timestamp) {
            SqlType::Timestamp
        } else if all(self.date + self.timestamp + self.instant) {
            SqlType::TimestampTz
        } else {
            SqlType::Varchar(None)
        }
    }
}

/// Aggregates in the order of [`Counts`], over a text; `is` tells which kinds of JSON value it may come from.
pub(super) fn counts(c: &str, rules: &TextRules, json_type: Option<&str>) -> String {
    let number = if rules.decimal_comma {
        format!("replace({c}, ',', '.')")
    } else {
        c.to_owned()
    };
    let no_point = if rules.decimal_comma {
        format!(" AND NOT contains({c}, '.')")
    } else {
        String::new()
    };
    let formatted = |to: SqlType| format!("({}) IS NOT NULL", fit::text(c, &to, rules).value);
    let iso = |pattern: &str, to: &str| {
        format!(
            r"regexp_full_match({c}, '\d{{4}}-\d{{2}}-\d{{2}}{pattern}') AND TRY_CAST({c} AS {to}) IS NOT NULL"
        )
    };
    let time = r"[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?";
    let of = |kinds: &str| {
        json_type
            .map(|json_type| format!("{json_type} {kinds} AND "))
            .unwrap_or_default()
    };
    let (numbers, texts, booleans) = (
        of("NOT IN ('OBJECT', 'ARRAY', 'BOOLEAN', 'VARCHAR')"),
        of("= 'VARCHAR'"),
        of("= 'BOOLEAN'"),
    );
    let date = if rules.date_format.is_some() {
        formatted(SqlType::Date)
    } else {
        iso("", "DATE")
    };
    let timestamp = match &rules.timestamp_format {
        Some(format) if format.contains("%z") || format.contains("%Z") => "false".into(),
        Some(_) => formatted(SqlType::Timestamp),
        None => iso(time, "TIMESTAMP"),
    };
    let instant = match &rules.timestamp_format {
        Some(format) if format.contains("%z") || format.contains("%Z") => {
            formatted(SqlType::TimestampTz)
        }
        Some(_) => "false".into(),
        None => iso(
            &format!(r"{time}(Z|[+-]\d{{2}}(:?\d{{2}})?)"),
            "TIMESTAMPTZ",
        ),
    };
    let tests = [
        format!("{booleans}lower({c}) IN ('true', 'false')"),
        format!(
            r"{numbers}regexp_full_match({c}, '-?(0|[1-9]\d{{0,18}})') AND TRY_CAST({c} AS BIGINT) IS NOT NULL"
        ),
        format!(r"{numbers}regexp_full_match({c}, '-?(0|[1-9]\d{{0,37}})')"),
        // 17 digits are what a DOUBLE can tell apart.
        format!(
            r"{numbers}regexp_full_match({number}, '-?(0|[1-9]\d*)?(\.\d+)?([eE][-+]?\d+)?') AND regexp_matches({number}, '\d') AND length(ltrim(regexp_replace({number}, '[eE].*$|[^0-9]', '', 'g'), '0')) <= 17{no_point}"
        ),
        format!("{texts}{date}"),
        format!("{texts}{timestamp}"),
        format!("{texts}{instant}"),
        json_type.map_or_else(
            || "false".to_owned(),
            |json_type| format!("{json_type} IN ('OBJECT', 'ARRAY')"),
        ),
    ];
    let tests: Vec<String> = tests
        .iter()
        .map(|test| format!("count_if({test})"))
        .collect();
    format!("count({c}), {}", tests.join(", "))
}
