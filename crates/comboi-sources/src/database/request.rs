//! What is asked of a database.

use serde::{Deserialize, Serialize};

/// Rows of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// A table or view by its name, with or without its schema: `orders`, `sales.orders`.
    Table(String),
    /// What one `SELECT` returns, as people wrote it.
    Query(String),
}

/// Which rows of a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All of them.
    All,
    /// A part.
    Part(Part),
    /// Those in a window of a cursor.
    Window {
        /// By these columns.
        cursor: Cursor,
        /// From this value on (itself too). A composite cursor is compared column by column, left to right; where there are
        /// fewer values than columns, only so many columns are compared.
        from: Option<Vec<String>>,
        /// Up to this value (itself not).
        below: Option<Vec<String>>,
        /// Whether rows without a value in the first of the columns belong to them.
        nulls: bool,
        /// Whether rows with an infinity there that is below all other values belong to them, wherever they begin.
        lowest: bool,
    },
    /// Those with an infinity that is below all other values in the first column of a cursor.
    Lowest(Cursor),
    /// Those that were written by transactions from this one on (PostgreSQL's `xmin`).
    WrittenSince {
        /// A 64-bit transaction id.
        transaction: String,
        /// Only those on pages below this one.
        below_page: Option<u64>,
    },
}

/// What grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Its columns, the most significant one first, with the names of their types in the database.
    pub columns: Vec<(String, String)>,
}

/// A part of a relation that can be named again later. Parts of one division do not overlap and leave nothing out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Part {
    /// Everything.
    All,
    /// PostgreSQL's pages of a table.
    Pages {
        /// From this page on.
        from: u64,
        /// Up to this page, itself not; none: to the end.
        to: Option<u64>,
        /// Which physical table it is: when the table is rewritten, pages mean something else.
        file: String,
    },
    /// A range of a key.
    Keys {
        /// By these columns, with the names of their types.
        columns: Vec<(String, String)>,
        /// Beyond this key, itself not; none: from the beginning.
        after: Option<Vec<String>>,
        /// Up to this key, itself too; none: to the end.
        to: Option<Vec<String>>,
    },
}

/// Cursors that are the database's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnCursor {
    /// PostgreSQL's transaction ids.
    Xmin,
    /// SQL Server's row versions.
    Rowversion,
}
