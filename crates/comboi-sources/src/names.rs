//! Which column of the table a name of the source belongs to: pure.
//!
//! The name that the source has decides. A name of the table belongs to one name of the source for ever, also while no
//! file has that column. Tables that were read before this was noted keep the names that they have: the rule of that
//! time ([`earlier_names`]) says whose they are, when a source has such a column again.

use std::collections::{HashMap, HashSet};

use comboi_project::{Column, Columns, FieldNames, SqlType};

use crate::fields::named;

/// The columns that have names, in the order in which they got them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    columns: Vec<Name>,
    /// By the name of the table, in lower case: SQL does not tell `a` from `A`.
    by_name: HashMap<String, usize>,
    by_source_name: HashMap<String, usize>,
    /// By the source's name in lower case.
    by_folded: HashMap<String, Vec<usize>>,
    /// Where to go on counting for a name that is taken.
    numbers: HashMap<String, u32>,
}

#[derive(Clone, Debug)]
struct Name {
    name: String,
    /// As [`Column::source_name`].
    source_name: Option<String>,
    /// As [`Column::field_names`].
    fields: FieldNames,
    /// The type that the table has, for the names of its fields.
    sql_type: SqlType,
}

impl Names {
    /// Those that the table's columns have.
    pub(crate) fn of(known: Option<&Columns>) -> Self {
        let mut names = Self::default();
        for column in known.into_iter().flatten() {
            let place = names.add(column.name.clone(), column.source_name.clone());
            names.columns[place].fields = column.field_names.clone();
            names.columns[place].sql_type = column.sql_type.clone();
        }
        names
    }

    /// What the table calls the columns of one file or relation, in their order; new ones get names.
    ///
    /// A column without a name is called by its place, and the second `a` is `a [2]` to us: where it stands is all that
    /// tells it from the first.
    pub(crate) fn assign<'a>(&mut self, spelled: impl IntoIterator<Item = &'a str>) -> Vec<Column> {
        self.assign_by(spelled, false)
    }

    /// The same of keys of JSON objects, whose case always counts: one that is alone in a file is no other key.
    pub(crate) fn assign_keys<'a>(
        &mut self,
        keys: impl IntoIterator<Item = &'a str>,
    ) -> Vec<Column> {
        self.assign_by(keys, true)
    }

    fn assign_by<'a>(
        &mut self,
        spelled: impl IntoIterator<Item = &'a str>,
        case_counts: bool,
    ) -> Vec<Column> {
        let spelled = told_apart(spelled);
        let mut places: Vec<Option<usize>> = spelled
            .iter()
            .map(|it| self.by_source_name.get(&it.source_name).copied())
            .collect();
        if !case_counts {
            self.match_other_case(&spelled, &mut places);
        }
        self.adopt(&spelled, &mut places, case_counts);
        let assigned = spelled.into_iter().zip(places);
        let column = |(spelled, place): (Spelled, Option<usize>)| {
            let place = place.unwrap_or_else(|| self.fresh(&spelled));
            let source_name = self.columns[place].source_name.clone();
            Column {
                name: self.columns[place].name.clone(),
                sql_type: SqlType::Null,
                source_name: source_name.or(Some(spelled.source_name)),
                field_names: self.columns[place].fields.clone(),
            }
        };
        assigned.map(column).collect()
    }

    /// A column by the table's name, with a type.
    pub(crate) fn column(&self, name: &str, sql_type: SqlType) -> Column {
        let place = self.by_name.get(&name.to_ascii_lowercase());
        let noted = place.map(|place| &self.columns[*place]);
        Column {
            name: name.to_owned(),
            sql_type,
            source_name: noted.and_then(|it| it.source_name.clone()),
            field_names: noted.map(|it| it.fields.clone()).unwrap_or_default(),
        }
    }

    /// A type that was found in a column of this name of the table, with the table's names for its fields. `known`: the type that
    /// the column has so far, if it is not what the table has.
    pub(crate) fn name_fields(
        &mut self,
        name: &str,
        found: &SqlType,
        known: Option<&SqlType>,
    ) -> SqlType {
        match self.by_name.get(&name.to_ascii_lowercase()) {
            Some(place) if found.is_nested() => {
                let Name {
                    sql_type, fields, ..
                } = &mut self.columns[*place];
                named(found, known.or(Some(sql_type)), fields)
            }
            _ => found.clone(),
        }
    }

    /// `NAME` is `name` if that leaves no doubt: there is one such column, and one such name that has none of its own.
    fn match_other_case(&self, spelled: &[Spelled], places: &mut [Option<usize>]) {
        let mut taken: HashSet<usize> = places.iter().flatten().copied().collect();
        let mut wanted: HashMap<String, u32> = HashMap::new();
        for (it, _) in spelled
            .iter()
            .zip(&*places)
            .filter(|(_, place)| place.is_none())
        {
            *wanted
                .entry(it.source_name.to_ascii_lowercase())
                .or_default() += 1;
        }
        for (i, it) in spelled.iter().enumerate() {
            let folded = it.source_name.to_ascii_lowercase();
            if places[i].is_some() || wanted.get(&folded) != Some(&1) {
                continue;
            }
            if let Some([place]) = self.by_folded.get(&folded).map(Vec::as_slice)
                && taken.insert(*place)
            {
                places[i] = Some(*place);
            }
        }
    }

    /// Columns that no source's name is noted for: of tables that were read before that was done, by the rule of that
    /// time, and of those that the configuration gives a type to and that no source has had.
    fn adopt(&mut self, spelled: &[Spelled], places: &mut [Option<usize>], case_counts: bool) {
        let is_free = |it: &Name| it.source_name.as_deref().is_none_or(str::is_empty);
        if !self.columns.iter().any(is_free) {
            return;
        }
        let earlier = earlier_names(spelled);
        for ((it, place), earlier) in spelled.iter().zip(places).zip(earlier) {
            if place.is_some() {
                continue;
            }
            let named = |name: &str, source_name: Option<&str>| {
                let place = self.by_name.get(&name.to_ascii_lowercase()).copied();
                place.filter(|place| {
                    let it = &self.columns[*place];
                    it.source_name.as_deref() == source_name && (!case_counts || it.name == name)
                })
            };
            *place = named(&clean(&it.text), Some("")).or_else(|| named(&earlier, None));
            if let Some(place) = *place {
                self.note(place, &it.source_name);
            }
        }
    }

    fn note(&mut self, place: usize, source_name: &str) {
        self.columns[place].source_name = Some(source_name.to_owned());
        self.by_source_name.insert(source_name.to_owned(), place);
        let folded = source_name.to_ascii_lowercase();
        self.by_folded.entry(folded).or_default().push(place);
    }

    fn add(&mut self, name: String, source_name: Option<String>) -> usize {
        let place = self.columns.len();
        self.by_name.insert(name.to_ascii_lowercase(), place);
        self.columns.push(Name {
            name,
            source_name: None,
            fields: FieldNames::new(),
            sql_type: SqlType::Null,
        });
        match source_name {
            Some(source_name) if !source_name.is_empty() => self.note(place, &source_name),
            source_name => self.columns[place].source_name = source_name,
        }
        place
    }

    /// A name that no column of the table has or had.
    fn fresh(&mut self, spelled: &Spelled) -> usize {
        let first = match clean(&spelled.text) {
            nothing if nothing.is_empty() => "column".to_owned(),
            name => name,
        };
        let folded = first.to_ascii_lowercase();
        let mut name = first.clone();
        while self.by_name.contains_key(&name.to_ascii_lowercase()) {
            let number = self.numbers.entry(folded.clone()).or_default();
            *number += 1;
            name = format!("{first}_{number}");
        }
        self.add(name, Some(spelled.source_name.clone()))
    }
}

/// The column that people mean: by the source's name, whatever its case if only one has it, or by the table's.
pub(crate) fn meant<'a>(columns: &'a Columns, name: &str) -> Option<&'a Column> {
    let by_source = |same: &dyn Fn(&str) -> bool| {
        let mut found = columns
            .iter()
            .filter(|it| it.source_name.as_deref().is_some_and(same));
        found.next().filter(|_| found.next().is_none())
    };
    by_source(&|it| it == name)
        .or_else(|| by_source(&|it| it.eq_ignore_ascii_case(name)))
        .or_else(|| columns.get(name))
        .or_else(|| columns.get(&clean(name)))
        .or_else(|| columns.get(&earlier_clean(name)))
}

/// Whether the table may call a column so that people call by this name.
pub(crate) fn may_be_called(meant: &str, name: &str) -> bool {
    let names = [meant.to_owned(), clean(meant), earlier_clean(meant)];
    names.iter().any(|it| {
        let rest = name
            .get(it.len()..)
            .filter(|_| name.is_char_boundary(it.len()));
        let number = rest.and_then(|rest| rest.strip_prefix('_'));
        let is_numbered = number.is_some_and(|number| number.parse::<u32>().is_ok());
        let begin = name
            .get(..it.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(it));
        begin && (rest == Some("") || is_numbered)
    })
}

/// The place of the name that people mean among those of a source: that very one, or else the only one that differs in
/// case.
pub(crate) fn place_of<'a>(
    names: impl IntoIterator<Item = &'a str, IntoIter: Clone>,
    wanted: &str,
) -> Option<usize> {
    let mut names = names.into_iter();
    let all = names.clone();
    names.position(|name| name == wanted).or_else(|| {
        let mut others = all
            .enumerate()
            .filter(|(_, name)| name.eq_ignore_ascii_case(wanted));
        let (place, _) = others.next()?;
        others.next().is_none().then_some(place)
    })
}

/// A column as its source names it.
struct Spelled {
    /// What tells it from the others: no two are the same and none is empty.
    source_name: String,
    /// As it is written.
    text: String,
}

fn told_apart<'a>(spelled: impl IntoIterator<Item = &'a str>) -> Vec<Spelled> {
    let spelled: Vec<&str> = spelled.into_iter().collect();
    let all: HashSet<&str> = spelled.iter().copied().collect();
    let mut times: HashMap<&str, u32> = HashMap::new();
    let mut names = Vec::with_capacity(spelled.len());
    for (i, text) in spelled.iter().copied().enumerate() {
        if text.trim().is_empty() {
            let place = format!("column{i}");
            names.push(Spelled {
                text: place.clone(),
                source_name: place,
            });
            continue;
        }
        let times = times.entry(text).or_default();
        *times += 1;
        let mut source_name = text.to_owned();
        while *times > 1 && all.contains(source_name.as_str()) {
            source_name = format!("{text} [{times}]");
            *times += u32::from(all.contains(source_name.as_str()));
        }
        names.push(Spelled {
            text: text.to_owned(),
            source_name,
        });
    }
    names
}

/// Delta tables without column mapping can't have any of ` ,;{}()=` and line breaks in a name, so that `Amount (EUR)`
/// becomes `Amount_EUR`. An underscore that the source's name ends with stays.
pub(crate) fn clean(text: &str) -> String {
    let (text, underscores) = match text.trim() {
        text if text.trim_end_matches('_').is_empty() => ("", text),
        text => text.split_at(text.trim_end_matches('_').len()),
    };
    let mut name = String::new();
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() || ",;{}()=".contains(c) {
            gap = true;
        } else {
            if gap && !name.is_empty() && !name.ends_with('_') {
                name.push('_');
            }
            gap = false;
            name.push(c);
        }
    }
    name + underscores
}

/// What names became before the source's names were noted.
fn earlier_names(spelled: &[Spelled]) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::new();
    let mut names = Vec::with_capacity(spelled.len());
    for (i, it) in spelled.iter().enumerate() {
        let mut first = earlier_clean(&it.text);
        if first.is_empty() {
            first = format!("column{i}");
        }
        let mut name = first.clone();
        let mut number = 0;
        while !taken.insert(name.to_ascii_lowercase()) {
            number += 1;
            name = format!("{first}_{number}");
        }
        names.push(name);
    }
    names
}

fn earlier_clean(text: &str) -> String {
    let mut name = String::new();
    for c in text.trim().chars() {
        if c.is_whitespace() || c.is_control() || ",;{}()=".contains(c) {
            if !name.is_empty() && !name.ends_with('_') {
                name.push('_');
            }
        } else {
            name.push(c);
        }
    }
    if name.trim_end_matches('_').is_empty() {
        name
    } else {
        name.trim_end_matches('_').to_owned()
    }
}

#[cfg(test)]
mod tests;
