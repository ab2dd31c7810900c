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
    let mut records =
        Records::new(|| Ok(text.as_bytes()), Start::default(), marks, one_column).unwrap();
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
    let mut records = Records::new(|| Ok(text.as_bytes()), Start::default(), COMMA, false).unwrap();
    let mut found = String::new();
    loop {
        let Start { line, byte } = records.place();
        let mut block = Vec::new();
        let too_long = records.copy(at_least, &mut block).unwrap();
        if let Some(Record { start, problem, .. }) = too_long {
            let (Start { line, byte }, problem) = (start, problem.unwrap());
            writeln!(found, "{line}@{byte} {problem}").unwrap();
        } else if block.is_empty() {
            break;
        }
        if block.is_empty() {
            continue;
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
    let mut records =
        Records::new(|| Ok(b"1,2#y\n".as_slice()), Start::default(), marks, false).unwrap();
    assert_eq!(records.next().unwrap().unwrap().raw, b"1,2#y");
}

/// Its lines are not records, whatever they look like.
#[test]
fn a_quoted_record_that_is_too_long_costs_itself_only() {
    let lines = "1,2\n".repeat(LONGEST_RECORD / 4 + 1);
    let text = format!("a,\"{lines}\"\n3,4\n");
    let length = lines.len() + 5;
    let line = LONGEST_RECORD / 4 + 3;
    let mut records = Records::new(|| Ok(text.as_bytes()), Start::default(), COMMA, false).unwrap();
    let long = records.next().unwrap().unwrap();
    assert_eq!(long.problem, Some("the record is longer than 16 MiB"));
    assert_eq!(long.start, Start::default());
    assert!(text.as_bytes().starts_with(&long.raw));
    assert_eq!(long.raw.len(), LONGEST_RECORD);
    let next = records.next().unwrap().unwrap();
    assert_eq!(next.raw, b"3,4");
    assert_eq!(next.start.byte, u64::try_from(length).unwrap());
    assert_eq!(next.start.line, u64::try_from(line).unwrap());
    assert!(records.next().unwrap().is_none());
    check_blocks(
        1,
        &text,
        &format!("1@0 the record is longer than 16 MiB\n{line}@{length} 3,4⏎"),
    );
}

/// What follows it is read, though it is far more than is kept of a record.
#[test]
fn a_lost_quote_takes_one_line_with_it_however_long_the_text_is() {
    let lines = format!("1,{}\n", "2".repeat(1021)).repeat(LONGEST_RECORD / 512);
    let text = format!("0,\"x\n{lines}9,\"y\"\n");
    let mut records = Records::new(|| Ok(text.as_bytes()), Start::default(), COMMA, false).unwrap();
    let (mut good, mut bad) = (0, Vec::new());
    while let Some(record) = records.next().unwrap() {
        match record.problem {
            None => good += 1,
            Some(problem) => bad.push((record.start, problem)),
        }
    }
    assert_eq!(good, LONGEST_RECORD / 512 + 1);
    let problem = "there is text after a closing quote";
    assert_eq!(bad, [(Start::default(), problem)]);
}
