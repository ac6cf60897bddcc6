use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tonic::Status;

use super::*;

const MIB: usize = 1 << 20;

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

/// A body in parts that announces no length.
fn chunked(parts: Vec<Vec<u8>>) -> Body {
    let parts = stream::iter(parts).map(|part| Ok::<_, Status>(Frame::data(Bytes::from(part))));
    Body::new(StreamBody::new(parts))
}

async fn read(limit: usize, body: Body) -> Result<Taken, Unread> {
    let in_flight = InFlight::new(32 << 20);
    let intake = Intake {
        in_flight: &in_flight,
        payer: Payer::Strangers,
        limit,
        reader: Reader::App,
    };
    intake.read(body).await
}

#[tokio::test]
async fn a_body_without_a_length_is_read_to_its_end() {
    for (parts, size) in [(0, 0), (1, 10), (3, 100_000), (40, 7)] {
        let part: Vec<u8> = (0..size).map(|at| at as u8).collect();
        let whole = part.repeat(parts);
        let taken = read(MIB, chunked(vec![part; parts])).await.unwrap();
        assert_eq!(taken.message, whole);
        assert_eq!(taken.room.is_some(), whole.len() > FIRST_BYTES);
    }
}

#[tokio::test]
async fn a_body_is_read_up_to_the_limit_of_its_call() {
    let refused = read(MIB, chunked(vec![vec![0; MIB]; 2])).await.unwrap_err();
    assert!(matches!(refused, Unread::TooLong(most) if most == MIB));
    // Half of the budget is the most of one peer.
    let refused = read(64 * MIB, chunked(vec![vec![0; MIB]; 17])).await;
    assert!(matches!(refused, Err(Unread::TooLong(most)) if most == 16 * MIB));
    let refused = read(MIB, Body::new(Full::new(Bytes::from(vec![0; MIB + 1]))))
        .await
        .unwrap_err();
    assert!(matches!(refused, Unread::TooLarge { length, .. } if length == MIB + 1));
}

#[tokio::test]
async fn an_empty_body_is_an_empty_message() {
    assert!(read(MIB, Body::empty()).await.unwrap().message.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_or_drips_is_given_up() {
    let stops = stream::iter([Ok::<_, Status>(Frame::data(Bytes::from_static(&[7])))]);
    let stops = Body::new(StreamBody::new(stops.chain(stream::pending())));
    assert!(matches!(read(MIB, stops).await, Err(Unread::Late)));
    let drips = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        Some((Ok::<_, Status>(Frame::data(Bytes::from_static(&[7]))), ()))
    });
    let drips = Body::new(StreamBody::new(drips));
    assert!(matches!(read(MIB, drips).await, Err(Unread::Late)));
}
