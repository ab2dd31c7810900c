//! What becomes of PostgreSQL's types: pure.

use comboi_project::SqlType;

use super::decode::Form;
use crate::database::columns::is_converted;

/// Digits behind the point of a coordinate: so many of the least number that `PostGIS` writes without an exponent (10^-8) tell it from any other.
const GEOMETRY_DIGITS: u8 = 40;

/// A type as the catalog describes it, with what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PgType {
    /// As PostgreSQL writes it: `numeric(15,2)`, `integer[]`; a domain is what it is based on.
    pub(super) name: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A type of PostgreSQL's own, by its name without precision and the like.
    Base(String),
    Array(Box<PgType>),
    Enum,
    Composite,
    /// A geometry of `PostGIS`, with the schema that `PostGIS` is in.
    Geometry(String),
    /// Anything else: ranges, types of extensions.
    Other,
}

impl PgType {
    /// Whether values are composites, or arrays of them.
    pub(super) fn is_composite(&self) -> bool {
        match &self.kind {
            Kind::Array(item) => item.is_composite(),
            kind => *kind == Kind::Composite,
        }
    }
}

/// How a column is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) sql_type: SqlType,
    pub(super) sent_as: Option<String>,
}

impl Reading {
    fn own(sql_type: SqlType) -> Self {
        Self {
            sql_type,
            sent_as: None,
        }
    }

    fn sent(sql_type: SqlType, expression: impl Into<String>) -> Self {
        Self {
            sql_type,
            sent_as: Some(expression.into()),
        }
    }

    fn text() -> Self {
        Self::sent(SqlType::Varchar(None), "({})::text")
    }
}

/// How a column of a type is read; `said` is the type that is wanted instead. What has no type that can become that one is read as
/// text. DuckDB turns either into the type that was said, or refuses.
pub(super) fn reading(of: &PgType, said: Option<&SqlType>) -> Reading {
    let natural = natural(of);
    let Some(said) = said else { return natural };
    let is_own = natural.sent_as.is_none();
    match (&of.kind, said) {
        _ if is_own && natural.sql_type == *said => natural,
        (_, SqlType::Varchar(_)) => Reading::text(),
        (Kind::Base(base), SqlType::Decimal(..)) if base == "numeric" => Reading::own(said.clone()),
        (Kind::Array(item), SqlType::List(_) | SqlType::Array(..)) => list(item, said),
        _ if is_own && is_converted(&natural.sql_type, said) => natural,
        _ => Reading::text(),
    }
}

/// An array that is wanted as lists in lists: PostgreSQL does not say how many dimensions it has, each value does.
fn list(item: &PgType, said: &SqlType) -> Reading {
    let (mut leaf, mut depth) = (said, 0);
    while let SqlType::List(of) | SqlType::Array(of, _) = leaf {
        (leaf, depth) = (of, depth + 1);
    }
    let nested = |leaf: SqlType| (0..depth).fold(leaf, |of, _| SqlType::List(Box::new(of)));
    match reading(item, Some(leaf)) {
        Reading {
            sql_type,
            sent_as: None,
        } => Reading::own(nested(sql_type)),
        Reading { .. } => Reading::sent(nested(SqlType::Varchar(None)), "({})::text[]"),
    }
}

fn natural(of: &PgType) -> Reading {
    use SqlType::*;
    let base = match &of.kind {
        Kind::Base(base) => base.as_str(),
        Kind::Array(item) => {
            return match natural(item) {
                Reading {
                    sql_type,
                    sent_as: None,
                } => Reading::own(List(Box::new(sql_type))),
                // PostgreSQL's own text for each element.
                Reading { .. } => Reading::sent(List(Box::new(Varchar(None))), "({})::text[]"),
            };
        }
        Kind::Enum | Kind::Composite | Kind::Other => return Reading::text(),
        Kind::Geometry(schema) => {
            let schema = schema.replace('"', "\"\"");
            return Reading::sent(
                Varchar(None),
                format!("\"{schema}\".ST_AsEWKT({{}}, {GEOMETRY_DIGITS})"),
            );
        }
    };
    Reading::own(match base {
        "boolean" => Boolean,
        "smallint" => SmallInt,
        "integer" => Integer,
        "bigint" => BigInt,
        "oid" => UInteger,
        "real" => Float,
        "double precision" => Double,
        "numeric" => decimal(&of.name).unwrap_or(Varchar(None)),
        "text" | "character varying" | "character" | "name" => Varchar(None),
        "json" | "jsonb" => Json,
        "bytea" => Blob,
        "date" => Date,
        "timestamp without time zone" => Timestamp,
        "timestamp with time zone" => TimestampTz,
        "time without time zone" => Time,
        "time with time zone" => TimeTz,
        "interval" => Interval,
        "uuid" => Uuid,
        "money" => return Reading::sent(Varchar(None), "({})::numeric::text"),
        _ => return Reading::text(),
    })
}

/// `numeric(15,2)`: what DuckDB has too. A negative scale, more than 38 digits, or no precision at all: it has not.
fn decimal(name: &str) -> Option<SqlType> {
    let inside = name.strip_prefix("numeric(")?.strip_suffix(')')?;
    let (precision, scale) = inside.split_once(',').unwrap_or((inside, "0"));
    let (precision, scale): (u8, u8) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    (1..=38).contains(&precision).then_some(())?;
    (scale <= precision).then_some(SqlType::Decimal(precision, scale))
}

/// How values come over the wire, of a column that is read so.
pub(super) fn form(source_type: &str, sql_type: &SqlType, sent_as: Option<&str>) -> Form {
    if sent_as.is_some() {
        return match sql_type {
            SqlType::List(item) => Form::List(Box::new(form("text", item, Some("")))),
            _ => Form::Text,
        };
    }
    if let (Some(item), SqlType::List(of)) = (source_type.strip_suffix("[]"), sql_type) {
        let item = if matches!(**of, SqlType::List(_)) {
            source_type
        } else {
            item
        };
        return Form::List(Box::new(form(item, of, None)));
    }
    // `timestamp(3) with time zone` has its precision in the middle.
    let (head, tail) = source_type.split_once('(').unwrap_or((source_type, ""));
    let plain = format!(
        "{head}{}",
        tail.split_once(')').map_or("", |(_, tail)| tail)
    );
    match (plain.as_str(), sql_type) {
        ("boolean", _) => Form::Bool,
        ("smallint", _) => Form::Int2,
        ("integer", _) => Form::Int4,
        ("bigint", _) => Form::Int8,
        ("oid", _) => Form::Oid,
        ("real", _) => Form::Float4,
        ("double precision", _) => Form::Float8,
        ("numeric", SqlType::Decimal(precision, scale)) => Form::Decimal(*precision, *scale),
        ("numeric", _) => Form::NumericText,
        ("jsonb", _) => Form::Jsonb,
        ("bytea", _) => Form::Bytes,
        ("date", _) => Form::Date,
        ("timestamp without time zone" | "timestamp with time zone", _) => Form::Timestamp,
        ("time without time zone", _) => Form::Time,
        ("time with time zone", _) => Form::TimeTz,
        ("interval", _) => Form::Interval,
        ("uuid", _) => Form::Uuid,
        _ => Form::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(name: &str) -> PgType {
        let kind = name.split('(').next().unwrap_or(name);
        PgType {
            name: name.to_owned(),
            kind: Kind::Base(kind.to_owned()),
        }
    }

    fn check(of: &PgType, said: Option<&str>, expected: &str) {
        let said = said.map(|text| text.parse().unwrap());
        let Reading { sql_type, sent_as } = reading(of, said.as_ref());
        let form = form(&of.name, &sql_type, sent_as.as_deref());
        let told = format!(
            "{sql_type} by {form:?}{}",
            sent_as.map(|it| format!(" of {it}")).unwrap_or_default()
        );
        assert_eq!(told, expected, "{} said {said:?}", of.name);
    }

    #[test]
    fn numbers_keep_every_digit() {
        check(
            &base("numeric(15,2)"),
            None,
            "DECIMAL(15,2) by Decimal(15, 2)",
        );
        check(&base("numeric(7,0)"), None, "DECIMAL(7,0) by Decimal(7, 0)");
        for unbounded in ["numeric", "numeric(39,2)", "numeric(5,-2)", "numeric(2,5)"] {
            check(&base(unbounded), None, "VARCHAR by NumericText");
            check(
                &base(unbounded),
                Some("DECIMAL(38,10)"),
                "DECIMAL(38,10) by Decimal(38, 10)",
            );
        }
        check(
            &base("numeric"),
            Some("DOUBLE"),
            "VARCHAR by Text of ({})::text",
        );
        check(&base("integer"), Some("BIGINT"), "INTEGER by Int4");
        check(&base("double precision"), Some("FLOAT"), "DOUBLE by Float8");
        check(&base("real"), Some("DOUBLE"), "FLOAT by Float4");
        check(
            &base("date"),
            Some("VARCHAR"),
            "VARCHAR by Text of ({})::text",
        );
    }

    #[test]
    fn arrays_of_what_can_be_read() {
        let array = |item: PgType| PgType {
            name: format!("{}[]", item.name),
            kind: Kind::Array(Box::new(item)),
        };
        check(&array(base("integer")), None, "INTEGER[] by List(Int4)");
        check(
            &array(base("numeric(5,1)")),
            None,
            "DECIMAL(5,1)[] by List(Decimal(5, 1))",
        );
        check(
            &array(base("integer")),
            Some("INTEGER[][]"),
            "INTEGER[][] by List(List(Int4))",
        );
        check(
            &array(base("numeric")),
            Some("DECIMAL(9,2)[][]"),
            "DECIMAL(9,2)[][] by List(List(Decimal(9, 2)))",
        );
        check(
            &array(base("integer")),
            Some("VARCHAR[][]"),
            "VARCHAR[][] by List(List(Text)) of ({})::text[]",
        );
        check(
            &array(base("integer")),
            Some("BIGINT[][]"),
            "INTEGER[][] by List(List(Int4))",
        );
        check(
            &array(base("double precision")),
            Some("FLOAT[2]"),
            "DOUBLE[] by List(Float8)",
        );
        check(
            &array(base("numeric")),
            Some("DOUBLE[]"),
            "VARCHAR[] by List(Text) of ({})::text[]",
        );
        let range = PgType {
            name: "int4range".into(),
            kind: Kind::Other,
        };
        check(&range, None, "VARCHAR by Text of ({})::text");
        check(
            &array(range),
            None,
            "VARCHAR[] by List(Text) of ({})::text[]",
        );
    }
}
