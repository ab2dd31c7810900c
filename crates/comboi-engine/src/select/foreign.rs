//! Functions of other databases, and what DuckDB has in their place. From the function references of SQL Server, PostgreSQL, Oracle, `MySQL`,
//! Snowflake, `BigQuery` and Spark.

/// What stands for a function that DuckDB does not have.
pub(super) fn replacement(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let known = REPLACEMENTS.iter();
    let mut known = known.filter(|(names, _)| names.split(' ').any(|it| it == name));
    known.next().map(|(_, instead)| *instead)
}

/// Names, divided by blanks, and what to write.
const REPLACEMENTS: [(&str, &str); 27] = [
    ("add_months", "`x + to_months(n)`"),
    ("approx_distinct", "`approx_count_distinct(x)`"),
    ("charindex locate", "`strpos(text, part)`"),
    ("collect_list", "`list(x)`"),
    ("collect_set", "`list(DISTINCT x)`"),
    ("convert safe_cast", "`CAST(x AS type)`, or `TRY_CAST`"),
    ("convert_timezone", "`x AT TIME ZONE 'zone'`"),
    (
        "date_format format_date format_timestamp to_char",
        "`strftime(x, '%Y-%m-%d')`",
    ),
    ("dateadd timestampadd timestamp_add", "`x + INTERVAL 1 DAY`"),
    ("datefromparts", "`make_date(year, month, day)`"),
    ("eomonth", "`last_day(x)`"),
    ("from_unixtime", "`to_timestamp(x)`"),
    (
        "getdate getutcdate sysdate sysdatetime unix_timestamp",
        "`now()`, or `comboi_run_at()` for the time of the run",
    ),
    ("get_json_object", "`json_extract_string(x, '$.key')`"),
    ("iff", "`if(condition, a, b)`"),
    (
        "initcap",
        "`upper(x[1]) || lower(x[2:])`, which changes the first letter of the text only",
    ),
    ("isdate isnumeric", "`TRY_CAST(x AS type) IS NOT NULL`"),
    ("isnull nvl", "`coalesce(a, b)`"),
    ("nvl2", "`if(a IS NOT NULL, b, c)`"),
    (
        "parse_date parse_timestamp str_to_date to_date to_timestamp_ntz",
        "`strptime(text, '%Y-%m-%d')`",
    ),
    ("parse_json", "`CAST(x AS JSON)`"),
    (
        "patindex regexp_instr regexp_like rlike",
        "`regexp_matches(text, pattern)`",
    ),
    ("regexp_substr", "`regexp_extract(text, pattern)`"),
    (
        "div0 safe_divide",
        "`a / nullif(b, 0)`, which is NULL where `b` is 0",
    ),
    ("stuff", "`left(x, n) || new || substr(x, m)`"),
    ("substring_index", "`split_part(text, separator, n)`"),
    (
        "to_number to_numeric to_decimal",
        "`CAST(x AS DECIMAL(18, 2))`",
    ),
];
