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

/// A listener that is not SQL Server: it closes each connection, or never answers.
fn not_a_server(closes: bool) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming().flatten() {
            if !closes {
                kept.push(stream);
            }
        }
    });
    format!("Server=127.0.0.1,{port};Uid=a;Pwd=b;Encrypt=no;LoginTimeout=1")
}

#[test]
fn a_port_of_something_else_is_said_soon() {
    for closes in [true, false] {
        let database = reached(&not_a_server(closes), Arc::new(OneToken));
        // Azure is waited for for 90 seconds, because a database may have to wake up.
        let told = run(async {
            let minute = Duration::from_secs(60);
            tokio::time::timeout(minute, refused(&database)).await
        });
        let told = told.expect("an answer within a minute").to_string();
        assert!(
            told.contains("; check that SQL Server listens on this host and port;"),
            "{told}"
        );
    }
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
