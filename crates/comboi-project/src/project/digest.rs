//! What shapes a dataset, as one short text: the same text, the same dataset.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::Project;
use crate::DatasetId;
use crate::yaml::{Node, Value};

impl Project {
    /// A digest of everything written that shapes a built dataset: its query, its contracts, its
    /// deduplication, and its inputs with the names they have in the query. Comments and indentation of contracts leave it as it is.
    ///
    /// 64 hexadecimal digits, the same on every machine and in every version of comboi that builds alike. None for
    /// what is not built.
    pub fn digest(&self, id: &DatasetId) -> Option<String> {
        let dataset = self.dataset(id)?;
        let mut text = String::from("comboi dataset 1");
        field(&mut text, &dataset.id.to_string());
        field(&mut text, &dataset.sql.text);
        for input in &dataset.inputs {
            field(&mut text, input.alias.as_str());
            field(&mut text, &input.dataset.to_string());
        }
        for contract in &dataset.contracts {
            field(&mut text, &contract.name);
            field(&mut text, &contract.canonical);
        }
        if let Some(dedupe) = &dataset.dedupe {
            field(&mut text, "dedupe 1");
            field(&mut text, &dedupe.canonical);
            field(&mut text, &dedupe.unique_id);
        }
        for other in &dataset.held_against {
            field(&mut text, &other.name);
            field(&mut text, &other.dataset.to_string());
        }
        let digest = Sha256::digest(text.as_bytes());
        Some(
            digest
                .iter()
                .fold(String::with_capacity(64), |mut hex, byte| {
                    write!(hex, "{byte:02x}").expect("writing to a string does not fail");
                    hex
                }),
        )
    }
}

/// With its length in front, so that no two lists of fields give the same text.
fn field(text: &mut String, value: &str) {
    write!(text, "\n{}:{value}", value.len()).expect("writing to a string does not fail");
}

/// What a file says, without its form.
pub(crate) fn canonical(node: &Node) -> String {
    let mut text = String::new();
    put(&mut text, node);
    text
}

fn put(text: &mut String, node: &Node) {
    match &node.value {
        Value::Scalar(scalar) => {
            text.push(if scalar.quoted { 'q' } else { 'p' });
            field(
                text,
                &scalar.text().unwrap_or_else(|| scalar.written.clone()),
            );
        }
        Value::Sequence(items) => {
            text.push('[');
            items.iter().for_each(|item| put(text, item));
            text.push(']');
        }
        Value::Mapping(entries) => {
            text.push('{');
            for (key, value) in entries {
                field(text, &key.text);
                put(text, value);
            }
            text.push('}');
        }
        Value::Reported => text.push('!'),
    }
}
