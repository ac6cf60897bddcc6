//! An HTTP proxy as companies have them: it does CONNECT alone, and names that nobody else knows
//! lead to this machine.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// Longest head of a request.
const MAX_HEAD: usize = 16 << 10;
/// How often a request is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a proxy does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It connects.
    Open,
    /// It connects whoever shows this value of `Proxy-Authorization`.
    Login(&'static str),
    /// It gives this answer, and hangs up.
    Answers(&'static str),
}

/// A listening proxy. It ends when it is dropped.
#[derive(Debug)]
pub struct ConnectProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    mood: Mood,
    heads: Mutex<Vec<String>>,
    ended: AtomicBool,
}

impl ConnectProxy {
    /// Starts a proxy.
    ///
    /// # Panics
    /// If it cannot listen.
    #[must_use]
    pub fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            mood,
            heads: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let state = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if state.ended.load(Ordering::Relaxed) {
                    return;
                }
                let state = Arc::clone(&state);
                // A client that breaks off is no failure of the proxy.
                thread::spawn(move || client.and_then(|client| state.serve(client)));
            }
        });
        Self { address, shared }
    }

    /// Its URL; `login` is empty, or `user:password@`.
    #[must_use]
    pub fn url(&self, login: &str) -> String {
        format!("http://{login}{}", self.address)
    }

    /// Waits until a client asks for a server, `HOST:PORT`.
    ///
    /// # Panics
    /// If none does.
    #[track_caller]
    pub fn wait_for(&self, server: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.asked_for().iter().any(|asked| asked == server) {
            let asked_for = self.asked_for();
            assert!(Instant::now() < deadline, "{server}: {asked_for:?}");
            thread::sleep(LOOK_EVERY);
        }
    }

    /// The servers that clients asked for so far, as `HOST:PORT`.
    ///
    /// # Panics
    /// If a thread of the proxy panicked.
    #[must_use]
    pub fn asked_for(&self) -> Vec<String> {
        let heads = self.shared.heads.lock().unwrap();
        let servers = heads.iter().filter_map(|head| head.split(' ').nth(1));
        servers.map(str::to_owned).collect()
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let head = head(&mut client)?;
        self.heads.lock().unwrap().push(head.clone());
        match self.mood {
            Mood::Open => {}
            Mood::Login(login) if shows(&head, login) => {}
            Mood::Login(_) => {
                return client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"e2e\"\r\nContent-Length: 0\r\n\r\n");
            }
            Mood::Answers(answer) => return client.write_all(answer.as_bytes()),
        }
        let port = head
            .strip_prefix("CONNECT ")
            .and_then(|rest| rest.split(' ').next()?.rsplit(':').next()?.parse().ok());
        let server = port.map(|port: u16| TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
        let Some(Ok(server)) = server else {
            return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
        };
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        let (up, down) = (client.try_clone()?, server.try_clone()?);
        thread::spawn(move || pass_on(up, down));
        pass_on(server, client);
        Ok(())
    }
}

/// The request line and headers.
fn head(client: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_HEAD {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn shows(head: &str, login: &str) -> bool {
    head.lines().any(|line| {
        line.split_once(": ").is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("proxy-authorization") && value == login
        })
    })
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
