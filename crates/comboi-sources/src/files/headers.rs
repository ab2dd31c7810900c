//! CSV files whose first line does not have the names of columns.
//!
//! Such a line is data. Taken for names, it would be lost, and every other row of the file would have its values in new
//! columns.

use std::collections::HashSet;

use comboi_project::Columns;

use crate::Error;

/// The headers of the files that are read, by what the table calls their columns.
pub(super) struct Headers<'a> {
    known: Option<&'a Columns>,
    files: Vec<(String, HashSet<String>)>,
}

impl<'a> Headers<'a> {
    /// `known` is what the table has, without comboi's own columns.
    pub(super) fn of(known: Option<&'a Columns>) -> Self {
        Self {
            known: known.filter(|known| !known.is_empty()),
            files: Vec::new(),
        }
    }

    pub(super) fn add<'b>(&mut self, file: &str, columns: impl Iterator<Item = &'b String>) {
        let columns: HashSet<String> = columns.map(|it| it.to_ascii_lowercase()).collect();
        // Files that are alike are one case.
        if self.files.iter().all(|(_, it)| *it != columns) {
            self.files.push((file.to_owned(), columns));
        }
    }

    /// Fails for the first file that has none of the table's columns. In a first load, for the first one that has no
    /// column in common with any other.
    pub(super) fn check(&self) -> Result<(), Error> {
        let Some(known) = self.known else {
            return self.check_among_themselves();
        };
        let known: Vec<&str> = known.iter().map(|column| column.name.as_str()).collect();
        let is_strange = |columns: &HashSet<String>| {
            let mut known = known.iter().map(|it| it.to_ascii_lowercase());
            !known.any(|it| columns.contains(&it))
        };
        let Some((file, _)) = self.files.iter().find(|(_, it)| is_strange(it)) else {
            return Ok(());
        };
        let more = if known.len() > 3 { ", …" } else { "" };
        let some: Vec<String> = known.iter().take(3).map(|it| format!("`{it}`")).collect();
        Err(Error::BadFile(format!(
            "`{file}` has none of the columns of the table ({}{more}): its first line has no column names \
             (add a header, or set `header: false` if no file has one)",
            some.join(", ")
        )))
    }

    fn check_among_themselves(&self) -> Result<(), Error> {
        let is_alone = |place: usize| {
            let mut others = self.files.iter().enumerate().filter(|(it, _)| *it != place);
            let columns = &self.files[place].1;
            others.all(|(_, (_, other))| other.is_disjoint(columns))
        };
        let mut alone = (0..self.files.len()).filter(|place| is_alone(*place));
        // Of two, either can be the one without a header.
        let (Some(place), true) = (alone.next_back(), self.files.len() > 1) else {
            return Ok(());
        };
        let other = usize::from(place == 0);
        Err(Error::BadFile(format!(
            "`{}` has no column in common with `{}`: the first line of one of them has no column names, or they are \
             not of one table (add the header, or set `header: false` if no file has one)",
            self.files[place].0, self.files[other].0
        )))
    }
}
