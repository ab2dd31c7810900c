//! The names of fields of nested values: pure.
//!
//! The lake has no place for all names that sources have, and does not tell `a` from `A`. Fields are renamed as columns are:
//! `x y` is `x_y`, and the second of `a` and `A` gets a number. What a source calls a field decides which it is.

use std::collections::{BTreeMap, HashSet};

use comboi_project::{FieldNames, SqlType};

use crate::names::clean;

/// A type whose fields are called as their source calls them, with the names that the table has for them, which are noted.
pub(crate) fn named(found: &SqlType, known: Option<&SqlType>, noted: &mut FieldNames) -> SqlType {
    let path = Vec::new();
    Naming { noted, path }.named(found, known)
}

struct Naming<'a> {
    noted: &'a mut FieldNames,
    path: Vec<String>,
}

impl Naming<'_> {
    fn named(&mut self, found: &SqlType, known: Option<&SqlType>) -> SqlType {
        use SqlType::*;
        match (found, known) {
            (Struct(fields), known) => {
                let known = match known {
                    Some(Struct(known)) => known.as_slice(),
                    _ => &[],
                };
                let names = self.names(fields, known);
                let field = |((source_name, of), name): (&(String, SqlType), String)| {
                    let known = known.iter().find(|(it, _)| *it == name);
                    self.path.push(name.clone());
                    self.noted.insert(self.path.clone(), source_name.clone());
                    let of = self.named(of, known.map(|(_, of)| of));
                    self.path.pop();
                    (name, of)
                };
                Struct(fields.iter().zip(names).map(field).collect())
            }
            (List(of), Some(List(known) | Array(known, _))) => {
                List(Box::new(self.named(of, Some(known))))
            }
            (List(of), _) => List(Box::new(self.named(of, None))),
            (other, _) => other.clone(),
        }
    }

    /// The names of fields, in their order. `known` are those that the table's type has.
    fn names(&self, found: &[(String, SqlType)], known: &[(String, SqlType)]) -> Vec<String> {
        let noted: BTreeMap<&str, &str> = self
            .noted
            .iter()
            .filter_map(|(path, source_name)| {
                let (name, above) = path.split_last()?;
                (above == self.path).then_some((name.as_str(), source_name.as_str()))
            })
            .collect();
        let known = known.iter().map(|(name, _)| name.as_str());
        let of_before: Vec<&str> = known.filter(|name| !noted.contains_key(name)).collect();
        let noted_as = |source_name: &str| {
            let mut noted = noted.iter();
            let there = noted
                .find(|(_, it)| **it == source_name)
                .map(|(name, _)| *name);
            there.or_else(|| of_before.iter().copied().find(|it| *it == source_name))
        };
        let mut names: Vec<Option<String>> = found
            .iter()
            .map(|(source_name, _)| noted_as(source_name).map(str::to_owned))
            .collect();
        let mut taken = Taken {
            of_before,
            all: noted.keys().map(|name| name.to_ascii_lowercase()).collect(),
            given: names.iter().flatten().cloned().collect(),
        };
        // Those that can be names as they are come before those that can't.
        let (plain, others): (Vec<usize>, Vec<usize>) =
            (0..found.len()).partition(|place| found[*place].0 == base(&found[*place].0));
        for place in plain.into_iter().chain(others) {
            if names[place].is_none() {
                names[place] = Some(taken.name(&base(&found[place].0)));
            }
        }
        names.into_iter().flatten().collect()
    }
}

fn base(source_name: &str) -> String {
    match clean(source_name) {
        name if name.is_empty() => "field".to_owned(),
        name => name,
    }
}

/// The names that are there already.
struct Taken<'a> {
    /// Those of the table for which no source's name is noted: of the time before that was done.
    of_before: Vec<&'a str>,
    /// All others, in lower case.
    all: HashSet<String>,
    /// Those that fields have got.
    given: HashSet<String>,
}

impl Taken<'_> {
    /// A field of the table that belongs to this name by the rule of the time before, or else a new one.
    fn name(&mut self, base: &str) -> String {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let has_twin = self.of_before.iter().any(|it| same(it, base));
        let numbered = (1..).map(|number: u32| format!("{base}_{number}"));
        let mut candidates = std::iter::once(base.to_owned()).chain(numbered);
        let is_free = |name: &String| {
            if self.of_before.contains(&name.as_str()) {
                return has_twin && !self.given.contains(name);
            }
            let is_given = self.given.iter().any(|it| same(it, name));
            !is_given
                && !self.of_before.iter().any(|it| same(it, name))
                && !self.all.contains(&name.to_ascii_lowercase())
        };
        let name = candidates
            .find(is_free)
            .expect("there is always another number");
        self.given.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[&str]) -> SqlType {
        let field = |name: &&str| ((*name).to_owned(), SqlType::BigInt);
        SqlType::Struct(fields.iter().map(field).collect())
    }

    /// `known` are fields of a table for which nothing is noted, then one object after the other.
    fn check_all(known: &[&str], files: &[(&[&str], &[&str])]) {
        let mut noted = FieldNames::new();
        let known = of(known);
        for (found, expected) in files {
            let named = named(&of(found), Some(&known), &mut noted);
            assert_eq!(named, of(expected), "{found:?} of {known}");
        }
    }

    fn check(found: &[&str], known: &[&str], expected: &[&str]) {
        check_all(known, &[(found, expected)]);
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
    fn a_name_belongs_to_one_of_the_source_for_ever() {
        check_all(
            &[],
            &[
                (&["a"], &["a"]),
                (&["A"], &["A_1"]),
                (&["A_1", "A"], &["A_1_1", "A_1"]),
                (&["A_1"], &["A_1_1"]),
            ],
        );
        check_all(
            &[],
            &[
                (&["A"], &["A"]),
                (&["a"], &["a_1"]),
                (&["a", "A"], &["a_1", "A"]),
            ],
        );
        check_all(&[], &[(&["x y"], &["x_y"]), (&["x_y"], &["x_y_1"])]);
    }

    #[test]
    fn the_table_s_fields_of_before_keep_their_names() {
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
        let mut noted = FieldNames::new();
        let to = named(&found, None, &mut noted);
        assert_eq!(
            to.to_string(),
            r#"STRUCT(o_p STRUCT(a BIGINT, A_1 VARCHAR)[], b BIGINT)"#
        );
        let noted = noted.iter();
        let noted = noted.map(|(path, name)| format!("{}={name}", path.join("/")));
        let noted: Vec<String> = noted.collect();
        assert_eq!(noted.join(" "), "b=b o_p=o p o_p/A_1=A o_p/a=a");
    }
}
