//! The only message of a call, read within bounds: its size, its time, and the bytes that all requests
//! may have under way. The buffer grows with what has arrived, whatever length is announced.

use std::time::Duration;

use bytes::{Buf, Bytes};
use flwr_core::monotonic;
use http_body::Body as _;
use http_body_util::BodyExt;
use thiserror::Error;
use tokio::time::timeout;
use tonic::body::Body;

use super::Reader;
use crate::in_flight::{InFlight, NoRoom, Payer, Room};

/// Bytes of a buffer to begin with.
const FIRST_BYTES: usize = 64 << 10;
/// How long a peer may send nothing.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a message may take, beside its bytes.
const GRACE: Duration = Duration::from_secs(60);
/// Bytes in a second at least, over the whole message.
const SLOWEST: u64 = 16 << 10;

/// What a call may send, and whose share of the budget its request takes.
#[derive(Debug)]
pub(crate) struct Intake<'a> {
    pub(crate) in_flight: &'a InFlight,
    pub(crate) payer: Payer,
    /// Bytes at most.
    pub(crate) limit: usize,
    /// Who reads a refusal of the call.
    pub(crate) reader: Reader,
}

/// A message, and the room that it takes until it is answered.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(super) message: Bytes,
    pub(super) room: Option<Room>,
}

/// Why a message was not read.
#[derive(Debug, Error)]
pub(super) enum Unread {
    #[error("the request has {length} bytes, and this call takes at most {limit}")]
    TooLarge { length: usize, limit: usize },
    #[error("the request has more than {0} bytes, the most that this call takes")]
    TooLong(usize),
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    #[error("the request did not arrive in time")]
    Late,
    #[error("compressed requests are not read here")]
    Compressed,
    /// The bytes are not those of a call with one message.
    #[error("{0}")]
    Broken(String),
}

impl Intake<'_> {
    /// Reads a body that is the message.
    pub(super) async fn read(self, body: Body) -> Result<Taken, Unread> {
        let announced = body.size_hint().exact();
        let mut incoming = Incoming::new(body);
        match announced {
            Some(length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                self.announced(&mut incoming, length).await
            }
            None => self.unannounced(&mut incoming).await,
        }
    }

    /// Reads a message of this length, which ends the body.
    pub(super) async fn announced(
        self,
        incoming: &mut Incoming,
        length: usize,
    ) -> Result<Taken, Unread> {
        let limit = self.limit;
        if length > limit {
            return Err(Unread::TooLarge { length, limit });
        }
        let room = self.in_flight.take(self.payer, length).await?;
        let time = time_for(length);
        let message = timeout(time, incoming.message(length)).await;
        let message = message.map_err(|_| Unread::Late)??;
        Ok(Taken { message, room })
    }

    /// Reads a message that announces no length. A message that does not fit into the first buffer
    /// takes the room of the longest message.
    async fn unannounced(self, incoming: &mut Incoming) -> Result<Taken, Unread> {
        let began = monotonic::now();
        let most = self.limit.min(self.in_flight.most_of_one());
        let mut room = None;
        let mut message = Vec::new();
        while incoming.fill().await? {
            let length = message.len() + incoming.rest.len();
            if length > most {
                return Err(Unread::TooLong(most));
            }
            if began.elapsed() > time_for(length) {
                return Err(Unread::Late);
            }
            if room.is_none() && length > FIRST_BYTES {
                room = self.in_flight.take(self.payer, most).await?;
            }
            let part = incoming.rest.split_to(incoming.rest.len());
            message.extend_from_slice(&part);
        }
        let message = message.into();
        Ok(Taken { message, room })
    }
}

/// How long a message of this length may take.
fn time_for(length: usize) -> Duration {
    GRACE + Duration::from_secs(length as u64 / SLOWEST)
}

/// The bytes of a body.
pub(super) struct Incoming {
    body: Body,
    /// What was received and not used.
    pub(super) rest: Bytes,
}

impl Incoming {
    pub(super) const fn new(body: Body) -> Self {
        Self {
            body,
            rest: Bytes::new(),
        }
    }

    /// The message, and the end of the call.
    async fn message(&mut self, length: usize) -> Result<Bytes, Unread> {
        let message = if length > 0 && self.fill().await? && self.rest.len() >= length {
            self.rest.split_to(length)
        } else {
            self.gathered(length).await?
        };
        match self.fill().await? {
            false => Ok(message),
            true => Err(broken("a second message in a call that has one")),
        }
    }

    /// A message that comes in several frames. Never more is reserved than twice of what is there.
    async fn gathered(&mut self, length: usize) -> Result<Bytes, Unread> {
        let mut message = Vec::with_capacity(length.min(FIRST_BYTES));
        while message.len() < length {
            if !self.fill().await? {
                let missing = length - message.len();
                let text = format!("the request ends {missing} bytes before its length");
                return Err(Unread::Broken(text));
            }
            let part = self
                .rest
                .split_to(self.rest.len().min(length - message.len()));
            make_room(&mut message, part.len(), length);
            message.extend_from_slice(&part);
        }
        Ok(message.into())
    }

    /// Waits for bytes. False: there are no more.
    pub(super) async fn fill(&mut self) -> Result<bool, Unread> {
        while !self.rest.has_remaining() {
            let frame = timeout(SILENCE, self.body.frame()).await;
            match frame.map_err(|_| Unread::Late)? {
                None => return Ok(false),
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Err(broken(error.message())),
            }
        }
        Ok(true)
    }
}

pub(super) fn broken(text: &str) -> Unread {
    Unread::Broken(text.to_owned())
}

/// Makes room for a part of a message of this length: as much again as is there, and the part at
/// least.
fn make_room(message: &mut Vec<u8>, part: usize, length: usize) {
    if message.capacity() - message.len() < part {
        let wanted = part.max(message.len());
        message.reserve_exact(wanted.min(length - message.len()));
    }
}

#[cfg(test)]
mod tests;
