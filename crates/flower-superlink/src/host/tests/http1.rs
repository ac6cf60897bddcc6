//! Calls over HTTP/1.1, as peers of flwr 1.35 and later make them.

use flwr_core::id::RunId;
use flwr_core::run::{Outcome, Phase};
use flwr_proto::{self as proto, v1_30, v1_43};
use flwr_security::signature;
use flwr_wire::door::{Control, ControlDoor, HttpDoors, Runtime, RuntimeDoor};
use http::{Method, StatusCode};
use serde_json::Value;

use super::*;
use crate::accounts::fake::Person;
use crate::accounts::tests::Office;
use crate::link::Principal;
use crate::link::tests::bundle;

mod apps;
mod nodes;
mod people;
mod recorded;

/// What a caller gets over HTTP.
struct Got {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Got {
    fn read<M: Message + Default>(self) -> M {
        assert_eq!(self.status, 200, "{}", self.text());
        assert_eq!(self.headers["content-type"], "application/protobuf");
        M::decode(self.body).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The status and the number of a refusal.
    fn refused(&self) -> (u16, Option<u64>) {
        let problem: Value = serde_json::from_slice(&self.body).unwrap();
        assert!(problem["detail"].is_string(), "{problem}");
        (self.status, problem["code"].as_u64())
    }
}

/// All services at one port.
fn port(host: &Host) -> HttpDoors {
    HttpDoors::new()
        .with(FleetDoor::new(host.clone()))
        .with(ControlDoor::<_, Control>::new(host.clone()))
        .with(RuntimeDoor::<_, Runtime>::for_serverapps(host.clone()))
}

/// A POST with a message, from this machine.
fn post(path: &str, headers: HeaderMap, message: &impl Message) -> Request<Body> {
    let body = Body::new(Full::new(Bytes::from(message.encode_to_vec())));
    let mut request = Request::post(path).body(body).unwrap();
    *request.headers_mut() = headers;
    let protobuf = "application/protobuf".parse().unwrap();
    request.headers_mut().insert("content-type", protobuf);
    let here = peer((Ipv4Addr::LOCALHOST, 50_000).into());
    request.extensions_mut().insert(here);
    request
}

async fn send(mut port: HttpDoors, request: Request<Body>) -> Got {
    let response = port.call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    Got {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

fn header(name: &'static str, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().unwrap())])
}
