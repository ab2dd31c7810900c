//! What the model answers to which statement.

use super::super::Answer;
use super::super::eval::{Row, YEAR_1970, compare, greatest, holds, value};
use super::super::parse::{self, Expression, From, Select};
use super::super::types::{Type, Value};
use super::{Reader, State, Table, Versions, seen};

type Refusal = (u32, String);

fn texts<const N: usize>(row: [Option<String>; N]) -> Answer {
    let columns = (0..N)
        .map(|_| (String::new(), Type::NVarChar(4000)))
        .collect();
    let row = row
        .into_iter()
        .map(|it| it.map_or(Value::Null, Value::Text))
        .collect();
    Answer::Rows(columns, Box::new(std::iter::once(row)))
}

fn some(text: impl ToString) -> Option<String> {
    Some(text.to_string())
}

impl State {
    pub(super) fn answer(&mut self, session: u64, sql: &str) -> Result<Answer, Refusal> {
        let is = |part: &str| sql.contains(part);
        if sql.starts_with("SET NOCOUNT") {
            return Ok(Answer::Done);
        }
        if is("sys.objects AS o JOIN sys.schemas") {
            return Ok(self.catalog());
        }
        if sql.starts_with("SET SHOWPLAN_XML ON") {
            return Err((262, "SHOWPLAN permission denied in database 'shop'.".into()));
        }
        if sql.starts_with("SET SHOWPLAN_XML OFF") {
            return Ok(Answer::Done);
        }
        if sql.starts_with("SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRANSACTION") {
            self.sessions.insert(
                session,
                Reader {
                    frozen: true,
                    snapshot: None,
                },
            );
            return Ok(Answer::Begun(session));
        }
        if sql.starts_with("SELECT CONVERT(varchar(10), @@SPID)") {
            return Ok(texts([some(session), some(u8::from(self.has_snapshots))]));
        }
        if is("sys.dm_exec_requests") {
            return Ok(texts([some('f')]));
        }
        if is("SERVERPROPERTY('EngineEdition')") {
            return Ok(texts([
                some("SQL Server 16.0.4000"),
                some("shop"),
                some("reader"),
            ]));
        }
        if is("sys.dm_tran_active_transactions") {
            let micros = |ticks: i64| some((ticks - YEAR_1970) / 10);
            let open = || self.transactions.values();
            let oldest = open().map(|it| it.began).min();
            let writers = open().filter(|it| it.row_version.is_some());
            let written = writers.map(|it| it.began).min();
            let oldest = oldest.filter(|_| self.shows_transactions).and_then(micros);
            return Ok(texts([
                micros(self.clock),
                oldest,
                some(if self.shows_transactions { 't' } else { 'f' }),
                None,
                None,
                None,
                written.filter(|_| self.shows_transactions).and_then(micros),
            ]));
        }
        if is("MIN_ACTIVE_ROWVERSION()") {
            let oldest = self
                .transactions
                .values()
                .filter_map(|it| it.row_version)
                .min();
            let oldest = oldest.filter(|_| !self.bounds_wrongly);
            let bound = oldest.unwrap_or(self.row_version + 1);
            return Ok(texts([
                some(format!("0x{bound:016X}")),
                some(if bound <= self.row_version { 't' } else { 'f' }),
            ]));
        }
        if is("sys.dm_db_stats_histogram") {
            return Ok(texts([None, None]));
        }
        if is("FROM sys.indexes AS i") {
            let (table, _) = self.table(&object(sql)?)?;
            let first = table.columns.first().filter(|_| table.is_clustered);
            return Ok(first.map_or(Answer::Done, |first| texts([some(&first.name), some(0)])));
        }
        if is("FROM sys.partitions WHERE") {
            let commits = self.commits;
            let (_, rows) = self.table(&object(sql)?)?;
            let count = rows.iter().filter(|it| seen(it, commits).is_some()).count();
            return Ok(texts([some(count)]));
        }
        if let Some(begin) = sql.find("dm_exec_describe_first_result_set(") {
            return Ok(self.describe(sql.split_at(begin).1));
        }
        let select =
            parse::select(sql).map_err(|why| (102, format!("not understood: {why}: {sql}")))?;
        let reader = self.sessions.entry(session).or_default();
        if reader.frozen {
            reader.snapshot.get_or_insert(self.commits);
        }
        let commit = reader.snapshot.unwrap_or(self.commits);
        let (columns, rows) = self.select(&select, commit)?;
        Ok(Answer::Rows(columns, Box::new(rows.into_iter())))
    }

    fn table(&self, name: &str) -> Result<&(Table, Vec<Versions>), Refusal> {
        self.tables
            .iter()
            .find(|(it, _)| it.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| (208, format!("Invalid object name '{name}'.")))
    }

    fn catalog(&self) -> Answer {
        let text = |it: &str| Value::Text(it.to_owned());
        let rows: Vec<Vec<Value>> = self
            .tables
            .iter()
            .flat_map(|(table, rows)| {
                table
                    .columns
                    .iter()
                    .enumerate()
                    .map(move |(place, column)| {
                        let of = if column.of == Type::Rowversion {
                            "rowversion".to_owned()
                        } else {
                            column.of.name()
                        };
                        vec![
                            text("dbo"),
                            text(&table.name),
                            text("table"),
                            text(&rows.len().to_string()),
                            text(&column.name),
                            text(&of),
                            text(if place == 0 { "f" } else { "t" }),
                            if place == 0 { text("1") } else { Value::Null },
                        ]
                    })
            })
            .collect();
        let columns = (0..8)
            .map(|_| (String::new(), Type::NVarChar(4000)))
            .collect();
        Answer::Rows(columns, Box::new(rows.into_iter()))
    }

    /// What a statement would return, or the error that it would give.
    fn describe(&self, call: &str) -> Answer {
        let described = literal(call)
            .ok_or_else(|| (102, "a statement to describe".to_owned()))
            .and_then(|sql| {
                parse::select(&sql).map_err(|why| (102, format!("Incorrect syntax: {why}.")))
            })
            .and_then(|select| self.select(&select, self.commits));
        let columns: Vec<(String, Type)> = (0..4)
            .map(|_| (String::new(), Type::NVarChar(4000)))
            .collect();
        let text = |it: String| Value::Text(it);
        let rows = match described {
            Ok((columns, _)) => columns
                .into_iter()
                .map(|(name, of)| vec![text(name), text(of.name()), Value::Null, Value::Null])
                .collect(),
            Err((number, message)) => vec![vec![
                Value::Null,
                Value::Null,
                text(number.to_string()),
                text(message),
            ]],
        };
        Answer::Rows(columns, Box::new(rows.into_iter()))
    }

    /// The columns and rows of a statement, as of a commit.
    fn select(&self, of: &Select, commit: u64) -> Result<Found, Refusal> {
        let (columns, rows): Found = match &of.from {
            From::Nothing => (Vec::new(), vec![Vec::new()]),
            From::Query(query) => self.select(query, commit)?,
            From::Table(name) => {
                let (table, rows) = self.table(name.last().map_or("", String::as_str))?;
                let columns = table
                    .columns
                    .iter()
                    .map(|it| (it.name.clone(), it.of))
                    .collect();
                (
                    columns,
                    rows.iter()
                        .filter_map(|it| seen(it, commit))
                        .cloned()
                        .collect(),
                )
            }
        };
        let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
        let wrong = |message: String| {
            (
                if message.starts_with("Invalid column") {
                    207
                } else {
                    102
                },
                message,
            )
        };
        let mut kept = Vec::new();
        for values in rows {
            let row = Row {
                names: &names,
                values: &values,
            };
            let is_wanted = match &of.condition {
                Some(condition) => holds(condition, &row).map_err(wrong)? == Some(true),
                None => true,
            };
            if is_wanted {
                kept.push(values);
            }
        }
        self.ordered(of, &names, &mut kept).map_err(wrong)?;
        if of.values.iter().any(|(it, _)| aggregate(it).is_some()) {
            let row: Result<Vec<Value>, String> = of
                .values
                .iter()
                .map(|(it, _)| aggregated(it, &names, &kept))
                .collect();
            let columns = of
                .values
                .iter()
                .map(|_| (String::new(), Type::NVarChar(4000)))
                .collect();
            return Ok((columns, vec![row.map_err(wrong)?]));
        }
        let mut out_columns = Vec::new();
        for (it, name) in &of.values {
            match it {
                Expression::Everything => out_columns.extend(columns.iter().cloned()),
                Expression::Column(column) => {
                    let found = columns
                        .iter()
                        .find(|(it, _)| it.eq_ignore_ascii_case(column));
                    let (own, of) =
                        found.ok_or_else(|| (207, format!("Invalid column name '{column}'.")))?;
                    out_columns.push((name.clone().unwrap_or_else(|| own.clone()), *of));
                }
                Expression::Number(_) => {
                    out_columns.push((name.clone().unwrap_or_default(), Type::Int));
                }
                _ => out_columns.push((name.clone().unwrap_or_default(), Type::NVarChar(4000))),
            }
        }
        let out = |values: Vec<Value>| {
            let row = Row {
                names: &names,
                values: &values,
            };
            let mut cells = Vec::new();
            for (it, _) in &of.values {
                match it {
                    Expression::Everything => cells.extend(values.iter().cloned()),
                    it => cells.push(value(it, &row)?),
                }
            }
            Ok(cells)
        };
        let rows: Result<Vec<Vec<Value>>, String> = kept
            .into_iter()
            .take(of.top.unwrap_or(usize::MAX))
            .map(out)
            .collect();
        Ok((out_columns, rows.map_err(wrong)?))
    }

    #[expect(clippy::unused_self, reason = "it reads as the others do")]
    fn ordered(
        &self,
        of: &Select,
        names: &[String],
        rows: &mut [Vec<Value>],
    ) -> Result<(), String> {
        let mut wrong = None;
        rows.sort_by(|a, b| {
            for (by, down) in &of.order {
                let key = |values: &[Value]| value(by, &Row { names, values });
                let order = match (key(a), key(b)) {
                    (Ok(a), Ok(b)) => compare(&a, &b).ok().flatten(),
                    (Err(why), _) | (_, Err(why)) => {
                        wrong = Some(why);
                        None
                    }
                };
                match order {
                    Some(order) if order.is_ne() => {
                        return if *down { order.reverse() } else { order };
                    }
                    _ => {}
                }
            }
            std::cmp::Ordering::Equal
        });
        wrong.map_or(Ok(()), Err)
    }
}

type Found = (Vec<(String, Type)>, Vec<Vec<Value>>);

/// The aggregate in an expression.
fn aggregate(of: &Expression) -> Option<&Expression> {
    match of {
        Expression::Aggregate(..) => Some(of),
        Expression::Convert(_, it, _) => aggregate(it),
        _ => None,
    }
}

fn aggregated(of: &Expression, names: &[String], rows: &[Vec<Value>]) -> Result<Value, String> {
    match of {
        Expression::Convert(to, it, style) => {
            let inner = aggregated(it, names, rows)?;
            let row = Row {
                names: &["it".to_owned()],
                values: &[inner],
            };
            let column = Box::new(Expression::Column("it".into()));
            value(&Expression::Convert(to.clone(), column, *style), &row)
        }
        Expression::Aggregate(name, _) if name.eq_ignore_ascii_case("COUNT_BIG") => Ok(Value::Int(
            i64::try_from(rows.len()).map_err(|e| e.to_string())?,
        )),
        Expression::Aggregate(name, it) => {
            let values: Result<Vec<Value>, String> = rows
                .iter()
                .map(|values| value(it, &Row { names, values }))
                .collect();
            let mut values = values?;
            values.retain(|it| *it != Value::Null);
            if name.eq_ignore_ascii_case("MAX") {
                return greatest(values);
            }
            let mut least = values.first().cloned().unwrap_or(Value::Null);
            for value in values {
                if compare(&value, &least)?.is_some_and(std::cmp::Ordering::is_lt) {
                    least = value;
                }
            }
            Ok(least)
        }
        other => Err(format!("the aggregate {other:?}")),
    }
}

/// The table that `OBJECT_ID(N'[dbo].[t]')` names.
fn object(sql: &str) -> Result<String, Refusal> {
    let unknown = || (102, format!("the object of {sql}"));
    let begin = sql.find("OBJECT_ID(N'").ok_or_else(unknown)?;
    let name = literal(sql.split_at(begin).1).ok_or_else(unknown)?;
    let last = name.rsplit('[').next().unwrap_or(&name);
    Ok(last.trim_end_matches(']').to_owned())
}

/// The first `N'…'` of a text.
fn literal(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("N'")?;
    let mut found = String::new();
    let mut chars = rest.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' if chars.peek() == Some(&'\'') => {
                chars.next();
                found.push('\'');
            }
            '\'' => return Some(found),
            c => found.push(c),
        }
    }
    None
}
