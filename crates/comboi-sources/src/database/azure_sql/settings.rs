//! How a server is reached: what people write, understood.

use std::path::{Path, PathBuf};

use comboi_project::{Authentication, Connection, Secrets, Setting, SslMode};
use mssql_tds::connection::client_context::{ClientContext, TdsAuthenticationMethod};
use mssql_tds::core::{EncryptionOptions, EncryptionSetting};
use mssql_tds::message::login_options::ApplicationIntent;

use super::conn_str::{Key, Said, parse};
use crate::Error;
use crate::database::Identity;

/// What is asked for; a server may say less.
const PACKET_SIZE: u16 = 16_384;

/// Everything that is needed to connect. Shows no password.
pub(super) struct Settings {
    /// As the client takes it: `tcp:host,port`.
    data_source: String,
    host: String,
    database: String,
    user: String,
    password: String,
    encryption: EncryptionOptions,
    application: String,
    reads_a_replica: bool,
    multi_subnet: bool,
    /// In seconds, of the whole login. Default: 30 for Azure, where a database may have to wake up, else 15.
    login_timeout: Option<u32>,
    packet_size: u16,
    /// Whose token logs in, where no password does.
    pub(super) identity: Option<Identity>,
}

impl Settings {
    /// With warnings: keys that are not known.
    pub(super) fn new(
        connection: &Connection,
        secrets: &dyn Secrets,
    ) -> Result<(Self, Vec<String>), Error> {
        let resolved = |setting: &Option<Setting>| -> Result<Option<String>, Error> {
            let Some(setting) = setting else {
                return Ok(None);
            };
            Ok(Some(setting.resolve(secrets)?.expose().to_owned()))
        };
        let text = match resolved(&connection.dsn)? {
            Some(text) => Some(text),
            None => resolved(&connection.conn_str)?,
        };
        let (mut said, warnings) = match &text {
            Some(text) => parse(text)?,
            None => (Said::default(), Vec::new()),
        };
        said.replace(Key::Server, resolved(&connection.host)?);
        said.replace(Key::Port, connection.port.map(|port| port.to_string()));
        said.replace(Key::Database, resolved(&connection.database)?);
        said.replace(Key::User, resolved(&connection.user)?);
        // A password may begin and end with blanks, so it is taken as it is.
        let password = match resolved(&connection.password)? {
            Some(password) => password,
            None => said.exact(Key::Password).unwrap_or_default().to_owned(),
        };
        Ok((Self::understood(&said, password, connection)?, warnings))
    }

    fn understood(said: &Said, password: String, connection: &Connection) -> Result<Self, Error> {
        let (data_source, host) = address(said)?;
        if said
            .get(Key::ColumnEncryption)
            .is_some_and(|it| !it.eq_ignore_ascii_case("disabled"))
        {
            return Err(wrong(
                "`ColumnEncryption` can't be used: comboi does not decrypt columns of Always Encrypted",
            ));
        }
        if said
            .get(Key::Windows)
            .is_some_and(|it| yes(it) || it.eq_ignore_ascii_case("sspi"))
        {
            return Err(wrong(
                "comboi can't log in as a Windows user; say user and password, or `Authentication=ActiveDirectoryDefault`",
            ));
        }
        let user = said.get(Key::User).unwrap_or_default().to_owned();
        let identity = identity(said, &user, &password, connection)?;
        let encryption = encryption(said, connection.sslmode)?;
        let open = encryption.mode == EncryptionSetting::PreferOff && !is_here(&host);
        if identity.is_some() && open {
            return Err(wrong(
                "a token is not sent without encryption, which `Encrypt=no` allows; leave it out",
            ));
        }
        let number = |key: Key, name: &str| {
            said.get(key)
                .map(|it| {
                    it.parse::<u32>().map_err(|_| {
                        wrong(&format!(
                            "`{name}` of the connection string is not a number"
                        ))
                    })
                })
                .transpose()
        };
        Ok(Self {
            database: said.get(Key::Database).unwrap_or_default().to_owned(),
            application: said.get(Key::Application).unwrap_or("comboi").to_owned(),
            reads_a_replica: said
                .get(Key::Intent)
                .is_some_and(|it| it.eq_ignore_ascii_case("readonly")),
            multi_subnet: said.get(Key::MultiSubnet).is_some_and(yes),
            login_timeout: number(Key::Timeout, "LoginTimeout")?.filter(|it| *it > 0),
            packet_size: number(Key::PacketSize, "PacketSize")?
                .and_then(|it| u16::try_from(it).ok())
                .filter(|it| (512..=32_767).contains(it))
                .unwrap_or(PACKET_SIZE),
            data_source,
            host,
            user,
            password,
            encryption,
            identity,
        })
    }

    /// What the client is told, with a token if one logs in. It does not try again by itself: that is done above.
    pub(super) fn context(&self, token: Option<String>) -> ClientContext {
        let mut context = ClientContext::with_data_source(&self.data_source);
        context.database.clone_from(&self.database);
        context.application_name.clone_from(&self.application);
        context.encryption_options = self.encryption.clone();
        context.packet_size = self.packet_size;
        context.multi_subnet_failover = Some(self.multi_subnet);
        context.connect_retry_count = 0;
        let timeout = self
            .login_timeout
            .unwrap_or(if self.is_azure() { 30 } else { 15 });
        context.connect_timeout = timeout;
        context.login_timeout = Some(timeout);
        if self.reads_a_replica {
            context.application_intent = ApplicationIntent::ReadOnly;
        }
        match token {
            Some(token) => {
                context.tds_authentication_method = TdsAuthenticationMethod::AccessToken;
                context.access_token = Some(token);
            }
            None => {
                context.user_name.clone_from(&self.user);
                context.password.clone_from(&self.password);
            }
        }
        context
    }

    /// The same, in packets that every server takes.
    pub(super) fn smaller(&self, token: Option<String>) -> ClientContext {
        let mut context = self.context(token);
        context.packet_size = 8000;
        context
    }

    /// The file of the one certificate to trust, where the connection string names it.
    pub(super) fn certificate(&self) -> Option<&Path> {
        self.encryption.server_certificate.as_deref()
    }

    pub(super) fn data_source(&self) -> &str {
        &self.data_source
    }

    /// Where it goes, for people: `db.example.com/shop`.
    pub(super) fn place(&self) -> String {
        let source = self
            .data_source
            .trim_start_matches("tcp:")
            .replace(',', ":");
        if self.database.is_empty() {
            source
        } else {
            format!("{source}/{}", self.database)
        }
    }

    /// Whether it is Azure's: what is not there may be on its way there.
    pub(super) fn is_azure(&self) -> bool {
        let host = self.host.to_ascii_lowercase();
        [
            ".database.windows.net",
            ".database.azure.com",
            ".database.usgovcloudapi.net",
            ".database.chinacloudapi.cn",
            ".database.fabric.microsoft.com",
        ]
        .iter()
        .any(|it| host.ends_with(it))
    }
}

fn wrong(text: &str) -> Error {
    Error::Configuration(text.to_owned())
}

fn yes(text: &str) -> bool {
    ["yes", "true", "1"]
        .iter()
        .any(|it| text.trim().eq_ignore_ascii_case(it))
}

fn is_here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|it| it.is_loopback())
}

/// The server as the client takes it, and the machine alone.
fn address(said: &Said) -> Result<(String, String), Error> {
    let Some(server) = said.get(Key::Server) else {
        return Err(wrong("the connection string names no `Server`"));
    };
    let (protocol, rest) = match server.split_once(':') {
        Some((protocol, rest)) if protocol.chars().all(|c| c.is_ascii_alphabetic()) => {
            (protocol, rest)
        }
        _ => ("tcp", server),
    };
    if !protocol.eq_ignore_ascii_case("tcp") {
        return Err(Error::Configuration(format!(
            "comboi reaches a server by TCP, not by `{protocol}:`; write `Server=tcp:<host>,<port>`"
        )));
    }
    let (machine, port) = match rest.split_once(',') {
        Some((machine, port)) => (machine.trim(), Some(port.trim())),
        None => (rest.trim(), None),
    };
    let port = said.get(Key::Port).filter(|_| port.is_none()).or(port);
    if port.is_some_and(|it| it.parse::<u16>().is_err()) {
        return Err(wrong(
            "the port of the connection string is not a number below 65536",
        ));
    }
    let (host, _) = machine.split_once('\\').unwrap_or((machine, ""));
    let host = if host == "." || host.eq_ignore_ascii_case("(local)") {
        "localhost"
    } else {
        host
    };
    if host.is_empty() {
        return Err(wrong("the connection string names no `Server`"));
    }
    let machine = match machine.split_once('\\') {
        Some((_, instance)) => format!("{host}\\{instance}"),
        None => host.to_owned(),
    };
    let source = match port {
        Some(port) => format!("tcp:{machine},{port}"),
        // An instance's port is asked for; else it is that of SQL Server.
        None if machine.contains('\\') => format!("tcp:{machine}"),
        None => format!("tcp:{machine},1433"),
    };
    Ok((source, host.to_owned()))
}

fn encryption(said: &Said, mode: Option<SslMode>) -> Result<EncryptionOptions, Error> {
    let mut options = EncryptionOptions::new();
    options.mode = match said
        .get(Key::Encrypt)
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        None | Some("yes" | "true" | "1" | "mandatory" | "required") => EncryptionSetting::Required,
        Some("strict") => EncryptionSetting::Strict,
        Some("no" | "false" | "0" | "optional") => EncryptionSetting::PreferOff,
        Some(_) => {
            return Err(wrong(
                "`Encrypt` of the connection string is none of `yes`, `strict` and `no`",
            ));
        }
    };
    options.trust_server_certificate = said.get(Key::Trust).is_some_and(yes);
    options.host_name_in_cert = said.get(Key::CertificateName).map(str::to_owned);
    options.server_certificate = said.get(Key::Certificate).map(PathBuf::from);
    match mode {
        None | Some(SslMode::VerifyFull) => {}
        Some(SslMode::Disable | SslMode::Prefer) => options.mode = EncryptionSetting::PreferOff,
        Some(SslMode::Require) => options.trust_server_certificate = true,
        Some(SslMode::VerifyCa) => {
            return Err(wrong(
                "SQL Server has no `sslmode: verify-ca`; leave it out, and name the server with `HostnameInCertificate=…` in a `dsn` where its certificate is for another name",
            ));
        }
    }
    Ok(options)
}

fn identity(
    said: &Said,
    user: &str,
    password: &str,
    connection: &Connection,
) -> Result<Option<Identity>, Error> {
    let named = (!user.is_empty()).then(|| user.to_owned());
    let method = said.get(Key::Authentication).unwrap_or_default();
    match method.to_ascii_lowercase().as_str() {
        "" if connection.authentication == Some(Authentication::Entra) => {
            Ok(Some(Identity::Default))
        }
        "" | "sqlpassword" => Ok(None),
        "activedirectorymsi" | "activedirectorymanagedidentity" => {
            Ok(Some(Identity::Managed(named)))
        }
        "activedirectorydefault" | "activedirectoryworkloadidentity" => Ok(Some(Identity::Default)),
        "activedirectoryserviceprincipal" => {
            let Some(client) = named.filter(|_| !password.is_empty()) else {
                return Err(wrong(
                    "`Authentication=ActiveDirectoryServicePrincipal` needs the application's id as `UID` and its secret as `PWD`",
                ));
            };
            // Some drivers write `client@tenant`.
            let (client, tenant) = match client.split_once('@') {
                Some((client, tenant)) => (client.to_owned(), Some(tenant.to_owned())),
                None => (client, None),
            };
            Ok(Some(Identity::ServicePrincipal {
                tenant,
                client,
                secret: password.to_owned(),
            }))
        }
        "activedirectorypassword"
        | "activedirectoryinteractive"
        | "activedirectoryintegrated"
        | "activedirectorydevicecodeflow" => Err(Error::Configuration(format!(
            "`Authentication={method}` is for people who sit in front of a screen; use `ActiveDirectoryMsi`, `ActiveDirectoryServicePrincipal` or `ActiveDirectoryDefault`"
        ))),
        _ => Err(Error::Configuration(format!(
            "`Authentication={method}` is not known"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use comboi_project::{NoVault, Project, Source};

    use super::*;

    /// What becomes of the keys below `connection:`.
    fn check(connection: &str, expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("crm.yml");
        let yaml = format!(
            "sources:\n  - name: crm\n    type: azure_sql\n    connection: {{{connection}}}\n    tables: [{{name: t}}]\n"
        );
        std::fs::write(&file, yaml).unwrap();
        let project = Project::load(&file, &|_| None).unwrap();
        let Some(Source::AzureSql(source)) = project.sources.first() else {
            panic!("no source")
        };
        let told = match Settings::new(&source.connection, &NoVault) {
            Ok((it, warnings)) => {
                let encrypted = match (it.encryption.mode, it.encryption.trust_server_certificate) {
                    (EncryptionSetting::PreferOff, _) => "open",
                    (EncryptionSetting::Strict, _) => "strict",
                    (_, true) => "trusting",
                    (_, false) => "verified",
                };
                let who = match &it.identity {
                    None => format!("{} by {:?}", it.user, it.password),
                    Some(identity) => format!("{identity:?}"),
                };
                format!(
                    "{} at {}, {encrypted}: {who}{}",
                    it.database,
                    it.data_source,
                    warnings
                        .iter()
                        .map(|it| format!("\n{it}"))
                        .collect::<String>()
                )
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(told, expected, "{connection}");
    }

    #[test]
    fn connection_strings_of_odbc() {
        check(
            "dsn: 'Driver={ODBC Driver 18 for SQL Server};Server=tcp:myserver.database.windows.net;Database=crm;Uid=myuser;Pwd=s3cret;Encrypt=yes;'",
            "crm at tcp:myserver.database.windows.net,1433, verified: myuser by \"s3cret\"",
        );
        check(
            "dsn: ' SERVER = db\\SQL2 ; uid=a; UID=b; PWD={a;b}}c} ;Encrypt=strict; trustServerCertificate=yes'",
            " at tcp:db\\SQL2, strict: a by \"a;b}c\"",
        );
        check(
            "dsn: 'Server=.,1500;Uid=sa;Pwd=p=q;Encrypt=Optional'",
            " at tcp:localhost,1500, open: sa by \"p=q\"",
        );
        check(
            "dsn: 'Server=db;Uid=a;Pwd=b;TrustServerCertificate=yes;Databse=crm;Colour=red'",
            " at tcp:db,1433, trusting: a by \"b\"\n`Databse` of the connection string is not known and does nothing; did you mean `database`?\n`Colour` of the connection string is not known and does nothing",
        );
        check(
            "dsn: 'Server=db;Uid=a;Pwd={b'",
            "the connection string can't be understood; it has the form `Server=tcp:<host>,1433;Database=…;Uid=…;Pwd=…`, with values that hold `;` in braces",
        );
        check(
            "dsn: 'Database=crm'",
            "the connection string names no `Server`",
        );
        check(
            "dsn: 'Server=np:db'",
            "comboi reaches a server by TCP, not by `np:`; write `Server=tcp:<host>,<port>`",
        );
        check(
            "dsn: 'Server=db;Trusted_Connection=yes'",
            "comboi can't log in as a Windows user; say user and password, or `Authentication=ActiveDirectoryDefault`",
        );
        check(
            "dsn: 'Server=db;ColumnEncryption=Enabled'",
            "`ColumnEncryption` can't be used: comboi does not decrypt columns of Always Encrypted",
        );
    }

    #[test]
    fn parts_of_a_connection() {
        check(
            "host: db, port: 1434, database: crm, user: u, password: ' p '",
            "crm at tcp:db,1434, verified: u by \" p \"",
        );
        check(
            "host: db, user: u, password: p, sslmode: require",
            " at tcp:db,1433, trusting: u by \"p\"",
        );
        check(
            "dsn: 'Server=db;Uid=a;Pwd=b', database: crm, password: c",
            "crm at tcp:db,1433, verified: a by \"c\"",
        );
    }

    #[test]
    fn identities() {
        check(
            "dsn: 'Server=db;Authentication=ActiveDirectoryMsi'",
            " at tcp:db,1433, verified: the managed identity",
        );
        check(
            "dsn: 'Server=db;Uid=app;Pwd=s;Authentication=ActiveDirectoryServicePrincipal'",
            " at tcp:db,1433, verified: a service principal",
        );
        check(
            "host: db, authentication: entra",
            " at tcp:db,1433, verified: the default identity",
        );
        check(
            "dsn: 'Server=db;Authentication=ActiveDirectoryDefault;Encrypt=no'",
            "a token is not sent without encryption, which `Encrypt=no` allows; leave it out",
        );
        check(
            "dsn: 'Server=db;Uid=me;Authentication=ActiveDirectoryInteractive'",
            "`Authentication=ActiveDirectoryInteractive` is for people who sit in front of a screen; use `ActiveDirectoryMsi`, `ActiveDirectoryServicePrincipal` or `ActiveDirectoryDefault`",
        );
    }
}
