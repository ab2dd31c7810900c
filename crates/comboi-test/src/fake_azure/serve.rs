//! HTTP as a proxy speaks it: tunnels to encrypted hosts, plain requests for others.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::World;

/// A request.
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) form: BTreeMap<String, String>,
}

/// Makes a certificate for the hosts of Azure, and what serves it.
pub(super) fn certificate(folder: &Path) -> TlsAcceptor {
    std::fs::create_dir_all(folder).expect("the folder can be made");
    let (key, certificate) = (folder.join("azure.key"), folder.join("azure.crt"));
    let names = "subjectAltName=DNS:*.vault.azure.net,DNS:login.microsoftonline.com";
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-subj", "/CN=a false Azure", "-addext", names])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status();
    assert!(
        made.is_ok_and(|made| made.success()),
        "openssl is needed to make a certificate"
    );
    let certificate = CertificateDer::from_pem_file(certificate).expect("openssl made it");
    let key = PrivateKeyDer::from_pem_file(key).expect("openssl made it");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    TlsAcceptor::from(Arc::new(config))
}

/// Serves until nobody is there any more.
pub(super) fn until(
    gone: oneshot::Receiver<()>,
    listener: std::net::TcpListener,
    tls: TlsAcceptor,
    world: Arc<Mutex<World>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("it is a socket");
        let listener = TcpListener::from_std(listener).expect("it is a socket");
        tokio::spawn(serve(listener, tls, world));
        drop(gone.await);
    });
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, world: Arc<Mutex<World>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, world) = (tls.clone(), Arc::clone(&world));
        tokio::spawn(async move { drop(talk(stream, &tls, &world).await) });
    }
}

async fn talk(mut stream: TcpStream, tls: &TlsAcceptor, world: &Mutex<World>) -> io::Result<()> {
    let (head, rest) = head(&mut stream).await?;
    let mut words = head.split_whitespace();
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    if method != "CONNECT" {
        let target = target.strip_prefix("http://").unwrap_or(target);
        let (host, path) = target.split_at(target.find('/').unwrap_or(target.len()));
        return answer(&mut stream, host, path, &head, rest, world).await;
    }
    let host = target.split(':').next().unwrap_or_default().to_owned();
    let known = host == "login.microsoftonline.com" || {
        let vault = host.strip_suffix(".vault.azure.net").unwrap_or_default();
        let world = world.lock().unwrap_or_else(PoisonError::into_inner);
        world.secrets.keys().any(|(known, _)| known == vault)
    };
    if !known {
        return stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    let mut stream = tls.accept(stream).await?;
    let (head, rest) = self::head(&mut stream).await?;
    let path = head.split_whitespace().nth(1).unwrap_or_default();
    answer(&mut stream, &host, path, &head, rest, world).await?;
    stream.shutdown().await
}

/// What comes up to the empty line, and what came after it.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        let mut some = [0; 4096];
        let count = stream.read(&mut some).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend(some.iter().take(count));
        if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
    }
}

async fn answer(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    host: &str,
    target: &str,
    head: &str,
    mut body: Vec<u8>,
    world: &Mutex<World>,
) -> io::Result<()> {
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let headers: BTreeMap<_, _> = headers
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").map_or("0", String::as_str);
    let length: usize = length.parse().map_err(io::Error::other)?;
    while body.len() < length {
        let mut some = [0; 4096];
        let count = stream.read(&mut some).await?;
        body.extend(some.iter().take(count));
    }
    let pairs = |text: &[u8]| url::form_urlencoded::parse(text).into_owned().collect();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let asked = Asked {
        method: head
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned(),
        host: host.to_owned(),
        path: path.to_owned(),
        query: pairs(query.as_bytes()),
        headers,
        form: pairs(&body),
    };
    let said = world
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .answer(&asked);
    let mut text = format!("HTTP/1.1 {} said\r\nconnection: close\r\n", said.status);
    for (name, value) in &said.headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("content-length: {}\r\n\r\n{}", said.body.len(), said.body);
    stream.write_all(text.as_bytes()).await?;
    stream.flush().await
}
