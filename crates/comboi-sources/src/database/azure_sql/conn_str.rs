//! Connection strings as ODBC has them.
//!
//! Their form is that of Microsoft's specification [MS-ODBCSTR]; the keys are those of ODBC's driver for SQL Server, and what other
//! drivers call them.

use comboi_project::did_you_mean;

use crate::Error;

/// Keys of ODBC's connection strings and other drivers' names for them, by what they mean here.
const KEYS: [(&str, Key); 48] = [
    ("server", Key::Server),
    ("address", Key::Server),
    ("addr", Key::Server),
    ("data source", Key::Server),
    ("network address", Key::Server),
    ("port", Key::Port),
    ("database", Key::Database),
    ("initial catalog", Key::Database),
    ("uid", Key::User),
    ("user id", Key::User),
    ("user", Key::User),
    ("pwd", Key::Password),
    ("password", Key::Password),
    ("encrypt", Key::Encrypt),
    ("trustservercertificate", Key::Trust),
    ("trust server certificate", Key::Trust),
    ("hostnameincertificate", Key::CertificateName),
    ("host name in certificate", Key::CertificateName),
    ("servercertificate", Key::Certificate),
    ("server certificate", Key::Certificate),
    ("authentication", Key::Authentication),
    ("applicationintent", Key::Intent),
    ("application intent", Key::Intent),
    ("multisubnetfailover", Key::MultiSubnet),
    ("logintimeout", Key::Timeout),
    ("login timeout", Key::Timeout),
    ("connection timeout", Key::Timeout),
    ("connect timeout", Key::Timeout),
    ("timeout", Key::Timeout),
    ("packetsize", Key::PacketSize),
    ("packet size", Key::PacketSize),
    ("app", Key::Application),
    ("application name", Key::Application),
    ("columnencryption", Key::ColumnEncryption),
    ("trusted_connection", Key::Windows),
    ("integrated security", Key::Windows),
    ("driver", Key::Nothing),
    ("wsid", Key::Nothing),
    ("workstation id", Key::Nothing),
    ("mars_connection", Key::Nothing),
    ("multipleactiveresultsets", Key::Nothing),
    ("language", Key::Nothing),
    ("quotedid", Key::Nothing),
    ("ansinpw", Key::Nothing),
    ("regional", Key::Nothing),
    ("connectretrycount", Key::Nothing),
    ("connectretryinterval", Key::Nothing),
    ("persist security info", Key::Nothing),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Server,
    Port,
    Database,
    User,
    Password,
    Encrypt,
    Trust,
    CertificateName,
    Certificate,
    Authentication,
    Intent,
    MultiSubnet,
    Timeout,
    PacketSize,
    Application,
    ColumnEncryption,
    Windows,
    /// It changes nothing here.
    Nothing,
}

/// What a connection string says. Of a key that is there twice, the first counts (ODBC's rule).
#[derive(Default)]
pub(super) struct Said(Vec<(Key, String)>);

impl Said {
    /// What is said, as it is written.
    pub(super) fn exact(&self, key: Key) -> Option<&str> {
        let found = self.0.iter().find(|(it, _)| *it == key);
        found.map(|(_, value)| value.as_str())
    }

    /// What is said, without white space around it; not if it is empty.
    pub(super) fn get(&self, key: Key) -> Option<&str> {
        self.exact(key).map(str::trim).filter(|it| !it.is_empty())
    }

    /// Says something else, if there is something.
    pub(super) fn replace(&mut self, key: Key, value: Option<String>) {
        if let Some(value) = value {
            self.0.insert(0, (key, value));
        }
    }
}

/// Reads `key=value;key={a;b}}c};…`. With warnings: keys that are not known.
pub(super) fn parse(text: &str) -> Result<(Said, Vec<String>), Error> {
    let broken = || {
        Error::Configuration("the connection string can't be understood; it has the form `Server=tcp:<host>,1433;Database=…;Uid=…;Pwd=…`, with values that hold `;` in braces".to_owned())
    };
    let (mut said, mut warnings) = (Said::default(), Vec::new());
    let mut rest = text.trim_start_matches(|c: char| c == ';' || c.is_whitespace());
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or_else(broken)?;
        let key = key.trim();
        let (value, next) = value(after).ok_or_else(broken)?;
        let lower = key.to_ascii_lowercase();
        match KEYS.iter().find(|(name, _)| *name == lower) {
            Some((_, known)) => said.0.push((*known, value)),
            None => {
                let hint = did_you_mean(&lower, KEYS.map(|(name, _)| name))
                    .map(|hint| format!("; {hint}"))
                    .unwrap_or_default();
                warnings.push(format!(
                    "`{key}` of the connection string is not known and does nothing{hint}"
                ));
            }
        }
        rest = next.trim_start_matches(|c: char| c == ';' || c.is_whitespace());
    }
    Ok((said, warnings))
}

/// A value and what is behind it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(braced) = text.trim_start().strip_prefix('{') else {
        let (value, rest) = text.split_once(';').unwrap_or((text, ""));
        return Some((value.trim().to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = braced.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '}' if chars.peek().is_some_and(|(_, next)| *next == '}') => {
                chars.next();
                value.push('}');
            }
            '}' => {
                let rest = braced.get(at + 1..)?.trim_start();
                return (rest.is_empty() || rest.starts_with(';')).then_some((value, rest));
            }
            c => value.push(c),
        }
    }
    None
}
