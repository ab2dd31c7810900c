//! Values as they would have been read earlier, when their types had fewer fields.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{
    Array as _, ArrayRef, ListArray, MapArray, RecordBatch, StringArray, StructArray,
    new_null_array,
};
use arrow_schema::{ArrowError, DataType, FieldRef};

use super::valued;
use crate::lacking::WITHIN;

/// What stands, among the names of columns that rows were read without, for a composite that had so many fields.
pub(super) fn cut_to(composite: &str, count: usize) -> String {
    format!("{composite}{WITHIN}{WITHIN}{count}")
}

/// A column as it is compared, without what rows may have been read without.
pub(super) fn lacking(
    batch: &RecordBatch,
    field: &FieldRef,
    without: &BTreeSet<String>,
) -> Result<ArrayRef, ArrowError> {
    if without.contains(field.name()) {
        return Ok(new_null_array(field.data_type(), batch.num_rows()));
    }
    let fields = without.iter().filter_map(|path| {
        let path = path.strip_prefix(field.name().as_str())?;
        path.strip_prefix(WITHIN)
    });
    fields.fold(valued(batch, field), |values, path| {
        without_field(&values?, path)
    })
}

/// Nested values with NULL in one field, or texts of composites with their first fields only.
fn without_field(values: &ArrayRef, path: &str) -> Result<ArrayRef, ArrowError> {
    if let Some(texts) = values.as_string_opt::<i32>() {
        let count = path.strip_prefix(WITHIN).and_then(|it| it.parse().ok());
        let count = count.unwrap_or(usize::MAX);
        let cut: StringArray = texts.iter().map(|it| Some(cut(it?, count))).collect();
        return Ok(Arc::new(cut));
    }
    if let Some(lists) = values.as_list_opt::<i32>() {
        let DataType::List(item) = lists.data_type() else {
            return Ok(Arc::clone(values));
        };
        let items = without_field(lists.values(), path)?;
        let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
        let lists = ListArray::try_new(Arc::clone(item), offsets, items, nulls)?;
        return Ok(Arc::new(lists));
    }
    if let Some(maps) = values.as_map_opt() {
        let DataType::Map(entry, is_sorted) = maps.data_type() else {
            return Ok(Arc::clone(values));
        };
        let entries = maps.entries();
        let parts = vec![
            Arc::clone(entries.column(0)),
            without_field(entries.column(1), path)?,
        ];
        let entries = StructArray::try_new(entries.fields().clone(), parts, None)?;
        let (offsets, nulls) = (maps.offsets().clone(), maps.nulls().cloned());
        let maps = MapArray::try_new(Arc::clone(entry), offsets, entries, nulls, *is_sorted)?;
        return Ok(Arc::new(maps));
    }
    let Some(structs) = values.as_struct_opt() else {
        return Ok(Arc::clone(values));
    };
    let (name, within) = match path.split_once(WITHIN) {
        Some((name, within)) => (name, Some(within)),
        None => (path, None),
    };
    let mut parts = structs.columns().to_vec();
    for (part, field) in parts.iter_mut().zip(structs.fields()) {
        if field.name().eq_ignore_ascii_case(name) {
            *part = match within {
                Some(within) => without_field(part, within)?,
                None => new_null_array(field.data_type(), structs.len()),
            };
        }
    }
    let nulls = structs.nulls().cloned();
    let structs = StructArray::try_new(structs.fields().clone(), parts, nulls)?;
    Ok(Arc::new(structs))
}

/// How many fields the composites have.
pub(super) fn field_counts(values: &ArrayRef, into: &mut BTreeSet<usize>) {
    if let Some(lists) = values.as_list_opt::<i32>() {
        field_counts(lists.values(), into);
    }
    let texts = values.as_string_opt::<i32>().into_iter().flatten();
    into.extend(texts.flatten().map(|text| commas(text).count() + 1));
}

/// Where fields of a composite end, but the last one: `(1,"a,""b""",)`.
fn commas(text: &str) -> impl Iterator<Item = usize> {
    let mut is_quoted = false;
    let bytes = text.bytes().enumerate();
    bytes.filter_map(move |(at, byte)| {
        is_quoted ^= byte == b'"';
        (byte == b',' && !is_quoted).then_some(at)
    })
}

/// A composite with its first fields only.
fn cut(text: &str, count: usize) -> Cow<'_, str> {
    let end = count.checked_sub(1).and_then(|it| commas(text).nth(it));
    match end.and_then(|end| text.get(..end)) {
        Some(head) => Cow::Owned(format!("{head})")),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Composites as PostgreSQL writes them ("Composite Types" in its manual).
    #[test]
    fn composites_are_cut_between_fields() {
        let text = r#"(1,"a,""b"" \\ c",,x)"#;
        assert_eq!(commas(text).count(), 3);
        assert_eq!(cut(text, 4), text);
        assert_eq!(cut(text, 3), r#"(1,"a,""b"" \\ c",)"#);
        assert_eq!(cut(text, 2), r#"(1,"a,""b"" \\ c")"#);
        assert_eq!(cut(text, 1), "(1)");
        assert_eq!(cut("(1)", 1), "(1)");
    }
}
