//! Types from text: every spelling that DuckDB accepts.

mod tokens;
mod words;

use std::str::FromStr;

use super::SqlType;
use tokens::{Parser, Token};
use words::{named, unknown};

/// A text is not a type of DuckDB.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a type: {reason}")]
pub struct BadType {
    text: String,
    reason: String,
    suggestion: Option<String>,
}

impl BadType {
    /// A type whose name is close to the one that was not understood.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }
}

/// Types inside types: more than anybody writes, less than would fill the stack.
const MAX_DEPTH: usize = 32;

impl FromStr for SqlType {
    type Err = BadType;

    fn from_str(text: &str) -> Result<Self, BadType> {
        let bad = |wrong: Wrong| BadType {
            text: text.chars().take(120).collect(),
            reason: wrong.reason,
            suggestion: wrong.suggestion,
        };
        let mut parser = Parser::of(text).map_err(bad)?;
        let sql_type = parser.sql_type(0).map_err(bad)?;
        match parser.peek() {
            None => Ok(sql_type),
            Some(more) => Err(bad(wrong(format!(
                "{} after the end of the type",
                more.shown()
            )))),
        }
    }
}

struct Wrong {
    reason: String,
    suggestion: Option<String>,
}

fn wrong(reason: impl Into<String>) -> Wrong {
    Wrong {
        reason: reason.into(),
        suggestion: None,
    }
}

type Parsed<T> = Result<T, Wrong>;

impl Parser {
    fn sql_type(&mut self, depth: usize) -> Parsed<SqlType> {
        if depth > MAX_DEPTH {
            return Err(wrong(format!(
                "it is nested deeper than {MAX_DEPTH} levels"
            )));
        }
        let mut sql_type = self.base(depth)?;
        for _ in depth..=MAX_DEPTH {
            let spelled_out = self.take_word("array");
            if self.take_sign('[') {
                sql_type = self.listed(sql_type)?;
            } else if spelled_out {
                sql_type = SqlType::List(Box::new(sql_type));
            } else {
                return Ok(sql_type);
            }
        }
        Err(wrong(format!(
            "it is nested deeper than {MAX_DEPTH} levels"
        )))
    }

    /// What follows `[`.
    fn listed(&mut self, item: SqlType) -> Parsed<SqlType> {
        if self.take_sign(']') {
            return Ok(SqlType::List(Box::new(item)));
        }
        let length = self.number()?;
        self.expect_sign(']')?;
        if length == 0 {
            return Err(wrong("an array has at least one element"));
        }
        Ok(SqlType::Array(Box::new(item), length))
    }

    fn base(&mut self, depth: usize) -> Parsed<SqlType> {
        let (word, shown) = match self.take() {
            Some(Token::Word(word, shown)) => (word, shown),
            Some(Token::Name(name)) => (name.to_ascii_lowercase(), name),
            Some(other) => {
                return Err(wrong(format!(
                    "a type does not start with {}",
                    other.shown()
                )));
            }
            None => return Err(wrong("it is empty")),
        };
        match word.as_str() {
            "struct" | "row" => Ok(SqlType::Struct(self.fields(depth, "struct")?)),
            "union" => Ok(SqlType::Union(self.fields(depth, "union")?)),
            "map" => self.map(depth),
            "enum" => self.values(),
            "decimal" | "numeric" | "dec" => self.decimal(),
            "varchar" | "char" | "bpchar" | "text" | "string" | "nvarchar" => self.text(),
            "character" | "nchar" => {
                self.take_word("varying");
                self.text()
            }
            "float" => self.float(),
            "double" => {
                self.take_word("precision");
                Ok(SqlType::Double)
            }
            "time" => Ok(if self.zoned() {
                SqlType::TimeTz
            } else {
                SqlType::Time
            }),
            "timestamp" => self.timestamp(),
            "interval" => Ok(self.interval()),
            "geometry" => self.geometry(),
            _ => named(&word).ok_or_else(|| unknown(&shown)),
        }
    }

    fn fields(&mut self, depth: usize, kind: &str) -> Parsed<Vec<(String, SqlType)>> {
        self.expect_sign('(')?;
        let mut fields: Vec<(String, SqlType)> = Vec::new();
        loop {
            let name = match self.take() {
                Some(Token::Word(_, name) | Token::Name(name)) => name,
                Some(other) => {
                    return Err(wrong(format!(
                        "a field's name is missing before {}",
                        other.shown()
                    )));
                }
                None => return Err(wrong(format!("the {kind} is not closed"))),
            };
            if fields
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(&name))
            {
                return Err(wrong(format!("field `{name}` is there twice")));
            }
            fields.push((name, self.sql_type(depth + 1)?));
            if !self.take_sign(',') {
                self.expect_sign(')')?;
                return Ok(fields);
            }
        }
    }

    fn map(&mut self, depth: usize) -> Parsed<SqlType> {
        self.expect_sign('(')?;
        let key = self.sql_type(depth + 1)?;
        self.expect_sign(',')?;
        let value = self.sql_type(depth + 1)?;
        self.expect_sign(')')?;
        Ok(SqlType::Map(Box::new(key), Box::new(value)))
    }

    fn values(&mut self) -> Parsed<SqlType> {
        self.expect_sign('(')?;
        let mut values = Vec::new();
        loop {
            match self.take() {
                Some(Token::Text(value)) if values.contains(&value) => {
                    return Err(wrong(format!("the value '{value}' is there twice")));
                }
                Some(Token::Text(value)) => values.push(value),
                _ => {
                    return Err(wrong(
                        "the values of an enum stand in single quotes: ENUM('a', 'b')",
                    ));
                }
            }
            if !self.take_sign(',') {
                self.expect_sign(')')?;
                return Ok(SqlType::Enum(values));
            }
        }
    }

    fn decimal(&mut self) -> Parsed<SqlType> {
        if !self.take_sign('(') {
            return Ok(SqlType::Decimal(18, 3));
        }
        let precision = self.number()?;
        let scale = if self.take_sign(',') {
            self.number()?
        } else {
            0
        };
        self.expect_sign(')')?;
        let small = |n: u32| u8::try_from(n).ok().filter(|&n| n <= 38);
        match (small(precision), small(scale)) {
            (None | Some(0), _) => Err(wrong("the precision of a decimal is from 1 to 38")),
            (Some(precision), Some(scale)) if scale <= precision => {
                Ok(SqlType::Decimal(precision, scale))
            }
            _ => Err(wrong("the scale of a decimal is at most its precision")),
        }
    }

    fn text(&mut self) -> Parsed<SqlType> {
        if !self.take_sign('(') {
            return Ok(SqlType::Varchar(None));
        }
        let length = self.number()?;
        self.expect_sign(')')?;
        Ok(SqlType::Varchar(Some(length)))
    }

    fn float(&mut self) -> Parsed<SqlType> {
        if !self.take_sign('(') {
            return Ok(SqlType::Float);
        }
        let bits = self.number()?;
        self.expect_sign(')')?;
        match bits {
            1..=24 => Ok(SqlType::Float),
            25..=53 => Ok(SqlType::Double),
            _ => Err(wrong("a float has 1 to 53 bits")),
        }
    }

    fn zoned(&mut self) -> bool {
        self.take_words(&["without", "time", "zone"]);
        self.take_words(&["with", "time", "zone"])
    }

    fn timestamp(&mut self) -> Parsed<SqlType> {
        if self.take_sign('(') {
            let digits = self.number()?;
            self.expect_sign(')')?;
            return match digits {
                0 => Ok(SqlType::TimestampS),
                1..=3 => Ok(SqlType::TimestampMs),
                4..=6 => Ok(SqlType::Timestamp),
                7..=9 => Ok(SqlType::TimestampNs),
                _ => Err(wrong("a timestamp has 0 to 9 digits after the second")),
            };
        }
        Ok(if self.zoned() {
            SqlType::TimestampTz
        } else {
            SqlType::Timestamp
        })
    }

    /// `INTERVAL`, with the fields of standard SQL left aside as DuckDB does.
    fn interval(&mut self) -> SqlType {
        const FIELDS: [&str; 6] = ["year", "month", "day", "hour", "minute", "second"];
        if FIELDS.iter().any(|field| self.take_word(field)) && self.take_word("to") {
            let _last_field = FIELDS.iter().any(|field| self.take_word(field));
        }
        SqlType::Interval
    }

    fn geometry(&mut self) -> Parsed<SqlType> {
        if self.take_sign('(') {
            if !matches!(self.take(), Some(Token::Text(_))) {
                return Err(wrong(
                    "a coordinate reference system stands in single quotes",
                ));
            }
            self.expect_sign(')')?;
        }
        Ok(SqlType::Geometry)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every line is `spelling -> what duckdb 1.5.5 answers to typeof(NULL::spelling)`, or what is wrong.
    fn check(lines: &str) {
        for line in lines.trim().lines() {
            let (spelling, expected) = line.split_once(" -> ").expect("`spelling -> canonical`");
            let found = match spelling.trim().parse::<SqlType>() {
                Ok(sql_type) => sql_type.to_string(),
                Err(bad) => match bad.suggestion() {
                    Some(suggestion) => format!("{} ({suggestion}?)", bad.reason),
                    None => bad.reason,
                },
            };
            assert_eq!(found, expected, "{spelling}");
        }
    }

    #[test]
    fn every_spelling_of_duckdb_is_understood() {
        check(
            r#"
            int4[3][] -> INTEGER[3][]
            double precision -> DOUBLE
            character varying(10) -> VARCHAR(10)
            Numeric(5,2) -> DECIMAL(5,2)
            decimal -> DECIMAL(18,3)
            decimal(5) -> DECIMAL(5,0)
            time with time zone -> TIME WITH TIME ZONE
            time without time zone -> TIME
            timetz -> TIME WITH TIME ZONE
            timestamp(0) -> TIMESTAMP_S
            timestamp(3) -> TIMESTAMP_MS
            timestamp(6) -> TIMESTAMP
            timestamp(9) -> TIMESTAMP_NS
            timestamp without time zone -> TIMESTAMP
            timestamp with time zone[] -> TIMESTAMP WITH TIME ZONE[]
            datetime -> TIMESTAMP
            float(24) -> FLOAT
            float(25) -> DOUBLE
            varint -> BIGNUM
            long -> BIGINT
            signed -> INTEGER
            row(a int, b text) -> STRUCT(a INTEGER, b VARCHAR)
            int array -> INTEGER[]
            int array[3] -> INTEGER[3]
            int2 [ 3 ] -> SMALLINT[3]
            "int" -> INTEGER
            interval day to second -> INTERVAL
            interval year -> INTERVAL
            MAP(VARCHAR, INTEGER[]) -> MAP(VARCHAR, INTEGER[])
            ENUM('it''s', 'b') -> ENUM('it''s', 'b')
            STRUCT(a STRUCT("SELECT" INTEGER, "Group" INTEGER, "é" INTEGER, a1_ INTEGER, Aa INTEGER)) -> STRUCT(a STRUCT("SELECT" INTEGER, "Group" INTEGER, "é" INTEGER, a1_ INTEGER, Aa INTEGER))
            struct("a""b" int, "b c" int) -> STRUCT("a""b" INTEGER, "b c" INTEGER)
            STRUCT("1a" INTEGER, Ä INTEGER, _x INTEGER, "a$" INTEGER) -> STRUCT("1a" INTEGER, "Ä" INTEGER, _x INTEGER, "a$" INTEGER)
            "NULL" -> "NULL"
            UNION(num INTEGER, str VARCHAR) -> UNION(num INTEGER, str VARCHAR)
            GEOMETRY('OGC:CRS84') -> GEOMETRY
            "#,
        );
    }

    #[test]
    fn what_is_no_type_says_why() {
        check(
            "
            varchr -> DuckDB has no type `varchr` (VARCHAR?)
            INTEGR -> DuckDB has no type `INTEGR` (INTEGER?)
            uniqueidentifier -> DuckDB has no type `uniqueidentifier` (UUID?)
            geheim -> DuckDB has no type `geheim`
            decimal(39,1) -> the precision of a decimal is from 1 to 38
            decimal(0) -> the precision of a decimal is from 1 to 38
            decimal(4,6) -> the scale of a decimal is at most its precision
            decimal(4,300) -> the scale of a decimal is at most its precision
            decimal(99999999999) -> `99999999999` is too large
            int[0] -> an array has at least one element
            int[ -> a number is missing at the end
            int(4) -> `(` after the end of the type
            integer unsigned -> `unsigned` after the end of the type
            struct(a int -> `)` is missing at the end
            struct() -> a field's name is missing before `)`
            struct(a int, A int) -> field `A` is there twice
            enum() -> the values of an enum stand in single quotes: ENUM('a', 'b')
            enum('a', 'a') -> the value 'a' is there twice
            map(int) -> `,` is missing before `)`
            float(54) -> a float has 1 to 53 bits
            varchar; drop -> `;` has no place in a type
            enum('a -> a quote ' is not closed
            ",
        );
        assert_eq!(
            "".parse::<SqlType>().unwrap_err().to_string(),
            "`` is not a type: it is empty"
        );
    }

    #[test]
    fn depth_is_bounded() {
        let lists = format!("int{}", "[]".repeat(100_000));
        assert!(
            lists
                .parse::<SqlType>()
                .unwrap_err()
                .reason
                .contains("deeper than 32")
        );
        let structs = format!("{}int{}", "struct(a ".repeat(100_000), ")".repeat(100_000));
        assert!(
            structs
                .parse::<SqlType>()
                .unwrap_err()
                .reason
                .contains("deeper than 32")
        );
    }

    fn any_type() -> impl Strategy<Value = SqlType> {
        use SqlType::*;
        let leaf = prop_oneof![
            Just(Boolean),
            Just(TinyInt),
            Just(SmallInt),
            Just(Integer),
            Just(BigInt),
            Just(HugeInt),
            Just(UTinyInt),
            Just(USmallInt),
            Just(UInteger),
            Just(UBigInt),
            Just(UHugeInt),
            Just(BigNum),
            Just(Float),
            Just(Double),
            Just(Blob),
            Just(Bit),
            Just(Uuid),
            Just(Json),
            Just(Date),
            Just(Time),
            Just(TimeNs),
            Just(TimeTz),
            Just(TimestampS),
            Just(TimestampMs),
            Just(Timestamp),
            Just(TimestampNs),
            Just(TimestampTz),
            Just(Interval),
            Just(Null),
            Just(Geometry),
            Just(Variant),
            (1_u8..=38)
                .prop_flat_map(|p| (Just(p), 0..=p))
                .prop_map(|(p, s)| Decimal(p, s)),
            proptest::option::of(1_u32..1000).prop_map(Varchar),
            proptest::collection::btree_set(".*", 1..4)
                .prop_map(|values| Enum(values.into_iter().collect())),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let fields = proptest::collection::btree_map(
                "[a-z]{1,3}|[a-z\"' (),é]{1,8}",
                inner.clone(),
                1..4,
            )
            .prop_map(|fields| fields.into_iter().collect::<Vec<_>>());
            prop_oneof![
                inner.clone().prop_map(|item| List(Box::new(item))),
                (inner.clone(), 1_u32..9).prop_map(|(item, n)| Array(Box::new(item), n)),
                (inner.clone(), inner).prop_map(|(key, value)| Map(Box::new(key), Box::new(value))),
                fields.clone().prop_map(Struct),
                fields.prop_map(Union),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_printed_type_reads_back_as_itself(sql_type in any_type()) {
            prop_assert_eq!(sql_type.to_string().parse::<SqlType>(), Ok(sql_type));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _either_way = text.parse::<SqlType>();
        }
    }
}
