//! First loads, and tables that are read anew: in parts, of which several go into a commit.
//!
//! A first load that died goes on after its last commit, if the parts that are done still hold what was read of them. With a key
//! that is so or can be put right. Without one: of pages, PostgreSQL tells whether anything was written there since; of ranges of a
//! column, the last one is read again and has to have the same rows. Otherwise the load begins anew.

use std::time::Instant;

use super::bounds::{Bounds, one_row};
use super::checkpoint::Load;
use super::chunk::How;
use super::columns::arrow_schema;
use super::digest::{Digest, Digesting};
use super::own_bounds::far_apart;
use super::parallel::{Pieces, Read};
use super::reader::DatabaseReader;
use super::reading::{Reading, Work};
use super::request::{Filter, OwnCursor, Part};
use super::stop::unless_stopped;
use crate::{Error, Note};

/// A first load is committed after about so many rows.
const COMMIT_ROWS: u64 = 5_000_000;
/// A first load is read in parts of about so many rows.
const PART_ROWS: u64 = 250_000;
const MOST_PARTS: usize = 1000;
/// Where time is limited, a first load is divided into so many parts at least, unless they would have fewer rows than this.
const LEAST_PARTS: u64 = 64;
const LEAST_ROWS: u64 = 100;

/// What is left of a load.
pub(super) struct Loading {
    pub(super) load: Load,
    pub(super) bounds: Bounds,
    /// How many parts are committed at once.
    group: usize,
    /// All rows go into one commit: readers see a table that was complete before or after, not in between.
    is_whole: bool,
    /// Rows that the lake has are replaced.
    replaces: bool,
    /// Rows of an earlier session are in the lake: some may have been read in another state since.
    resumed: bool,
    /// Rows that have come to lie where an earlier session has read.
    moved: Option<Filter>,
}

/// What has become of the parts of a load that are done.
enum Since {
    /// What they were.
    Nothing,
    /// These rows are new there.
    Moved(Filter),
    /// It can't be told, so everything is read again.
    Anew(&'static str),
}

impl DatabaseReader<'_> {
    pub(super) fn commit_rows(&self) -> u64 {
        let said = self.table.commit_rows.as_ref();
        said.map_or(COMMIT_ROWS, |it| it.value).max(1)
    }

    /// Into how many parts so many rows are divided.
    pub(super) fn parts_wanted(&self, rows: u64, is_whole: bool) -> usize {
        let wanted = rows / PART_ROWS.min(self.commit_rows());
        let least = match self.deadline {
            Some(_) if !is_whole => LEAST_PARTS.min(rows / LEAST_ROWS),
            _ => 0,
        };
        let wanted = usize::try_from(wanted.max(least)).unwrap_or(MOST_PARTS);
        wanted.clamp(self.connection_count(), MOST_PARTS)
    }

    /// Whether so many rows take long enough for a load to be interrupted.
    pub(super) fn is_large(&self, rows: u64) -> bool {
        rows >= PART_ROWS.min(self.commit_rows())
    }

    /// When a commit is due: after a quarter of the time that is left.
    fn commit_by(&self) -> Option<Instant> {
        let now = Instant::now();
        let left = self.deadline?.saturating_duration_since(now);
        Some(now + left / 4)
    }
}

impl Loading {
    pub(super) fn how(&self, key: &[String]) -> How {
        match () {
            () if self.replaces => How::Replace,
            () if self.resumed && !key.is_empty() => How::Merge,
            () => How::Add,
        }
    }

    /// What is left when these pieces have been read and committed.
    pub(super) fn after(mut self, read: &Read) -> Option<Self> {
        self.load.done += read.pieces - usize::from(self.moved.is_some());
        self.load.rows += read.received;
        self.load.last = read.last.as_ref().map(|(_, digest)| digest.clone());
        self.moved = None;
        self.replaces = false;
        (self.load.done < self.load.parts.len()).then_some(self)
    }
}

impl Reading<'_> {
    /// Divides the table, unless it was divided when the load began.
    pub(super) async fn plan_parts(&mut self, bounds: Bounds, has_rows: bool) -> Result<(), Error> {
        let key = self.reader.table.key();
        let dialect = self.reader.database.dialect();
        let all = dialect.select(&self.relation, &self.columns, &Filter::All);
        let begun = self.position.load.take();
        let is_whole = bounds.replaces || (has_rows && begun.is_none());
        let connection = self.connections[0].as_mut();
        let rows = connection.estimate(&all).await?.unwrap_or(0);
        let snapshot = connection.freeze(None).await?;
        let wanted = self.reader.parts_wanted(rows, is_whole);
        let found = connection
            .parts(&self.relation, &self.columns, &key, wanted)
            .await?;
        let since = match &begun {
            Some(load) => self.since(load, &found).await?,
            None => Since::Nothing,
        };
        let (resumed, moved) = match since {
            Since::Nothing => (begun, None),
            Since::Moved(moved) => (begun, Some(moved)),
            Since::Anew(why) => {
                self.notes.push(Note::ReadAnew(why));
                (None, None)
            }
        };
        let is_resumed = resumed.is_some();
        if !is_resumed {
            self.position.row_count = 0;
        }
        let load = match resumed {
            // What is done is as it was, or is put right: from now on counts what is written after this.
            Some(load) => Load {
                began: self.oldest_unseen(&load.parts).await?,
                ..load
            },
            None => Load {
                began: self.oldest_unseen(&found).await?,
                parts: found,
                done: 0,
                rows: 0,
                last: None,
            },
        };
        // A row may move from page to page between one state and another.
        let shared = snapshot.is_some() || load.began.is_none();
        let wanted = if shared {
            self.reader.connection_count()
        } else {
            1
        };
        for _ in 1..wanted.min(load.parts.len() - load.done) {
            let mut another = self.reader.database.connect().await?;
            another.freeze(snapshot.as_ref()).await?;
            self.connections.push(another);
        }
        self.consistent = self.connections.len() == 1 || snapshot.is_some();
        let groups = usize::try_from(rows / self.reader.commit_rows());
        let group = match is_whole {
            true => load.parts.len(),
            false => load.parts.len().div_ceil(groups.unwrap_or(1).max(1)),
        };
        self.work = Work::Parts(Loading {
            load,
            bounds,
            group: group.max(1),
            is_whole,
            replaces: is_whole || (has_rows && !is_resumed),
            resumed: is_resumed,
            moved,
        });
        Ok(())
    }

    /// What goes into the next commit.
    pub(super) fn pieces(&self, loading: &Loading) -> Pieces {
        let Loading {
            load,
            group,
            is_whole,
            moved,
            ..
        } = loading;
        let until = (load.done + group).min(load.parts.len());
        let parts = load.parts[load.done..until].iter();
        let parts = parts.map(|part| self.piece(&Filter::Part(part.clone())));
        let is_ranges = matches!(load.parts.first(), Some(Part::Keys { .. }));
        Pieces {
            all: moved.iter().map(|it| self.piece(it)).chain(parts).collect(),
            required: usize::from(moved.is_some()) + 1,
            until: self.reader.commit_by().filter(|_| !is_whole),
            digested: is_ranges && !is_whole && self.reader.table.key().is_empty(),
            taken: 0,
        }
    }

    /// What has become of the parts that an earlier session has read.
    async fn since(&mut self, load: &Load, found: &[Part]) -> Result<Since, Error> {
        if !is_same_table(&load.parts, found) {
            return Ok(Since::Anew(
                "the table was rewritten, or is divided by another column, since its first load began",
            ));
        }
        match load.parts.get(load.done) {
            Some(Part::Pages { from, .. }) => self.since_in_pages(load, *from).await,
            Some(Part::Keys { .. }) if self.reader.table.key().is_empty() => {
                self.since_in_ranges(load).await
            }
            _ => Ok(Since::Nothing),
        }
    }

    /// PostgreSQL writes a row that changes anew, wherever there is room: one that had not been read may lie there now, and its cursor
    /// need not have moved.
    async fn since_in_pages(&mut self, load: &Load, page: u64) -> Result<Since, Error> {
        const UNKNOWN: &str =
            "it can't be told any more what was written since its first load began";
        const WRITTEN: &str = "rows were written or deleted where its first load had read, and without a `primary_key` nothing tells which of them are new (with one, the load goes on)";
        let now = self.oldest_unseen(&load.parts).await?;
        let (Some(began), Some(now)) = (load.began.clone(), now) else {
            return Ok(Since::Anew(UNKNOWN));
        };
        if far_apart(&began, &now) {
            return Ok(Since::Anew(UNKNOWN));
        }
        let moved = Filter::WrittenSince {
            transaction: began,
            below_page: Some(page),
        };
        if !self.reader.table.key().is_empty() {
            return Ok(Since::Moved(moved));
        }
        let read = Filter::Part(Part::Pages {
            from: 0,
            to: Some(page),
            file: String::new(),
        });
        let there = self.count(&read).await?;
        let written = self.count(&moved).await?;
        let same = there == Some(load.rows) && written == Some(0);
        Ok(if same {
            Since::Nothing
        } else {
            Since::Anew(WRITTEN)
        })
    }

    /// Reads the last range again. A query may return other rows each time, or have been changed.
    async fn since_in_ranges(&mut self, load: &Load) -> Result<Since, Error> {
        const CHANGED: &str = "the rows that its first load had read last are not the same any more, and without a `primary_key` nothing tells which of them are new (with one, the load goes on)";
        let last = load.done.checked_sub(1).and_then(|it| load.parts.get(it));
        let (Some(part), Some(before)) = (last, &load.last) else {
            return Ok(Since::Anew(CHANGED));
        };
        let now = self.digest(&Filter::Part(part.clone())).await?;
        Ok(if now == *before {
            Since::Nothing
        } else {
            Since::Anew(CHANGED)
        })
    }

    async fn digest(&mut self, filter: &Filter) -> Result<Digest, Error> {
        let dialect = self.reader.database.dialect();
        let sql = dialect.select(&self.relation, &self.columns, filter);
        let mut digesting = Digesting::new(&arrow_schema(&self.columns))?;
        let connection = self.connections[0].as_mut();
        let reading = connection.read(&sql, &self.columns, &mut digesting);
        unless_stopped(&self.reader.stop, reading).await?;
        Ok(digesting.digest())
    }

    /// The oldest transaction whose rows may not be seen now, if parts are pages.
    async fn oldest_unseen(&mut self, parts: &[Part]) -> Result<Option<String>, Error> {
        let dialect = self.reader.database.dialect();
        let (Some(Part::Pages { .. }), Some(sql)) = (parts.first(), dialect.bound(OwnCursor::Xmin))
        else {
            return Ok(None);
        };
        let row = one_row(self.connections[0].as_mut(), &sql).await?;
        Ok(row.into_iter().next().flatten())
    }

    async fn count(&mut self, filter: &Filter) -> Result<Option<u64>, Error> {
        let sql = self.reader.database.dialect().count(&self.relation, filter);
        let row = one_row(self.connections[0].as_mut(), &sql).await?;
        let count = row.first().and_then(Option::as_deref);
        Ok(count.and_then(|count| count.parse().ok()))
    }
}

/// Whether parts of an earlier session still mean what they meant.
fn is_same_table(before: &[Part], now: &[Part]) -> bool {
    match (before.first(), now.first()) {
        (Some(Part::Pages { file: a, .. }), Some(Part::Pages { file: b, .. })) => a == b,
        (Some(Part::Keys { columns: a, .. }), Some(Part::Keys { columns: b, .. })) => a == b,
        (Some(Part::All), Some(Part::All)) => true,
        _ => false,
    }
}
