//! Messages in packets, and the way to a session: MS-TDS 2.2.3 (packets), 2.2.6.5 (PRELOGIN), 2.2.6.4 (LOGIN7), 2.2.6.7 (`SQLBatch`),
//! 2.2.7 (tokens).

use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::types::{write_text8, write_text16};

pub(super) const SQL_BATCH: u8 = 1;
pub(super) const ATTENTION: u8 = 6;
pub(super) const TRANSACTIONS: u8 = 14;
pub(super) const LOGIN: u8 = 16;
pub(super) const PRELOGIN: u8 = 18;

/// A whole message: its kind and what is in its packets. `None` when the client has gone.
pub(super) fn message(stream: &mut TcpStream) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut body = Vec::new();
    loop {
        let mut header = [0; 8];
        match stream.read_exact(&mut header) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let length = usize::from(u16::from_be_bytes([header[2], header[3]])).saturating_sub(8);
        let begin = body.len();
        body.resize(begin + length, 0);
        stream.read_exact(&mut body[begin..])?;
        if header[1] & 1 == 1 {
            return Ok(Some((header[0], body)));
        }
    }
}

/// What a client says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// Its user.
    pub user: String,
    /// Its password.
    pub password: String,
    /// What it calls itself.
    pub application: String,
    /// The database it wants.
    pub database: String,
    /// The packets it would like, in bytes.
    pub packet_size: u32,
}

impl Login {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            body.get(at..at + 2)
                .map(|it| usize::from(u16::from_le_bytes([it[0], it[1]])))
        };
        let units = |at: usize| {
            let (begin, count) = (word(at)?, word(at + 2)?);
            body.get(begin..begin + count * 2)
        };
        let text = |bytes: &[u8]| {
            let units: Vec<u16> = bytes
                .chunks_exact(2)
                .map(|it| u16::from_le_bytes([it[0], it[1]]))
                .collect();
            String::from_utf16_lossy(&units)
        };
        // The halves of each byte change places, and some bits are turned over.
        let password: Vec<u8> = units(44)?
            .iter()
            .map(|it| (it ^ 0xa5).rotate_left(4))
            .collect();
        Some(Self {
            packet_size: u32::from_le_bytes(body.get(8..12)?.try_into().ok()?),
            user: text(units(40)?),
            password: text(&password),
            application: text(units(48)?),
            database: text(units(68)?),
        })
    }
}

/// The text of a batch, behind its headers.
pub(super) fn batch(body: &[u8]) -> String {
    let headers = body
        .first_chunk::<4>()
        .map_or(0, |it| u32::from_le_bytes(*it));
    let text = body
        .get(usize::try_from(headers).unwrap_or(0)..)
        .unwrap_or_default();
    let units: Vec<u16> = text
        .chunks_exact(2)
        .map(|it| u16::from_le_bytes([it[0], it[1]]))
        .collect();
    String::from_utf16_lossy(&units)
}

/// PRELOGIN's answer: version 16, no encryption.
pub(super) fn prelogin() -> Vec<u8> {
    let mut out = vec![0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff];
    out.extend([16, 0, 0, 0, 0, 0]);
    out.push(2);
    out
}

/// LOGINACK and what changed with it.
pub(super) fn login_ack(database: &str, packet_size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut change = |kind: u8, write: &dyn Fn(&mut Vec<u8>)| {
        let mut body = vec![kind];
        write(&mut body);
        out.push(0xe3);
        out.extend(
            u16::try_from(body.len())
                .expect("a change is short")
                .to_le_bytes(),
        );
        out.extend(body);
    };
    change(1, &|out| {
        write_text8(out, database);
        write_text8(out, "master");
    });
    change(7, &|out| out.extend([5, 9, 4, 0xd0, 0, 0, 0]));
    change(4, &|out| {
        write_text8(out, &packet_size.to_string());
        write_text8(out, "4096");
    });
    let mut body = vec![1];
    body.extend([0x74, 0, 0, 4]);
    write_text8(&mut body, "Microsoft SQL Server");
    body.extend([16, 0, 0x10, 0]);
    out.push(0xad);
    out.extend(
        u16::try_from(body.len())
            .expect("it is short")
            .to_le_bytes(),
    );
    out.extend(body);
    done(&mut out, false, 0);
    out
}

/// ENVCHANGE for a transaction that begins, or ends when there is none.
pub(super) fn transaction(out: &mut Vec<u8>, begins: Option<u64>) {
    out.push(0xe3);
    match begins {
        Some(number) => {
            out.extend(11_u16.to_le_bytes());
            out.extend([8, 8]);
            out.extend(number.to_le_bytes());
            out.push(0);
        }
        None => {
            out.extend(3_u16.to_le_bytes());
            out.extend([10, 0, 0]);
        }
    }
}

/// DONE.
pub(super) fn done(out: &mut Vec<u8>, failed: bool, rows: u64) {
    out.push(0xfd);
    let status: u16 = if failed { 2 } else { 0x10 };
    out.extend(status.to_le_bytes());
    out.extend(0xc1_u16.to_le_bytes());
    out.extend(rows.to_le_bytes());
}

/// DONE for a client that wanted no more.
pub(super) fn attention() -> Vec<u8> {
    let mut out = vec![0xfd];
    out.extend(0x20_u16.to_le_bytes());
    out.extend([0; 10]);
    out
}

/// ERROR.
pub(super) fn error(out: &mut Vec<u8>, number: u32, class: u8, message: &str) {
    let mut body = Vec::new();
    body.extend(number.to_le_bytes());
    body.extend([1, class]);
    write_text16(&mut body, message);
    write_text8(&mut body, "fake");
    write_text8(&mut body, "");
    body.extend(1_u32.to_le_bytes());
    out.push(if class > 10 { 0xaa } else { 0xab });
    out.extend(
        u16::try_from(body.len())
            .expect("it is short")
            .to_le_bytes(),
    );
    out.extend(body);
}

/// Puts an answer into packets as it grows.
pub(super) struct Packets<'a> {
    stream: &'a mut TcpStream,
    size: usize,
    waiting: Vec<u8>,
    number: u8,
    /// How many bytes of answers may go before something happens.
    pub(super) limit: Option<usize>,
    sent: usize,
}

impl<'a> Packets<'a> {
    pub(super) fn new(stream: &'a mut TcpStream, size: usize) -> Self {
        Self {
            stream,
            size: size - 8,
            waiting: Vec::new(),
            number: 0,
            limit: None,
            sent: 0,
        }
    }

    /// Where an answer is written to.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.waiting
    }

    /// Sends the packets that are full.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.waiting.len() > self.size {
            let rest = self.waiting.split_off(self.size);
            let body = std::mem::replace(&mut self.waiting, rest);
            self.send(&body, false)?;
        }
        Ok(())
    }

    /// Sends what is left.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.flush()?;
        let body = std::mem::take(&mut self.waiting);
        self.send(&body, true)
    }

    fn send(&mut self, body: &[u8], last: bool) -> io::Result<()> {
        let length = u16::try_from(body.len() + 8)
            .expect("a packet is short")
            .to_be_bytes();
        self.number = self.number.wrapping_add(1);
        let mut packet = vec![
            4,
            u8::from(last),
            length[0],
            length[1],
            0,
            0,
            self.number,
            0,
        ];
        packet.extend(body);
        let allowed = self.limit.map_or(packet.len(), |limit| {
            packet.len().min(limit.saturating_sub(self.sent))
        });
        self.stream.write_all(&packet[..allowed])?;
        self.sent += packet.len();
        if allowed < packet.len() {
            self.stream.flush()?;
            return Err(io::Error::other("so much and no more"));
        }
        Ok(())
    }
}
