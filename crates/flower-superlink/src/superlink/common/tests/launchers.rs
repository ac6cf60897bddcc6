//! Who starts apps at which port, over both carriers. A proxy on this machine makes strangers look like
//! processes of this machine, with headers that tell so or without.

use std::path::Path;

use flwr_proto::v1_30;
use flwr_security::superexec;
use http::{HeaderMap, HeaderName};
use http_body_util::Full;
use prost::Message;
use time::OffsetDateTime;
use tower::{Service, ServiceExt};

use super::super::super::SuperLink;
use super::*;

const METHOD: &str = "/flwr.proto.Runtime/AcquireTask";
const SECRET: &[u8] = b"a secret that is long enough";
/// The headers that proxies add to what they forward.
const FORWARDED: [&[(&str, &str)]; 3] = [
    &[],
    &[("x-forwarded-for", "127.0.0.1"), ("x-real-ip", "127.0.0.1")],
    &[("forwarded", "for=203.0.113.7;proto=https")],
];

/// Which port is called, and over what.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// The port of all services.
    Common,
    /// ServerAppIo's own port over HTTP.
    OwnOverHttp,
    /// ServerAppIo's own port over gRPC.
    OwnOverGrpc,
}

const WAYS: [Way; 3] = [Way::Common, Way::OwnOverHttp, Way::OwnOverGrpc];

/// A SuperLink whose apps others start, and what is served at its ports.
struct Office {
    superlink: SuperLink,
    common: HttpDoors,
}

impl Office {
    async fn new(flags: &[&str]) -> Self {
        let [fleet, control, appio] = ["fleet", "control", "serverappio"]
            .map(|api| format!("--{api}-api-address=127.0.0.1:0"));
        let places = [&*fleet, &*control, &*appio, "--port", "0"];
        let flags = [&places[..], flags].concat();
        let superlink = SuperLink::bind(config(&flags)).await.unwrap();
        let common = doors(&superlink.host, &config(&flags));
        Self { superlink, common }
    }

    /// Whether a caller from this machine may ask for a task.
    async fn admits(&self, way: Way, headers: &HeaderMap) -> bool {
        let door = RuntimeDoor::<_, Runtime>::for_serverapps(self.superlink.host.clone());
        match way {
            Way::Common => is_served(self.common.clone(), request_over(way, headers)).await,
            Way::OwnOverHttp => {
                let port = HttpDoors::new().with(door);
                is_served(port, request_over(way, headers)).await
            }
            Way::OwnOverGrpc => is_served(door, request_over(way, headers)).await,
        }
    }
}

/// The message of the call.
fn message() -> Vec<u8> {
    let supported_task_types = vec!["flwr-serverapp".to_owned()];
    let request = v1_30::AcquireTaskRequest {
        supported_task_types,
    };
    request.encode_to_vec()
}

fn request_over(way: Way, more: &HeaderMap) -> Request<Body> {
    let message = message();
    let (path, kind, body) = match way {
        Way::OwnOverGrpc => {
            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
            let frame = [&[0][..], &length, &message].concat();
            (METHOD, "application/grpc", frame)
        }
        _ => ("/v1/runtime/acquire-task", "application/protobuf", message),
    };
    let mut request = request(path, Ipv4Addr::LOCALHOST, None);
    *request.body_mut() = Body::new(Full::new(body.into()));
    *request.headers_mut() = more.clone();
    request.headers_mut().extend(headers(&[
        ("content-type", kind),
        ("flwr-package-name", "flwr"),
        ("flwr-package-version", "1.42.0"),
        ("flwr-component-name", "flower-superexec"),
    ]));
    request
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs.iter();
    let pairs = pairs.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    HeaderMap::from_iter(pairs)
}

async fn is_served<S>(door: S, request: Request<Body>) -> bool
where
    S: Service<Request<Body>, Response = http::Response<Body>, Error = std::convert::Infallible>,
{
    let answer = door.oneshot(request).await.unwrap();
    let status = answer.headers().get("grpc-status");
    let is_refused = status.is_some_and(|status| status != "0");
    answer.status() == 200 && !is_refused
}

/// The proof of whoever holds the secret.
fn signed(nonce: char) -> HeaderMap {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let (now, nonce) = (now.try_into().unwrap(), nonce.to_string().repeat(32));
    superexec::sign(SECRET, METHOD, &message(), now, &nonce)
}

#[tokio::test]
async fn an_allowed_network_starts_no_apps_at_the_port_of_all_services() {
    for flags in [
        &[][..],
        &["--appio-allow-from", "127.0.0.0/8"],
        &["--appio-allow-from", "0.0.0.0/0"],
    ] {
        let office = Office::new(flags).await;
        for forwarded in FORWARDED.map(headers) {
            for way in WAYS {
                let admitted = office.admits(way, &forwarded).await;
                let expected = way != Way::Common;
                assert_eq!(admitted, expected, "{way:?} {flags:?} {forwarded:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_secret_starts_apps_at_each_port_and_an_allowed_network_at_that_of_apps_only() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let flag = Path::to_str(&secret).unwrap();
    let by_secret = ["--superexec-auth-secret-file", flag];
    let by_both = [&by_secret[..], &["--appio-allow-from", "127.0.0.1"]].concat();
    for (flags, networks_count) in [(&by_secret[..], false), (&by_both, true)] {
        let office = Office::new(flags).await;
        for (way, nonce) in WAYS.into_iter().zip(['1', '2', '3']) {
            for forwarded in FORWARDED.map(headers) {
                let admitted = office.admits(way, &forwarded).await;
                let expected = networks_count && way != Way::Common;
                assert_eq!(admitted, expected, "{way:?} {flags:?} {forwarded:?}");
            }
            let mut proven = headers(FORWARDED[1]);
            proven.extend(signed(nonce));
            assert!(office.admits(way, &proven).await, "{way:?} {flags:?}");
        }
    }
}
