//! Records read once, and made into rows of words in the order of their ids.

mod ids;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use comboi_engine::arrow::array::{
    Array, AsArray, BooleanArray, ListArray, PrimitiveArray, RecordBatch, StringArray,
};
use comboi_engine::arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
};
use comboi_engine::{Form, NumberedTexts as _, Records};

use crate::Error;
use crate::compile::{Class, Field, Layout, Sources};
use crate::dictionary::{Dictionary, Texts};
use crate::pair::{Data, Lists, flag_word};
use ids::IdColumn;
pub(crate) use ids::Ids;

/// Records in the order of their ids: a record's place in it is its rank.
pub(crate) struct Loaded {
    pub(crate) data: Data,
    /// The row of each rank.
    pub(crate) row_of: Vec<u32>,
    /// One more than the greatest code of each source.
    pub(crate) code_ends: Vec<usize>,
}

/// What is read for one field of the layout, by row or by the code of another column.
enum Column {
    Codes(Vec<u32>),
    /// [`NO_NUMBER`] where there is none.
    Numbers(Vec<f64>),
    Lists(Vec<Vec<u32>>, Vec<bool>),
}

/// A NaN that no value comes as: see [`each_number`].
const NO_NUMBER: f64 = f64::from_bits(u64::MAX);

/// One expression in one form, and the fields that it fills.
struct Wanted {
    source: usize,
    form: Form,
    field: Field,
    at: u32,
    /// Its place among the columns of a batch.
    column: usize,
}

/// What is read together: expressions in the order of their columns, after those that stand before them in a batch.
#[derive(Default)]
struct Reading {
    expressions: Vec<(String, Form)>,
    wanted: Vec<Wanted>,
}

impl Reading {
    fn add(&mut self, sources: &Sources, (source, field, at): (usize, Field, u32)) {
        let form = form_of(sources, source, field);
        let asked = (sources.sql[source].clone(), form);
        let column = self.expressions.iter().position(|it| *it == asked);
        let column = column.unwrap_or_else(|| {
            self.expressions.push(asked);
            self.expressions.len() - 1
        });
        self.wanted.push(Wanted {
            source,
            form,
            field,
            at,
            column: column + 1,
        });
    }
}

/// The texts of which sources are needed letter by letter is in `lettered`; the first of `sources` that is not there is the ids' own.
pub(crate) fn load(
    records: &Records,
    sources: &Sources,
    layout: &Layout,
    lettered: &[bool],
    ids: &Ids,
    threads: usize,
) -> Result<Loaded, Error> {
    let rows = usize::try_from(records.row_count()).unwrap_or(usize::MAX);
    let domains = layout.domains(sources.sql.len());
    let mut reading = Reading::default();
    if let Some(form) = ids.form {
        reading.expressions.push((ids.sql.clone(), form));
    }
    let mut derived: BTreeMap<Base<'_>, Reading> = BTreeMap::new();
    for &entry in &layout.order {
        match base_of(entry.0, sources, layout, &domains) {
            Some(base) => derived.entry(base).or_default().add(sources, entry),
            None => reading.add(sources, entry),
        }
    }
    let mut letters = vec![false; domains.len()];
    for (domain, lettered) in domains.iter().zip(lettered) {
        letters[*domain] |= lettered;
    }
    let mut found = Found {
        texts: Vec::new(),
        code_ends: vec![1; domains.len()],
        columns: Vec::new(),
        lists: Lists::default(),
    };
    found.texts.resize_with(domains.len(), Texts::default);
    let shared = Shared {
        domains: &domains,
        threads,
    };
    let mut id_column = ids.form.map(|_| IdColumn::new(&ids.class, rows));
    let parts = shared.read(reading.wanted, rows, |each| {
        records.read(&reading.expressions, &mut |batch| {
            each(batch);
            if let Some(column) = &mut id_column {
                column.take(batch);
            }
        })
    })?;
    found.take(parts, &domains, None);
    let row_of = match id_column {
        None => ids.ranked_by_engine(records).map(Some)?,
        Some(_) => None,
    };
    let row_of = thread::scope(|scope| {
        let ranks = id_column.map(|column| scope.spawn(|| column.ranks(&ids.name)));
        for (base, reading) in derived {
            let texts = Arc::new(std::mem::take(&mut found.texts[domains[base.source]]));
            let parts = shared.read(reading.wanted, texts.count() as usize, |each| {
                records.read_texts(
                    base.name,
                    Arc::<Texts>::clone(&texts),
                    &reading.expressions,
                    each,
                )
            })?;
            found.texts[domains[base.source]] =
                Arc::into_inner(texts).expect("only `read_texts` held them as well");
            found.take(parts, &domains, Some(base.at as usize));
        }
        for (texts, needed) in found.texts.iter_mut().zip(&letters) {
            if *needed {
                texts.fill_bags(threads);
            } else {
                *texts = Texts::default();
            }
        }
        match ranks.map(thread::ScopedJoinHandle::join) {
            Some(Ok(ranks)) => ranks,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(row_of.unwrap_or_default()),
        }
    })?;
    let width = layout.width as usize;
    Ok(Loaded {
        data: Data {
            words: all_words(width, &row_of, &found.columns, threads),
            width,
            texts: found.texts,
            lists: found.lists,
        },
        row_of,
        code_ends: found.code_ends,
    })
}

/// A column of texts that other expressions are over: they are computed once for each of its values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Base<'a> {
    source: usize,
    name: &'a str,
    /// Where its codes stand among a record's words.
    at: u32,
}

/// The column that an expression can be computed from, value by value. Not one whose values stand with those of other columns, nor for an
/// expression whose values do: each would have to wait for the other.
fn base_of<'a>(
    source: usize,
    sources: &'a Sources,
    layout: &Layout,
    domains: &[usize],
) -> Option<Base<'a>> {
    let (base, name) = sources.base(source)?;
    let beside = |of: usize| (0..domains.len()).filter(move |it| domains[*it] == domains[of]);
    let alone = beside(base).eq([base]);
    let together = beside(source).all(|it| sources.base(it).is_some_and(|it| it.0 == base));
    let mut order = layout.order.iter();
    let coded = order.find(|it| it.0 == base && it.1 == Field::Code)?;
    (alone && together).then_some(Base {
        source: base,
        name,
        at: coded.2,
    })
}

/// What has been read so far.
struct Found {
    /// Of each domain.
    texts: Vec<Texts>,
    code_ends: Vec<usize>,
    columns: Vec<Laid>,
    lists: Lists,
}

/// What fills some words of each record.
struct Laid {
    at: usize,
    words: Words,
    /// They are by the code that stands there among the record's words. None: by the row.
    by: Option<usize>,
}

impl Found {
    fn take(&mut self, parts: Vec<Part>, domains: &[usize], by: Option<usize>) {
        for part in parts {
            for (wanted, column) in part.columns {
                self.columns.push(Laid {
                    at: wanted.at as usize,
                    words: column.words(&mut self.lists),
                    by,
                });
            }
            for (domain, end, texts) in part.dictionaries {
                for (source, _) in domains.iter().enumerate().filter(|it| *it.1 == domain) {
                    self.code_ends[source] = end;
                }
                self.texts[domain] = texts;
            }
        }
    }
}

fn form_of(sources: &Sources, source: usize, field: Field) -> Form {
    let class = sources.class(source).unwrap_or(Class::Other);
    match field {
        Field::Code => class.coded_form().unwrap_or(Form::Text),
        Field::Number if class == Class::Date => Form::AsIs,
        Field::Number => Form::Number,
        Field::Flag => Form::AsIs,
        Field::IsNull => Form::IsNull,
        Field::List => Form::Texts,
    }
}

/// The work of one thread: fields whose dictionaries no other thread fills.
type Share = Vec<Wanted>;

fn share_out(wanted: Vec<Wanted>, domains: &[usize], threads: usize) -> Vec<Share> {
    let mut by_domain: BTreeMap<usize, Share> = BTreeMap::new();
    for it in wanted {
        by_domain.entry(domains[it.source]).or_default().push(it);
    }
    let mut groups: Vec<Share> = by_domain.into_values().collect();
    groups.sort_by_key(|it| std::cmp::Reverse(it.len()));
    let mut shares: Vec<Share> = Vec::new();
    shares.resize_with(threads, Share::new);
    for group in groups {
        let least = shares.iter_mut().min_by_key(|it| it.len());
        least.expect("there is at least one thread").extend(group);
    }
    shares
}

/// What all threads know.
#[derive(Clone, Copy)]
struct Shared<'a> {
    /// The dictionary of each source.
    domains: &'a [usize],
    threads: usize,
}

struct Part {
    columns: Vec<(Wanted, Column)>,
    /// Each dictionary with its end.
    dictionaries: Vec<(usize, usize, Texts)>,
}

impl Shared<'_> {
    /// Reads as many values of each column as there are, numbered by the first column of the batches that `stream` gives.
    fn read(
        self,
        wanted: Vec<Wanted>,
        values: usize,
        stream: impl FnOnce(&mut dyn FnMut(&RecordBatch)) -> Result<(), comboi_engine::Error>,
    ) -> Result<Vec<Part>, Error> {
        thread::scope(|scope| {
            let mut senders: Vec<SyncSender<RecordBatch>> = Vec::new();
            let mut workers = Vec::new();
            for share in share_out(wanted, self.domains, self.threads.max(1)) {
                let (sender, receiver) = sync_channel(64);
                senders.push(sender);
                workers.push(scope.spawn(move || encode(share, self.domains, values, &receiver)));
            }
            let read = stream(&mut |batch| {
                for sender in &senders {
                    // A worker ends only when its sender is gone.
                    drop(sender.send(batch.clone()));
                }
            });
            drop(senders);
            let parts = workers
                .into_iter()
                .map(|it| {
                    it.join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect();
            read?;
            Ok(parts)
        })
    }
}

fn encode(share: Share, domains: &[usize], values: usize, batches: &Receiver<RecordBatch>) -> Part {
    let mut dictionaries: BTreeMap<usize, Dictionary> = BTreeMap::new();
    let mut columns: Vec<(Wanted, Column)> = share
        .into_iter()
        .map(|it| {
            let column = match it.field {
                Field::Number => Column::Numbers(vec![NO_NUMBER; values]),
                Field::List => Column::Lists(vec![Vec::new(); values], vec![false; values]),
                Field::Code | Field::Flag | Field::IsNull => Column::Codes(vec![0; values]),
            };
            (it, column)
        })
        .collect();
    for batch in batches {
        let numbers = batch.column(0).as_primitive::<UInt32Type>();
        for (wanted, column) in &mut columns {
            let array = batch.column(wanted.column);
            let dictionary = dictionaries.entry(domains[wanted.source]).or_default();
            match column {
                Column::Codes(codes) if wanted.field == Field::Code => {
                    each_code(array, wanted.form, dictionary, |i, code| {
                        codes[numbers.value(i) as usize] = code;
                    });
                }
                Column::Codes(flags) => {
                    let truths: &BooleanArray = array.as_boolean();
                    for i in 0..truths.len() {
                        let value = truths.is_valid(i).then(|| truths.value(i));
                        flags[numbers.value(i) as usize] = flag_word(value);
                    }
                }
                Column::Numbers(values) => each_number(array, |i, value| {
                    values[numbers.value(i) as usize] = value;
                }),
                Column::Lists(lists, there) => {
                    let array: &ListArray = array.as_list();
                    for i in (0..array.len()).filter(|i| array.is_valid(*i)) {
                        let items = array.value(i);
                        let mut codes = Vec::new();
                        each_code(&items, Form::Text, dictionary, |_, code| codes.push(code));
                        codes.sort_unstable();
                        codes.dedup();
                        lists[numbers.value(i) as usize] = codes;
                        there[numbers.value(i) as usize] = true;
                    }
                }
            }
        }
    }
    let dictionaries = dictionaries
        .into_iter()
        .map(|(domain, it)| (domain, it.end(), it.into_texts()));
    Part {
        dictionaries: dictionaries.collect(),
        columns,
    }
}

/// The code of each value that is not NULL.
pub(crate) fn each_code(
    array: &dyn Array,
    form: Form,
    dictionary: &mut Dictionary,
    mut each: impl FnMut(usize, u32),
) {
    if let Some(texts) = array.as_any().downcast_ref::<StringArray>() {
        let (places, values): (Vec<usize>, Vec<&[u8]>) = (0..texts.len())
            .filter(|i| texts.is_valid(*i))
            .map(|i| (i, texts.value(i).as_bytes()))
            .unzip();
        dictionary.texts(&values, |at, code| each(places[at], code));
        return;
    }
    debug_assert!(form != Form::Texts, "lists have no code");
    each_word(array, |i, word| each(i, dictionary.word(word)));
}

/// The 64 bits of each value that is not NULL: equal just if the values are.
fn each_word(array: &dyn Array, mut each: impl FnMut(usize, u64)) {
    macro_rules! whole {
        ($type:ty) => {{
            let values: &PrimitiveArray<$type> = array.as_primitive();
            for i in (0..values.len()).filter(|i| values.is_valid(*i)) {
                each(i, i64::from(values.value(i)).cast_unsigned());
            }
        }};
    }
    match array.data_type() {
        DataType::Int8 => whole!(Int8Type),
        DataType::Int16 => whole!(Int16Type),
        DataType::Int32 => whole!(Int32Type),
        DataType::Int64 => whole!(Int64Type),
        DataType::UInt8 => whole!(UInt8Type),
        DataType::UInt16 => whole!(UInt16Type),
        DataType::UInt32 => whole!(UInt32Type),
        DataType::Date32 => whole!(Date32Type),
        DataType::Timestamp(TimeUnit::Second, _) => whole!(TimestampSecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => whole!(TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => whole!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => whole!(TimestampNanosecondType),
        DataType::Float64 => {
            let values: &PrimitiveArray<Float64Type> = array.as_primitive();
            for i in (0..values.len()).filter(|i| values.is_valid(*i)) {
                // There is one zero and one NaN to DuckDB.
                let value = values.value(i);
                let value = if value == 0.0 { 0.0 } else { value };
                let value = if value.is_nan() { f64::NAN } else { value };
                each(i, value.to_bits());
            }
        }
        other => unreachable!("no class of types comes as {other}"),
    }
}

/// Each value that is not NULL. All NaNs come as the same one.
fn each_number(array: &dyn Array, mut each: impl FnMut(usize, f64)) {
    match array.data_type() {
        DataType::Date32 => {
            let days: &PrimitiveArray<Date32Type> = array.as_primitive();
            for i in (0..days.len()).filter(|i| days.is_valid(*i)) {
                each(i, f64::from(days.value(i)));
            }
        }
        _ => {
            let values: &PrimitiveArray<Float64Type> = array.as_primitive();
            for i in (0..values.len()).filter(|i| values.is_valid(*i)) {
                let value = values.value(i);
                each(i, if value.is_nan() { f64::NAN } else { value });
            }
        }
    }
}

/// A column as it gets into words: lists are there by number.
enum Words {
    Codes(Vec<u32>),
    Numbers(Vec<f64>),
}

impl Column {
    fn words(self, lists: &mut Lists) -> Words {
        match self {
            Self::Codes(codes) => Words::Codes(codes),
            Self::Numbers(values) => Words::Numbers(values),
            Self::Lists(items, there) => {
                let each = items.iter().zip(there);
                let number = each.map(|(it, there)| if there { lists.push(it) } else { 0 });
                Words::Codes(number.collect())
            }
        }
    }
}

/// The words of all records, in their order.
fn all_words(width: usize, row_of: &[u32], columns: &[Laid], threads: usize) -> Vec<u32> {
    let mut words = vec![0_u32; row_of.len() * width];
    if width > 0 {
        let each = row_of.len().div_ceil(threads.max(1)).max(1);
        thread::scope(|scope| {
            for (words, row_of) in words.chunks_mut(each * width).zip(row_of.chunks(each)) {
                scope.spawn(|| fill(words, width, row_of, columns));
            }
        });
    }
    words
}

/// Fills the words of some rows: of so few at a time that they stay near the processor.
fn fill(words: &mut [u32], width: usize, row_of: &[u32], columns: &[Laid]) {
    const AT_ONCE: usize = 4096;
    for (words, row_of) in words
        .chunks_mut(AT_ONCE * width)
        .zip(row_of.chunks(AT_ONCE))
    {
        for Laid {
            at,
            words: column,
            by,
        } in columns
        {
            let rows = words.chunks_exact_mut(width).zip(row_of);
            let number = |words: &[u32], row: u32| by.map_or(row, |by| words[by]) as usize;
            match column {
                Words::Codes(codes) => {
                    for (words, row) in rows {
                        words[*at] = codes[number(words, *row)];
                    }
                }
                Words::Numbers(values) => {
                    for (words, row) in rows {
                        let bits = values[number(words, *row)].to_bits();
                        if bits != NO_NUMBER.to_bits() {
                            words[*at] = 1;
                            words[*at + 1] = u32::try_from(bits >> 32).unwrap_or(0);
                            words[*at + 2] = u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(0);
                        }
                    }
                }
            }
        }
    }
}
