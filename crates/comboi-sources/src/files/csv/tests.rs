//! Texts and what they are taken apart into.

use std::fmt::Write as _;

use super::input::CHUNK;
use super::*;

const COMMA: Marks = Marks {
    delimiter: b',',
    quote: Some(b'"'),
    escape: None,
    comment: None,
};

fn check_with(marks: Marks, one_column: bool, text: &str, expected: &str) {
    let mut records = Records::new(text.as_bytes(), Start::default(), marks, one_column);
    let mut found = String::new();
    while let Some(record) = records.next().unwrap() {
        let fields: Vec<_> = record
            .fields
            .iter()
            .map(|field| String::from_utf8_lossy(field).replace('\n', "⏎"))
            .collect();
        let what = record.problem.map_or_else(
            || fields.join("|"),
            |problem| format!("{problem}: {}", String::from_utf8_lossy(&record.raw)),
        );
        writeln!(found, "{}@{} {what}", record.start.line, record.start.byte).unwrap();
    }
    assert_eq!(found.trim_end(), expected, "{text:?}");
}

fn check(text: &str, expected: &str) {
    check_with(COMMA, false, text, expected);
}

#[test]
fn places_count_real_lines_and_bytes() {
    check("a,b\n1,\"x\ny\"\n\n2,z", "1@0 a|b\n2@4 1|x⏎y\n5@13 2|z");
    check("a,b\r\n1,2\r\n3,4", "1@0 a|b\n2@5 1|2\n3@10 3|4");
    check("a,b\r1,2\r", "1@0 a|b\n2@4 1|2");
}

#[test]
fn quotes_are_around_whole_fields() {
    check("\"a \"\"b\"\"\",  \"c\" ,d\"e", "1@0 a \"b\"|c|d\"e");
    check("\"\",", "1@0 |");
    let backslash = Marks {
        escape: Some(b'\\'),
        ..COMMA
    };
    check_with(backslash, false, r#""a \" b \\ \c""#, r#"1@0 a " b \ \c"#);
    check_with(
        Marks {
            quote: None,
            ..COMMA
        },
        false,
        "\"a,b",
        "1@0 \"a|b",
    );
}

#[test]
fn a_lost_quote_takes_one_line_with_it() {
    check(
        "1,\"a\n2,b\n3,c\n",
        "1@0 a quote is opened and never closed: 1,\"a\n2@5 2|b\n3@9 3|c",
    );
    check(
        "1,\"a\"b\n2,c",
        "1@0 there is text after a closing quote: 1,\"a\"b\n2@7 2|c",
    );
}

#[test]
fn comments_and_empty_lines() {
    let hash = Marks {
        comment: Some(b'#'),
        ..COMMA
    };
    check_with(hash, false, "#x\n1,2#y\n\n3,4", "2@3 1|2\n4@10 3|4");
    check_with(COMMA, true, "a\n\nb\n", "1@0 a\n2@2 \n3@3 b");
}

#[test]
fn records_may_be_longer_than_a_chunk() {
    let long = "x".repeat(3 * CHUNK);
    check(
        &format!("1,\"{long}\"\n2,y"),
        &format!("1@0 1|{long}\n2@{} 2|y", 3 * CHUNK + 5),
    );
}

/// Blocks of a text, one a line.
fn check_blocks(at_least: u64, text: &str, expected: &str) {
    let mut records = Records::new(text.as_bytes(), Start::default(), COMMA, false);
    let mut found = String::new();
    loop {
        let Start { line, byte } = records.place();
        let mut block = Vec::new();
        let copied = records.copy(at_least, &mut block).unwrap();
        assert_eq!(copied, u64::try_from(block.len()).unwrap());
        if copied == 0 {
            break;
        }
        let block = String::from_utf8(block).unwrap().replace('\n', "⏎");
        writeln!(found, "{line}@{byte} {}", block.replace('\r', "␍")).unwrap();
    }
    assert_eq!(found.trim_end(), expected, "{text:?}");
}

#[test]
fn blocks_end_where_records_end() {
    check_blocks(
        1,
        "1,\"a\nb\"\n2,c\n3,d",
        "1@0 1,\"a⏎b\"⏎\n3@8 2,c⏎\n4@12 3,d",
    );
    check_blocks(9, "1,\"a\nb\"\n2,c\n3,d", "1@0 1,\"a⏎b\"⏎2,c⏎\n4@12 3,d");
    check_blocks(
        4,
        "1,a\r\n\r\n\r2,\"b\r\"\r\n",
        "1@0 1,a␍⏎␍⏎\n3@7 ␍2,\"b␍\"␍⏎",
    );
    // A lost quote is a line.
    check_blocks(1, "1,\"a\n2,b\n", "1@0 1,\"a⏎\n2@5 2,b⏎");
}

#[test]
fn a_comment_is_part_of_the_text_of_a_record() {
    let marks = Marks {
        comment: Some(b'#'),
        ..COMMA
    };
    let mut records = Records::new(b"1,2#y\n".as_slice(), Start::default(), marks, false);
    assert_eq!(records.next().unwrap().unwrap().raw, b"1,2#y");
}
