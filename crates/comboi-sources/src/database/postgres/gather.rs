//! Rows on their way from the socket, many in one message.
//!
//! A server sends each row of a `COPY` as a `CopyData` message of its own, and whoever takes messages apart does as much for a small
//! one as for a large one. As the protocol says that those messages need not end where rows do (PostgreSQL's documentation, "Message
//! Formats" and "COPY Operations"), those that have arrived together are handed on as one. Everything else passes as it is.
//! The socket is also read in larger pieces.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

/// So much is read at once.
const CAPACITY: usize = 128 * 1024;
const COPY_DATA: u8 = b'd';
/// The kind of a message and its length, which counts itself.
const HEADER: usize = 5;

/// A server's messages over a stream that is past all negotiation.
pub(super) struct Gathered<S> {
    stream: S,
    binding: fn(&S) -> ChannelBinding,
    /// What has arrived and was not handed on stands from `start` to `end`.
    arrived: Box<[u8]>,
    start: usize,
    end: usize,
    /// So much is to come, or is there, of a message whose beginning was handed on.
    passing: usize,
}

impl<S> Gathered<S> {
    fn new(stream: S, binding: fn(&S) -> ChannelBinding) -> Self {
        Self {
            stream,
            binding,
            arrived: vec![0; CAPACITY].into_boxed_slice(),
            start: 0,
            end: 0,
            passing: 0,
        }
    }

    /// Hands on as much as there is and fits; whether that was anything.
    fn give(&mut self, to: &mut ReadBuf<'_>) -> bool {
        let before = to.remaining();
        while to.remaining() > 0 && self.start < self.end {
            if self.passing == 0 {
                let Some(length) = self.length(self.start) else {
                    break;
                };
                if self.arrived[self.start] == COPY_DATA {
                    if self.give_rows(to) {
                        continue;
                    }
                    // Half a message is not handed on while there is something else to hand on, or a place for the rest of it.
                    let here = self.start + length <= self.end;
                    if !here && length <= CAPACITY || to.remaining() < before {
                        break;
                    }
                }
                self.passing = length;
            }
            let some = self.passing.min(self.end - self.start).min(to.remaining());
            to.put_slice(&self.arrived[self.start..self.start + some]);
            self.start += some;
            self.passing -= some;
        }
        to.remaining() < before
    }

    /// Hands on the rows that are here and fit, as one message; whether there was one.
    fn give_rows(&mut self, to: &mut ReadBuf<'_>) -> bool {
        let (mut at, mut payload) = (self.start, 0);
        while self.arrived[at..self.end].first() == Some(&COPY_DATA)
            && let Some(length) = self.length(at)
            && at + length <= self.end
            && HEADER + payload + (length - HEADER) <= to.remaining()
        {
            at += length;
            payload += length - HEADER;
        }
        if at == self.start {
            return false;
        }
        let length = u32::try_from(payload + HEADER - 1).unwrap_or(u32::MAX);
        to.put_slice(&[COPY_DATA]);
        to.put_slice(&length.to_be_bytes());
        while self.start < at {
            let length = self.length(self.start).unwrap_or(HEADER);
            to.put_slice(&self.arrived[self.start + HEADER..self.start + length]);
            self.start += length;
        }
        true
    }

    /// How long the message is that begins there, if that much of it has arrived.
    fn length(&self, at: usize) -> Option<usize> {
        let header = self.arrived[at..self.end].first_chunk::<HEADER>()?;
        let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
        // Shorter than itself: whoever reads it will say so.
        Some(usize::try_from(length).ok()?.max(HEADER - 1) + 1)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while to.remaining() > 0 && !this.give(to) {
            this.arrived.copy_within(this.start..this.end, 0);
            this.end -= this.start;
            this.start = 0;
            let mut space = ReadBuf::new(&mut this.arrived[this.end..]);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut space))?;
            match space.filled().len() {
                // What is left of a message that will never be whole.
                0 if this.start < this.end => this.passing = this.end,
                0 => break,
                some => this.end += some,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Gathered<S> {
    fn channel_binding(&self) -> ChannelBinding {
        (self.binding)(&self.stream)
    }
}

/// No encryption, where the library would encrypt: that is where it lets a stream of our own be put in.
pub(super) struct Plain;

impl MakeTlsConnect<Socket> for Plain {
    type Stream = Gathered<Socket>;
    type TlsConnect = Self;
    type Error = Infallible;

    fn make_tls_connect(&mut self, _: &str) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

impl TlsConnect<Socket> for Plain {
    type Stream = Gathered<Socket>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Stream>>;

    fn connect(self, socket: Socket) -> Self::Future {
        ready(Ok(Gathered::new(socket, |_| ChannelBinding::none())))
    }
}

/// Encryption by this.
pub(super) struct Encrypted<T>(pub(super) T);

type OfRustls = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;

impl MakeTlsConnect<Socket> for Encrypted<MakeRustlsConnect> {
    type Stream = <Self::TlsConnect as TlsConnect<Socket>>::Stream;
    type TlsConnect = Encrypted<OfRustls>;
    type Error = Infallible;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Self::TlsConnect, Infallible> {
        MakeTlsConnect::<Socket>::make_tls_connect(&mut self.0, domain).map(Encrypted)
    }
}

impl TlsConnect<Socket> for Encrypted<OfRustls> {
    type Stream = Gathered<<OfRustls as TlsConnect<Socket>>::Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Stream>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async {
            let stream = self.0.connect(socket).await?;
            Ok(Gathered::new(stream, TlsStream::channel_binding))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// Bytes that arrive in these pieces.
    struct Pieces(VecDeque<Vec<u8>>);

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            to: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if let Some(mut piece) = self.0.pop_front() {
                let rest = piece.split_off(piece.len().min(to.remaining()));
                to.put_slice(&piece);
                if !rest.is_empty() {
                    self.0.push_front(rest);
                }
            }
            Poll::Ready(Ok(()))
        }
    }

    fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len() + 4).unwrap();
        [&[kind], &length.to_be_bytes()[..], payload].concat()
    }

    /// All that comes out, read into room for so much at a time.
    fn read(pieces: Vec<Vec<u8>>, room: usize) -> Vec<Vec<u8>> {
        let mut stream = Gathered::new(Pieces(pieces.into()), |_| ChannelBinding::none());
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(async {
            let mut out = Vec::new();
            loop {
                let mut some = vec![0; room];
                let count = stream.read(&mut some).await.unwrap();
                if count == 0 {
                    return out;
                }
                some.truncate(count);
                out.push(some);
            }
        })
    }

    /// Messages, with neighbours that are rows put together.
    fn together(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut out: Vec<(u8, Vec<u8>)> = Vec::new();
        while !bytes.is_empty() {
            let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize + 1;
            let (kind, payload) = (bytes[0], &bytes[5..length]);
            match out.last_mut() {
                Some((last, rows)) if *last == kind && kind == COPY_DATA => {
                    rows.extend_from_slice(payload);
                }
                _ => out.push((kind, payload.to_vec())),
            }
            bytes = &bytes[length..];
        }
        out
    }

    #[test]
    fn rows_that_arrive_together_are_one_message() {
        let sent = [
            message(b'H', &[1, 0, 0]),
            message(b'd', b"one"),
            message(b'd', b""),
            message(b'd', b"two"),
            message(b'c', b""),
        ];
        let expected = [
            message(b'H', &[1, 0, 0]),
            message(b'd', b"onetwo"),
            message(b'c', b""),
        ];
        assert_eq!(read(vec![sent.concat()], 8192), [expected.concat()]);
    }

    #[test]
    fn what_ends_in_the_middle_ends_there() {
        let sent = [message(b'd', b"one"), message(b'd', b"two")].concat();
        for length in 0..=sent.len() {
            let out = read(vec![sent[..length].to_vec()], 8192).concat();
            let whole = match length {
                16.. => message(b'd', b"onetwo"),
                _ => sent[..length].to_vec(),
            };
            assert_eq!(out, whole, "{length}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_however_it_arrives(
            messages in prop::collection::vec((prop::sample::select(&b"dddddTZ"[..]), 0_usize..40), 0..60),
            large in prop::option::of(0..3 * CAPACITY),
            cuts in prop::collection::vec(1_usize..200, 1..200),
            room in 6_usize..300,
        ) {
            let mut sent = Vec::new();
            for (i, (kind, length)) in messages.iter().enumerate() {
                sent.extend(message(*kind, &vec![u8::try_from(i).unwrap(); *length]));
            }
            if let Some(length) = large {
                let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
                sent.extend(message(COPY_DATA, &bytes));
                sent.extend(message(COPY_DATA, b"after"));
            }
            let (mut rest, mut pieces) = (&sent[..], Vec::new());
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece.to_vec());
                rest = after;
            }
            pieces.push(rest.to_vec());
            pieces.retain(|piece| !piece.is_empty());
            let out = read(pieces, room).concat();
            prop_assert_eq!(together(&out), together(&sent));
        }
    }
}
