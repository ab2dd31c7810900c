//! Formats and shapes of texts: looked for in a sample, counted in all rows.

use comboi_contract::{ColumnFacts, Format, FormatCount};
use comboi_project::{Column, SqlType};

use super::{Answers, Measuring};
use crate::{Error, sql};

/// Rows of the sample: enough to meet a format that one value in a hundred has.
const SAMPLE: u32 = 20_000;

/// What is worth counting of a column.
#[derive(Default)]
pub(super) struct Promising {
    formats: Vec<Format>,
    shape: Option<String>,
}

impl Measuring<'_> {
    /// For each column, what a sample has enough of.
    pub(super) fn promising(&self, columns: &[&Column]) -> Result<Vec<Promising>, Error> {
        let texts = |column: &&&Column| matches!(column.sql_type, SqlType::Varchar(_));
        let mut asked = Vec::new();
        for column in columns.iter().filter(texts) {
            let name = sql::ident(&column.name);
            asked.push(format!("count({name})"));
            asked.extend(Format::ALL.map(|format| count_of(&name, format)));
            asked.push(format!("min({})", shape_of(&name)));
            asked.push(format!("max({})", shape_of(&name)));
        }
        if asked.is_empty() {
            return Ok(columns.iter().map(|_| Promising::default()).collect());
        }
        let sample = format!(
            "(SELECT * FROM {} USING SAMPLE reservoir({SAMPLE} ROWS) REPEATABLE (1))",
            self.relation
        );
        let mut answers = self.ask(&asked, &sample)?;
        Ok(columns
            .iter()
            .map(|column| {
                if texts(&column) {
                    Promising::read(&mut answers)
                } else {
                    Promising::default()
                }
            })
            .collect())
    }
}

impl Promising {
    fn read(answers: &mut Answers) -> Self {
        let present = answers.number();
        let mut formats = Vec::new();
        for format in Format::ALL {
            if answers.number() * 20 > present {
                formats.push(format);
            }
        }
        let (least, greatest) = (answers.text(), answers.text());
        Self {
            formats,
            shape: least.filter(|least| greatest.as_ref() == Some(least)),
        }
    }

    pub(super) fn questions(&self, name: &str) -> Vec<String> {
        let mut asked: Vec<String> = self
            .formats
            .iter()
            .map(|format| count_of(name, *format))
            .collect();
        if let Some(shape) = &self.shape {
            asked.push(format!(
                "count(*) FILTER (WHERE {} = {})",
                shape_of(name),
                sql::text(shape)
            ));
            asked.push(format!("min({name})"));
            asked.push(format!("max({name})"));
        }
        asked
    }

    pub(super) fn answered(self, facts: &mut ColumnFacts, answers: &mut Answers) {
        for format in self.formats {
            let count = answers.number();
            facts.formats.push(FormatCount { format, count });
        }
        if let Some(shape) = self.shape {
            let alike = answers.number();
            let (least, greatest) = (answers.text(), answers.text());
            if alike == facts.present
                && let (Some(least), Some(greatest)) = (least, greatest)
            {
                // What the least and the greatest begin with, all begin with.
                let same = least
                    .chars()
                    .zip(greatest.chars())
                    .take_while(|(a, b)| a == b)
                    .map(|(a, _)| a)
                    .collect();
                facts.shape = Some((same, shape));
            }
        }
    }
}

fn count_of(name: &str, format: Format) -> String {
    format!(
        "count(*) FILTER (WHERE regexp_matches({name}, {}))",
        sql::text(format.pattern())
    )
}

/// `C-000123` is `A-999999`. Only the first characters: a shape is short or none.
fn shape_of(name: &str) -> String {
    format!(
        "regexp_replace(regexp_replace(regexp_replace(left({name}, 41), '[0-9]', '9', 'g'), '[A-Z]', 'A', 'g'), '[a-z]', 'a', 'g')"
    )
}
