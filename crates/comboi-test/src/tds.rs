//! A server that speaks TDS, written from Microsoft's open specification MS-TDS, and a small model of a database behind it.
//!
//! It takes one connection per thread, speaks without encryption, answers what an [`Answers`] says, and fails when it is told to.

mod eval;
mod model;
mod parse;
mod types;
mod wire;

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

pub use model::{Column, Model, Table, Transaction};
pub use types::{Collation, Type, Value};
pub use wire::Login;

/// What a server knows.
pub trait Answers: Send + Sync {
    /// The answer to a statement of a session.
    fn answer(&self, session: u64, sql: &str) -> Answer;

    /// A session is over, however it ended.
    fn gone(&self, session: u64);
}

/// The answer to a statement.
pub enum Answer {
    /// It was done.
    Done,
    /// A transaction of this number began.
    Begun(u64),
    /// Rows, which are made as they are sent.
    Rows(
        Vec<(String, Type)>,
        Box<dyn Iterator<Item = Vec<Value>> + Send>,
    ),
    /// An error: its number and what it says.
    Error(u32, String),
}

/// What goes wrong, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A login gets this error.
    LoginError(u32),
    /// The answer to a login ends in the middle.
    ShortLogin,
    /// The answer to a statement in which this text stands is cut off after so many bytes.
    Cut(&'static str, usize),
    /// After so many rows of it the connection is closed.
    CutAfterRows(&'static str, usize),
    /// After so many rows of it nothing comes any more, and the connection stays open.
    Stall(&'static str, usize),
    /// After so many rows of it comes an error of this number.
    ErrorAfterRows(&'static str, usize, u32),
}

/// A server on this machine. It ends when it is dropped.
pub struct Tds {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    answers: Arc<dyn Answers>,
    troubles: Mutex<VecDeque<Trouble>>,
    logins: Mutex<Vec<Login>>,
    /// The largest packets that it agrees to.
    packet_size: usize,
    ended: AtomicBool,
    sessions: AtomicU64,
}

impl Tds {
    /// Begins to listen.
    pub fn new(answers: Arc<dyn Answers>) -> Self {
        Self::with_packets(answers, 32_767)
    }

    /// The same, with packets of this size at most.
    pub fn with_packets(answers: Arc<dyn Answers>, packet_size: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            answers,
            troubles: Mutex::default(),
            logins: Mutex::default(),
            packet_size,
            ended: AtomicBool::new(false),
            sessions: AtomicU64::new(50),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.ended.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), shared) = (stream, Arc::clone(&serving)) else {
                    continue;
                };
                thread::spawn(move || {
                    let session = shared.sessions.fetch_add(1, Ordering::Relaxed);
                    // A client that goes away is no concern of ours.
                    drop(shared.serve(stream, session));
                    shared.answers.gone(session);
                });
            }
        });
        Self { shared, address }
    }

    /// How it is reached.
    pub fn dsn(&self) -> String {
        format!(
            "Server=tcp:127.0.0.1,{};Database=shop;Uid=reader;Pwd=s3cret;Encrypt=no",
            self.address.port()
        )
    }

    /// What goes wrong next, after whatever was to go wrong before.
    pub fn will(&self, trouble: Trouble) {
        lock(&self.shared.troubles).push_back(trouble);
    }

    /// Who has logged in so far, or tried to.
    pub fn logins(&self) -> Vec<Login> {
        lock(&self.shared.logins).clone()
    }

    /// Troubles that have not happened.
    pub fn waiting_troubles(&self) -> usize {
        lock(&self.shared.troubles).len()
    }
}

impl Drop for Tds {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes up whoever waits for a connection.
        drop(TcpStream::connect(self.address));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// The next trouble, if it is one of these.
    fn trouble(&self, is_it: impl Fn(&Trouble) -> bool) -> Option<Trouble> {
        let mut troubles = lock(&self.troubles);
        let place = troubles.iter().position(is_it)?;
        troubles.remove(place)
    }

    fn serve(&self, mut stream: TcpStream, session: u64) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut size = 4096;
        while let Some((kind, body)) = wire::message(&mut stream)? {
            if self.ended.load(Ordering::Relaxed) {
                return Ok(());
            }
            let mut packets = wire::Packets::new(&mut stream, size);
            match kind {
                wire::PRELOGIN => packets.out().extend(wire::prelogin()),
                wire::LOGIN => match self.log_in(&body, &mut packets) {
                    Some(agreed) => {
                        packets.end()?;
                        size = agreed;
                        continue;
                    }
                    None => return packets.end(),
                },
                wire::SQL_BATCH => self.answer(session, &wire::batch(&body), &mut packets)?,
                wire::ATTENTION => packets.out().extend(wire::attention()),
                wire::TRANSACTIONS => panic!("comboi begins transactions by statements"),
                kind => panic!("a message of an unknown kind: {kind}"),
            }
            packets.end()?;
        }
        Ok(())
    }

    /// The size of packets from now on, or nothing for somebody who does not come in.
    fn log_in(&self, body: &[u8], packets: &mut wire::Packets<'_>) -> Option<usize> {
        let login = Login::read(body).expect("LOGIN7 as MS-TDS has it");
        let size = (login.packet_size as usize).clamp(512, self.packet_size);
        let known = login.user == "reader" && login.password == "s3cret";
        let database = login.database.clone();
        lock(&self.logins).push(login);
        let refuse = |packets: &mut wire::Packets<'_>, number: u32, message: &str| {
            wire::error(packets.out(), number, 14, message);
            wire::done(packets.out(), true, 0);
            None
        };
        match self.trouble(|it| matches!(it, Trouble::LoginError(_) | Trouble::ShortLogin)) {
            Some(Trouble::LoginError(number)) => {
                return refuse(
                    packets,
                    number,
                    "Database 'shop' is not currently available.",
                );
            }
            Some(_) => {
                packets.limit = Some(40);
                packets.out().extend(wire::login_ack(&database, size));
                return None;
            }
            None => {}
        }
        if !known {
            return refuse(packets, 18456, "Login failed for user 'somebody'.");
        }
        packets.out().extend(wire::login_ack(&database, size));
        Some(size)
    }

    fn answer(&self, session: u64, sql: &str, packets: &mut wire::Packets<'_>) -> io::Result<()> {
        let trouble = self.trouble(|it| match it {
            Trouble::LoginError(_) | Trouble::ShortLogin => false,
            Trouble::Cut(text, _)
            | Trouble::CutAfterRows(text, _)
            | Trouble::Stall(text, _)
            | Trouble::ErrorAfterRows(text, ..) => sql.contains(text),
        });
        if let Some(Trouble::Cut(_, bytes)) = trouble {
            packets.limit = Some(bytes);
        }
        match self.answers.answer(session, sql) {
            Answer::Done => wire::done(packets.out(), false, 0),
            Answer::Begun(number) => {
                wire::transaction(packets.out(), Some(number));
                wire::done(packets.out(), false, 0);
            }
            Answer::Error(number, message) => {
                wire::error(packets.out(), number, 16, &message);
                wire::done(packets.out(), true, 0);
            }
            Answer::Rows(columns, rows) => {
                types::write_columns(packets.out(), &columns);
                let mut count = 0;
                for (place, row) in rows.enumerate() {
                    if self.troubled(trouble.as_ref(), place, packets)? {
                        return Ok(());
                    }
                    types::write_row(packets.out(), &columns, &row);
                    packets.flush()?;
                    count += 1;
                }
                if self.troubled(trouble.as_ref(), usize::MAX, packets)? {
                    return Ok(());
                }
                wire::done(packets.out(), false, count);
            }
        }
        Ok(())
    }

    /// Lets happen what is to happen before this row; whether that is the end of the answer.
    fn troubled(
        &self,
        trouble: Option<&Trouble>,
        row: usize,
        packets: &mut wire::Packets<'_>,
    ) -> io::Result<bool> {
        match trouble {
            Some(Trouble::CutAfterRows(_, after)) if row >= *after => {
                packets.flush()?;
                Err(io::Error::other("the connection is cut"))
            }
            Some(Trouble::Stall(_, after)) if row >= *after => {
                packets.flush()?;
                while !self.ended.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(20));
                }
                Err(io::Error::other("it has hung"))
            }
            Some(Trouble::ErrorAfterRows(_, after, number)) if row >= *after => {
                wire::error(packets.out(), *number, 16, "Something went wrong.");
                wire::done(packets.out(), true, 0);
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
