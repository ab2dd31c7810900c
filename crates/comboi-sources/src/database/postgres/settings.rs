//! How a server is reached: what people write, understood.

use comboi_project::{Authentication, Connection, Secrets, Setting, SslMode, did_you_mean};
use tokio_postgres::config::Host;

use crate::Error;

/// How the connection is encrypted and whom it trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Encryption {
    pub(super) mode: SslMode,
    /// Nobody said, and nobody listens on the way: without it first, and with it if the server wants that.
    pub(super) only_if_asked: bool,
    /// A file of certificates to trust instead of the machine's.
    pub(super) root_certificates: Option<String>,
}

/// Everything that is needed to connect. Shows no password.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) config: tokio_postgres::Config,
    pub(super) encryption: Encryption,
    pub(super) by_token: bool,
}

const KEYS: [&str; 20] = [
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "host",
    "hostaddr",
    "port",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
    "sslmode",
    "sslrootcert",
    "sslnegotiation",
];

impl Settings {
    pub(super) fn new(connection: &Connection, secrets: &dyn Secrets) -> Result<Self, Error> {
        let said = |setting: &Option<Setting>| -> Result<Option<String>, Error> {
            let Some(setting) = setting else {
                return Ok(None);
            };
            Ok(Some(setting.resolve(secrets)?.expose().to_owned()))
        };
        let text = match said(&connection.conn_str)? {
            Some(text) => Some(text),
            None => said(&connection.dsn)?,
        };
        let mut options = match &text {
            Some(text) => parse(text)?,
            None => Options::default(),
        };
        let parts = [
            ("host", said(&connection.host)?),
            ("port", connection.port.map(|port| port.to_string())),
            ("dbname", said(&connection.database)?),
            ("user", said(&connection.user)?),
            ("password", said(&connection.password)?),
        ];
        for (key, value) in parts {
            if let Some(value) = value {
                options.set(key, value);
            }
        }
        let mode = match (connection.sslmode, options.take("sslmode")) {
            (Some(mode), _) => Some(mode),
            (None, Some(text)) => Some(ssl_mode(&text)?),
            (None, None) => None,
        };
        let root_certificates = options.take("sslrootcert");
        let mut config: tokio_postgres::Config =
            options.text().parse().map_err(|e: tokio_postgres::Error| {
                let cause = std::error::Error::source(&e)
                    .map(ToString::to_string)
                    .unwrap_or_default();
                Error::Configuration(format!(
                    "the connection string can't be understood: {cause}"
                ))
            })?;
        let only_if_asked = mode.is_none() && root_certificates.is_none() && is_here(&config);
        let mode = match (mode, root_certificates.as_deref()) {
            (None, _) if only_if_asked => SslMode::Prefer,
            (None, _) | (Some(SslMode::Require), Some("system")) => SslMode::VerifyFull,
            // As libpq has it: whoever names an authority wants it to be asked.
            (Some(SslMode::Require), Some(_)) => SslMode::VerifyCa,
            (Some(mode), _) => mode,
        };
        let by_token = connection.authentication == Some(Authentication::Entra);
        if by_token && matches!(mode, SslMode::Disable | SslMode::Prefer) && !is_here(&config) {
            return Err(Error::Configuration(format!(
                "a token is not sent without encryption, which `sslmode: {mode}` allows; leave `sslmode` out"
            )));
        }
        config.ssl_mode(match mode {
            SslMode::Disable => tokio_postgres::config::SslMode::Disable,
            SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => {
                tokio_postgres::config::SslMode::Require
            }
        });
        if config.get_application_name().is_none() {
            config.application_name("comboi");
        }
        Ok(Self {
            config,
            encryption: Encryption {
                mode,
                only_if_asked,
                root_certificates: root_certificates.filter(|file| file != "system"),
            },
            by_token,
        })
    }

    /// Where it goes, for people: `db.example.com:5432/shop`.
    pub(super) fn place(&self) -> String {
        let hosts = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        });
        let host = hosts.collect::<Vec<_>>().join(",");
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let database = self
            .config
            .get_dbname()
            .or(self.config.get_user())
            .unwrap_or("");
        format!(
            "{}:{port}/{database}",
            if host.is_empty() { "localhost" } else { &host }
        )
    }
}

/// Whether the server is on this machine. Nobody listens between this machine and itself; everywhere else certificates are
/// verified unless somebody says otherwise.
fn is_here(config: &tokio_postgres::Config) -> bool {
    let here = |host: &Host| match host {
        Host::Tcp(name) => {
            let address = name.parse::<std::net::IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    let addresses = config.get_hostaddrs();
    config.get_hosts().iter().all(here) && addresses.iter().all(std::net::IpAddr::is_loopback)
}

fn ssl_mode(text: &str) -> Result<SslMode, Error> {
    Ok(match text {
        "disable" => SslMode::Disable,
        "allow" | "prefer" => SslMode::Prefer,
        "require" => SslMode::Require,
        "verify-ca" => SslMode::VerifyCa,
        "verify-full" => SslMode::VerifyFull,
        _ => {
            let known = ["disable", "prefer", "require", "verify-ca", "verify-full"];
            let hint = did_you_mean(text, known)
                .unwrap_or_else(|| format!("it is one of {}", known.join(", ")));
            return Err(Error::Configuration(format!("unknown `sslmode`; {hint}")));
        }
    })
}

/// Options of a connection string, in order.
#[derive(Default)]
struct Options(Vec<(String, String)>);

impl Options {
    fn set(&mut self, key: &str, value: String) {
        self.0.retain(|(known, _)| known != key);
        self.0.push((key.to_owned(), value));
    }

    fn take(&mut self, key: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == key)?;
        Some(self.0.remove(at).1)
    }

    /// In the keyword form.
    fn text(&self) -> String {
        let option = |(key, value): &(String, String)| {
            format!(
                "{key}='{}'",
                value.replace('\\', "\\\\").replace('\'', "\\'")
            )
        };
        self.0.iter().map(option).collect::<Vec<_>>().join(" ")
    }
}

fn parse(text: &str) -> Result<Options, Error> {
    let text = text.trim();
    let options = match text
        .strip_prefix("postgresql://")
        .or_else(|| text.strip_prefix("postgres://"))
    {
        Some(rest) => address(rest),
        None => keywords(text),
    };
    let options = options.ok_or_else(|| {
        Error::Configuration(
            "the connection string can't be understood; it has the form `host=… dbname=… user=… password=…` or `postgresql://user:password@host:port/database`".into(),
        )
    })?;
    for (key, _) in &options.0 {
        if !KEYS.contains(&key.as_str()) {
            let hint = did_you_mean(key, KEYS)
                .map(|hint| format!("; {hint}"))
                .unwrap_or_default();
            return Err(Error::Configuration(format!(
                "unknown option `{key}` in the connection string{hint}"
            )));
        }
    }
    Ok(options)
}

/// `user:password@host1:port1,host2:port2/database?key=value&…`, percent-encoded (libpq's "Connection URIs").
fn address(rest: &str) -> Option<Options> {
    let mut options = Options::default();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, places) = authority
        .rsplit_once('@')
        .map_or((None, authority), |(login, places)| (Some(login), places));
    if let Some(login) = login {
        let (user, password) = login
            .split_once(':')
            .map_or((login, None), |(user, password)| (user, Some(password)));
        options.set("user", decoded(user)?);
        if let Some(password) = password {
            options.set("password", decoded(password)?);
        }
    }
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for place in places.split(',').filter(|place| !place.is_empty()) {
        let (host, port) = match place.strip_prefix('[') {
            Some(six) => six
                .split_once(']')
                .map(|(host, port)| (host, port.strip_prefix(':')))?,
            None => place
                .split_once(':')
                .map_or((place, None), |(host, port)| (host, Some(port))),
        };
        hosts.push(decoded(host)?);
        ports.push(
            port.filter(|port| !port.is_empty())
                .unwrap_or("5432")
                .to_owned(),
        );
    }
    if !hosts.is_empty() {
        options.set("host", hosts.join(","));
        options.set("port", ports.join(","));
    }
    if !database.is_empty() {
        options.set("dbname", decoded(database)?);
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=')?;
        options.set(&decoded(key)?, decoded(value)?);
    }
    Some(options)
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let pair = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// `key = value key='it\'s'` (libpq's "Keyword/Value Connection Strings").
fn keywords(text: &str) -> Option<Options> {
    let mut options = Options::default();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Some(options);
        }
        let mut key = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=' && !c.is_whitespace()) {
            key.push(c);
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        chars.next_if_eq(&'=')?;
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let quoted = chars.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match chars.next() {
                Some('\\') => value.push(chars.next()?),
                Some('\'') if quoted => break,
                Some(c) if !quoted && c.is_whitespace() => break,
                Some(c) => value.push(c),
                None if quoted => return None,
                None => break,
            }
        }
        options.set(&key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let told = match parse(text) {
            Ok(options) => options.text(),
            Err(e) => e.to_string(),
        };
        assert_eq!(told, expected, "{text}");
    }

    #[test]
    fn both_forms_are_understood() {
        check(
            "host=db port = 5433 dbname='my db' password='it\\'s \\\\'",
            r"host='db' port='5433' dbname='my db' password='it\'s \\'",
        );
        check(
            "postgresql://ann:p%40ss%2F%27@[::1]:5433,other/shop?sslmode=require&options=-c%20a%3Db",
            r"user='ann' password='p@ss/\'' host='::1,other' port='5433,5432' dbname='shop' sslmode='require' options='-c a=b'",
        );
        check("postgres://localhost", "host='localhost' port='5432'");
    }

    #[test]
    fn what_is_not_understood_shows_no_secret() {
        let form = "the connection string can't be understood; it has the form `host=… dbname=… user=… password=…` or `postgresql://user:password@host:port/database`";
        check("password='secret", form);
        check("secret", form);
        check("postgresql://a:%zzsecret@b/c", form);
        check(
            "host=a pasword=secret",
            "unknown option `pasword` in the connection string; did you mean `password`?",
        );
    }
}
