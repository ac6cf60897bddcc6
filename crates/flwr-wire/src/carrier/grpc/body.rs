//! The only message of a gRPC call. tonic would reserve the length that a message announces.

use tonic::Status;
use tonic::body::Body;

use super::super::intake::{Incoming, Intake, Taken, Unread, broken};
use crate::in_flight::NoRoom;

/// Bytes before a message: whether it is compressed, and its length (gRPC over HTTP/2).
pub const PREFIX_BYTES: usize = 5;

/// What comes before a message of this length that is not compressed.
#[must_use]
pub const fn prefix(length: u32) -> [u8; PREFIX_BYTES] {
    let [a, b, c, d] = length.to_be_bytes();
    [0, a, b, c, d]
}

/// Reads the only message of a call.
pub(crate) async fn read(intake: Intake<'_>, body: Body) -> Result<Taken, Status> {
    let mut incoming = Incoming::new(body);
    let length = head(&mut incoming).await?;
    Ok(intake.announced(&mut incoming, length).await?)
}

/// The length that the message announces.
async fn head(incoming: &mut Incoming) -> Result<usize, Unread> {
    let mut head = [0; PREFIX_BYTES];
    let mut read = 0;
    while read < PREFIX_BYTES {
        if !incoming.fill().await? {
            return Err(broken("the call has no message"));
        }
        let rest = &mut incoming.rest;
        let part = rest.split_to(rest.len().min(PREFIX_BYTES - read));
        head[read..read + part.len()].copy_from_slice(&part);
        read += part.len();
    }
    let [compressed, length @ ..] = head;
    match compressed {
        0 => Ok(usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX)),
        1 => Err(Unread::Compressed),
        _ => Err(broken("the request has an invalid compression flag")),
    }
}

/// What may pass is UNAVAILABLE: a peer on a bad line should try again. Python peers do not try
/// RESOURCE_EXHAUSTED again.
impl From<Unread> for Status {
    fn from(why: Unread) -> Self {
        let text = why.to_string();
        match why {
            Unread::TooLarge { .. } | Unread::TooLong(_) | Unread::NoRoom(NoRoom::Never { .. }) => {
                Self::resource_exhausted(text)
            }
            Unread::NoRoom(NoRoom::Now) | Unread::Late => Self::unavailable(text),
            Unread::Compressed => Self::unimplemented(text),
            Unread::Broken(_) => Self::internal(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use futures::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use tonic::Code;

    use super::*;
    use crate::carrier::Reader;
    use crate::in_flight::{InFlight, Payer};

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
            payer: Payer::Strangers,
            limit,
            reader: Reader::App,
        };
        super::read(intake, body).await.map(|taken| taken.message)
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
