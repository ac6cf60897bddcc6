//! The only message of a call, read within bounds. tonic would reserve the length that a message
//! announces; here the buffer grows with what has arrived.

use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use tokio::time::{error::Elapsed, timeout};
use tonic::Status;
use tonic::body::Body;

use super::Reader;
use crate::in_flight::{InFlight, NoRoom, Payer, Room};

/// Bytes before a message: whether it is compressed, and its length (gRPC over HTTP/2).
const HEAD_BYTES: usize = 5;
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
pub(super) struct Taken {
    pub(super) message: Bytes,
    pub(super) room: Option<Room>,
}

impl Intake<'_> {
    /// Reads the only message of a call.
    pub(super) async fn read(self, body: Body) -> Result<Taken, Status> {
        let mut frames = Incoming {
            body,
            rest: Bytes::new(),
        };
        let length = frames.head().await?;
        if length > self.limit {
            let limit = self.limit;
            return Err(Status::resource_exhausted(format!(
                "the request has {length} bytes, and this call takes at most {limit}"
            )));
        }
        let room = self.in_flight.take(self.payer, length).await?;
        let time = GRACE + Duration::from_secs(length as u64 / SLOWEST);
        let message = timeout(time, frames.message(length))
            .await
            .map_err(late)??;
        Ok(Taken { message, room })
    }
}

/// The bytes of a body.
struct Incoming {
    body: Body,
    /// What was received and not used.
    rest: Bytes,
}

impl Incoming {
    /// The length that the message announces.
    async fn head(&mut self) -> Result<usize, Status> {
        let mut head = [0; HEAD_BYTES];
        let mut read = 0;
        while read < HEAD_BYTES {
            if !self.fill().await? {
                return Err(Status::internal("the call has no message"));
            }
            let part = self.rest.split_to(self.rest.len().min(HEAD_BYTES - read));
            head[read..read + part.len()].copy_from_slice(&part);
            read += part.len();
        }
        let [compressed, length @ ..] = head;
        match compressed {
            0 => Ok(usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX)),
            1 => Err(Status::unimplemented(
                "compressed requests are not read here",
            )),
            _ => Err(Status::internal(
                "the request has an invalid compression flag",
            )),
        }
    }

    /// The message, and the end of the call.
    async fn message(&mut self, length: usize) -> Result<Bytes, Status> {
        let message = if length > 0 && self.fill().await? && self.rest.len() >= length {
            self.rest.split_to(length)
        } else {
            self.gathered(length).await?
        };
        match self.fill().await? {
            false => Ok(message),
            true => Err(Status::internal("a second message in a call that has one")),
        }
    }

    /// A message that comes in several frames. Never more is reserved than twice of what is there.
    async fn gathered(&mut self, length: usize) -> Result<Bytes, Status> {
        let mut message = Vec::with_capacity(length.min(FIRST_BYTES));
        while message.len() < length {
            if !self.fill().await? {
                let missing = length - message.len();
                let text = format!("the request ends {missing} bytes before its length");
                return Err(Status::internal(text));
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
    async fn fill(&mut self) -> Result<bool, Status> {
        while !self.rest.has_remaining() {
            match timeout(SILENCE, self.body.frame()).await.map_err(late)? {
                None => return Ok(false),
                Some(frame) => self.rest = frame?.into_data().unwrap_or_default(),
            }
        }
        Ok(true)
    }
}

/// Makes room for a part of a message of this length: as much again as is there, and the part at
/// least.
fn make_room(message: &mut Vec<u8>, part: usize, length: usize) {
    if message.capacity() - message.len() < part {
        let wanted = part.max(message.len());
        message.reserve_exact(wanted.min(length - message.len()));
    }
}

/// A peer on a bad line should try again.
fn late(_: Elapsed) -> Status {
    Status::unavailable("the request did not arrive in time")
}

/// What may pass is UNAVAILABLE. Python peers do not try RESOURCE_EXHAUSTED again.
impl From<NoRoom> for Status {
    fn from(why: NoRoom) -> Self {
        match why {
            NoRoom::Never { .. } => Self::resource_exhausted(why.to_string()),
            NoRoom::Now => Self::unavailable(why.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use tonic::Code;

    use super::*;

    const MIB: usize = 1 << 20;

    fn announce(length: u32) -> Vec<u8> {
        let mut head = vec![0];
        head.extend(length.to_be_bytes());
        head
    }

    fn body(parts: Vec<Vec<u8>>, then_stalls: bool) -> Body {
        use futures::StreamExt;
        let parts = stream::iter(parts).map(|part| Ok::<_, Status>(Frame::data(Bytes::from(part))));
        match then_stalls {
            false => Body::new(StreamBody::new(parts)),
            true => Body::new(StreamBody::new(parts.chain(stream::pending()))),
        }
    }

    async fn read(limit: usize, body: Body) -> Result<Bytes, Status> {
        let in_flight = InFlight::new(32 << 20);
        let intake = Intake {
            in_flight: &in_flight,
            payer: Payer::Unknown,
            limit,
            reader: Reader::Peer,
        };
        intake.read(body).await.map(|taken| taken.message)
    }

    #[tokio::test]
    async fn a_message_is_read_however_it_is_cut() {
        let message: Vec<u8> = (0..300_000_u32).map(|at| at as u8).collect();
        let whole = [announce(300_000), message.clone()].concat();
        for cut in [1_000_000, 65_536, 16_384, 7, 1] {
            let parts = whole.chunks(cut).map(<[u8]>::to_vec).collect();
            assert_eq!(read(MIB, body(parts, false)).await.unwrap(), message);
        }
        assert!(
            read(MIB, body(vec![announce(0)], false))
                .await
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn an_announced_length_reserves_nothing() {
        let mut message = Vec::new();
        let part = [7; 16 << 10];
        while message.len() < 4 * MIB {
            make_room(&mut message, part.len(), 2_000 * MIB);
            message.extend_from_slice(&part);
            assert!(message.capacity() <= 2 * message.len() + FIRST_BYTES);
        }
        make_room(&mut message, MIB, 5 * MIB);
        assert_eq!(message.capacity(), 5 * MIB);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_stops_after_six_bytes_is_given_up() {
        let six = [announce(16 << 20), vec![7]].concat();
        let status = read(32 * MIB, body(vec![six], true)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_drop_every_now_and_then_is_not_progress() {
        use futures::StreamExt;
        let drops = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            Some((Ok::<_, Status>(Frame::data(Bytes::from_static(&[7]))), ()))
        });
        let head = Frame::data(Bytes::from(announce(16 << 20)));
        let drops = stream::iter([Ok(head)]).chain(drops);
        let began = flwr_core::monotonic::now();
        let status = read(32 * MIB, Body::new(StreamBody::new(drops)))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(began.elapsed() < Duration::from_secs(20 * 60));
    }

    #[tokio::test]
    async fn what_is_too_large_is_refused_before_it_is_read() {
        for (limit, length) in [
            (64 << 10, 65_537),
            (usize::MAX, 17 << 20),
            (64 << 10, u32::MAX),
        ] {
            let status = read(limit, body(vec![announce(length)], true))
                .await
                .unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        }
    }

    #[tokio::test]
    async fn what_is_no_call_with_one_message_is_refused() {
        let two = [announce(1), vec![7], announce(1), vec![7]].concat();
        let short = [announce(9), vec![7]].concat();
        for (parts, code) in [
            (vec![], Code::Internal),
            (vec![vec![0, 0, 0]], Code::Internal),
            (vec![two], Code::Internal),
            (vec![short], Code::Internal),
            (vec![vec![1, 0, 0, 0, 0]], Code::Unimplemented),
            (vec![vec![2, 0, 0, 0, 0]], Code::Internal),
        ] {
            let status = read(MIB, body(parts.clone(), false)).await.unwrap_err();
            assert_eq!(status.code(), code, "{parts:?}");
        }
    }
}
