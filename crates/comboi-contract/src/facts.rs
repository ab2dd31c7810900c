//! What was measured of data, before anything is concluded from it.

use std::time::Duration;

use comboi_project::SqlType;

/// What was measured of a dataset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The rows that were looked at.
    pub rows: u64,
    /// Whether there are more rows than were looked at.
    pub is_sample: bool,
    /// Its columns, in order, without comboi's own.
    pub columns: Vec<ColumnFacts>,
    /// Columns that together are different in every row and never NULL; looked for only where no single column is.
    pub keys: Vec<Vec<String>>,
    /// The primary key, where a database declares one.
    pub primary_key: Vec<String>,
}

/// What was measured of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnFacts {
    /// Its name.
    pub name: String,
    /// Its type, as people's SQL sees it.
    pub sql_type: SqlType,
    /// Rows in which it is not NULL.
    pub present: u64,
    /// Whether no value is there twice; `None` when nobody counted.
    pub unique: Option<bool>,
    /// The least and the greatest number or moment, as DuckDB prints it.
    pub range: Option<(String, String)>,
    /// How long ago the newest moment was that is not in the future.
    pub age: Option<Duration>,
    /// The fewest and the most characters of a text.
    pub lengths: Option<(u64, u64)>,
    /// Texts that are empty or blank.
    pub blank: u64,
    /// Every value and how often it is there, most frequent first, where there are few.
    pub values: Vec<(String, u64)>,
    /// Formats that texts have.
    pub formats: Vec<FormatCount>,
    /// What all texts have in common: what they begin with, and their shape, in which `9` stands for any digit, `A` and `a` for any
    /// letter. `None` if they have several shapes.
    pub shape: Option<(String, String)>,
    /// Whether a database declares that it is never NULL; `None` when nobody said.
    pub declared_not_null: Option<bool>,
}

impl ColumnFacts {
    /// A column of which nothing is known yet.
    pub fn new(name: impl Into<String>, sql_type: SqlType) -> Self {
        Self {
            name: name.into(),
            sql_type,
            present: 0,
            unique: None,
            range: None,
            age: None,
            lengths: None,
            blank: 0,
            values: Vec::new(),
            formats: Vec::new(),
            shape: None,
            declared_not_null: None,
        }
    }

    /// How many of its texts have a format.
    pub fn count_of(&self, format: Format) -> u64 {
        self.formats
            .iter()
            .find(|found| found.format == format)
            .map_or(0, |found| found.count)
    }
}

/// How many texts of a column have a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatCount {
    /// The format.
    pub format: Format,
    /// The number of texts.
    pub count: u64,
}

/// What a text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// `ada@example.com`
    Email,
    /// Eight, four, four, four and twelve hexadecimal digits.
    Uuid,
    /// `https://example.com/a`
    Url,
    /// `192.0.2.1`
    IpV4,
    /// `+49 30 123456`: seven to fifteen digits behind a plus or with separators.
    Phone,
    /// Two letters, two digits, eleven to thirty letters or digits.
    Iban,
    /// `2026-01-31`
    Date,
    /// `2026-01-31T12:00:00Z`, perhaps with fractions and another zone.
    Timestamp,
    /// A whole number.
    WholeNumber,
    /// Two capital letters.
    Country,
    /// Three capital letters.
    Currency,
}

impl Format {
    /// All of them, the more particular first.
    pub const ALL: [Self; 11] = [
        Self::Email,
        Self::Uuid,
        Self::Url,
        Self::IpV4,
        Self::Iban,
        Self::Phone,
        Self::Timestamp,
        Self::Date,
        Self::WholeNumber,
        Self::Country,
        Self::Currency,
    ];

    /// A regular expression that the whole text has to match.
    pub fn pattern(self) -> &'static str {
        match self {
            Self::Email => r"^[^@\s]+@[^@\s]+\.[^@\s.]+$",
            Self::Uuid => {
                "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
            }
            Self::Url => r"^https?://[^\s/?#]+[^\s]*$",
            Self::IpV4 => {
                "^(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])([.](25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}$"
            }
            Self::Phone => r"^(\+|00)[0-9][0-9 ()/.-]{6,22}[0-9]$",
            Self::Iban => "^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$",
            Self::Date => "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
            Self::Timestamp => {
                r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?$"
            }
            Self::WholeNumber => "^-?(0|[1-9][0-9]{0,17})$",
            Self::Country => "^[A-Z]{2}$",
            Self::Currency => "^[A-Z]{3}$",
        }
    }

    /// What such texts are called, in the plural.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Email => "e-mail addresses",
            Self::Uuid => "UUIDs",
            Self::Url => "web addresses",
            Self::IpV4 => "IP addresses",
            Self::Phone => "telephone numbers",
            Self::Iban => "IBANs",
            Self::Date => "dates",
            Self::Timestamp => "timestamps",
            Self::WholeNumber => "whole numbers",
            Self::Country => "two capital letters",
            Self::Currency => "three capital letters",
        }
    }
}
