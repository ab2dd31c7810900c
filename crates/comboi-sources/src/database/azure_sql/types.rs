//! What becomes of SQL Server's types: pure.

use comboi_project::SqlType;

use crate::database::columns::is_converted;

/// What a type is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Bit,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    /// `decimal(p,s)`, `numeric(p,s)`
    Decimal(u8, u8),
    Money,
    SmallMoney,
    Real,
    Float,
    Date,
    /// With this many digits of a second, as the two below.
    Time(u8),
    SmallDateTime,
    DateTime,
    DateTime2(u8),
    DateTimeOffset(u8),
    Uuid,
    /// `char`, `varchar`, `text`: in a code page, or UTF-8.
    CodePage,
    /// `nchar`, `nvarchar`, `ntext`
    Unicode,
    Binary,
    Rowversion,
    Xml,
    Json,
    Variant,
    HierarchyId,
    /// `geography`, `geometry`
    Spatial,
    Vector,
    /// A CLR type of somebody's own.
    Other,
}

impl Family {
    /// `decimal(18,2)`, `datetime2(7)`, `nvarchar(max)`.
    pub(super) fn of(source_type: &str) -> Self {
        let (name, arguments) = source_type.split_once('(').unwrap_or((source_type, ""));
        let mut arguments = arguments
            .trim_end_matches(')')
            .split(',')
            .map(|it| it.trim().parse::<u8>().ok());
        let first = arguments.next().flatten();
        // What SQL Server takes when nothing is said.
        let digits = first.unwrap_or(7);
        match name.trim() {
            "bit" => Self::Bit,
            "tinyint" => Self::TinyInt,
            "smallint" => Self::SmallInt,
            "int" => Self::Int,
            "bigint" => Self::BigInt,
            "decimal" | "numeric" => {
                Self::Decimal(first.unwrap_or(18), arguments.next().flatten().unwrap_or(0))
            }
            "money" => Self::Money,
            "smallmoney" => Self::SmallMoney,
            "real" => Self::Real,
            "float" => Self::Float,
            "date" => Self::Date,
            "time" => Self::Time(digits),
            "smalldatetime" => Self::SmallDateTime,
            "datetime" => Self::DateTime,
            "datetime2" => Self::DateTime2(digits),
            "datetimeoffset" => Self::DateTimeOffset(digits),
            "uniqueidentifier" => Self::Uuid,
            "char" | "varchar" | "text" => Self::CodePage,
            "nchar" | "nvarchar" | "ntext" | "sysname" => Self::Unicode,
            "binary" | "varbinary" | "image" => Self::Binary,
            "timestamp" | "rowversion" => Self::Rowversion,
            "xml" => Self::Xml,
            "json" => Self::Json,
            "sql_variant" => Self::Variant,
            "hierarchyid" => Self::HierarchyId,
            "geography" | "geometry" => Self::Spatial,
            "vector" => Self::Vector,
            _ => Self::Other,
        }
    }

    /// Whether it has seven digits of a second.
    pub(super) fn is_finer_than_microseconds(self) -> bool {
        matches!(
            self,
            Self::Time(7) | Self::DateTime2(7) | Self::DateTimeOffset(7)
        )
    }

    /// An expression of this type as a text that reads back as the same value, whatever the language of the session.
    pub(super) fn exact_text(self, of: &str) -> String {
        match self {
            Self::Date => format!("CONVERT(varchar(10), {of}, 23)"),
            Self::SmallDateTime | Self::DateTime | Self::DateTime2(_) => {
                format!("CONVERT(varchar(33), {of}, 126)")
            }
            Self::DateTimeOffset(_) => format!("CONVERT(varchar(34), {of}, 126)"),
            Self::Rowversion => format!("CONVERT(varchar(18), CONVERT(binary(8), {of}), 1)"),
            _ => self.text(of),
        }
    }

    /// An expression of this type as the text that people are used to see for it, with every digit.
    pub(super) fn text(self, of: &str) -> String {
        match self {
            Self::Bit
            | Self::TinyInt
            | Self::SmallInt
            | Self::Int
            | Self::BigInt
            | Self::Decimal(..) => format!("CONVERT(varchar(60), {of})"),
            // Without a style, money has two digits and float six.
            Self::Money | Self::SmallMoney => format!("CONVERT(varchar(60), {of}, 2)"),
            Self::Real | Self::Float => format!("CONVERT(varchar(60), {of}, 3)"),
            Self::Date => format!("CONVERT(varchar(10), {of}, 23)"),
            Self::Time(_)
            | Self::SmallDateTime
            | Self::DateTime
            | Self::DateTime2(_)
            | Self::DateTimeOffset(_) => format!("CONVERT(varchar(34), {of}, 121)"),
            Self::Uuid => format!("CONVERT(varchar(36), {of})"),
            Self::Rowversion => format!("CONVERT(varchar(18), CONVERT(binary(8), {of}), 1)"),
            Self::Binary => format!("CONVERT(varchar(max), CONVERT(varbinary(max), {of}), 1)"),
            Self::Variant => variant(of),
            Self::HierarchyId => format!("CONVERT(nvarchar(4000), {of}.ToString())"),
            Self::Spatial => {
                format!("N'SRID=' + CONVERT(nvarchar(11), {of}.STSrid) + N';' + {of}.ToString()")
            }
            Self::Other => format!("CONVERT(nvarchar(max), {of}.ToString())"),
            Self::CodePage | Self::Unicode | Self::Xml | Self::Json | Self::Vector => {
                format!("CONVERT(nvarchar(max), {of})")
            }
        }
    }
}

/// What is in a `sql_variant` is written as a column of its type would be.
fn variant(of: &str) -> String {
    format!(
        "CASE CONVERT(varchar(30), SQL_VARIANT_PROPERTY({of}, 'BaseType')) \
         WHEN 'money' THEN CONVERT(nvarchar(4000), CONVERT(money, {of}), 2) \
         WHEN 'smallmoney' THEN CONVERT(nvarchar(4000), CONVERT(smallmoney, {of}), 2) \
         WHEN 'float' THEN CONVERT(nvarchar(4000), CONVERT(float, {of}), 3) \
         WHEN 'real' THEN CONVERT(nvarchar(4000), CONVERT(real, {of}), 3) \
         WHEN 'date' THEN CONVERT(nvarchar(4000), CONVERT(date, {of}), 23) \
         WHEN 'time' THEN CONVERT(nvarchar(4000), CONVERT(time, {of}), 121) \
         WHEN 'smalldatetime' THEN CONVERT(nvarchar(4000), CONVERT(smalldatetime, {of}), 121) \
         WHEN 'datetime' THEN CONVERT(nvarchar(4000), CONVERT(datetime, {of}), 121) \
         WHEN 'datetime2' THEN CONVERT(nvarchar(4000), CONVERT(datetime2, {of}), 121) \
         WHEN 'datetimeoffset' THEN CONVERT(nvarchar(4000), CONVERT(datetimeoffset, {of}), 121) \
         WHEN 'binary' THEN CONVERT(nvarchar(max), CONVERT(varbinary(8000), {of}), 1) \
         WHEN 'varbinary' THEN CONVERT(nvarchar(max), CONVERT(varbinary(8000), {of}), 1) \
         ELSE CONVERT(nvarchar(4000), {of}) END"
    )
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

    fn sent(sql_type: SqlType, expression: String) -> Self {
        Self {
            sql_type,
            sent_as: Some(expression),
        }
    }
}

/// How a column of a type is read; `said` is the type that is wanted instead. What has no type that can become that one is read as
/// text. DuckDB turns either into the type that was said, or refuses.
pub(super) fn reading(source_type: &str, said: Option<&SqlType>) -> Reading {
    use Family as F;
    let family = Family::of(source_type);
    let natural = natural(family);
    let Some(said) = said else { return natural };
    if natural.sql_type == *said {
        return natural;
    }
    match (family, said) {
        (F::CodePage | F::Unicode | F::Xml | F::Json, SqlType::Varchar(_)) => {
            Reading::own(SqlType::Varchar(None))
        }
        (F::Rowversion, SqlType::Blob) => Reading::own(said.clone()),
        // Tables that were made so have no other texts from now on.
        (F::DateTime2(7) | F::DateTimeOffset(7) | F::Time(7), SqlType::Varchar(_)) => {
            Reading::own(SqlType::Varchar(None))
        }
        (F::Spatial, SqlType::Blob) => Reading::sent(SqlType::Blob, "{}.STAsBinary()".to_owned()),
        // A seventh digit would be cut off before it is looked at.
        _ if is_converted(&natural.sql_type, said) && !family.is_finer_than_microseconds() => {
            natural
        }
        _ => Reading::sent(SqlType::Varchar(None), family.text("{}")),
    }
}

fn natural(family: Family) -> Reading {
    use Family as F;
    Reading::own(match family {
        F::Bit => SqlType::Boolean,
        F::TinyInt => SqlType::UTinyInt,
        F::SmallInt => SqlType::SmallInt,
        F::Int => SqlType::Integer,
        F::BigInt => SqlType::BigInt,
        F::Decimal(precision, scale) => SqlType::Decimal(precision, scale),
        F::Money => SqlType::Decimal(19, 4),
        F::SmallMoney => SqlType::Decimal(10, 4),
        F::Real => SqlType::Float,
        F::Float => SqlType::Double,
        F::Date => SqlType::Date,
        F::Time(_) => SqlType::Time,
        F::SmallDateTime | F::DateTime | F::DateTime2(_) => SqlType::Timestamp,
        F::DateTimeOffset(_) => SqlType::TimestampTz,
        F::Uuid => SqlType::Uuid,
        F::Binary => SqlType::Blob,
        F::Json => SqlType::Json,
        F::CodePage | F::Unicode | F::Xml | F::Rowversion => SqlType::Varchar(None),
        F::Variant | F::HierarchyId | F::Spatial | F::Vector => {
            return Reading::sent(SqlType::Varchar(None), family.text("{}"));
        }
        F::Other => {
            return Reading::sent(SqlType::Blob, "CONVERT(varbinary(max), {})".to_owned());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source_type: &str, said: &str, expected: &str) {
        let said = (!said.is_empty()).then(|| said.parse().unwrap());
        let Reading { sql_type, sent_as } = reading(source_type, said.as_ref());
        let sent = sent_as.map(|it| format!(" of {it}")).unwrap_or_default();
        assert_eq!(
            format!("{sql_type}{sent}"),
            expected,
            "{source_type} said {said:?}"
        );
    }

    #[test]
    fn numbers_keep_every_digit() {
        check("bit", "", "BOOLEAN");
        check("tinyint", "", "UTINYINT");
        check("bigint", "", "BIGINT");
        check("decimal(38,10)", "", "DECIMAL(38,10)");
        check("numeric(5,0)", "", "DECIMAL(5,0)");
        check("money", "", "DECIMAL(19,4)");
        check("smallmoney", "", "DECIMAL(10,4)");
        check("money", "VARCHAR", "VARCHAR of CONVERT(varchar(60), {}, 2)");
        check("money", "DOUBLE", "VARCHAR of CONVERT(varchar(60), {}, 2)");
        check("float", "FLOAT", "DOUBLE");
        check("real", "DOUBLE", "FLOAT");
        check("real", "VARCHAR", "VARCHAR of CONVERT(varchar(60), {}, 3)");
        check("int", "BIGINT", "INTEGER");
    }

    #[test]
    fn a_seventh_digit_of_a_second_is_cut_unless_text_is_wanted() {
        check("datetime", "", "TIMESTAMP");
        check("smalldatetime", "", "TIMESTAMP");
        check("datetime2(6)", "", "TIMESTAMP");
        check("datetime2(7)", "", "TIMESTAMP");
        check("datetime2", "", "TIMESTAMP");
        check("datetime2(7)", "TIMESTAMP", "TIMESTAMP");
        check("datetime2(7)", "VARCHAR", "VARCHAR");
        check(
            "datetime2(7)",
            "DATE",
            "VARCHAR of CONVERT(varchar(34), {}, 121)",
        );
        check(
            "datetime2(3)",
            "VARCHAR",
            "VARCHAR of CONVERT(varchar(34), {}, 121)",
        );
        check("datetime2(3)", "DATE", "TIMESTAMP");
        check("datetimeoffset(3)", "", "TIMESTAMP WITH TIME ZONE");
        check("datetimeoffset(7)", "", "TIMESTAMP WITH TIME ZONE");
        check("datetimeoffset(7)", "VARCHAR", "VARCHAR");
        check(
            "datetimeoffset(7)",
            "TIMESTAMPTZ",
            "TIMESTAMP WITH TIME ZONE",
        );
        check("time(6)", "", "TIME");
        check("time(7)", "", "TIME");
        check("time(7)", "VARCHAR", "VARCHAR");
        check("time(7)", "TIME", "TIME");
    }

    #[test]
    fn what_has_no_type_in_the_lake_is_the_server_s_text() {
        check("uniqueidentifier", "", "UUID");
        check("varchar(max)", "", "VARCHAR");
        check("nvarchar(50)", "VARCHAR(50)", "VARCHAR");
        check("xml", "", "VARCHAR");
        check("json", "", "JSON");
        check("image", "", "BLOB");
        check("rowversion", "", "VARCHAR");
        check("timestamp", "BLOB", "BLOB");
        check(
            "hierarchyid",
            "",
            "VARCHAR of CONVERT(nvarchar(4000), {}.ToString())",
        );
        check(
            "geography",
            "",
            "VARCHAR of N'SRID=' + CONVERT(nvarchar(11), {}.STSrid) + N';' + {}.ToString()",
        );
        check("geometry", "BLOB", "BLOB of {}.STAsBinary()");
        check("vector(3)", "", "VARCHAR of CONVERT(nvarchar(max), {})");
        check("dbo.Point", "", "BLOB of CONVERT(varbinary(max), {})");
    }
}
