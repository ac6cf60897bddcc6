//! The methods for app processes.

use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_core::port::{Result, Runtime};
use flwr_core::refusal::{Failure, Feature, Refusal};
use prost::Message;

use super::{Handler, Request, Size, Table};
use crate::app_token::AppToken;
use crate::carrier::{Answer, decode};
use crate::host::{AppProof, Head, LauncherProof, RuntimeHost};
use crate::rpc::Rpc;

/// A method for app processes.
pub(crate) struct Method<H: RuntimeHost> {
    pub(crate) rules: Rules,
    pub(crate) handler: Handler<(H, Head, Request<Bytes>)>,
}

/// What holds for a method.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Whether the call waits for something. It ends with its caller, and has parts that change
    /// something completed by the host. All other calls are completed as a whole.
    pub(crate) is_held: bool,
    /// Whether a body is laid out as in this generation, where two have the method.
    pub(crate) has_layout: fn(&Bytes) -> bool,
    /// Whether callers show the token of a task in the metadata.
    pub(crate) is_for_tasks: bool,
    /// How large a request may be.
    pub(crate) size: Size,
}

impl Rules {
    /// For calls that are served to their end.
    pub(crate) const CALL: Self = Self {
        is_held: false,
        has_layout: |_| true,
        is_for_tasks: false,
        size: Size::CALL,
    };
    /// For calls that wait, and end when their caller goes away.
    pub(crate) const HELD: Self = Self {
        is_held: true,
        ..Self::CALL
    };

    /// For bodies of this layout.
    pub(crate) const fn with_layout(self, has_layout: fn(&Bytes) -> bool) -> Self {
        Self { has_layout, ..self }
    }

    /// For tasks, which show their token in the metadata.
    pub(crate) const fn for_tasks(self) -> Self {
        let is_for_tasks = true;
        Self {
            is_for_tasks,
            ..self
        }
    }

    /// For requests of this size.
    pub(crate) const fn of_size(self, size: Size) -> Self {
        Self { size, ..self }
    }
}

/// The methods of all generations.
pub(crate) type Methods<H> = Table<Method<H>>;

impl<H: RuntimeHost> Methods<H> {
    /// Serves a method whose caller is admitted by what `proof` finds in its request.
    pub(crate) fn call<Q, A, P, M, F>(&mut self, rpc: Rpc<Q, A>, rules: Rules, proof: P, method: M)
    where
        Q: Message + Default + 'static,
        A: Message + 'static,
        P: Fn(&Q) -> AppProof + Copy + Send + Sync + 'static,
        M: Fn(H::Runtime, Request<Q>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<A>> + Send + 'static,
    {
        self.open(
            rpc.path(),
            rules,
            move |host: H, head: Head, request: Request<Bytes>| {
                let method = method.clone();
                async move {
                    let request: Request<Q> = request.decoded()?;
                    let token = request.token.as_ref();
                    let runtime = admit(&host, &head, proof(&request.message), token).await?;
                    Ok(Answer::new(method(runtime, request).await?))
                }
            },
        );
    }

    /// Serves a method whose caller is admitted by the token in the metadata, and by that alone.
    /// `run` finds the run that the request names.
    pub(crate) fn task<Q, A, R, M, F>(&mut self, rpc: Rpc<Q, A>, rules: Rules, run: R, method: M)
    where
        Q: Message + Default + 'static,
        A: Message + 'static,
        R: Fn(&Q) -> Option<u64> + Copy + Send + Sync + 'static,
        M: Fn(H::Runtime, Request<Q>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<A>> + Send + 'static,
    {
        self.open(
            rpc.path(),
            rules.for_tasks(),
            move |host: H, head: Head, request: Request<Bytes>| {
                let method = method.clone();
                async move {
                    let runtime = admit_by_metadata(&host, &head, request.token.as_ref()).await?;
                    let request: Request<Q> = request.decoded()?;
                    match run(&request.message).map(RunId) {
                        Some(run) if runtime.run_id() != Some(run) => {
                            Err(Refusal::UnknownAppToken.into())
                        }
                        _ => Ok(Answer::new(method(runtime, request).await?)),
                    }
                }
            },
        );
    }

    /// Serves a method for those who start app processes in the daemon's place.
    pub(crate) fn launcher<Q, A, M, F>(&mut self, rpc: Rpc<Q, A>, method: M)
    where
        Q: Message + Default + 'static,
        A: Message + 'static,
        M: Fn(H::Jobs, Q) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<A>> + Send + 'static,
    {
        let path = rpc.path();
        self.open(
            path,
            Rules::CALL,
            move |host: H, head: Head, request: Request<Bytes>| {
                let method = method.clone();
                async move {
                    let jobs = admit_launcher(&host, &head, path, &request)?;
                    Ok(Answer::new(method(jobs, read(request)?).await?))
                }
            },
        );
    }

    /// Refuses every call of a method, which is of something that this program does not have.
    pub(crate) fn refuse(&mut self, path: &'static str, feature: Feature) {
        self.open(path, Rules::CALL, move |_, _, _| async move {
            Err(Refusal::NotOffered(feature).into())
        });
    }

    /// Serves a method that asks the host itself, and opens the sessions that it needs.
    pub(crate) fn open<M, F>(&mut self, path: &'static str, rules: Rules, method: M)
    where
        M: Fn(H, Head, Request<Bytes>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Answer>> + Send + 'static,
    {
        let handler: Handler<(H, Head, Request<Bytes>)> =
            Box::new(move |(host, head, request)| Box::pin(method(host, head, request)));
        self.add(path, Method { rules, handler });
    }
}

/// Opens the session of an app. A token in the metadata proves by itself, and what the request says
/// beside it must be of the same run.
pub(crate) async fn admit<H: RuntimeHost>(
    host: &H,
    head: &Head,
    proof: AppProof,
    token: Option<&AppToken>,
) -> Result<H::Runtime> {
    let Some(shown) = token else {
        return host.admit(proof, head).await;
    };
    let runtime = admit_by_metadata(host, head, token).await?;
    let is_of_same_run = match proof {
        AppProof::Token(token) => token.is_empty() || token == shown.as_str(),
        AppProof::Named(run) | AppProof::Stranger(run) | AppProof::Tokenless(Some(run)) => {
            runtime.run_id() == Some(run)
        }
        AppProof::Tokenless(None) => true,
    };
    if is_of_same_run {
        return Ok(runtime);
    }
    Err(Refusal::UnknownToken.into())
}

/// Opens the session of the app that has this token in the metadata of its call.
pub(crate) async fn admit_by_metadata<H: RuntimeHost>(
    host: &H,
    head: &Head,
    token: Option<&AppToken>,
) -> Result<H::Runtime> {
    let refused = || Failure::from(Refusal::UnknownAppToken);
    let token = token.ok_or_else(refused)?.as_str().to_owned();
    match host.admit(AppProof::Token(token), head).await {
        Err(Failure::Refused(Refusal::UnknownToken)) => Err(refused()),
        admitted => admitted,
    }
}

/// Opens the session of whoever starts apps in the daemon's place and calls the method at `path`.
pub(crate) fn admit_launcher<H: RuntimeHost>(
    host: &H,
    head: &Head,
    path: &'static str,
    request: &Request<Bytes>,
) -> Result<H::Jobs> {
    let proof = LauncherProof {
        headers: request.superexec.clone(),
        method: path,
        body: request.message.clone(),
    };
    host.admit_launcher(&proof, head)
}

/// Reads the request of an open method.
pub(crate) fn read<Q: Message + Default>(request: Request<Bytes>) -> Result<Q> {
    decode(request.message)
}
