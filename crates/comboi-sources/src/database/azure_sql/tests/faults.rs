//! A server and a network that fail.

use comboi_test::tds::Trouble;

use super::*;

/// What becomes of a read that meets a trouble; the next one is whole.
fn check(trouble: Trouble, expected: &str) {
    let (_, server) = numbered(20_000);
    server.will(trouble.clone());
    let mut database = reached(&server.dsn(), Arc::new(OneToken));
    if matches!(trouble, Trouble::Stall(..)) {
        database.idle = Duration::from_secs(1);
    }
    let failed = all_by(&database, "t", &[]);
    let told = failed.map(|kept| kept.rows()).unwrap_err();
    assert_eq!(server.waiting_troubles(), 0, "{trouble:?} has not happened");
    assert!(told.to_string().contains(expected), "{trouble:?}: {told}");
    assert!(
        crate::worth_retrying(&told) || expected.contains("(error 50001)"),
        "{told}"
    );
    assert_eq!(all_of(&server, "t", &[]).unwrap().rows(), 20_000);
}

const ROWS: &str = "q.[note] FROM [t]";

#[test]
fn a_connection_that_is_cut_at_a_byte_is_no_answer() {
    for bytes in [
        0, 1, 7, 8, 9, 20, 60, 61, 62, 100, 4096, 16_384, 16_385, 16_390, 100_000,
    ] {
        check(Trouble::Cut(ROWS, bytes), "could not");
    }
}

#[test]
fn a_connection_that_is_cut_between_rows_is_no_answer() {
    for rows in [0, 1, 16_383, 16_384, 20_000] {
        check(Trouble::CutAfterRows(ROWS, rows), "could not read rows");
    }
}

#[test]
fn an_error_in_the_stream_is_an_error() {
    for rows in [0, 1, 17_000, 20_000] {
        check(
            Trouble::ErrorAfterRows(ROWS, rows, 1205),
            "Something went wrong (error 1205)",
        );
    }
    check(
        Trouble::ErrorAfterRows(ROWS, 100, 50_001),
        "Something went wrong (error 50001)",
    );
}

#[test]
fn a_server_that_hangs_is_given_up() {
    for rows in [0, 1, 100, 19_999] {
        check(
            Trouble::Stall(ROWS, rows),
            "could not read rows: the server has said nothing for",
        );
    }
    check(
        Trouble::Stall("dm_exec_describe_first_result_set", 0),
        "could not ask the server: the server has said nothing for",
    );
}

#[test]
fn a_connection_that_broke_is_of_no_more_use() {
    let (_, server) = numbered(100);
    let database = reached(&server.dsn(), Arc::new(OneToken));
    server.will(Trouble::CutAfterRows("CONVERT(varchar(5), 7)", 0));
    run(async {
        let mut connection = database.connect().await.unwrap();
        for _ in 0..2 {
            let lost = connection
                .texts("SELECT CONVERT(varchar(5), 7)")
                .await
                .unwrap_err();
            assert!(matches!(lost, Error::Lost { .. }), "{lost}");
        }
    });
}
