//! Several connections that read parts of a table at once.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use comboi_engine::Interrupter;

use super::ahead::Count;
use super::client::Connection;
use super::columns::{SourceColumn, arrow_schema};
use super::digest::{Digest, Digesting};
use super::stage::{Stager, Staging};
use super::stop::unless_stopped;
use crate::Error;

/// The statement that reads a part.
pub(super) struct Piece(pub(super) String);

/// What is to be read.
pub(super) struct Pieces {
    pub(super) all: VecDeque<Piece>,
    /// So many of them are read in any case.
    pub(super) required: usize,
    /// None of the others is begun after this time.
    pub(super) until: Option<Instant>,
    /// Whether a digest is made of the rows of the last one that is read.
    pub(super) digested: bool,
    /// How many were begun.
    pub(super) taken: usize,
}

impl Pieces {
    pub(super) fn one(piece: Piece) -> Self {
        Self {
            all: VecDeque::from([piece]),
            required: 1,
            until: None,
            digested: false,
            taken: 0,
        }
    }

    /// The next one, with its number.
    fn next(&mut self) -> Option<(usize, Piece)> {
        let is_late = self.until.is_some_and(|until| Instant::now() >= until);
        if is_late && self.taken >= self.required {
            return None;
        }
        let piece = self.all.pop_front()?;
        self.taken += 1;
        Some((self.taken, piece))
    }
}

/// What was staged.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) files: Vec<PathBuf>,
    /// How many pieces were read: the first ones.
    pub(super) pieces: usize,
    /// How many rows came, with those that were not wanted.
    pub(super) received: u64,
    /// The number of the last piece that a digest was made of, and the digest.
    pub(super) last: Option<(usize, Digest)>,
    pub(super) row_count: u64,
    pub(super) nulls_skipped: u64,
    pub(super) ahead: Count,
    /// By column.
    pub(super) cut_off: Vec<u64>,
}

impl Read {
    fn add(&mut self, more: Self) {
        self.files.extend(more.files);
        self.received += more.received;
        let last = self.last.take().into_iter().chain(more.last);
        self.last = last.max_by_key(|(number, _)| *number);
        self.row_count += more.row_count;
        self.nulls_skipped += more.nulls_skipped;
        self.ahead.add(more.ahead);
        for (all, more) in self.cut_off.iter_mut().zip(more.cut_off) {
            *all += more;
        }
    }
}

/// Reads pieces by whichever connection is free. The first error ends all of them, and nothing is written any more when it is told.
pub(super) async fn read(
    connections: &mut Vec<Box<dyn Connection>>,
    pieces: Pieces,
    columns: &[SourceColumn],
    staging: &Staging,
    folder: &Path,
    prefix: &str,
) -> Result<Read, Error> {
    let queue = std::sync::Arc::new(Mutex::new(pieces));
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
                all.add(read);
            }
            Err(error) => {
                readers.shutdown().await;
                return Err(error);
            }
        }
    }
    all.files.sort();
    all.pieces = queue.lock().unwrap_or_else(PoisonError::into_inner).taken;
    Ok(all)
}

async fn drain(
    mut connection: Box<dyn Connection>,
    queue: &Mutex<Pieces>,
    columns: &[SourceColumn],
    mut stager: Stager,
    stop: Interrupter,
) -> Result<(Box<dyn Connection>, Read), Error> {
    let mut last = None;
    loop {
        let (next, digested) = {
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            (queue.next(), queue.digested)
        };
        let Some((number, Piece(sql))) = next else {
            break;
        };
        if digested {
            stager.digesting = Some(Digesting::new(&arrow_schema(columns))?);
        }
        unless_stopped(&stop, connection.read(&sql, columns, &mut stager)).await?;
        let digest = stager.digesting.take().map(|it| (number, it.digest()));
        last = digest.or(last);
    }
    stager.finish()?;
    let read = Read {
        files: std::mem::take(&mut stager.files),
        pieces: 0,
        received: stager.received,
        last,
        row_count: stager.row_count,
        nulls_skipped: stager.nulls_skipped,
        ahead: stager.ahead,
        cut_off: stager.cut_off,
    };
    Ok((connection, read))
}
