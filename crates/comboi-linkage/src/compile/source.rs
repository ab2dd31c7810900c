//! Expressions over one record, each once, with their types.

use std::collections::HashMap;

use comboi_engine::{Form, Records, Session, print_expressions};
use serde_json::Value;

use crate::Error;
use crate::expression;

/// Expressions over one record, by number.
#[derive(Default)]
pub(crate) struct Sources {
    trees: Vec<Value>,
    by_text: HashMap<String, usize>,
    /// Whether values are compared for being equal.
    coded: Vec<bool>,
    /// Whether values are computed with.
    numeric: Vec<bool>,
    /// Those that are too large to be computed with exactly.
    large: Vec<usize>,
    pub(crate) sql: Vec<String>,
    types: Vec<Result<String, String>>,
}

/// Types by how their values are held against each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Text,
    /// Whole numbers that fit 64 bits with a sign; exact as floating point if they are small by type.
    Whole {
        small: bool,
    },
    Date,
    /// Equal by their 64 bits.
    Bits(String),
    Double,
    Float,
    Truth,
    /// Equal if their texts are.
    Printed(String),
    List,
    Other,
}

impl Sources {
    /// The number of an expression. Its names of columns are bare.
    pub(crate) fn add(&mut self, tree: Value) -> usize {
        let text = tree.to_string();
        if let Some(&known) = self.by_text.get(&text) {
            return known;
        }
        let id = self.trees.len();
        self.by_text.insert(text, id);
        self.trees.push(tree);
        self.coded.push(false);
        self.numeric.push(false);
        id
    }

    /// Says that values of an expression are compared for being equal, so that a code of each is at hand.
    pub(crate) fn code(&mut self, id: usize) {
        if let Some(coded) = self.coded.get_mut(id) {
            *coded = true;
        }
    }

    /// Says that values of an expression are computed with.
    pub(crate) fn compute(&mut self, id: usize) {
        if let Some(numeric) = self.numeric.get_mut(id) {
            *numeric = true;
        }
    }

    pub(crate) fn is_coded(&self, id: usize) -> bool {
        self.coded.get(id).copied().unwrap_or(false)
    }

    /// Prints all and asks DuckDB for their types.
    pub(crate) fn resolve(&mut self, session: &Session, records: &Records) -> Result<(), Error> {
        self.sql = print_expressions(session, &self.trees)?;
        self.types = records.types(&self.sql)?;
        let asked: Vec<usize> = (0..self.sql.len())
            .filter(|id| self.numeric[*id] && self.class(*id) == Ok(Class::Whole { small: false }))
            .collect();
        let sql: Vec<&str> = asked.iter().map(|id| self.sql[*id].as_str()).collect();
        let small = records.are_small(&sql)?;
        self.large = asked
            .into_iter()
            .zip(small)
            .filter(|it| !it.1)
            .map(|it| it.0)
            .collect();
        Ok(())
    }

    /// The class of an expression's type, or what DuckDB says is wrong with it.
    pub(crate) fn class(&self, id: usize) -> Result<Class, &str> {
        match self.types.get(id) {
            Some(Ok(name)) => Ok(class_of(name)),
            Some(Err(message)) => Err(message),
            None => Err("its type is not known"),
        }
    }

    /// For an expression over nothing but one column of texts: the number of that column, and its name.
    pub(crate) fn base(&self, id: usize) -> Option<(usize, &str)> {
        let column = expression::only_column(&self.trees[id])?;
        let is_base = |at: &usize| {
            let names = expression::names(&self.trees[*at]);
            names.is_some_and(|it| it.join(".").to_lowercase() == column)
        };
        let base = (0..self.trees.len()).find(is_base)?;
        let (class, names) = (self.class(base), &self.trees[base]["column_names"]);
        let name = names[0].as_str()?;
        (base != id && class == Ok(Class::Text) && names.as_array()?.len() == 1)
            .then_some((base, name))
    }

    /// Whether floating point can't have every value.
    pub(crate) fn is_large(&self, id: usize) -> bool {
        self.large.contains(&id)
    }

    pub(crate) fn type_name(&self, id: usize) -> &str {
        match self.types.get(id) {
            Some(Ok(name)) => name,
            _ => "?",
        }
    }
}

impl Class {
    /// How values are asked for so that equal ones get the same code.
    pub(crate) fn coded_form(&self) -> Option<Form> {
        match self {
            Self::Text | Self::Whole { .. } | Self::Date | Self::Bits(_) | Self::Double => {
                Some(Form::AsIs)
            }
            Self::Float => Some(Form::Number),
            Self::Truth | Self::Printed(_) => Some(Form::Text),
            Self::List | Self::Other => None,
        }
    }

    /// Whether values of both types are equal just if their codes are.
    pub(crate) fn comparable(&self, other: &Self) -> bool {
        self.coded_form().is_some()
            && (self == other || matches!((self, other), (Self::Whole { .. }, Self::Whole { .. })))
    }
}

fn class_of(name: &str) -> Class {
    match name {
        "VARCHAR" => Class::Text,
        "TINYINT" | "SMALLINT" | "INTEGER" | "UTINYINT" | "USMALLINT" | "UINTEGER" => {
            Class::Whole { small: true }
        }
        "BIGINT" => Class::Whole { small: false },
        "DATE" => Class::Date,
        "TIMESTAMP"
        | "TIMESTAMP_S"
        | "TIMESTAMP_MS"
        | "TIMESTAMP_NS"
        | "TIMESTAMP WITH TIME ZONE" => Class::Bits(name.to_owned()),
        "DOUBLE" => Class::Double,
        "FLOAT" => Class::Float,
        "BOOLEAN" => Class::Truth,
        "UBIGINT" | "HUGEINT" | "UHUGEINT" | "UUID" | "TIME" | "BLOB" | "JSON" => {
            Class::Printed(name.to_owned())
        }
        "VARCHAR[]" => Class::List,
        other if other.starts_with("DECIMAL(") || other.starts_with("ENUM(") => {
            Class::Printed(other.to_owned())
        }
        _ => Class::Other,
    }
}
