//! What a query would return, without running it.

use comboi_project::{Columns, SqlType};

use crate::build::{Query, columns_of};
use crate::select::Select;
use crate::view::show_empty;
use crate::{Error, Input, Session, SqlFile};

/// The columns of what [`build`](crate::build()) would make of somebody's `SELECT` and the types that its contract wants. Reads no file,
/// so `inputs` need none.
pub fn describe(
    session: &Session,
    sql: &SqlFile<'_>,
    inputs: &[Input<'_>],
    wanted: &[(String, SqlType)],
) -> Result<Columns, Error> {
    let aliases: Vec<&str> = inputs.iter().map(|input| input.alias).collect();
    let select = Select::read(session, sql, &aliases)?;
    let instance = session.parser()?;
    instance.own("begin", "BEGIN")?;
    let columns = inputs
        .iter()
        .try_for_each(|input| show_empty(instance, input))
        .and_then(|()| columns_of(instance, sql, &select));
    // Leaves nothing for the next query, which may call other inputs by the same names.
    instance.own("forget the inputs", "ROLLBACK")?;
    Ok(Query::new(sql, &columns?, wanted)?.columns)
}
