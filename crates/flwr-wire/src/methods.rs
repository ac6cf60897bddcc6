//! The table of methods: what each generation serves under which name, and what a caller must have
//! proven for it.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use flwr_core::port::Result;
use flwr_core::time::Timestamp;
use flwr_security::superexec::SuperexecHeaders;
use futures::future::BoxFuture;
use prost::Message;

use crate::app_token::AppToken;
use crate::carrier::http1::path_of;
use crate::carrier::{Answer, Answers, decode};
use crate::host::{Head, Host, Release};

pub(crate) mod fleet;
pub(crate) mod runtime;
pub(crate) mod session;
mod size;

pub(crate) use size::Size;

/// A method whose types are hidden, so that one table holds all.
pub(crate) type Handler<A> = Box<dyn Fn(A) -> BoxFuture<'static, Result<Answer>> + Send + Sync>;

/// The same, with many answers.
pub(crate) type StreamHandler<A> =
    Box<dyn Fn(A) -> BoxFuture<'static, Result<Answers>> + Send + Sync>;

/// A request that has come through a door.
#[derive(Debug, Clone)]
pub(crate) struct Request<Q> {
    pub(crate) message: Q,
    /// How long the call may be held.
    pub(crate) patience: Duration,
    /// The time by the host's clock.
    pub(crate) now: Timestamp,
    /// The headers by which a caller proves that it may start apps, where it sends them.
    pub(crate) superexec: Option<SuperexecHeaders>,
    /// The caller's release of Flower, if it tells.
    pub(crate) release: Option<Release>,
    /// The token of an app, where the app shows it in the metadata.
    pub(crate) token: Option<AppToken>,
}

impl Request<Bytes> {
    /// A request whose body is read by its method.
    pub(crate) fn new(body: Bytes, head: &Head, host: &impl Host) -> Self {
        Self {
            message: body,
            patience: head.patience,
            now: host.now(),
            superexec: None,
            release: head.release,
            token: None,
        }
    }

    pub(crate) fn decoded<Q: Message + Default>(self) -> Result<Request<Q>> {
        Ok(Request {
            message: decode(self.message)?,
            patience: self.patience,
            now: self.now,
            superexec: self.superexec,
            release: self.release,
            token: self.token,
        })
    }
}

/// Methods by their paths, the newest generation's first. The path over HTTP finds the same methods as
/// the path over gRPC.
pub(crate) struct Table<M> {
    methods: HashMap<&'static str, Vec<M>>,
    /// The path over gRPC of each path over HTTP.
    over_http: HashMap<String, &'static str>,
}

impl<M> Default for Table<M> {
    fn default() -> Self {
        Self {
            methods: HashMap::new(),
            over_http: HashMap::new(),
        }
    }
}

impl<M> std::fmt::Debug for Table<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.methods.keys()).finish()
    }
}

impl<M> Table<M> {
    /// What is served under this path.
    pub(crate) fn at(&self, path: &str) -> &[M] {
        let path = self.over_http.get(path).copied().unwrap_or(path);
        self.methods.get(path).map_or(&[], Vec::as_slice)
    }

    /// The path over gRPC of the method that is served under this path.
    pub(crate) fn name(&self, path: &str) -> Option<&'static str> {
        let found = self.methods.get_key_value(path).map(|(path, _)| *path);
        found.or_else(|| self.over_http.get(path).copied())
    }

    /// All methods.
    pub(crate) fn all(&self) -> impl Iterator<Item = &M> {
        self.methods.values().flatten()
    }

    pub(crate) fn add(&mut self, path: &'static str, method: M) {
        if let Some(over_http) = path_of(path) {
            self.over_http.insert(over_http, path);
        }
        self.methods.entry(path).or_default().push(method);
    }
}
