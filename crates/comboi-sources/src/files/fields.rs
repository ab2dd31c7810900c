//! The names of fields of nested values: pure.
//!
//! The lake has no place for all keys of JSON objects, and does not tell `a` from `A`. Fields are renamed as columns are:
//! `x y` is `x_y`, and the second of `a` and `A` gets a number. A field that the table's type has keeps its key.

use std::collections::BTreeMap;

use comboi_project::SqlType;

use crate::names::clean;

/// A type whose fields are called by their keys, with the names that the table has for them. Keys that are not the names
/// are added to `keys`, by the path of the names.
pub(super) fn named(
    found: &SqlType,
    known: Option<&SqlType>,
    path: &mut Vec<String>,
    keys: &mut BTreeMap<Vec<String>, String>,
) -> SqlType {
    match (found, known) {
        (SqlType::Struct(fields), known) => {
            let known = match known {
                Some(SqlType::Struct(known)) => known.as_slice(),
                _ => &[],
            };
            let names = names(
                &fields
                    .iter()
                    .map(|(key, _)| key.as_str())
                    .collect::<Vec<_>>(),
                &known
                    .iter()
                    .map(|(name, _)| name.as_str())
                    .collect::<Vec<_>>(),
            );
            let field = |((key, of), name): (&(String, SqlType), String)| {
                let known = known.iter().find(|(it, _)| *it == name).map(|(_, of)| of);
                path.push(name.clone());
                if *key != name {
                    keys.insert(path.clone(), key.clone());
                }
                let of = named(of, known, path, keys);
                path.pop();
                (name, of)
            };
            SqlType::Struct(fields.iter().zip(names).map(field).collect())
        }
        (SqlType::List(of), Some(SqlType::List(known) | SqlType::Array(known, _))) => {
            SqlType::List(Box::new(named(of, Some(known), path, keys)))
        }
        (SqlType::List(of), _) => SqlType::List(Box::new(named(of, None, path, keys))),
        (other, _) => other.clone(),
    }
}

/// The names of the fields of these keys, in their order. `known` are those that the table's type has.
fn names(keys: &[&str], known: &[&str]) -> Vec<String> {
    let mut names: Vec<Option<String>> = keys
        .iter()
        .map(|key| known.contains(key).then(|| (*key).to_owned()))
        .collect();
    // Keys that can be names as they are come before those that can't.
    let (plain, others): (Vec<usize>, Vec<usize>) =
        (0..keys.len()).partition(|place| keys[*place] == base(keys[*place]));
    for place in plain.into_iter().chain(others) {
        if names[place].is_none() {
            let name = name(&base(keys[place]), known, &names);
            names[place] = Some(name);
        }
    }
    names.into_iter().flatten().collect()
}

fn base(key: &str) -> String {
    match clean(key) {
        name if name.is_empty() => "field".to_owned(),
        name => name,
    }
}

/// A field of the table that a key with this name belongs to, or else a new one.
fn name(base: &str, known: &[&str], names: &[Option<String>]) -> String {
    let is_taken = |name: &str| names.iter().flatten().any(|it| it == name);
    if known.contains(&base) && !is_taken(base) {
        return base.to_owned();
    }
    let same = |name: &str| name.eq_ignore_ascii_case(base);
    let has_twin = known.iter().any(|it| same(it));
    let is_there = |name: &str| {
        let there = names.iter().flatten().map(String::as_str);
        known
            .iter()
            .copied()
            .chain(there)
            .any(|it| it.eq_ignore_ascii_case(name))
    };
    let numbered = (1..).map(|number: u32| format!("{base}_{number}"));
    let mut candidates = std::iter::once(base.to_owned()).chain(numbered);
    candidates
        .find(|name| {
            let is_known = has_twin && known.contains(&name.as_str());
            !is_there(name) || (is_known && !is_taken(name))
        })
        .expect("there is always another number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: &[&str], known: &[&str], expected: &[&str]) {
        assert_eq!(names(keys, known), expected, "{keys:?} of {known:?}");
    }

    #[test]
    fn names_of_new_fields() {
        check(&["a", "b"], &[], &["a", "b"]);
        check(
            &["x y", "a,b", "c(d)", "e=f", "g\th"],
            &[],
            &["x_y", "a_b", "c_d", "e_f", "g_h"],
        );
        check(&["a", "A"], &[], &["a", "A_1"]);
        check(&["A", "a", "á"], &[], &["A", "a_1", "á"]);
        check(&["x y", "x_y"], &[], &["x_y_1", "x_y"]);
        check(&["", " "], &[], &["field", "field_1"]);
    }

    #[test]
    fn the_table_s_fields_keep_their_keys() {
        check(&["A", "a"], &["a", "A_1"], &["A_1", "a"]);
        check(&["A"], &["a", "A_1"], &["A_1"]);
        check(&["A"], &["a"], &["A_1"]);
        check(&["x y"], &["x_y"], &["x_y"]);
        check(&["x y", "x_y"], &["x_y", "x_y_1"], &["x_y_1", "x_y"]);
        // Of the time when names of fields were not changed.
        check(&["x y", "z"], &["x y"], &["x y", "z"]);
        // It is there for a key of its own.
        check(&["a"], &["a_1"], &["a"]);
    }

    #[test]
    fn nested_types() {
        let field = |key: &str, of: SqlType| (key.to_owned(), of);
        let item = SqlType::Struct(vec![
            field("a", SqlType::BigInt),
            field("A", SqlType::Varchar(None)),
        ]);
        let found = SqlType::Struct(vec![
            field("o p", SqlType::List(Box::new(item))),
            field("b", SqlType::BigInt),
        ]);
        let mut keys = BTreeMap::new();
        let to = named(&found, None, &mut vec!["k".to_owned()], &mut keys);
        assert_eq!(
            to.to_string(),
            r#"STRUCT(o_p STRUCT(a BIGINT, A_1 VARCHAR)[], b BIGINT)"#
        );
        let keys: Vec<String> = keys
            .iter()
            .map(|(path, key)| format!("{}={key}", path.join("/")))
            .collect();
        assert_eq!(keys, ["k/o_p=o p", "k/o_p/A_1=A"]);
    }
}
