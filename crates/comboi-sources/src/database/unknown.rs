//! Rows that were read and that the table does not have yet, each as often as it came.
//!
//! A row is told by 128 bits of hash over all its values. What came is hashed and counted, in as many passes as memory asks for;
//! the table's rows are taken off; what is left over is new. DuckDB is not needed, whose start takes longer than all this for the
//! few rows of a usual run.
//!
//! A row that the table has may have been read when the source did not have all columns ([`Lacking`]). What is left over is then
//! taken off once more, as if it had been read in the same way.

mod less;

use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_row::{OwnedRow, RowConverter, SortField};
use arrow_schema::{ArrowError, DataType, FieldRef, Schema};
use arrow_select::filter::filter_record_batch;
use comboi_engine::Interrupter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowFilter,
};

use super::stage::{Cut, new_file};
use crate::Error;
use crate::lacking::Lacking;
use less::{cut_to, field_counts, lacking};

/// A hash with its place in the counts.
const BYTES_PER_ROW: usize = size_of::<u128>() + size_of::<u32>();

/// What tells which rows are unknown.
pub(super) struct Comparing<'a> {
    /// Staged files of the rows that came.
    pub(super) staged: &'a [PathBuf],
    /// The table's files that may have such rows.
    pub(super) known: &'a [PathBuf],
    /// The columns that make two rows the same.
    pub(super) columns: &'a [&'a str],
    pub(super) lacking: &'a Lacking,
    /// Columns of texts of composites.
    pub(super) composites: &'a [String],
    /// One of them, whose values lie close together in the rows that came.
    pub(super) cursor: Option<&'a str>,
    pub(super) cut: Cut,
    pub(super) stop: &'a Interrupter,
}

/// Staged files of the unknown rows, and how many they are. Files of nothing else stay as they are; the others are written anew
/// into the folder.
pub(super) fn unknown(
    comparing: &Comparing<'_>,
    row_count: u64,
    folder: &Path,
) -> Result<(Vec<PathBuf>, u64), Error> {
    let Some(first) = comparing.staged.first() else {
        return Ok((Vec::new(), 0));
    };
    let table = Rows::of(comparing, first)?;
    let rows = usize::try_from(row_count).unwrap_or(usize::MAX);
    let hashes = rows.saturating_mul(table.without.len());
    let bytes = hashes.saturating_mul(BYTES_PER_ROW);
    let passes = (bytes / comparing.cut.memory_bytes.max(1)) as u128 + 1;
    let mut kept: Vec<Vec<bool>> = vec![Vec::new(); comparing.staged.len()];
    for pass in 0..passes {
        let mut had = table.had(pass, passes)?;
        for without in &table.without {
            for (file, kept) in comparing.staged.iter().zip(&mut kept) {
                let mut at = 0;
                table.each(file, None, without, |pass_of, hash| {
                    if at == kept.len() {
                        kept.push(true);
                    }
                    if pass_of % passes == pass && kept[at] {
                        kept[at] = had.is_new(hash);
                    }
                    at += 1;
                })?;
            }
        }
    }
    let mut files = Vec::new();
    let mut count = 0;
    for (place, (file, kept)) in comparing.staged.iter().zip(kept).enumerate() {
        let new = kept.iter().filter(|it| **it).count();
        count += new as u64;
        if new == kept.len() {
            files.push(file.clone());
        } else if new > 0 {
            let unwritable = |source| Error::Staging {
                file: folder.to_owned(),
                source,
            };
            std::fs::create_dir_all(folder).map_err(unwritable)?;
            let to = folder.join(format!("new-{place}.parquet"));
            table.copy(file, kept, &to)?;
            files.push(to);
        }
    }
    Ok((files, count))
}

/// Hashes of rows that came, with how often the table has them.
struct Had {
    hashes: Vec<u128>,
    counts: Vec<u32>,
}

impl Had {
    fn count(&mut self, hash: u128) {
        if let Ok(place) = self.hashes.binary_search(&hash) {
            self.counts[place] = self.counts[place].saturating_add(1);
        }
    }

    /// Takes one of those that the table has off, if there is one left.
    fn is_new(&mut self, hash: u128) -> bool {
        let place = self.hashes.binary_search(&hash);
        let left = place.ok().and_then(|place| self.counts.get_mut(place));
        match left {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        }
    }
}

/// How rows of any of the files are read as the same values.
struct Rows<'a> {
    comparing: &'a Comparing<'a>,
    fields: Vec<FieldRef>,
    converter: RowConverter,
    near: Option<Near>,
    /// What rows of the table may have been read without: nothing first.
    without: Vec<BTreeSet<String>>,
    /// All of that together.
    optional: BTreeSet<String>,
}

/// Where the cursors of the rows that came lie.
#[derive(Clone)]
struct Near {
    field: FieldRef,
    converter: Arc<RowConverter>,
    /// `None` if all that came is NULL.
    ends: Option<(OwnedRow, OwnedRow)>,
    nulls: bool,
}

impl<'a> Rows<'a> {
    fn of(comparing: &'a Comparing<'a>, first: &Path) -> Result<Self, Error> {
        let schema = Arc::clone(open(first)?.schema());
        let fields = comparing.columns.iter().map(|name| {
            let place = place(&schema, name).ok_or_else(|| {
                failed(
                    first,
                    ArrowError::SchemaError(format!("there is no `{name}`")),
                )
            })?;
            Ok(Arc::clone(&schema.fields()[place]))
        });
        let fields: Vec<FieldRef> = fields.collect::<Result<_, Error>>()?;
        let sorts = fields
            .iter()
            .map(|it| SortField::new(it.data_type().clone()));
        let converter = RowConverter::new(sorts.collect()).map_err(|e| failed(first, e))?;
        let without = comparing.lacking.of(comparing.columns);
        let mut rows = Self {
            comparing,
            fields,
            converter,
            near: None,
            optional: without.iter().flatten().cloned().collect(),
            without,
        };
        rows.near = rows.near(first)?;
        for composite in comparing.composites {
            rows.may_be_shorter(composite)?;
        }
        Ok(rows)
    }

    /// Rows of the table may have been read when a composite had fewer fields.
    fn may_be_shorter(&mut self, composite: &str) -> Result<(), Error> {
        let (mut came, mut had) = (BTreeSet::new(), BTreeSet::new());
        for file in self.comparing.staged {
            self.batches(file, &[composite], None, |batch| {
                field_counts(batch.column(0), &mut came);
                Ok(())
            })?;
        }
        for file in self.comparing.known {
            let near = self.near.as_ref();
            self.batches(file, &[composite], near, |batch| {
                if let Some(at) = place(&batch.schema(), composite) {
                    field_counts(batch.column(at), &mut had);
                }
                Ok(())
            })?;
        }
        let most = came.last().copied().unwrap_or(0);
        for count in had.range(..most) {
            let cut = cut_to(composite, *count);
            let also = self.without.iter().map(|set| {
                let cut = std::iter::once(cut.clone());
                set.iter().cloned().chain(cut).collect()
            });
            let also: Vec<BTreeSet<String>> = also.collect();
            self.without.extend(also);
            self.optional.insert(cut);
        }
        Ok(())
    }

    fn near(&self, first: &Path) -> Result<Option<Near>, Error> {
        let cursor = self.comparing.cursor;
        let field = cursor.and_then(|cursor| {
            let mut fields = self.fields.iter();
            fields.find(|field| field.name().eq_ignore_ascii_case(cursor))
        });
        // NaN is nowhere in statistics.
        let Some(field) = field.filter(|it| !it.data_type().is_floating()) else {
            return Ok(None);
        };
        let sort = SortField::new(field.data_type().clone());
        let mut near = Near {
            field: Arc::clone(field),
            converter: Arc::new(RowConverter::new(vec![sort]).map_err(|e| failed(first, e))?),
            ends: None,
            nulls: false,
        };
        for file in self.comparing.staged {
            self.batches(file, &[field.name()], None, |batch| {
                let values = valued(batch, field);
                let widened = values.and_then(|values| near.widen(&values));
                widened.map_err(|e| failed(file, e))
            })?;
        }
        Ok(Some(near))
    }

    /// The hashes of this pass, with how often the table has them.
    fn had(&self, pass: u128, passes: u128) -> Result<Had, Error> {
        let mut hashes = Vec::new();
        for without in &self.without {
            for file in self.comparing.staged {
                self.each(file, None, without, |pass_of, hash| {
                    if pass_of % passes == pass {
                        hashes.push(hash);
                    }
                })?;
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        let mut had = Had {
            counts: vec![0; hashes.len()],
            hashes,
        };
        for file in self.comparing.known {
            self.each(file, self.near.as_ref(), &BTreeSet::new(), |_, hash| {
                had.count(hash);
            })?;
        }
        Ok(had)
    }

    /// Gives the hash of each row as if it had been read without these columns, in the order of the file, after one that all of its
    /// hashes share.
    fn each(
        &self,
        file: &Path,
        near: Option<&Near>,
        without: &BTreeSet<String>,
        mut row: impl FnMut(u128, u128),
    ) -> Result<(), Error> {
        self.batches(file, self.comparing.columns, near, |batch| {
            let rows = |without: &BTreeSet<String>| {
                let values = self
                    .fields
                    .iter()
                    .map(|field| lacking(batch, field, without));
                let values = values.collect::<Result<Vec<_>, _>>();
                let rows = values.and_then(|values| self.converter.convert_columns(&values));
                rows.map_err(|e| failed(file, e))
            };
            let these = rows(without)?;
            let least = (*without != self.optional).then(|| rows(&self.optional));
            let least = least.transpose()?;
            for (place, these) in these.iter().enumerate() {
                let these = hash(these.data());
                let least = least.as_ref().map(|it| hash(it.row(place).data()));
                row(least.unwrap_or(these), these);
            }
            Ok(())
        })
    }

    /// Gives these columns of the rows that are near.
    fn batches<N: AsRef<str>>(
        &self,
        file: &Path,
        columns: &[N],
        near: Option<&Near>,
        mut each: impl FnMut(&RecordBatch) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut reader = open(file)?;
        let places: Vec<usize> = {
            let names = columns.iter();
            names
                .filter_map(|name| place(reader.schema(), name.as_ref()))
                .collect()
        };
        if let Some(near) = near
            && let Some(place) = place(reader.schema(), near.field.name())
        {
            let groups = near.groups(&reader, place).map_err(|e| failed(file, e))?;
            let only = ProjectionMask::roots(reader.parquet_schema(), [place]);
            let near = near.clone();
            let filter = move |batch: RecordBatch| near.tells(&valued(&batch, &near.field)?);
            let filter = RowFilter::new(vec![Box::new(ArrowPredicateFn::new(only, filter))]);
            reader = reader.with_row_groups(groups).with_row_filter(filter);
        }
        let wanted = ProjectionMask::roots(reader.parquet_schema(), places);
        let reader = reader.with_projection(wanted).build();
        for batch in reader.map_err(|e| failed(file, e.into()))? {
            if self.comparing.stop.stopped() {
                return Err(comboi_engine::Error::Interrupted.into());
            }
            each(&batch.map_err(|e| failed(file, e))?)?;
        }
        Ok(())
    }

    /// Writes those rows of a file that are kept, with all their columns.
    fn copy(&self, file: &Path, kept: Vec<bool>, to: &Path) -> Result<(), Error> {
        let written = |e: ArrowError| Error::Staging {
            file: to.to_owned(),
            source: io::Error::other(e),
        };
        let kept = BooleanArray::from(kept);
        let schema = Arc::clone(open(file)?.schema());
        let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
        let (mut writer, mut at) = (None, 0);
        self.batches(file, &names, None, |batch| {
            let mask = kept.slice(at, batch.num_rows());
            at += batch.num_rows();
            let batch = filter_record_batch(batch, &mask).map_err(|e| failed(file, e))?;
            if writer.is_none() {
                writer = Some(new_file(to, &schema, &self.comparing.cut, &batch)?);
            }
            let writer = writer.as_mut().expect("it was set above");
            writer.write(&batch).map_err(|e| written(e.into()))
        })?;
        match writer {
            Some(writer) => writer.close().map(drop).map_err(|e| written(e.into())),
            None => Ok(()),
        }
    }
}

impl Near {
    fn widen(&mut self, values: &ArrayRef) -> Result<(), ArrowError> {
        self.nulls |= values.null_count() > 0;
        let rows = self.converter.convert_columns(&[Arc::clone(values)])?;
        let there = (0..values.len()).filter(|i| values.is_valid(*i));
        for row in there.map(|i| rows.row(i)) {
            match &mut self.ends {
                None => self.ends = Some((row.owned(), row.owned())),
                Some((least, _)) if row < least.row() => *least = row.owned(),
                Some((_, greatest)) if row > greatest.row() => *greatest = row.owned(),
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Which of the values lie between the ends, or are NULL where NULL came.
    fn tells(&self, values: &ArrayRef) -> Result<BooleanArray, ArrowError> {
        let rows = self.converter.convert_columns(&[Arc::clone(values)])?;
        let near = rows.iter().enumerate().map(|(i, row)| match &self.ends {
            _ if values.is_null(i) => self.nulls,
            Some((least, greatest)) => least.row() <= row && row <= greatest.row(),
            None => false,
        });
        Ok(near.map(Some).collect())
    }

    /// The row groups that may hold such values, by the file's statistics.
    fn groups(
        &self,
        reader: &ParquetRecordBatchReaderBuilder<File>,
        place: usize,
    ) -> Result<Vec<usize>, ArrowError> {
        let groups = reader.metadata().row_groups();
        let all = (0..groups.len()).collect();
        let field = reader.schema().field(place);
        let Some((least, greatest)) = self.ends.as_ref().filter(|_| !self.nulls) else {
            return Ok(all);
        };
        if field.data_type() != self.field.data_type() {
            return Ok(all);
        }
        let statistics =
            StatisticsConverter::try_new(field.name(), reader.schema(), reader.parquet_schema())?;
        let rows = |ends: &ArrayRef| self.converter.convert_columns(&[Arc::clone(ends)]);
        let (from, to) = (
            statistics.row_group_mins(groups)?,
            statistics.row_group_maxes(groups)?,
        );
        let (lows, highs) = (rows(&from)?, rows(&to)?);
        let column = statistics.parquet_column_index();
        let may_hold = |group: &usize| {
            let (i, of_group) = (*group, &groups[*group]);
            let statistics = column.and_then(|column| of_group.column(column).statistics());
            let known = statistics.is_some_and(|it| !it.is_min_max_deprecated());
            let apart = highs.row(i) < least.row() || greatest.row() < lows.row(i);
            !(known && from.is_valid(i) && to.is_valid(i) && apart)
        };
        Ok((0..groups.len()).filter(may_hold).collect())
    }
}

/// A column of the batch as it is compared: NULL throughout where a file does not have it yet.
fn valued(batch: &RecordBatch, field: &FieldRef) -> Result<ArrayRef, ArrowError> {
    let wanted: &DataType = field.data_type();
    match place(&batch.schema(), field.name()).map(|place| batch.column(place)) {
        Some(values) if values.data_type() == wanted => Ok(Arc::clone(values)),
        Some(values) => {
            let strictly = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            cast_with_options(values, wanted, &strictly)
        }
        None => Ok(new_null_array(wanted, batch.num_rows())),
    }
}

fn place(schema: &Schema, name: &str) -> Option<usize> {
    let mut fields = schema.fields().iter();
    fields.position(|field| field.name().eq_ignore_ascii_case(name))
}

pub(super) fn hash(row: &[u8]) -> u128 {
    let mut hasher = DefaultHasher::new();
    hasher.write(row);
    let half = hasher.finish();
    hasher.write_u8(1);
    u128::from(half) << 64 | u128::from(hasher.finish())
}

fn open(file: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, Error> {
    let opened = File::open(file).map_err(|source| Error::Unreadable {
        file: file.to_owned(),
        source,
    })?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    ParquetRecordBatchReaderBuilder::try_new_with_options(opened, options)
        .map_err(|e| failed(file, e.into()))
}

/// What it says comes from the file's bytes and could show values, so that only its kind is told.
fn failed(file: &Path, error: ArrowError) -> Error {
    let why = match error {
        ArrowError::CastError(_) => "a column has another type than in the table",
        ArrowError::IoError(_, source) => {
            return Error::Unreadable {
                file: file.to_owned(),
                source,
            };
        }
        _ => "it is damaged, or no Parquet file",
    };
    Error::Unreadable {
        file: file.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, why),
    }
}

#[cfg(test)]
mod tests;
