use std::fs::File;
use std::future::pending;
use std::io::{IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flwr_shm::{Draft, Sealed};

use http_body_util::{BodyExt, Full};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tonic::server::NamedService;

use super::frame::Wire;
use super::serve::MOST_BYTES;
use super::*;

const PATH: &str = "/test.Echo/Method";

/// Answers a call with its own body, and says in headers what it was.
#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

impl tower::Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            let peer = request.extensions().get::<Peer>().unwrap();
            let pid = peer.process.as_ref().unwrap().pid;
            let (head, body) = request.into_parts();
            if head.headers.contains_key("never") {
                pending::<()>().await;
            }
            let told = http_body::Body::size_hint(&body).exact().unwrap();
            let body = match head.headers.contains_key("unread") {
                true => Bytes::new(),
                false => body.collect().await.unwrap().to_bytes(),
            };
            let response = Response::builder()
                .header("pid", pid)
                .header("told", told)
                .header("length", body.len());
            Ok(response.body(Body::new(Full::new(body))).unwrap())
        })
    }
}

/// The end of a process, whose calls are answered by an echo.
struct Process {
    socket: Arc<OwnedFd>,
    _served: Task<()>,
}

impl Process {
    fn start() -> Self {
        let address = "127.0.0.1:1".to_owned();
        let channels = AppChannels::new(address, Routes::new(Echo), Echo);
        let (opened, socket) = channels.open().unwrap();
        let process = Identity {
            pid: 7,
            started: String::new(),
        };
        Self {
            socket: Arc::new(socket),
            _served: opened.serve(&process),
        }
    }

    fn send(&self, head: &Value, body: &[u8], files: &[OwnedFd]) {
        let head = head.to_string();
        let length = u32::try_from(head.len()).unwrap().to_le_bytes();
        let parts = [&length, head.as_bytes(), body].map(IoSlice::new);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let files: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        if !files.is_empty() {
            assert!(control.push(SendAncillaryMessage::ScmRights(&files)));
        }
        sendmsg(&*self.socket, &parts, &mut control, SendFlags::NOSIGNAL).unwrap();
    }

    /// The next answer; `None` when the channel is closed.
    async fn answer(&self) -> Option<(Value, Bytes)> {
        let socket = Arc::clone(&self.socket);
        let read = move || {
            let mut buffer = vec![0; 1 << 20];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let parts = &mut [IoSliceMut::new(&mut buffer)];
            let read = recvmsg(&*socket, parts, &mut control, RecvFlags::empty());
            let read = read.unwrap().bytes;
            let mut files = control.drain().filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(files) => Some(files),
                _ => None,
            });
            let file = files.next().and_then(|mut files| files.next());
            buffer.truncate(read);
            (Bytes::from(buffer), file)
        };
        let (mut packet, file) = spawn_blocking(read).await.unwrap();
        if packet.is_empty() {
            return None;
        }
        let length = packet.split_to(4)[..].try_into().map(u32::from_le_bytes);
        let head = packet.split_to(length.unwrap() as usize);
        let head: Value = serde_json::from_slice(&head).unwrap();
        let body = match file {
            None => packet,
            Some(file) => {
                let sealed = Sealed::check(file, head["size"].as_u64().unwrap(), MOST_BYTES);
                let shared = sealed.unwrap().map().unwrap();
                [packet, shared].concat().into()
            }
        };
        Some((head, body))
    }

    async fn call(&self, wire: &str, body: &[u8]) -> (Value, Bytes) {
        let head = json!({"id": 1, "wire": wire, "path": PATH});
        if body.len() <= 1000 {
            self.send(&head, body, &[]);
        } else {
            self.send(&sized(head, body.len()), b"", &[sealed(body)]);
        }
        self.answer().await.unwrap()
    }
}

fn sized(mut head: Value, size: usize) -> Value {
    head["size"] = size.into();
    head
}

fn sealed(body: &[u8]) -> OwnedFd {
    let mut draft = Draft::new().unwrap();
    draft.write_all(body).unwrap();
    draft.seal().unwrap()
}

fn header<'a>(head: &'a Value, name: &str) -> Option<&'a str> {
    let headers = head["headers"].as_array().unwrap().iter();
    let mut found = headers.filter(|pair| pair[0] == name);
    found.next().and_then(|pair| pair[1].as_str())
}

#[tokio::test]
async fn a_body_of_any_length_goes_there_and_back() {
    let process = Process::start();
    for length in [
        0,
        1,
        1000,
        1001,
        64 << 10,
        (64 << 10) + 1,
        20 << 20,
        (20 << 20) + 1,
    ] {
        let body = b"0123456".repeat(length / 7 + 1);
        for (wire, prefix) in [("http", 0), ("grpc", 5)] {
            let (head, echoed) = process.call(wire, &body[..length]).await;
            assert!(echoed == body[..length], "{wire} {length}");
            assert_eq!((&head["id"], &head["status"]), (&json!(1), &json!(200)));
            assert_eq!(
                header(&head, "length"),
                Some(&*(length + prefix).to_string())
            );
            assert_eq!(header(&head, "pid"), Some("7"));
        }
    }
}

/// What counts the bytes that are under way asks before it reads.
#[tokio::test]
async fn a_body_tells_its_length_before_it_is_read() {
    let process = Process::start();
    for length in [10, 20 << 20] {
        let head = json!({"id": 1, "wire": "grpc", "path": PATH, "headers": [["unread", "1"]]});
        let body = vec![7; length];
        if length < 1000 {
            process.send(&head, &body, &[]);
        } else {
            process.send(&sized(head, length), b"", &[sealed(&body)]);
        }
        let (head, echoed) = process.answer().await.unwrap();
        assert!(echoed.is_empty());
        assert_eq!(header(&head, "told"), Some(&*(length + 5).to_string()));
    }
}

#[tokio::test]
async fn a_call_that_waits_does_not_keep_others_waiting() {
    let process = Process::start();
    let head = json!({"id": 1, "wire": "http", "path": PATH, "headers": [["never", "1"]]});
    process.send(&head, b"", &[]);
    process.send(&json!({"id": 2, "wire": "http", "path": PATH}), b"", &[]);
    let (head, _) = process.answer().await.unwrap();
    assert_eq!(head["id"], 2);
}

#[tokio::test]
async fn a_body_that_is_not_what_its_call_says_is_refused() {
    let process = Process::start();
    let draft = || {
        let file = rustix::fs::memfd_create("body", rustix::fs::MemfdFlags::ALLOW_SEALING);
        let mut file = File::from(file.unwrap());
        file.write_all(&[7; 4096]).unwrap();
        OwnedFd::from(file)
    };
    let cases = [
        (
            json!(5000),
            b"".as_slice(),
            vec![sealed(&[7; 4096])],
            "4096 bytes, and 5000",
        ),
        (json!(4096), b"", vec![draft()], "not sealed"),
        (json!(MOST_BYTES + 1), b"", vec![sealed(b"")], "at most"),
        (json!(4096), b"more", vec![sealed(&[7; 4096])], "must be in"),
        (json!(4096), b"", vec![], "must be in"),
        (Value::Null, b"", vec![sealed(b"")], "must be in"),
    ];
    for (size, body, files, expected) in cases {
        for wire in ["grpc", "http"] {
            let files: Vec<_> = files.iter().map(|file| file.try_clone().unwrap()).collect();
            let mut head = json!({"id": 1, "wire": wire, "path": PATH});
            head["size"].clone_from(&size);
            process.send(&head, body, &files);
            let (head, body) = process.answer().await.unwrap();
            let told = match wire {
                "grpc" => {
                    assert_eq!(header(&head, "grpc-status"), Some("3"));
                    header(&head, "grpc-message").unwrap().to_owned()
                }
                _ => {
                    assert_eq!(head["status"], 400);
                    String::from_utf8(body.to_vec()).unwrap()
                }
            };
            assert!(told.contains(expected), "{told}");
        }
    }
    // The channel goes on.
    assert_eq!(process.call("http", b"body").await.1, "body");
}

#[tokio::test]
async fn what_no_launcher_of_ours_sends_closes_the_channel() {
    let cases: [(&[u8], usize); 3] = [(b"{}", 0), (b"\0", 0), (b"", 2)];
    for (text, files) in cases {
        let process = Process::start();
        let files: Vec<_> = (0..files).map(|_| sealed(b"")).collect();
        let head = json!({"id": 1, "wire": "http", "path": PATH});
        if text.is_empty() {
            process.send(&head, b"", &files);
        } else {
            rustix::net::send(&*process.socket, text, SendFlags::NOSIGNAL).unwrap();
        }
        assert!(process.answer().await.is_none(), "{text:?}");
    }
}

#[tokio::test]
async fn a_channel_that_is_not_served_any_more_is_closed() {
    let process = Process::start();
    assert_eq!(process.call("http", b"body").await.1, "body");
    let socket = Arc::clone(&process.socket);
    drop(process);
    let mut byte = [0];
    let read = spawn_blocking(move || rustix::net::recv(&*socket, &mut byte, RecvFlags::empty()));
    assert_eq!(read.await.unwrap().unwrap().0, 0);
}

#[tokio::test]
async fn an_answer_that_has_no_room_in_shared_memory_is_unavailable() {
    let full = io::Error::from_raw_os_error(24);
    for (wire, told) in [(Wire::Grpc, "14"), (Wire::Http, "503")] {
        let refused = answer::unavailable(7, wire, &full).unwrap();
        let packet = refused.parts.concat();
        let packet = String::from_utf8_lossy(&packet);
        assert!(packet.contains("\"id\":7"), "{packet}");
        assert!(packet.contains(told), "{packet}");
        assert!(packet.contains("Too many open files"), "{packet}");
    }
}
