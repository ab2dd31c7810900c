//! The names of clusters, which stay from run to run.
//!
//! A cluster is called by the smallest id of its rows when it is first seen. Later the name belongs to the cluster with the
//! row of that id; where there is no such row any more, to the one with most of the rows that were called so. A cluster to
//! which several names belong keeps the one that most of its rows had. So a name that is in use is either the id of
//! one of the cluster's own rows, or of none at all, and no two clusters can come to the same one.

use comboi_project::{Column, Columns, SqlType};

use crate::{Built, Error, sql};

use super::Dedupe;
use super::rows::{CLUSTERS_BEFORE, LOG_BEFORE, MEMBERS, Rows};

/// What became of the names.
pub(super) struct Changes {
    /// `None`: every row is where it was.
    pub(super) clusters: Option<Built>,
    /// `None`: nothing merged and nothing split.
    pub(super) log: Option<Built>,
    pub(super) merged: u64,
    pub(super) split: u64,
}

/// Names the clusters: table [`NAMED`] (`c`, `cluster_id`, `first`: the smallest id of the cluster). A cluster of one row that is called as its row is may be
/// left out. What is needed for nothing more is gone then.
pub(super) fn name(rows: &Rows<'_>, job: &Dedupe<'_>) -> Result<Changes, Error> {
    let changes = named(rows, job)?;
    rows.own(&format!("DROP VIEW {MEMBERS}"))?;
    for table in ["ids", "moved", "claims", "heirs", "changes"] {
        rows.own(&format!("DROP TABLE IF EXISTS {table}"))?;
    }
    Ok(changes)
}

/// The clusters.
pub(super) const NAMED: &str = "named";

fn named(rows: &Rows<'_>, job: &Dedupe<'_>) -> Result<Changes, Error> {
    let id = rows.id_type();
    let log_columns = log_columns(&id);
    if job.clusters.is_none() {
        // Of those that are alone nothing needs to be found out.
        rows.own(&format!(
            "CREATE TABLE {NAMED} AS SELECT c, min(uid) AS cluster_id, min(uid) AS first FROM {MEMBERS} WHERE size > 1 GROUP BY c"
        ))?;
        return Ok(Changes {
            clusters: Some(write_clusters(rows, &id)?),
            log: None,
            merged: 0,
            split: 0,
        });
    }
    for statement in inherit() {
        rows.own(&statement)?;
    }
    let [moved, added, gone, merged, split] = rows.numbers(&format!(
        "SELECT (SELECT count(*) FROM changes),
                (SELECT count(*) FROM {MEMBERS} ANTI JOIN {CLUSTERS_BEFORE} ON unique_id = uid),
                (SELECT count(*) FROM {CLUSTERS_BEFORE} ANTI JOIN {MEMBERS} ON unique_id = uid),
                (SELECT count(*) FROM changes WHERE change = 'merged'),
                (SELECT count(DISTINCT from_cluster_id) FROM changes WHERE change IN ('split', 'moved'))"
    ))?;
    let clusters = match moved + added + gone {
        0 => None,
        _ => Some(write_clusters(rows, &id)?),
    };
    let log = match moved {
        0 => None,
        _ => Some(write_log(rows, job, log_columns)?),
    };
    Ok(Changes {
        clusters,
        log,
        merged,
        split,
    })
}

/// From the names that there were to those that there are.
fn inherit() -> [String; 5] {
    [
        // Which rows of a name are in which cluster now.
        format!(
            "CREATE TABLE moved AS SELECT c, cluster_id AS was, count(*) AS n, min(uid) AS first
             FROM {MEMBERS} JOIN {CLUSTERS_BEFORE} ON unique_id = uid GROUP BY c, cluster_id"
        ),
        // To which cluster a name belongs.
        format!("CREATE TABLE claims AS
         WITH names AS (SELECT DISTINCT was FROM moved),
         own AS (SELECT names.was, m.c FROM names JOIN {MEMBERS} AS m ON m.uid = names.was)
         SELECT own.c, own.was, coalesce(moved.n, 0) AS n
         FROM own LEFT JOIN moved ON moved.c = own.c AND moved.was = own.was
         UNION ALL
         SELECT c, was, n FROM moved WHERE was NOT IN (SELECT was FROM own)
         QUALIFY row_number() OVER (PARTITION BY was ORDER BY n DESC, first) = 1"),
        "CREATE TABLE heirs AS SELECT c, was FROM claims
         QUALIFY row_number() OVER (PARTITION BY c ORDER BY n DESC, was) = 1"
            .to_owned(),
        format!("CREATE TABLE {NAMED} AS SELECT c, coalesce(any_value(heirs.was), min(uid)) AS cluster_id, min(uid) AS first
         FROM {MEMBERS} LEFT JOIN heirs USING (c) GROUP BY c"),
        format!(
            "CREATE TABLE changes AS
             WITH spread AS (SELECT was, count(*) AS clusters FROM moved GROUP BY was),
             known AS (SELECT DISTINCT cluster_id FROM {CLUSTERS_BEFORE})
             SELECT CASE WHEN spread.clusters = 1 AND known.cluster_id IS NOT NULL THEN 'merged'
                         WHEN spread.clusters = 1 THEN 'renamed'
                         WHEN known.cluster_id IS NOT NULL THEN 'moved'
                         ELSE 'split' END AS change,
                    moved.was AS from_cluster_id, named.cluster_id, moved.n AS row_count
             FROM moved JOIN {NAMED} AS named USING (c) JOIN spread USING (was)
             LEFT JOIN known ON known.cluster_id = named.cluster_id
             WHERE moved.was <> named.cluster_id"
        ),
    ]
}

fn write_clusters(rows: &Rows<'_>, id: &SqlType) -> Result<Built, Error> {
    let columns = columns(&[("unique_id", id), ("cluster_id", id)]);
    rows.write(
        &format!(
            "SELECT uid, coalesce(cluster_id, uid) FROM {MEMBERS} LEFT JOIN {NAMED} USING (c) ORDER BY uid"
        ),
        columns,
        "clusters.parquet",
    )
}

fn write_log(rows: &Rows<'_>, job: &Dedupe<'_>, columns: Columns) -> Result<Built, Error> {
    let names: Vec<String> = columns.names().map(sql::ident).collect();
    let now = format!(
        "SELECT {}::BIGINT AS run_id, make_timestamptz({}) AS logged_at, change, from_cluster_id, cluster_id, row_count FROM changes",
        job.run.0,
        job.now.timestamp_micros()
    );
    let before = job.log.map_or_else(String::new, |_| {
        format!("SELECT {} FROM {LOG_BEFORE} UNION ALL ", names.join(", "))
    });
    rows.write(
        &format!(
            "SELECT * FROM ({before}{now}) ORDER BY logged_at, run_id, from_cluster_id, cluster_id"
        ),
        columns,
        "log.parquet",
    )
}

fn log_columns(id: &SqlType) -> Columns {
    columns(&[
        ("run_id", &SqlType::BigInt),
        ("logged_at", &SqlType::TimestampTz),
        ("change", &SqlType::Varchar(None)),
        ("from_cluster_id", id),
        ("cluster_id", id),
        ("row_count", &SqlType::BigInt),
    ])
}

fn columns(columns: &[(&str, &SqlType)]) -> Columns {
    let column = |(name, of): &(&str, &SqlType)| Column::new(*name, (*of).clone());
    columns.iter().map(column).collect()
}
