//! What our programs find at the port of all services, where gRPC is not spoken.

use flwr_client::channel::{Carrier, Route, Trust, channel, walk};
use flwr_client::find::{Joining, NodeLine, joined};
use flwr_client::line::{Line, Nobody, SuperLinkLine};
use flwr_client::signer::Signer;
use flwr_proto as proto;
use flwr_security::key::PrivateKey;
use flwr_security::tls::ClientTls;
use time::OffsetDateTime;

use super::super::super::SuperLink;
use super::*;

/// A SuperLink, and whom its clients trust.
async fn superlink(files: Option<&Files>) -> (SuperLink, Trust) {
    let [fleet, control, appio] =
        ["fleet", "control", "serverappio"].map(|api| format!("--{api}-api-address=127.0.0.1:0"));
    let mut flags = vec![
        fleet,
        control,
        appio,
        "--port=0".to_owned(),
        "--isolation=process".to_owned(),
        "--database=:memory:".to_owned(),
    ];
    let trust = match files {
        None => {
            flags.push("--insecure".to_owned());
            Trust::Plaintext
        }
        Some(files) => {
            for (flag, name) in [
                ("ssl-ca-certfile", "ca.crt"),
                ("ssl-certfile", "server.pem"),
                ("ssl-keyfile", "server.key"),
            ] {
                flags.push(format!("--{flag}={}", files.path(name).display()));
            }
            Trust::Tls(ClientTls::trusting(files.path("ca.crt")).unwrap())
        }
    };
    let words = ["flower-superlink".to_owned()].into_iter().chain(flags);
    let config = Config::try_from(Args::try_parse_from(words).unwrap()).unwrap();
    (SuperLink::bind(config).await.unwrap(), trust)
}

#[tokio::test]
async fn our_programs_find_out_by_themselves_that_http1_is_spoken_there() {
    let files = Files::new();
    for files in [None, Some(&files)] {
        let (superlink, trust) = superlink(files).await;
        let port = superlink
            .addresses()
            .common
            .as_ref()
            .unwrap()
            .first()
            .port();
        let place = ("localhost", port);
        // `flwr`.
        let line = SuperLinkLine::new(channel(place, &trust, &Route::Direct), Nobody);
        let request = proto::ListRunsRequest::default();
        let path = "/flwr.proto.Control/ListRuns";
        let runs: proto::ListRunsResponse = line.call(path, request, None).await.unwrap();
        assert!(runs.run_dict.is_empty());
        assert_eq!(line.carrier(), Carrier::Http);
        // A SuperNode.
        let signer = Signer::new(PrivateKey::generate().unwrap(), OffsetDateTime::now_utc);
        let line = NodeLine::new(channel(place, &trust, &Route::Direct), signer);
        let joining = Joining {
            interval: 30.0,
            is_passing: true,
        };
        joined(line.clone(), joining).await.unwrap();
        assert_eq!(line.carrier(), Carrier::Http);
        // `flwr doctor`, and `--check-config` of a SuperNode.
        let walked = walk(place, &trust, &Route::Direct, OffsetDateTime::now_utc()).await;
        assert_eq!(walked.carrier, Some(Carrier::Http), "{walked:?}");
        assert_eq!(walked.stopped, None);
    }
}
