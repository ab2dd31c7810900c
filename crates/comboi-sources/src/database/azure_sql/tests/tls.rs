//! TLS, tokens and redirection, against Microsoft's mock server. It answers a statement that it does not know with no rows, so nothing but
//! logins is held against it.

use mssql_mock_tds::tls_helper::create_test_identity;
use mssql_mock_tds::{ConnectionInfo, MockTdsServer};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509NameBuilder};

use super::*;

/// A certificate for `localhost` that nobody has signed, and its key, both as PEM.
fn certificate() -> (Vec<u8>, Vec<u8>) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "localhost").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(2).unwrap())
        .unwrap();
    let names = SubjectAlternativeName::new()
        .dns("localhost")
        .build(&builder.x509v3_context(None, None))
        .unwrap();
    builder.append_extension(names).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (
        builder.build().to_pem().unwrap(),
        key.private_key_to_pem_pkcs8().unwrap(),
    )
}

struct Mock {
    port: u16,
    connections: Arc<tokio::sync::Mutex<mssql_mock_tds::ConnectionStore>>,
}

impl Mock {
    fn serving(server: MockTdsServer) -> Self {
        let mock = Self {
            port: server.local_addr().port(),
            connections: server.connection_store(),
        };
        tokio::spawn(server.run());
        mock
    }

    async fn plain() -> Self {
        Self::serving(MockTdsServer::new("127.0.0.1:0").await.unwrap())
    }

    /// With TLS, and the file of its certificate.
    async fn encrypted(is_strict: bool) -> (Self, tempfile::NamedTempFile) {
        let (certificate, key) = certificate();
        let identity = create_test_identity(&certificate, &key).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), certificate).unwrap();
        let server = if is_strict {
            MockTdsServer::new_with_strict_tls("127.0.0.1:0", identity).await
        } else {
            MockTdsServer::new_with_tls("127.0.0.1:0", Some(identity)).await
        };
        (Self::serving(server.unwrap()), file)
    }

    async fn redirecting(port: u16) -> Self {
        Self::serving(
            MockTdsServer::new_with_redirection("127.0.0.1:0", "127.0.0.1", port)
                .await
                .unwrap(),
        )
    }

    async fn connected(&self, options: &str) -> Result<Box<dyn Connection>, Error> {
        let dsn = format!(
            "Server=tcp:localhost,{};Database=shop;Uid=reader;Pwd=s3cret;{options}",
            self.port
        );
        reached(&dsn, Arc::new(OneToken)).connect().await
    }

    async fn told(&self, options: &str) -> String {
        match self.connected(options).await {
            Ok(_) => "connected".into(),
            Err(error) => error.to_string(),
        }
    }

    async fn last(&self) -> Option<ConnectionInfo> {
        self.connections.lock().await.all().values().last().cloned()
    }
}

#[test]
fn a_certificate_is_verified_unless_that_is_asked_for_by_name() {
    run(async {
        let (mock, file) = Mock::encrypted(false).await;
        let told = mock.told("").await;
        assert!(
            told.contains(
                "`TrustServerCertificate=yes` encrypts without knowing who the server is"
            ),
            "{told}"
        );
        assert_eq!(mock.told("TrustServerCertificate=yes").await, "connected");
        assert_eq!(
            mock.told(&format!("ServerCertificate={}", file.path().display()))
                .await,
            "connected"
        );
        let (_, another) = Mock::encrypted(false).await;
        let told = mock
            .told(&format!("ServerCertificate={}", another.path().display()))
            .await;
        assert!(told.contains("ertificate"), "{told}");
    });
}

#[test]
fn tls_before_everything_else() {
    run(async {
        let (mock, file) = Mock::encrypted(true).await;
        let pinned = format!("Encrypt=strict;ServerCertificate={}", file.path().display());
        assert_eq!(mock.told(&pinned).await, "connected");
        // It can't be talked into trusting anybody.
        let told = mock.told("Encrypt=strict;TrustServerCertificate=yes").await;
        assert!(
            told.starts_with("could not connect to localhost:"),
            "{told}"
        );
    });
}

#[test]
fn a_token_logs_in() {
    run(async {
        let (mock, _) = Mock::encrypted(false).await;
        assert_eq!(
            mock.told("TrustServerCertificate=yes;Authentication=ActiveDirectoryMsi")
                .await,
            "connected"
        );
        let token = mock
            .last()
            .await
            .and_then(|it| it.received_token_as_string());
        assert_eq!(token.as_deref(), Some("a.token"));
    });
}

#[test]
fn a_gateway_sends_us_on() {
    run(async {
        let (target, gateway) = {
            let target = Mock::plain().await;
            let gateway = Mock::redirecting(target.port).await;
            (target, gateway)
        };
        assert_eq!(gateway.told("Encrypt=no").await, "connected");
        assert!(target.last().await.is_some());
    });
}
