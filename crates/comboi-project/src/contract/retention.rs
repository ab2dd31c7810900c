//! How long rows are kept, and by which column their age is told.

use super::{Contract, Retention};
use crate::read::{Located, Reader};
use crate::{Place, Problem};

/// Columns by which the age of a row is told where nobody says so, the most telling first. Not among them: when comboi
/// loaded or processed a row, which makes every row new that is read or built again.
const TELLING: [&str; 5] = [
    "updated_at",
    "modified_at",
    "event_time",
    "timestamp",
    "created_at",
];
/// Columns that say when a row was handled, not how old it is.
const HANDLED: [&str; 3] = ["loaded_at", "processed_at", "_comboi_loaded_at"];
/// A thousand years: more is a slip.
const MOST_DAYS: u64 = 365_250;

/// That rows go when they have reached an age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFor {
    /// The date or timestamp by which age is told.
    pub column: String,
    /// Older rows go.
    pub max_age_days: u64,
    /// Where it is written.
    pub place: Place,
}

impl Contract {
    /// How long rows are kept; `None` when the contract does not say, or several columns may be meant (which is a problem of
    /// the contract).
    pub fn kept_for(&self) -> Option<KeptFor> {
        let retention = self.sla.as_ref()?.data_retention.as_ref()?;
        let days = retention.max_age_days.as_ref()?;
        Some(KeptFor {
            column: self.retention_column(retention)?,
            max_age_days: days.value,
            place: days.place.clone(),
        })
    }

    /// The one that is named; that of freshness; the most telling one; the only one.
    fn retention_column(&self, retention: &Retention) -> Option<String> {
        if let Some(column) = &retention.column {
            return Some(column.value.clone());
        }
        let handled = |name: &str| HANDLED.iter().any(|it| it.eq_ignore_ascii_case(name));
        let freshness = self.sla.as_ref().and_then(|sla| sla.freshness.as_ref());
        let of_freshness = freshness.and_then(|freshness| freshness.column.as_ref());
        if let Some(column) = of_freshness.filter(|column| !handled(column)) {
            return Some(column.value.clone());
        }
        let all = self.schema.columns.iter();
        let moments: Vec<&str> = all
            .filter(|column| column.sql_type.is_moment())
            .map(|column| column.name.as_str())
            .collect();
        let of_rows: Vec<&str> = moments
            .iter()
            .copied()
            .filter(|name| !handled(name))
            .collect();
        let named = |telling: &str| {
            let mut found = of_rows.iter();
            found.find(|name| name.eq_ignore_ascii_case(telling))
        };
        let column = match (TELLING.into_iter().find_map(named), of_rows.as_slice()) {
            (Some(column), _) | (None, [column]) => column,
            // A contract need not list every column: the dataset may have the most usual one.
            (None, []) if moments.is_empty() => TELLING.first()?,
            (None, _) => return None,
        };
        Some((*column).to_owned())
    }
}

/// What is wrong with how long rows are kept, but for the column's being there.
pub(crate) fn check_age(days: &Located<u64>, reader: &mut Reader) {
    if !(1..MOST_DAYS).contains(&days.value) {
        let message = "rows are kept for one day at least and less than 1000 years";
        let hint = "leave `data_retention` out to keep them for ever";
        reader
            .problems
            .push(Problem::at(&days.place, message).hint(hint));
    }
}
