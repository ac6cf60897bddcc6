//! Calls of the test's own to a service of Flower, and what came of each.

use std::fmt;
use std::net::SocketAddr;

use e2e::Release;
use flwr_client::channel::{Channel, Route, Trust, channel};
use flwr_security::signature::SignatureHeaders;
use serde_json::Value;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

/// Ids are other ones each time: longer numbers are left out of what is compared.
const ID_DIGITS: usize = 6;

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// An answer, in short.
    Answer(String),
    /// A refusal: its status, its number if it has one, and its text.
    Refusal {
        code: Code,
        number: Option<i64>,
        text: String,
    },
}

/// What was asked, and what came of it, in the order of the calls.
pub(super) type Table = Vec<(&'static str, Said)>;

/// A caller that says which release it is of.
pub(super) struct Caller {
    grpc: Grpc<Channel>,
    release: Release,
    component: &'static str,
    service: &'static str,
    pub(super) table: Table,
}

/// What proves who calls.
#[derive(Default)]
pub(super) struct Proof(MetadataMap);

impl Said {
    pub(super) fn of<A>(answer: &Result<A, Status>, told: impl Fn(&A) -> String) -> Self {
        let status = match answer {
            Ok(answer) => return Self::Answer(told(answer)),
            Err(status) => status,
        };
        let coded: Option<Value> = serde_json::from_str(status.message()).ok();
        let number = coded.as_ref().and_then(|coded| coded["code"].as_i64());
        let public = coded.and_then(|coded| Some(coded["public_message"].as_str()?.to_owned()));
        let text = public.unwrap_or_else(|| status.message().to_owned());
        Self::Refusal {
            code: status.code(),
            number,
            text: without_ids(&text),
        }
    }
}

impl Said {
    /// Whether a caller is told the same. Ours may say more: the way out. Ours must refuse where a
    /// handler of theirs raises.
    pub(super) fn is_like(&self, theirs: &Self) -> bool {
        match (theirs, self) {
            (_, ours) if ours.has_raised() => false,
            (theirs, Self::Refusal { .. }) if theirs.has_raised() => true,
            (Self::Refusal { text, .. }, Self::Refusal { text: ours, .. }) => {
                self.has_the_status_of(theirs) && ours.starts_with(text.trim_end_matches('.'))
            }
            (theirs, ours) => theirs == ours,
        }
    }

    fn has_raised(&self) -> bool {
        let raised = [Code::Internal, Code::Unknown];
        matches!(self, Self::Refusal { code, number: None, .. } if raised.contains(code))
    }

    /// Whether status and number are the same, as far as both give numbers. Ours gives none to releases
    /// that print a refusal as it is, and theirs gives few until 1.32.
    pub(super) fn has_the_status_of(&self, theirs: &Self) -> bool {
        match (theirs, self) {
            (
                Self::Refusal { code, number, .. },
                Self::Refusal {
                    code: our_code,
                    number: our_number,
                    ..
                },
            ) => {
                let is_numbered_alike =
                    number.is_none() || our_number.is_none() || number == our_number;
                code == our_code && is_numbered_alike
            }
            _ => false,
        }
    }

    /// The text of a refusal.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Answer(_) => None,
            Self::Refusal { text, .. } => Some(text),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(answer) => write!(f, "answer: {answer}"),
            Self::Refusal {
                code,
                number: Some(number),
                text,
            } => write!(f, "{code:?} {number}: {text}"),
            Self::Refusal { code, text, .. } => write!(f, "{code:?}: {text}"),
        }
    }
}

fn without_ids(text: &str) -> String {
    let mut kept = String::new();
    let mut digits = String::new();
    for character in text.chars().chain(['\n']) {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        match digits.len() > ID_DIGITS {
            true => kept.push('N'),
            false => kept.push_str(&digits),
        }
        digits.clear();
        kept.push(character);
    }
    kept.trim_end().to_owned()
}

impl Proof {
    pub(super) fn signature(headers: &SignatureHeaders) -> Self {
        let mut metadata = MetadataMap::new();
        headers.write(metadata.as_mut());
        Self(metadata)
    }

    /// The token of an app, where its releases show it.
    pub(super) fn token(key: &'static str, token: &str) -> Self {
        let mut metadata = MetadataMap::new();
        metadata.insert(key, MetadataValue::try_from(token).unwrap());
        Self(metadata)
    }
}

impl Caller {
    pub(super) fn new(
        address: SocketAddr,
        trust: &Trust,
        (component, service): (&'static str, &'static str),
        release: Release,
    ) -> Self {
        let channel = channel(("127.0.0.1", address.port()), trust, &Route::Direct);
        Self {
            grpc: Grpc::new(channel),
            release,
            component,
            service,
            table: Table::new(),
        }
    }

    pub(super) const fn release(&self) -> Release {
        self.release
    }

    pub(super) const fn service(&self) -> &'static str {
        self.service
    }

    pub(super) async fn call<Q, A>(
        &mut self,
        method: &str,
        message: Q,
        proof: Proof,
    ) -> Result<A, Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        self.grpc.ready().await.unwrap();
        let path = format!("/flwr.proto.{}/{method}", self.service);
        let path = PathAndQuery::try_from(path).unwrap();
        let mut request = Request::new(message);
        *request.metadata_mut() = proof.0;
        if self.release.is_since(30) {
            let number = self.release.number();
            for (key, value) in [
                ("flwr-package-name", "flwr"),
                ("flwr-package-version", number.as_str()),
                ("flwr-component-name", self.component),
            ] {
                let value = MetadataValue::try_from(value).unwrap();
                request.metadata_mut().insert(key, value);
            }
        }
        let codec = ProstCodec::<Q, A>::default();
        Ok(self.grpc.unary(request, path, codec).await?.into_inner())
    }

    /// Calls, and notes in the table what came of it.
    pub(super) async fn ask<Q, A>(
        &mut self,
        what: &'static str,
        method: &str,
        message: Q,
        proof: Proof,
        told: impl Fn(&A) -> String,
    ) -> Option<A>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let answer = self.call(method, message, proof).await;
        self.table.push((what, Said::of(&answer, told)));
        answer.ok()
    }
}

/// Of an answer that says nothing else.
pub(super) fn done<A>(_: &A) -> String {
    "done".to_owned()
}
