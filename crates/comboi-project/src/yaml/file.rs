//! Text from a file that may be anything.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::{Place, Problem};

/// The largest file that is read: a hundred times what anybody writes by hand.
pub(crate) const MAX_FILE_BYTES: u64 = 5_000_000;

/// The text of a file, without the byte-order mark that some editors put in front.
pub(crate) fn read_text(path: &Path, place: &Place) -> Result<String, Problem> {
    let bytes = read_bytes(path, place)?;
    let text = String::from_utf8(bytes).map_err(|not_utf8| {
        let valid = not_utf8.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(not_utf8.as_bytes().get(..valid).unwrap_or_default());
        Problem::at(
            &end_of(&before, place),
            "the file is not UTF-8 text from here on",
        )
        .hint("save the file with the encoding UTF-8")
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

fn read_bytes(path: &Path, place: &Place) -> Result<Vec<u8>, Problem> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Problem::at(place, "there is no such file"),
        ErrorKind::PermissionDenied => Problem::at(place, "the file can't be read: no permission")
            .hint("give yourself the right to read it"),
        _ => Problem::at(place, format!("the file can't be read: {error}")),
    };
    // Asked before opening: opening a pipe would wait for somebody to write into it.
    let about = std::fs::metadata(path).map_err(failed)?;
    if about.is_dir() {
        return Err(Problem::at(
            place,
            "this is a folder where a file is needed",
        ));
    }
    if !about.is_file() {
        return Err(Problem::at(place, "this is not a regular file"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    if about.len() <= MAX_FILE_BYTES {
        file.take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    }
    if about.len() > MAX_FILE_BYTES || bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Problem::at(place, "the file is larger than 5 MB")
            .hint("split it, or check that it is the right one"));
    }
    Ok(bytes)
}

/// Where a text ends, when the file begins with it.
fn end_of(text: &str, file: &Place) -> Place {
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    let count = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
    Place {
        file: std::sync::Arc::clone(&file.file),
        line: count(text.matches('\n').count()),
        column: count(last_line.chars().count()),
    }
}
