//! Proxies on real sockets that answer CONNECT in every way.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// A proxy that gives one answer. What it was asked comes out of the handle.
async fn proxy(answer: &'static [u8]) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(tcp.read_u8().await.unwrap());
        }
        tcp.write_all(answer).await.unwrap();
        // What comes through is sent back.
        let (mut from, mut to) = tcp.split();
        let _ = tokio::io::copy(&mut from, &mut to).await;
        String::from_utf8(asked).unwrap()
    });
    (port, asked)
}

/// Connects through `http://{login}127.0.0.1:{port}`.
async fn tunnel(login: &str, port: u16) -> Result<Tunnel, ProxyProblem> {
    let proxy = Proxy::parse(&format!("http://{login}127.0.0.1:{port}"), "--proxy").unwrap();
    let tunnel = proxy.tunnel("superlink.example", 9092).await;
    tunnel.map_err(|error| match error {
        ConnectError::Proxy { proxy, problem } => {
            assert_eq!(proxy, format!("proxy http://127.0.0.1:{port} (--proxy)"));
            problem
        }
        other => panic!("{other}"),
    })
}

#[tokio::test]
async fn the_proxy_gets_name_and_login_and_what_the_server_says_first_is_not_lost() {
    let (port, asked) = proxy(b"HTTP/1.1 200 Connection established\r\n\r\nhello").await;
    let mut tunnel = tunnel("Aladdin:open%20sesame@", port).await.unwrap();
    let mut hello = [0; 5];
    tunnel.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello");
    tunnel.write_all(b"and back").await.unwrap();
    let mut back = [0; 8];
    tunnel.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"and back");
    drop(tunnel);
    let asked = asked.await.unwrap().to_ascii_lowercase();
    assert!(
        asked.starts_with("connect superlink.example:9092 http/1.1\r\n"),
        "{asked}"
    );
    assert!(
        asked.contains("\r\nhost: superlink.example:9092\r\n"),
        "{asked}"
    );
    // The example of RFC 7617.
    let login = "proxy-authorization: basic qwxhzgrpbjpvcgvuihnlc2ftzq==\r\n";
    assert!(asked.contains(login), "{asked}");
}

#[tokio::test]
async fn each_way_of_saying_no_is_told_apart() {
    async fn refused(login: &str, answer: &'static [u8]) -> String {
        let (port, asked) = proxy(answer).await;
        let problem = tunnel(login, port).await.unwrap_err().to_string();
        asked.abort();
        problem
    }
    for (login, answer, expected) in [
        (
            "",
            &b"HTTP/1.1 407 Who?\r\n\r\n"[..],
            "it asks for a login (407)",
        ),
        (
            "u:p@",
            b"HTTP/1.1 407 Who?\r\n\r\n",
            "it refuses the user and password",
        ),
        (
            "",
            b"HTTP/1.1 403 No\r\n\r\n",
            "it does not allow connections to superlink.example:9092 (403",
        ),
        (
            "",
            b"HTTP/1.0 502 No\r\n\r\n",
            "it cannot reach superlink.example:9092 (502",
        ),
        (
            "",
            b"HTTP/1.1 503 No\r\n\r\n",
            "it cannot reach superlink.example:9092 (503",
        ),
        (
            "",
            b"HTTP/1.1 504 No\r\n\r\n",
            "it cannot reach superlink.example:9092 (504",
        ),
        (
            "",
            b"HTTP/1.1 405 No\r\n\r\n",
            "it does not connect to superlink.example:9092 (405",
        ),
        (
            "",
            b"\x15\x03\x03\0\x02\x02\x32 and more of TLS\r\n\r\n",
            "it does not answer CONNECT as",
        ),
        (
            "",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            "it does not answer CONNECT as",
        ),
    ] {
        let problem = refused(login, answer).await;
        assert!(problem.starts_with(expected), "{expected}: {problem}");
    }
}

#[tokio::test]
async fn a_proxy_that_hangs_up_or_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let hanging_up = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut asked = [0; 16];
        let _ = tcp.read(&mut asked).await;
    });
    assert_eq!(tunnel("", port).await.unwrap_err(), ProxyProblem::Closed);
    hanging_up.await.unwrap();
    assert_eq!(tunnel("", port).await.unwrap_err(), ProxyProblem::Refused);
    let proxy = Proxy::parse("http://no-such-proxy.invalid:1", "https_proxy").unwrap();
    let error = proxy.tunnel("superlink.example", 9092).await.unwrap_err();
    let text = error.to_string();
    let expected = "proxy http://no-such-proxy.invalid:1 (https_proxy): its name cannot be";
    assert!(text.starts_with(expected), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_does_not_answer_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(
        tunnel("", port).await.unwrap_err(),
        ProxyProblem::Timeout(20)
    );
}
