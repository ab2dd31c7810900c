//! A commit in all its parts, and the log entry that it is written as.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use comboi_project::{Columns, PipelineName};
use deltalake::kernel::{Action, Add, Remove};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::commit::Operation;
use crate::error::Error;
use crate::indexed;
use crate::notes::{Fence, Notes, packed};
use crate::schema::to_delta;
use crate::snapshot::Snapshot;
use crate::table::Table;

/// What a commit says, whatever it is for.
pub(crate) struct Draft<'a> {
    pub(crate) base: Option<&'a Snapshot>,
    pub(crate) operation: Operation,
    pub(crate) fence: Option<(PipelineName, Fence)>,
    pub(crate) columns: &'a Columns,
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) oldest: u64,
    pub(crate) add: Vec<Add>,
    pub(crate) remove: Vec<Remove>,
    pub(crate) added_row_count: u64,
    pub(crate) removed_row_count: u64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) attempt: String,
}

impl Table {
    /// The entry as it is written: one action a line.
    pub(crate) fn entry(&self, draft: &Draft<'_>, version: u64) -> Result<String, Error> {
        let schema = to_delta(draft.columns).map_err(|why| self.refused(why))?;
        let mut fences = draft
            .base
            .map(|base| base.fences.clone())
            .unwrap_or_default();
        fences.extend(draft.fence.clone());
        let before = draft
            .base
            .map_or((0, 0), |base| (base.files.len(), base.row_count()));
        let notes = Notes {
            committed: Some((version, draft.at)),
            total: Some((
                before.0 + draft.add.len() - draft.remove.len(),
                before.1 + draft.added_row_count - draft.removed_row_count,
            )),
            oldest: draft.oldest,
            without_bounds: Some(indexed::without_bounds(draft)),
            fences,
            properties: draft.properties.clone(),
        };
        let mut lines = vec![commit_info(draft)];
        if draft.base.is_none() {
            lines.push(json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } }));
        }
        lines.push(metadata(draft, &schema, &notes));
        if let Some((pipeline, fence)) = &draft.fence {
            let at = draft.at.timestamp_millis();
            lines.push(json!({ "txn": { "appId": pipeline.as_str(), "version": packed(*fence), "lastUpdated": at } }));
        }
        let files = draft
            .remove
            .iter()
            .cloned()
            .map(Action::Remove)
            .chain(draft.add.iter().cloned().map(Action::Add));
        let mut lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        for file in files {
            lines.push(
                serde_json::to_string(&file).expect("an action is made of texts and numbers"),
            );
        }
        Ok(lines.join("\n") + "\n")
    }
}

/// Every commit says again what the table is, so a writer that rebases its own commits sees each of
/// ours as a change of the table, and stops.
fn metadata(draft: &Draft<'_>, schema: &Value, notes: &Notes) -> Value {
    let mut configuration = draft
        .base
        .map(Snapshot::foreign_configuration)
        .unwrap_or_default();
    let setting = |columns: &Columns, without: &Option<BTreeSet<String>>| {
        indexed::setting(columns, without.as_ref()?)
    };
    let before = draft.base;
    let before = before.and_then(|base| setting(&base.columns, &base.without_bounds));
    let now = setting(draft.columns, &notes.without_bounds);
    indexed::set(&mut configuration, before, now);
    configuration.extend(notes.configuration());
    let before = draft.base.map(|base| base.state.metadata());
    json!({ "metaData": {
        "id": before.map_or_else(|| Uuid::new_v4().to_string(), |before| before.id().to_owned()),
        "name": before.and_then(|before| before.name()),
        "description": before.and_then(|before| before.description()),
        "format": { "provider": "parquet", "options": {} },
        "schemaString": schema.to_string(),
        "partitionColumns": [],
        "configuration": configuration,
        "createdTime": before.map_or(Some(draft.at.timestamp_millis()), |before| before.created_time()),
    } })
}

fn commit_info(draft: &Draft<'_>) -> Value {
    let bytes: i64 = draft.add.iter().map(|add| add.size).sum();
    let mode = if draft.operation == Operation::Replace {
        "Overwrite"
    } else {
        "Append"
    };
    let by = draft.fence.as_ref().map(
        |(pipeline, (run, chunk))| json!({ "pipeline": pipeline, "run": run, "chunk": chunk }),
    );
    json!({ "commitInfo": {
        "timestamp": draft.at.timestamp_millis(),
        "operation": draft.operation.delta_name(),
        "operationParameters": { "mode": mode },
        "readVersion": draft.base.map(|base| base.version),
        "isolationLevel": "Serializable",
        "isBlindAppend": false,
        "engineInfo": concat!("comboi/", env!("CARGO_PKG_VERSION")),
        "operationMetrics": {
            "numFiles": draft.add.len().to_string(),
            "numOutputBytes": bytes.to_string(),
            "numOutputRows": draft.added_row_count.to_string(),
            "numRemovedFiles": draft.remove.len().to_string(),
            "numDeletedRows": draft.removed_row_count.to_string(),
        },
        "comboi": { "operation": draft.operation.as_str(), "attempt": draft.attempt, "by": by },
    } })
}

/// Which attempt wrote a log entry, when it is comboi's.
pub(crate) fn attempt(entry: &[u8]) -> Option<String> {
    let first = entry.split(|byte| *byte == b'\n').next()?;
    let info: Value = serde_json::from_slice(first).ok()?;
    info["commitInfo"]["comboi"]["attempt"]
        .as_str()
        .map(str::to_owned)
}
