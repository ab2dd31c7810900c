//! Several connections that read parts of a table at once.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use comboi_engine::Interrupter;

use super::client::Connection;
use super::columns::SourceColumn;
use super::stage::{Stager, Staging};
use super::stop::unless_stopped;
use crate::Error;

/// The statement that reads a part.
pub(super) struct Piece(pub(super) String);

/// What was staged.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) files: Vec<PathBuf>,
    pub(super) row_count: u64,
    pub(super) nulls_skipped: u64,
    pub(super) ahead: u64,
    /// By column.
    pub(super) cut_off: Vec<u64>,
}

/// Reads every piece by whichever connection is free. The first error ends all of them, and nothing is written any more when it is told.
pub(super) async fn read(
    connections: &mut Vec<Box<dyn Connection>>,
    pieces: Vec<Piece>,
    columns: &[SourceColumn],
    staging: &Staging,
    folder: &Path,
    prefix: &str,
) -> Result<Read, Error> {
    let queue = std::sync::Arc::new(Mutex::new(VecDeque::from(pieces)));
    let mut readers = tokio::task::JoinSet::new();
    for (number, connection) in std::mem::take(connections).into_iter().enumerate() {
        let stager = Stager::new(staging.clone(), folder, &format!("{prefix}-{number}"));
        let (queue, columns) = (std::sync::Arc::clone(&queue), columns.to_vec());
        let stop = staging.stop.clone();
        // On the threads that wait for sockets: rows that one thread waits for and another decodes cost a switch for each few of them.
        // tokio lets a task read some hundred times before it is another one's turn.
        readers.spawn(async move { drain(connection, &queue, &columns, stager, stop).await });
    }
    let mut all = Read {
        cut_off: vec![0; columns.len()],
        ..Read::default()
    };
    while let Some(done) = readers.join_next().await {
        let done = done.unwrap_or_else(|e| {
            Err(Error::Lost {
                doing: "read rows".into(),
                why: e.to_string(),
            })
        });
        match done {
            Ok((connection, read)) => {
                connections.push(connection);
                all.files.extend(read.files);
                all.row_count += read.row_count;
                all.nulls_skipped += read.nulls_skipped;
                all.ahead += read.ahead;
                for (all, more) in all.cut_off.iter_mut().zip(read.cut_off) {
                    *all += more;
                }
            }
            Err(error) => {
                readers.shutdown().await;
                return Err(error);
            }
        }
    }
    all.files.sort();
    Ok(all)
}

async fn drain(
    mut connection: Box<dyn Connection>,
    queue: &Mutex<VecDeque<Piece>>,
    columns: &[SourceColumn],
    mut stager: Stager,
    stop: Interrupter,
) -> Result<(Box<dyn Connection>, Read), Error> {
    loop {
        let next = queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let Some(Piece(sql)) = next else { break };
        unless_stopped(&stop, connection.read(&sql, columns, &mut stager)).await?;
    }
    stager.finish()?;
    let read = Read {
        files: std::mem::take(&mut stager.files),
        row_count: stager.row_count,
        nulls_skipped: stager.nulls_skipped,
        ahead: stager.ahead,
        cut_off: stager.cut_off,
    };
    Ok((connection, read))
}
