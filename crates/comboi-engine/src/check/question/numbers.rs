//! What is computed of a whole column.

use comboi_project::{AggregateFunction, Column, Number, Rule, RuleKind, SqlType};

use super::super::{Data, predicate};
use super::{Question, one};
use crate::check::scan::{Asked, Scan};
use crate::check::threshold::Threshold;
use crate::sql;

/// A number, and what it should be.
pub(in crate::check) struct Numeric {
    pub(in crate::check) value: Asked,
    /// The value for people, where it is no number.
    pub(in crate::check) shown: Option<Asked>,
    /// What it is: ``the avg of `amount` ``.
    pub(in crate::check) label: String,
    pub(in crate::check) thresholds: Vec<Threshold>,
    /// Whether the value itself may be told: it may be one that tells about a person.
    pub(in crate::check) personal: bool,
}

pub(super) fn question(
    rule: &Rule,
    filter: Option<&str>,
    data: &Data<'_>,
    scan: &mut Scan,
) -> Result<Question, String> {
    let RuleKind::Aggregate {
        function,
        column,
        quantile,
    } = &rule.kind
    else {
        return Err(format!("`{}` is no aggregate", rule.kind.as_str()));
    };
    let column = one(data.input.columns, column)?;
    let aggregate = aggregate(*function, column, *quantile, filter)?;
    let of_moments = column.sql_type.is_moment()
        && matches!(function, AggregateFunction::Min | AggregateFunction::Max);
    let (value, shown, thresholds) = if of_moments {
        let thresholds = Threshold::read(&rule.comparisons, |text| micros(data, column, text))?;
        let shown = scan.ask(aggregate.clone());
        (
            scan.ask(format!("epoch_us({aggregate})")),
            Some(shown),
            thresholds,
        )
    } else {
        (
            scan.ask(aggregate),
            None,
            Threshold::all(&rule.comparisons)?,
        )
    };
    Ok(Question::Number(Numeric {
        value,
        shown,
        label: label(*function, column, *quantile),
        thresholds,
        personal: tells_values(*function) && data.contract.is_personal(&column.name),
    }))
}

/// Whether what is computed is a value of a row, or of one row if there is just one.
fn tells_values(function: AggregateFunction) -> bool {
    use AggregateFunction::{AvgLength, Count, DistinctCount, MaxLength, MinLength};
    !matches!(
        function,
        Count | DistinctCount | MinLength | MaxLength | AvgLength
    )
}

pub(super) fn label(function: AggregateFunction, column: &Column, quantile: Option<f64>) -> String {
    let what = match (function, quantile) {
        (AggregateFunction::Quantile, Some(quantile)) => format!("quantile {quantile}"),
        _ => function.as_str().replace('_', " "),
    };
    format!("the {what} of `{}`", column.name)
}

/// The aggregate in SQL.
pub(super) fn aggregate(
    function: AggregateFunction,
    column: &Column,
    quantile: Option<f64>,
    filter: Option<&str>,
) -> Result<String, String> {
    use AggregateFunction::{
        Avg, AvgLength, Count, DistinctCount, Max, MaxLength, Median, Min, MinLength, Quantile,
        StdDev, Sum, Variance,
    };
    let name = sql::ident(&column.name);
    let of = &column.sql_type;
    let fits = match function {
        Count | DistinctCount => true,
        Sum | Avg | StdDev | Variance | Median | Quantile => of.is_number(),
        Min | Max => of.is_number() || of.is_moment(),
        MinLength | MaxLength | AvgLength => of.is_text(),
    };
    if !fits {
        return Err(format!(
            "`{}` is {of}, which has no `{function}`",
            column.name
        ));
    }
    let call = match function {
        Count => format!("count({name})"),
        DistinctCount => format!("count(DISTINCT {name})"),
        Sum => format!("sum({name})"),
        Avg => format!("avg({name})"),
        Min => format!("min({name})"),
        Max => format!("max({name})"),
        StdDev => format!("stddev_samp({name})"),
        Variance => format!("var_samp({name})"),
        Median => format!("quantile_cont({name}, 0.5)"),
        Quantile => format!("quantile_cont({name}, {})", quantile.unwrap_or(0.5)),
        MinLength => format!("min(length({name}))"),
        MaxLength => format!("max(length({name}))"),
        AvgLength => format!("avg(length({name}))"),
    };
    Ok(match filter {
        None => call,
        Some(filter) => format!("{call} FILTER (WHERE {filter})"),
    })
}

/// A date or timestamp of the contract in microseconds since 1970.
fn micros(data: &Data<'_>, column: &Column, text: &str) -> Result<Number, String> {
    let wrong = || format!("`{text}` is not a {}", column.sql_type);
    let literal = predicate::moment(&SqlType::TimestampTz, text).ok_or_else(wrong)?;
    let rows = data
        .instance
        .rows(&format!("SELECT epoch_us({literal})::VARCHAR"))
        .map_err(|_| wrong())?;
    let micros = rows.into_iter().flatten().next().flatten();
    micros.as_deref().and_then(Number::parse).ok_or_else(wrong)
}
