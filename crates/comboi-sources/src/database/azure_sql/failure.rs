//! What SQL Server's errors mean for who reads from it.

use mssql_tds::error::{Error as Tds, SqlErrorInfo};

use crate::Error;

/// What a failure means: whether it passes, and what a person should try. Never a value of a row.
pub(super) fn explained(error: &Tds, doing: &str) -> Error {
    let doing = doing.to_owned();
    let refused = |why: String| Error::Refused {
        doing: doing.clone(),
        why,
    };
    let lost = |why: String| Error::Lost {
        doing: doing.clone(),
        why,
    };
    match error {
        Tds::SqlServerError { diagnostics } => {
            let errors = &diagnostics.errors;
            let telling = errors
                .iter()
                .find(|it| passes(it.number))
                .or_else(|| {
                    errors
                        .iter()
                        .find(|it| it.number != 3621 && it.number != 4145)
                })
                .or_else(|| errors.first());
            match telling {
                Some(said) if passes(said.number) => lost(told(said)),
                Some(said) => refused(told(said)),
                None => lost("the server refused, and did not say why".to_owned()),
            }
        }
        Tds::TlsError(_) | Tds::TlsHandshakeError { .. } => {
            let cause = causes(error);
            // Of a server that goes away in the middle of it, too.
            if cause.contains("unexpected EOF") || cause.contains("reset by peer") {
                lost(cause)
            } else {
                refused(format!("{cause}. {DISTRUSTED}"))
            }
        }
        Tds::CertificateNotFound { .. }
        | Tds::InvalidCertificateFormat { .. }
        | Tds::CertificateExpired
        | Tds::CertificateMismatch
        | Tds::CertificateFileIoError { .. }
        | Tds::NoServerCertificate => refused(error.to_string()),
        Tds::ProtocolError(why) if why.contains("ncryption but client requires it") => refused(
            "the server does not encrypt; `Encrypt=no` does without, if you know who listens on the way".to_owned(),
        ),
        Tds::ConnectionError(why) if is_unknown_host(why) => refused(why.clone()),
        Tds::Io(e) if is_unknown_host(&e.to_string()) => refused(e.to_string()),
        Tds::UsageError(_)
        | Tds::ImplementationError(_)
        | Tds::UnimplementedFeature { .. }
        | Tds::TypeConversionError(_)
        | Tds::UnsupportedEncoding { .. }
        | Tds::Security(_)
        | Tds::ColumnEncryptionError(_)
        | Tds::BulkCopyError(_)
        | Tds::EncodedValueTooLong { .. } => refused(error.to_string()),
        Tds::Io(_)
        | Tds::ConnectionError(_)
        | Tds::ConnectionClosed(_)
        | Tds::TimeoutError(_)
        | Tds::OperationCancelledError(_)
        | Tds::ProtocolError(_)
        | Tds::Redirection { .. }
        | Tds::SessionRecoveryFailed { .. }
        | Tds::SessionNotRecoverable(_)
        | Tds::ReconnectionValidationFailed(_)
        | Tds::ConnectionResetNotAcknowledged => lost(error.to_string()),
    }
}

const DISTRUSTED: &str = "The authority's certificate has to be among those of this machine (or in the file that SSL_CERT_FILE names); \
    `HostnameInCertificate=…` names the server by its other name, `ServerCertificate=<file>` trusts one certificate, and `TrustServerCertificate=yes` encrypts without knowing who the server is";

fn is_unknown_host(why: &str) -> bool {
    [
        "failed to lookup",
        "Name or service not known",
        "No such host",
        "nodename nor servname",
    ]
    .iter()
    .any(|it| why.contains(it))
}

fn causes(error: &Tds) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    text
}

fn told(said: &SqlErrorInfo) -> String {
    why(said.number, &said.message)
}

/// The server's words with what to try.
pub(super) fn why(number: u32, message: &str) -> String {
    let hint = match number {
        18456 => Some(
            "check user and password; for a token, the identity has to be a user of the database (CREATE USER … FROM EXTERNAL PROVIDER)",
        ),
        18452 | 40532 => Some("check how the user is written"),
        4060 => Some("check the name of the database, and that the login may open it"),
        40615 | 47073 => Some("the server's firewall does not let this machine in"),
        208 => Some("`comboi discover` lists the tables that there are"),
        207 => Some("`comboi discover` lists the columns that there are"),
        229 | 230 | 916 => Some("grant the login the right to SELECT"),
        8155 => Some("each column of the query needs a name: give it one with AS"),
        8156 => Some("give one of them another name with AS"),
        3952 => Some(
            "the query reads a database that does not allow snapshot isolation: ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON",
        ),
        41332 | 41333 => Some(
            "a memory-optimized table can't be read in a snapshot: ALTER DATABASE … SET MEMORY_OPTIMIZED_ELEVATE_TO_SNAPSHOT ON",
        ),
        _ => None,
    };
    let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
    let message = message.trim().trim_end_matches('.');
    if quotes_values(number) {
        return format!("a value is not what the statement takes it for (error {number})");
    }
    format!("{message} (error {number}){hint}")
}

/// Whether the server's words may quote what is in a row: conversions, keys, XML, JSON, CLR types.
fn quotes_values(number: u32) -> bool {
    matches!(
        number,
        220 | 232 | 235 | 241..=248 | 293 | 295 | 517 | 2601 | 2627 | 2628 | 6522 | 8114 | 8115 | 8152 | 9400..=9499 | 9803 | 13600..=13699
    )
}

/// Whether the same thing may succeed a little later: a service that wakes up, moves or is busy, a deadlock, a lock that was waited
/// for, a snapshot that was overtaken.
fn passes(number: u32) -> bool {
    matches!(
        number,
        // The connection.
        64 | 121 | 233 | 596 | 10053 | 10054 | 10060 | 10061 | 17142 | 17197
        // Azure's own.
        | 615 | 4221 | 10928 | 10929 | 10936 | 40020 | 40143 | 40166 | 40197 | 40501 | 40540 | 40544
        | 40549
            ..=40553 | 40613 | 42108 | 42109 | 49918 | 49919 | 49920
        // A database that starts or moves.
        | 904 | 913 | 921 | 922 | 924 | 926 | 927 | 976 | 978 | 979 | 981 | 982 | 983 | 9001
        // Locks, snapshots, memory.
        | 1204 | 1205 | 1222 | 3960 | 3961 | 3966 | 701 | 8645 | 8651 | 41302 | 41305 | 41325 | 41839
    )
}

/// Whether it is an error that SQL Server itself sent.
pub(super) fn is_from_server(error: &Error) -> bool {
    matches!(error, Error::Lost { why, .. } | Error::Refused { why, .. } if why.contains("(error "))
}

/// Whether the server said that it does not know who comes.
pub(super) fn is_login_failure(error: &Error) -> bool {
    matches!(error, Error::Refused { why, .. } if why.contains("(error 18456)"))
}

/// Whether the server said that there is no such database: on Azure it also says so while one moves.
pub(super) fn is_no_database(error: &Error) -> bool {
    matches!(error, Error::Refused { why, .. } if why.contains("(error 4060)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(number: u32, message: &str, expected: &str) {
        let said = SqlErrorInfo {
            message: message.to_owned(),
            state: 1,
            class: 16,
            number,
            server_name: None,
            proc_name: None,
            line_number: None,
        };
        let error = explained(&Tds::from_sql_error(said), "read rows");
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn what_passes_can_be_run_again() {
        for number in [
            40613, 40197, 40501, 49918, 49919, 49920, 10928, 10929, 4221, 40143, 233, 64, 10053,
            10054, 10060, 1205, 3960, 1222,
        ] {
            check(
                number,
                "no.",
                &format!(
                    "could not read rows: no (error {number}); nothing of it was loaded, and it can be run again"
                ),
            );
        }
    }

    #[test]
    fn what_does_not_pass_says_what_to_do() {
        check(
            208,
            "Invalid object name 'sales.orders'.",
            "could not read rows: Invalid object name 'sales.orders' (error 208) (`comboi discover` lists the tables that there are); nothing of it was loaded",
        );
        check(
            18456,
            "Login failed for user 'x'.",
            "could not read rows: Login failed for user 'x' (error 18456) (check user and password; for a token, the identity has to be a user of the database (CREATE USER … FROM EXTERNAL PROVIDER)); nothing of it was loaded",
        );
    }

    #[test]
    fn no_value_of_a_row_is_told() {
        check(
            245,
            "Conversion failed when converting the varchar value 'Jane Doe' to data type int.",
            "could not read rows: a value is not what the statement takes it for (error 245); nothing of it was loaded",
        );
        check(
            13609,
            "JSON text is not properly formatted. Unexpected character 'J'",
            "could not read rows: a value is not what the statement takes it for (error 13609); nothing of it was loaded",
        );
    }
}
