//! The body of an answer, whose large content is put aside while it arrives. What is left reads as an
//! answer without content.

use std::any::Any;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use flwr_wire::carrier::grpc::{PREFIX_BYTES, prefix};
use flwr_wire::content::{Found, Place, find};
use http_body::Frame;
use tonic::Status;
use tonic::body::Body;

use super::Received;
use super::room::{Arriving, Room};

/// The body without the content of its message of type `A`.
pub(super) fn aside<A: Any>(body: Body, room: Room, received: Received) -> Body {
    Body::new(Aside::<A> {
        body,
        room,
        received,
        step: Step::Beginning(BytesMut::new()),
        message: PhantomData,
    })
}

struct Aside<A> {
    body: Body,
    room: Room,
    received: Received,
    step: Step,
    message: PhantomData<fn() -> A>,
}

enum Step {
    /// What has come so far does not tell where the content is.
    Beginning(BytesMut),
    /// The content arrives. `others` is the message without it.
    Content {
        others: BytesMut,
        content: Arriving,
        left: usize,
    },
    /// Everything else is passed on: first this.
    Rest(Option<Bytes>, Option<Frame<Bytes>>),
}

/// A frame, or the failure that ends the body.
type Given = Option<Result<Frame<Bytes>, Status>>;

impl<A: Any> http_body::Body for Aside<A> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Given> {
        loop {
            if let Step::Rest(data, other) = &mut self.step {
                if let Some(data) = data.take() {
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                if let Some(other) = other.take() {
                    return Poll::Ready(Some(Ok(other)));
                }
                return Pin::new(&mut self.body).poll_frame(cx);
            }
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                Some(Ok(frame)) => Some(frame.into_data()),
                None => None,
            };
            let taken = match frame {
                Some(Ok(data)) => self.take(data),
                Some(Err(trailers)) => self.end(Some(trailers)),
                None => self.end(None),
            };
            if let Err(status) = taken {
                self.step = Step::Rest(None, None);
                return Poll::Ready(Some(Err(status)));
            }
        }
    }
}

impl<A: Any> Aside<A> {
    /// Takes what has arrived.
    fn take(&mut self, mut data: Bytes) -> Result<(), Status> {
        if let Step::Beginning(beginning) = &mut self.step {
            beginning.extend_from_slice(&data);
            match looked_at::<A>(beginning) {
                Found::Unknown => return Ok(()),
                Found::Nothing => {
                    let all = std::mem::take(beginning).freeze();
                    self.step = Step::Rest(Some(all), None);
                    return Ok(());
                }
                Found::At(place) => {
                    let beginning = std::mem::take(beginning);
                    data = self.begin(beginning, place);
                }
            }
        }
        if let Step::Content { content, left, .. } = &mut self.step {
            let part = data.split_to(data.len().min(*left));
            content.add(&part).map_err(|error| no_memory(&error))?;
            *left -= part.len();
        }
        self.finish(&data)
    }

    /// Begins the content, and gives what has arrived of it.
    fn begin(&mut self, mut beginning: BytesMut, place: Place) -> Bytes {
        let mut others = beginning.split_to(PREFIX_BYTES + place.before);
        // The whole message is not longer than a length of gRPC tells.
        let length = u32::try_from(place.before + place.after).unwrap_or(u32::MAX);
        others[..PREFIX_BYTES].copy_from_slice(&prefix(length));
        beginning.advance(place.key);
        self.step = Step::Content {
            others,
            content: self.room.begin(place.length),
            left: place.length,
        };
        beginning.freeze()
    }

    /// Puts the content aside if all of it is there. `rest` has come after it.
    fn finish(&mut self, rest: &[u8]) -> Result<(), Status> {
        let step = std::mem::replace(&mut self.step, Step::Rest(None, None));
        let Step::Content {
            mut others,
            content,
            left: 0,
        } = step
        else {
            self.step = step;
            return Ok(());
        };
        let content = content.finish().map_err(|error| no_memory(&error))?;
        // The body has one message, and so one content.
        let _ = self.received.0.set(content);
        others.extend_from_slice(rest);
        self.step = Step::Rest(Some(others.freeze()), None);
        Ok(())
    }

    /// No more data comes, but perhaps trailers.
    fn end(&mut self, trailers: Option<Frame<Bytes>>) -> Result<(), Status> {
        match std::mem::replace(&mut self.step, Step::Rest(None, None)) {
            Step::Beginning(beginning) => {
                let data = (!beginning.is_empty()).then(|| beginning.freeze());
                self.step = Step::Rest(data, trailers);
                Ok(())
            }
            Step::Content { left, .. } => Err(broken_off(trailers, left)),
            Step::Rest(..) => Ok(()),
        }
    }
}

/// Looks for the content in what has arrived.
fn looked_at<A: Any>(beginning: &[u8]) -> Found {
    let Some((prefix, message)) = beginning.split_first_chunk::<PREFIX_BYTES>() else {
        return Found::Unknown;
    };
    let &[compressed, ref length @ ..] = prefix;
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if compressed != 0 || length > flwr_proto::MAX_MESSAGE_BYTES {
        return Found::Nothing;
    }
    find::<A>(message, length)
}

fn no_memory(error: &io::Error) -> Status {
    Status::resource_exhausted(format!("no memory for the object that arrives: {error}"))
}

/// The trailers may say why.
fn broken_off(trailers: Option<Frame<Bytes>>, left: usize) -> Status {
    let trailers = trailers.and_then(|frame| frame.into_trailers().ok());
    let told = trailers.and_then(|trailers| Status::from_header_map(&trailers));
    match told {
        Some(status) if status.code() != tonic::Code::Ok => status,
        _ => Status::internal(format!("the answer ends {left} bytes before its length")),
    }
}
