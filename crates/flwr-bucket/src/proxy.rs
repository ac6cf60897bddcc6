//! A proxy on the way to a server of HTTP/1.1 that fails as a test says.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It gets through.
    None,
    /// Its first request is answered with this status.
    Status(u16),
    /// It ends after so many bytes of the answer.
    Cut(usize),
    /// It waits so long before it gets through.
    Slow(Duration),
}

#[derive(Debug)]
struct Plan {
    fault: Fault,
    /// Connections that fail before the next gets through. `None`: all fail.
    left: Option<usize>,
    failed: usize,
}

impl Plan {
    fn next(&mut self) -> Fault {
        match &mut self.left {
            Some(0) => return Fault::None,
            Some(left) => *left -= 1,
            None => {}
        }
        self.failed += usize::from(self.fault != Fault::None);
        self.fault
    }
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    connections: Arc<Mutex<JoinSet<io::Result<()>>>>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// A proxy before the server at this address.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Arc::new(Mutex::new(Plan {
            fault: Fault::None,
            left: None,
            failed: 0,
        }));
        let connections = Arc::<Mutex<JoinSet<_>>>::default();
        let (shared, all) = (Arc::clone(&plan), Arc::clone(&connections));
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let fault = shared.lock().next();
                all.lock().spawn(pass(client, server, fault));
            }
        });
        Self {
            address,
            plan,
            connections,
            _task: task,
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on so many connections fail, or all; those that are open end.
    pub fn fail(&self, fault: Fault, times: Option<usize>) {
        let mut plan = self.plan.lock();
        (plan.fault, plan.left, plan.failed) = (fault, times, 0);
        self.connections.lock().abort_all();
    }

    /// Connections that failed since then.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.plan.lock().failed
    }
}

async fn pass(mut client: TcpStream, server: SocketAddr, fault: Fault) -> io::Result<()> {
    match fault {
        Fault::None => {}
        Fault::Status(status) => return answer(client, status).await,
        Fault::Slow(pause) => sleep(pause).await,
        Fault::Cut(bytes) => {
            let server = TcpStream::connect(server).await?;
            return cut(client, server, bytes).await;
        }
    }
    let mut server = TcpStream::connect(server).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// Reads a request to its end, and answers it.
async fn answer(mut client: TcpStream, status: u16) -> io::Result<()> {
    let (mut request, mut part) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let read = client.read(&mut part).await?;
        request.extend_from_slice(&part[..read]);
        let head = request.windows(4).position(|four| four == b"\r\n\r\n");
        let whole = head.map(|head| head + 4 + length(&request[..head]));
        if read == 0 || whole.is_some_and(|whole| request.len() >= whole) {
            break;
        }
    }
    let text = format!("HTTP/1.1 {status} Test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    client.write_all(text.as_bytes()).await?;
    client.shutdown().await
}

/// The length of the body, as the head of a request tells.
fn length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length:"));
    length.map_or(0, |length| length.trim().parse().unwrap())
}

async fn cut(client: TcpStream, server: TcpStream, bytes: usize) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = tokio::io::copy(&mut from_client, &mut to_server);
    let answering = async {
        let mut some = (&mut from_server).take(bytes as u64);
        tokio::io::copy(&mut some, &mut to_client).await
    };
    tokio::select! {
        _ = asking => Ok(()),
        _ = answering => Ok(()),
    }
}
