//! Who sees a token and a key: nobody but the SuperLink that the token names, and the node's owner.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use e2e::pki::{self, Flaw, Pki};
use e2e::{PATIENCE, Process, Scratch};
use flwr_security::joining::{JoinToken, Pin};
use flwr_security::tls::{certificates_of, pin_of};
use rustls::{ServerConfig, ServerConnection};

use super::{Scene, command, ends, shows_token, start};

fn token(listener: &TcpListener, pin: Pin) -> JoinToken {
    let address = listener.local_addr().unwrap().to_string();
    JoinToken::issue(pin, address.parse().unwrap()).unwrap()
}

/// What others on the machine read of a process.
fn seen(node: &Process, name: &str) -> String {
    let bytes = fs::read(format!("/proc/{}/{name}", node.id())).unwrap();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

#[test]
fn a_token_leaves_the_command_line_and_the_environment() {
    let scratch = Scratch::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let token = token(&listener, Pin([7; 32])).reveal();
    let typed = |node: &str, flags: &[&str]| start(&scratch, node, flags);
    let set = || {
        let mut command = command(&scratch, "set", &[]);
        command.env("FLOWER_SUPERNODE_JOIN", &*token);
        Process::start("set", &mut command, scratch.path())
    };
    let nodes = [
        typed("one", &["--join", &token]),
        typed("two", &[&format!("--join={}", *token)]),
        set(),
    ];
    // Each waits for its handshake.
    let _silent = nodes.each_ref().map(|_| listener.accept().unwrap());
    for node in &nodes {
        // A node that joins has been executed anew.
        node.line("joins the SuperLink at");
        let line = seen(node, "cmdline");
        assert!(line.contains("--join"), "{line}");
        assert!(!shows_token(&line), "{line}");
        assert!(!shows_token(&seen(node, "environ")));
        assert!(!shows_token(&node.lines().join("\n")));
    }
}

/// Accepts one connection as a SuperLink with these files does, and gives what came over it: the bytes
/// of the line, and what was decrypted.
fn overhear(listener: TcpListener, pki: &Pki) -> thread::JoinHandle<(Vec<u8>, Vec<u8>)> {
    let mut chain = certificates_of(&pki.certificate).unwrap();
    chain.extend(certificates_of(&pki.ca).unwrap());
    let key = fs::read(&pki.key).unwrap();
    let key = rustls_pki_types::pem::PemObject::from_pem_slice(&key).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    thread::spawn(move || {
        let (line, _) = listener.accept().unwrap();
        line.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut line = Overheard {
            line,
            heard: Vec::new(),
        };
        let mut session = ServerConnection::new(Arc::new(config)).unwrap();
        let mut said = Vec::new();
        // Until the node hangs up.
        while session
            .complete_io(&mut line)
            .is_ok_and(|(read, _)| read > 0)
        {
            let _ = session.reader().read_to_end(&mut said);
        }
        (line.heard, said)
    })
}

struct Overheard {
    line: TcpStream,
    heard: Vec<u8>,
}

impl Read for Overheard {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.line.read(buffer)?;
        self.heard.extend_from_slice(&buffer[..length]);
        Ok(length)
    }
}

impl Write for Overheard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.line.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.line.flush()
    }
}

#[test]
fn a_superlink_of_another_authority_is_sent_nothing_but_the_handshake() {
    let scratch = Scratch::new();
    let [mine, others] =
        ["mine", "others"].map(|name| pki::make(&scratch.folder(name), Flaw::None));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = certificates_of(&mine.ca).unwrap().remove(0);
    let token = token(&listener, pin_of(&authority).unwrap());
    let overheard = overhear(listener, &others);
    let said = ends(start(&scratch, "node", &["--join", &token.reveal()]), 1);
    assert!(
        said.contains("the authority that the join token names"),
        "{said}"
    );
    let (heard, decrypted) = overheard.join().unwrap();
    assert_eq!(decrypted, b"", "no byte of a call");
    // A ClientHello, and an alert, which TLS 1.3 encrypts: each record has its length at byte 3.
    let mut records = Vec::new();
    let mut rest = &heard[..];
    while let [kind, _, _, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        records.push((*kind, length));
        rest = &after[length.min(after.len())..];
    }
    let calls = records
        .iter()
        .filter(|(kind, length)| *kind == 23 && *length > 24);
    assert_eq!(calls.count(), 0, "{records:?}");
}

#[test]
fn a_server_without_tls_is_sent_nothing_but_the_handshake() {
    let scratch = Scratch::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let token = token(&listener, Pin([7; 32]));
    let server = thread::spawn(move || {
        let (mut line, _) = listener.accept().unwrap();
        line.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut heard = vec![0; 4096];
        let length = line.read(&mut heard).unwrap();
        heard.truncate(length);
        // An HTTP/2 server begins with its SETTINGS.
        line.write_all(b"\0\0\0\x04\0\0\0\0\0").unwrap();
        let _ = line.read_to_end(&mut heard);
        heard
    });
    let said = ends(start(&scratch, "node", &["--join", &token.reveal()]), 1);
    assert!(said.contains("does not speak TLS"), "{said}");
    let heard = server.join().unwrap();
    let secret = token.secret.reveal();
    assert!(!heard.windows(secret.len()).any(|bytes| bytes == secret));
}

#[test]
fn the_key_is_its_owners_and_no_log_shows_the_token() {
    use std::os::unix::fs::PermissionsExt;

    let mut scene = Scene::new();
    let token = scene.token(1, 3600);
    let mut node = scene.node("node", &["--join", &token.text, "--log-level", "trace"]);
    node.line("registered with the SuperLink");
    let joined = scene.home("node").join("supernode/joined");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&joined), 0o700);
    assert_eq!(mode(&joined.join("key")), 0o600);
    node.stop();
    scene.federation.superlink().stop();
    let secret = &token.text[20..40];
    for process in [&node, scene.federation.superlink()] {
        let said = process.lines().join("\n");
        assert!(!shows_token(&said) && !said.contains(secret), "{said}");
    }
}
