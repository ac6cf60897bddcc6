//! An OpenID provider for tests: five paths over HTTPS on loopback, with keys that can be rotated
//! and a user who does what the test says. It runs in a thread of its own until it is dropped.
//!
//! The same file is part of the tests of other crates, by `#[path]`: it needs nothing of this one.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

// By path, since this file has two places.
#[path = "oidc/form.rs"]
mod form;
#[path = "oidc/key.rs"]
mod key;
#[path = "oidc/state.rs"]
mod state;

pub use key::{Key, unsigned, with_secret};
pub use state::State;

use form::Form;
use state::Decision;

/// Who a client of the provider is.
pub const CLIENT: &str = "flower";
/// What it proves it with, where the test says so.
pub const SECRET: &str = "it's a secret+/=";

/// A provider that runs.
#[derive(Debug)]
pub struct Provider {
    state: Arc<Mutex<State>>,
    certificate: String,
    issuer: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What is odd about the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// Nothing.
    #[default]
    Fine,
    /// It answers questions about logins by `slow_down`.
    SlowDown,
    /// It gives no refresh tokens.
    NoRefreshToken,
    /// It has no place with the code in it.
    NoCompleteUri,
    /// Its access tokens are no JWTs.
    OpaqueAccessToken,
    /// All its answers are 500.
    Broken,
    /// All its answers are far too long.
    Endless,
    /// It says to be another issuer.
    OtherIssuer,
    /// It has no device logins.
    NoDevices,
}

/// Who logs in.
#[derive(Clone, Debug)]
pub struct Person {
    /// `sub`
    pub id: String,
    /// `preferred_username`
    pub name: String,
    /// `groups`
    pub groups: Vec<String>,
}

impl Person {
    /// Somebody whose id is `<name>-1`, in no group.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            id: format!("{name}-1"),
            name: name.to_owned(),
            groups: Vec::new(),
        }
    }
}

impl Provider {
    /// Starts one, and waits until it listens.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::named("localhost")
    }

    /// Starts one whose issuer has a host name that may lead elsewhere.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn named(host: &str) -> Self {
        let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
        let certificate = made.cert.pem();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let state = Arc::new(Mutex::new(State::new()));
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&state);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = serve(listener, acceptor, serving) => {}
                    _ = stopped => {}
                }
            });
        });
        let address: SocketAddr = told.recv().unwrap();
        let issuer = format!("https://{host}:{}", address.port());
        state.lock().unwrap().issuer.clone_from(&issuer);
        Self {
            state,
            certificate,
            issuer,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Its issuer, which is where it is.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The certificate to trust (PEM).
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// What can be changed.
    ///
    /// # Panics
    /// If a test panicked with it.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The user of the latest login is this one, and approves.
    pub fn approve(&self, person: &Person) {
        self.decide(Decision::Approved(person.clone()));
    }

    /// The user of the latest login denies.
    pub fn deny(&self) {
        self.decide(Decision::Denied);
    }

    /// The latest login took too long.
    pub fn forget(&self) {
        self.decide(Decision::Spent);
    }

    fn decide(&self, decision: Decision) {
        let mut state = self.state();
        let login = state.logins.last_mut().expect("a login has begun");
        login.1 = decision;
    }

    /// From now on a new key signs; the old one is not published any more.
    pub fn rotate(&self, id: &str) {
        self.state().key = Key::ec(id);
    }

    /// The claims of a good token for somebody, which a test may spoil.
    #[must_use]
    pub fn claims(&self, person: &Person) -> Value {
        self.state().claims(person)
    }

    /// A token with these claims, signed as this provider does.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        self.state().key.sign(claims)
    }

    /// A refresh token that is good once.
    #[must_use]
    pub fn refresh_token(&self, person: &Person) -> String {
        self.state().new_refresh(person)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<Mutex<State>>) {
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            continue;
        };
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            let Ok(tls) = acceptor.accept(tcp).await else {
                return;
            };
            let service = service_fn(move |request| answer(Arc::clone(&state), request));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(tls), service)
                .await;
        });
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes());
    let authorization = parts.headers.get("authorization");
    let authorization = authorization.and_then(|text| text.to_str().ok());
    let form = Form::read(authorization, &body.unwrap_or_default());
    let (status, value) = state
        .lock()
        .unwrap()
        .answer(&parts.method, parts.uri.path(), &form);
    let mut response = Response::new(Full::from(value.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    Ok(response)
}

/// Unix seconds.
///
/// # Panics
/// If the clock is before 1970.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the real programs that are tested run by the system's time"
)]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}
