//! Texts in the encodings of SQL Server into UTF-8, or not at all: a character that can't be kept is an error.

use encoding_rs::UTF_16LE;
use mssql_tds::datatypes::sql_string::EncodingType;

use super::decode::Refusal;

const NOT_UTF_16: &str = "a text is not valid UTF-16 (half of a surrogate pair), so it can't be kept as text; in a `query`, `CONVERT(varbinary(max), column)` gives its bytes";
const NOT_ITS_CODE_PAGE: &str = "a text has bytes that its code page does not have; in a `query`, `CONVERT(varbinary(max), column)` gives them";

/// Appends a text to what is there.
pub(super) fn decode(
    bytes: &[u8],
    encoding: EncodingType,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    if encoding == EncodingType::Utf16 {
        return utf16(bytes, out).ok_or(Refusal::Value(NOT_UTF_16));
    }
    // Every code page has ASCII where ASCII has it.
    if bytes.is_ascii() {
        out.extend_from_slice(bytes);
        return Ok(());
    }
    let page = encoding.resolved_encoding().ok_or(Refusal::Malformed)?;
    let (text, is_damaged) = page.decode_without_bom_handling(bytes);
    if is_damaged {
        return Err(Refusal::Value(NOT_ITS_CODE_PAGE));
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Most texts are ASCII for the most part, and four characters of it are told at once.
fn utf16(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    const NOT_ASCII: u64 = 0xff80_ff80_ff80_ff80;
    let (fours, _) = bytes.as_chunks::<8>();
    let plain = fours
        .iter()
        .take_while(|four| u64::from_le_bytes(**four) & NOT_ASCII == 0)
        .count();
    let (plain, mut rest) = bytes.split_at(plain * 8);
    let (plain, _) = plain.as_chunks::<2>();
    out.extend(plain.iter().map(|[low, _]| *low));
    while let Some(([low, 0], tail)) = rest
        .split_first_chunk::<2>()
        .filter(|(two, _)| two[0] < 0x80)
    {
        out.push(*low);
        rest = tail;
    }
    if rest.is_empty() {
        return Some(());
    }
    let text = UTF_16LE.decode_without_bom_handling_and_without_replacement(rest)?;
    out.extend_from_slice(text.as_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(units: &[u16], expected: Option<&str>) {
        let bytes: Vec<u8> = units.iter().flat_map(|it| it.to_le_bytes()).collect();
        let mut out = b"<".to_vec();
        let done = decode(&bytes, EncodingType::Utf16, &mut out);
        match expected {
            Some(expected) => assert_eq!(String::from_utf8(out).unwrap(), format!("<{expected}")),
            None => assert_eq!(done, Err(Refusal::Value(NOT_UTF_16))),
        }
    }

    #[test]
    fn a_text_is_kept_whole_or_not_at_all() {
        for text in [
            "",
            "a",
            "abcd",
            "abcdefghi",
            "naïve",
            "äbcdefgh",
            "abcdefghé",
            "😀",
            "a😀b",
            "\u{feff}bom",
            "\0",
        ] {
            check(&text.encode_utf16().collect::<Vec<_>>(), Some(text));
        }
        check(&[0xd83d], None);
        check(&[0xde00, 0x61], None);
        check(&[0x61, 0xd83d, 0x61], None);
        assert_eq!(
            decode(&[0x61], EncodingType::Utf16, &mut Vec::new()),
            Err(Refusal::Value(NOT_UTF_16))
        );
    }

    #[test]
    fn utf_8_that_is_none_is_refused() {
        let mut out = Vec::new();
        decode("naïve 😀".as_bytes(), EncodingType::Utf8, &mut out).unwrap();
        assert_eq!(out, "naïve 😀".as_bytes());
        assert_eq!(
            decode(&[0x61, 0xff], EncodingType::Utf8, &mut out),
            Err(Refusal::Value(NOT_ITS_CODE_PAGE))
        );
    }
}
