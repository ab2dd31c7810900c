//! Logins: those that take a while, and those that fail; TLS, tokens and redirection are `mssql-mock-tds`' part.

use comboi_test::tds::Trouble;

use super::*;

async fn refused(database: &AzureSql) -> Error {
    match database.connect().await {
        Ok(_) => panic!("it let us in"),
        Err(error) => error,
    }
}

#[test]
fn a_database_that_wakes_up_is_waited_for() {
    let (_, server) = numbered(1);
    for trouble in [
        Trouble::LoginError(40613),
        Trouble::LoginError(40197),
        Trouble::ShortLogin,
    ] {
        server.will(trouble);
    }
    assert_eq!(all_of(&server, "t", &[]).unwrap().rows(), 1);
    assert_eq!(server.logins().len(), 4);
}

#[test]
fn a_wrong_password_is_said_at_once() {
    let (_, server) = numbered(1);
    let database = reached(
        &server.dsn().replace("s3cret", "geheim"),
        Arc::new(OneToken),
    );
    let told = run(refused(&database)).to_string();
    assert!(
        told.contains("Login failed for user 'somebody' (error 18456) (check user and password"),
        "{told}"
    );
    assert!(!told.contains("geheim") && !format!("{database:?}").contains("geheim"));
    assert_eq!(server.logins().len(), 1);
}

#[test]
fn a_host_that_is_not_there_is_said() {
    let nobody = reached(
        "Server=no-such-host.invalid;Uid=a;Pwd=b",
        Arc::new(OneToken),
    );
    let told = run(refused(&nobody));
    assert!(matches!(told, Error::Refused { .. }), "{told}");
    assert!(
        told.to_string()
            .starts_with("could not connect to no-such-host.invalid:1433: "),
        "{told}"
    );
}

#[test]
fn a_server_without_encryption_gets_no_password_unless_that_is_asked_for() {
    let (_, server) = numbered(1);
    let database = reached(&server.dsn().replace(";Encrypt=no", ""), Arc::new(OneToken));
    let told = run(refused(&database));
    assert!(
        told.to_string().contains("the server does not encrypt"),
        "{told}"
    );
    assert!(server.logins().is_empty());
}
