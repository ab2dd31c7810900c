//! Values as the lake keeps them.

use comboi_project::SqlType;

use crate::{Error, casts};

/// A value of the type in which the lake keeps `sql_type`, of an expression whose values fit ([`super::fit`]).
pub(super) fn kept(expression: &str, sql_type: &SqlType) -> Result<String, Error> {
    use SqlType::*;
    let lake = lake_type(sql_type)?;
    Ok(match sql_type {
        // That they are finite was checked when they were fitted.
        Timestamp => format!("make_timestamptz(epoch_us({expression}))"),
        TimestampS | TimestampMs | TimestampNs => {
            format!("make_timestamptz(epoch_us(CAST({expression} AS TIMESTAMP)))")
        }
        _ if sql_type.is_nested() => casts::to_lake(expression, sql_type, &lake, 0),
        _ if lake == *sql_type => expression.to_owned(),
        _ => format!("CAST({expression} AS {lake})"),
    })
}

pub(super) fn lake_type(sql_type: &SqlType) -> Result<SqlType, Error> {
    sql_type.lake_type().map_err(|e| Error::Internal {
        doing: "stage rows".into(),
        message: e.to_string(),
    })
}

/// The value that people's SQL sees, of one that the lake keeps.
pub(super) fn back(expression: &str, sql_type: &SqlType) -> Result<String, Error> {
    match sql_type {
        SqlType::Null | SqlType::Varchar(_) => Ok(expression.to_owned()),
        _ => Ok(casts::from_lake(
            expression,
            &lake_type(sql_type)?,
            sql_type,
        )),
    }
}
