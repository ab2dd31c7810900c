//! Holding a staged dataset against its contracts, and taking the rows away that they do not let through.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use comboi_engine::{
    Around, Aside, Built, Input, OtherDataset, Session, SetAside, Verdict, VerdictOutcome,
};
use comboi_project::{
    Action, Columns, Contract, DatasetId, QuarantineLimits, RuleKind, RunId, Severity,
};

use crate::task::TaskError;

/// A dataset that rules name, at the version that this run reads.
pub(super) struct Fetched {
    pub(super) name: String,
    pub(super) columns: Columns,
    pub(super) files: Vec<PathBuf>,
}

impl Fetched {
    fn shown(&self) -> OtherDataset<'_> {
        OtherDataset {
            name: &self.name,
            data: Ok(Input {
                alias: &self.name,
                columns: &self.columns,
                files: &self.files,
            }),
        }
    }
}

/// What a staged dataset is held against.
pub(super) struct Hold {
    pub(super) dataset: DatasetId,
    pub(super) contracts: Vec<Arc<Contract>>,
    pub(super) others: Vec<Fetched>,
    /// How many rows the versions before this one had, the newest first.
    pub(super) earlier_rows: Vec<u64>,
    pub(super) run: RunId,
    pub(super) now: DateTime<Utc>,
}

/// A dataset that was held against its contracts: what stays of it.
pub(super) struct Held {
    pub(super) built: Built,
    pub(super) verdicts: Vec<Verdict>,
    /// What goes to the quarantine: a file with its rows.
    pub(super) quarantined: Option<(PathBuf, u64)>,
    pub(super) dropped_rows: u64,
}

impl Hold {
    /// Rows are set aside first; all other rules are held to what stays.
    pub(super) fn to(
        &self,
        session: &Session,
        built: Built,
        folder: &Path,
    ) -> Result<Held, TaskError> {
        let verdicts = self.verdicts(session, &built)?;
        let to_set_aside = verdicts.iter().any(|verdict| {
            verdict.action.sets_aside() && matches!(verdict.outcome, VerdictOutcome::Failed { .. })
        });
        let unknown = verdicts
            .iter()
            .any(|verdict| verdict.action.sets_aside() && verdict.blocks());
        if !to_set_aside || unknown {
            return Ok(Held {
                built,
                verdicts,
                quarantined: None,
                dropped_rows: 0,
            });
        }
        let taken = self.take_away(session, &built, folder)?;
        let kept = Built {
            file: taken.kept.clone(),
            row_count: taken.kept_rows,
            columns: built.columns.clone(),
        };
        let of_kept = self.verdicts(session, &kept)?;
        let mut verdicts: Vec<Verdict> = verdicts
            .into_iter()
            .zip(of_kept)
            .map(|(of_all, of_kept)| match of_all.action.sets_aside() {
                false => of_kept,
                true if of_kept.passed() => of_all,
                // A key that refers to a row which is gone now, say: what stays must keep the rule too.
                true => Verdict {
                    severity: Severity::Error,
                    action: Action::Fail,
                    measured: format!("{}, once others were set aside", of_kept.measured),
                    ..of_kept
                },
            })
            .collect();
        verdicts.extend(self.limits(&taken));
        Ok(Held {
            built: kept,
            verdicts,
            quarantined: taken.quarantined.map(|file| (file, taken.quarantined_rows)),
            dropped_rows: taken.dropped_rows,
        })
    }

    /// Whether any rule compares with earlier versions, and with how many.
    pub(super) fn versions_needed(contracts: &[Arc<Contract>]) -> usize {
        let rules = contracts.iter().flat_map(|contract| contract.rules());
        let versions = rules.filter_map(|rule| match rule.kind {
            RuleKind::RowCountChange { versions } => usize::try_from(versions).ok(),
            _ => None,
        });
        versions.max().unwrap_or(0)
    }

    fn verdicts(&self, session: &Session, built: &Built) -> Result<Vec<Verdict>, TaskError> {
        let files = [built.file.clone()];
        let input = Input {
            alias: self.dataset.name(),
            columns: &built.columns,
            files: &files,
        };
        let others = self.others();
        let around = self.around(&others);
        let mut verdicts = Vec::new();
        for contract in &self.contracts {
            verdicts.extend(comboi_engine::check(session, contract, &input, &around)?);
        }
        Ok(verdicts)
    }

    fn take_away(
        &self,
        session: &Session,
        built: &Built,
        folder: &Path,
    ) -> Result<SetAside, TaskError> {
        let files = [built.file.clone()];
        let input = Input {
            alias: self.dataset.name(),
            columns: &built.columns,
            files: &files,
        };
        let others = self.others();
        let contracts: Vec<&Contract> = self.contracts.iter().map(AsRef::as_ref).collect();
        let to = Aside {
            kept: &folder.join("kept.parquet"),
            quarantined: &folder.join("quarantined.parquet"),
            run: self.run,
            at: self.now,
        };
        let around = self.around(&others);
        Ok(comboi_engine::set_aside(
            session, &contracts, &input, &around, &to,
        )?)
    }

    fn others(&self) -> Vec<OtherDataset<'_>> {
        self.others.iter().map(Fetched::shown).collect()
    }

    fn around<'a>(&'a self, others: &'a [OtherDataset<'a>]) -> Around<'a> {
        Around {
            now: self.now,
            others,
            earlier_rows: Some(&self.earlier_rows),
        }
    }

    /// What is said about how many rows may be set aside.
    fn limits(&self, taken: &SetAside) -> Vec<Verdict> {
        let limits = self.contracts.iter();
        let limits = limits.filter_map(|contract| Some((contract, contract.quarantine.as_ref()?)));
        limits
            .flat_map(|(contract, limits)| over(limits, taken, contract))
            .collect()
    }
}

fn over(limits: &QuarantineLimits, taken: &SetAside, contract: &Contract) -> Vec<Verdict> {
    let aside = taken.quarantined_rows + taken.dropped_rows;
    let all = aside + taken.kept_rows;
    let percent = as_number(aside) * 100.0 / as_number(all.max(1));
    let verdict = |rule: &str, place: &comboi_project::Place, most: String, value: String, over| {
        let detail = format!("{value} set aside, {most} may be");
        Verdict {
            rule: rule.to_owned(),
            kind: "quarantine".to_owned(),
            severity: Severity::Error,
            action: Action::Fail,
            outcome: if over {
                VerdictOutcome::Failed {
                    failed_count: Some(aside),
                    detail,
                    sample: comboi_engine::Sample::default(),
                }
            } else {
                VerdictOutcome::Passed
            },
            measured: comboi_project::text::counted(all, "row"),
            value: Some(value),
            threshold: Some(format!("must be less or equal to {most}")),
            row_count: Some(all),
            place: place.clone(),
        }
    };
    let mut verdicts = Vec::new();
    let place = |place: &comboi_project::Place| {
        // What was not written in a file has the dataset's place.
        if place.file.as_os_str().is_empty() {
            contract.dataset.place.clone()
        } else {
            place.clone()
        }
    };
    if let Some(most) = &limits.max_rows {
        let rows = |rows: u64| comboi_project::text::counted(rows, "row");
        verdicts.push(verdict(
            "quarantine_max_rows",
            &place(&most.place),
            rows(most.value),
            rows(aside),
            aside > most.value,
        ));
    }
    if let Some(most) = &limits.max_percent {
        verdicts.push(verdict(
            "quarantine_max_percent",
            &place(&most.place),
            format!("{} percent", most.value),
            format!("{percent:.2} percent"),
            percent > most.value,
        ));
    }
    verdicts
}

/// The nearest number there is: exact up to 9 thousand billions of rows.
fn as_number(rows: u64) -> f64 {
    rows.to_string().parse().unwrap_or(f64::MAX)
}
