//! What the values of a column keep.

use crate::read::{Literal, Located, OneOrMany, Read, Reader, choice, documented, record};
use crate::yaml::{Key, Node, Value};
use crate::{Problem, suggest};

/// What the values of a column keep: a list of single constraints, or one mapping of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Constraints(pub Vec<Located<Constraint>>);

/// One thing that the values of a column keep. NULL keeps all but `not_null`.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// `unique: true`
    Unique(bool),
    /// `not_null: true`
    NotNull(bool),
    /// `min_value: 0`
    MinValue(Literal),
    /// `max_value: 100`
    MaxValue(Literal),
    /// `min_length: 2`
    MinLength(u64),
    /// `max_length: 40`
    MaxLength(u64),
    /// `pattern: '^[A-Z]{2}$'`: a regular expression that is found somewhere in the text.
    Pattern(String),
    /// `allowed_values: [a, b]`
    AllowedValues(Vec<Literal>),
    /// `rejected_values: [a, b]`
    RejectedValues(Vec<Literal>),
    /// `greater_than: 0`
    GreaterThan(Literal),
    /// `less_than: 100`
    LessThan(Literal),
    /// `multiple_of: 0.05`
    MultipleOf(Literal),
    /// `format: email`
    Format(Format),
    /// `foreign_key: { dataset: customers_clean, column: customer_id }`
    ForeignKey(References),
}

choice! {
    /// A well-known form of texts. It is the form that is looked at: whether somebody reads an address, nobody knows.
    pub enum Format {
        /// An address of electronic mail.
        Email = "email",
        /// A UUID in any of its versions.
        Uuid = "uuid",
        /// An address in the web: `http`, `https` or `ftp`.
        Url = "url",
        /// The name of a machine.
        Hostname = "hostname",
        /// An address of the Internet Protocol, version 4 or 6.
        Ip = "ip",
        /// Of version 4.
        Ipv4 = "ipv4",
        /// Of version 6.
        Ipv6 = "ipv6",
        /// A day: `2026-01-31`.
        Date = "date",
        /// A time of day: `13:05` or `13:05:09.25`.
        Time = "time",
        /// A day and a time of day: `2026-01-31T13:05:09Z`.
        Timestamp = "timestamp",
        /// A whole number.
        Integer = "integer",
        /// A number.
        Number = "number",
        /// `true` or `false`.
        Boolean = "boolean",
        /// JSON.
        Json = "json",
        /// A telephone number with its country's code: `+4922112345`.
        Phone = "phone",
        /// An international bank account number, with its check digits.
        Iban = "iban",
        /// A country by two capital letters.
        Country = "country",
        /// A currency by three capital letters.
        Currency = "currency",
    }
}

record! {
    /// A key of another dataset.
    pub struct References, "a foreign key" {
        /// The other dataset, such as `customers_clean` or `bronze/shop/customers`.
        pub dataset: Located<String>,
        /// Its column; the one of the same name by default.
        pub column: Option<Located<String>>,
    }
}

const CONSTRAINTS: [&str; 14] = [
    "unique",
    "not_null",
    "min_value",
    "max_value",
    "min_length",
    "max_length",
    "pattern",
    "allowed_values",
    "rejected_values",
    "greater_than",
    "less_than",
    "multiple_of",
    "format",
    "foreign_key",
];

impl Constraint {
    /// Its key.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Unique(_) => "unique",
            Self::NotNull(_) => "not_null",
            Self::MinValue(_) => "min_value",
            Self::MaxValue(_) => "max_value",
            Self::MinLength(_) => "min_length",
            Self::MaxLength(_) => "max_length",
            Self::Pattern(_) => "pattern",
            Self::AllowedValues(_) => "allowed_values",
            Self::RejectedValues(_) => "rejected_values",
            Self::GreaterThan(_) => "greater_than",
            Self::LessThan(_) => "less_than",
            Self::MultipleOf(_) => "multiple_of",
            Self::Format(_) => "format",
            Self::ForeignKey(_) => "foreign_key",
        }
    }

    fn read(key: &Key, value: &Node, reader: &mut Reader) -> Option<Self> {
        if value.is_null() && CONSTRAINTS.contains(&key.text.as_str()) {
            return reader.report(Problem::at(
                &key.place,
                format!("`{}` has no value", key.text),
            ));
        }
        match key.text.as_str() {
            "unique" => bool::read(value, reader).map(Self::Unique),
            "not_null" => bool::read(value, reader).map(Self::NotNull),
            "min_value" => Literal::read(value, reader).map(Self::MinValue),
            "max_value" => Literal::read(value, reader).map(Self::MaxValue),
            "min_length" => u64::read(value, reader).map(Self::MinLength),
            "max_length" => u64::read(value, reader).map(Self::MaxLength),
            "pattern" => String::read(value, reader).map(Self::Pattern),
            "allowed_values" => {
                OneOrMany::read(value, reader).map(|values| Self::AllowedValues(values.0))
            }
            "rejected_values" => {
                OneOrMany::read(value, reader).map(|values| Self::RejectedValues(values.0))
            }
            "greater_than" => Literal::read(value, reader).map(Self::GreaterThan),
            "less_than" => Literal::read(value, reader).map(Self::LessThan),
            "multiple_of" => Literal::read(value, reader).map(Self::MultipleOf),
            "format" => Format::read(value, reader).map(Self::Format),
            "foreign_key" => References::read(value, reader).map(Self::ForeignKey),
            unknown => {
                let expected: Vec<String> = CONSTRAINTS
                    .iter()
                    .map(|known| format!("`{known}`"))
                    .collect();
                let hint = suggest::did_you_mean(unknown, CONSTRAINTS)
                    .unwrap_or_else(|| format!("one of {}", expected.join(", ")));
                reader.report(
                    Problem::at(&key.place, format!("unknown constraint `{unknown}`")).hint(hint),
                )
            }
        }
    }
}

impl Read for Constraints {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let mut found = Vec::new();
        let mut mapping = |node: &Node, reader: &mut Reader| match &node.value {
            Value::Mapping(entries) => {
                for (key, value) in entries {
                    found.extend(
                        Constraint::read(key, value, reader)
                            .map(|one| Located::new(one, key.place.clone())),
                    );
                }
            }
            _ => {
                let _reported: Option<()> =
                    reader.unexpected(node, "a constraint such as `unique: true`");
            }
        };
        match &node.value {
            Value::Sequence(items) => items.iter().for_each(|item| mapping(item, reader)),
            _ => mapping(node, reader),
        }
        Some(Self(found))
    }

    fn schema() -> serde_json::Value {
        let one = serde_json::json!({
            "type": "object",
            "properties": {
                "unique": { "type": "boolean", "description": "No value is there twice." },
                "not_null": { "type": "boolean", "description": "No value is NULL." },
                "min_value": documented(Literal::schema(), &["The least value."], None),
                "max_value": documented(Literal::schema(), &["The greatest value."], None),
                "min_length": { "type": "integer", "minimum": 0, "description": "The minimum number of characters of a text, bytes of a BLOB, elements of a list or entries of a map." },
                "max_length": { "type": "integer", "minimum": 0, "description": "The maximum number of characters of a text, bytes of a BLOB, elements of a list or entries of a map." },
                "pattern": { "type": "string", "description": "A regular expression that is found somewhere in the text; `^` and `$` hold it to the whole." },
                "allowed_values": documented(OneOrMany::<Literal>::schema(), &["The only values."], None),
                "rejected_values": documented(OneOrMany::<Literal>::schema(), &["Values that there must not be."], None),
                "greater_than": documented(Literal::schema(), &["Values have to be greater."], None),
                "less_than": documented(Literal::schema(), &["Values have to be less."], None),
                "multiple_of": documented(Literal::schema(), &["The number of which every value is a multiple."], None),
                "format": Format::schema(),
                "foreign_key": References::schema(),
            },
            "additionalProperties": false,
        });
        serde_json::json!({ "oneOf": [one, { "type": "array", "items": one }] })
    }
}
