//! Requests that processes of pip's flwr 1.40.0, 1.42.0 and 1.43.0.dev20261026 made at this SuperLink:
//! `flower-supernode --insecure`, `flower-superexec`, `flwr-serverapp` and `flwr list`, each through a
//! relay that wrote down the bytes (2026-11-26). The head is as the process sent it, line for line, and
//! the body is in hexadecimal digits. Only the tokens are replaced.

use super::*;

const RECORDED: [(&str, &str); 3] = [
    ("1.40.0", include_str!("recorded/1.40.0.http")),
    ("1.42.0", include_str!("recorded/1.42.0.http")),
    (
        "1.43.0.dev20261026",
        include_str!("recorded/1.43.0.dev20261026.http"),
    ),
];

/// A SuperLink whose apps others start, and what the processes of a release sent.
struct Replay {
    host: Host,
    requests: Vec<(String, HeaderMap, Bytes)>,
}

impl Replay {
    fn of(recorded: &str) -> Self {
        let mut texts = recorded.split("\n\n");
        let mut requests = Vec::new();
        while let (Some(head), Some(body)) = (texts.next(), texts.next()) {
            let mut lines = head.trim().lines();
            let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
            let headers = lines.map(|line| {
                let (name, value) = line.split_once(": ").unwrap();
                let name: http::HeaderName = name.parse().unwrap();
                (name, value.parse().unwrap())
            });
            let body = hex::decode(body.trim()).unwrap().into();
            requests.push((path, HeaderMap::from_iter(headers), body));
        }
        let host = Host::new(Parts {
            apps: Apps::OfStrangers,
            ..parts(link(MemoryState::default()), Policy::AnyKey, None)
        });
        Self { host, requests }
    }

    /// Sends the next request, which is a call of this method. An app shows this token.
    async fn sent(&mut self, method: &str, token: &str) -> Got {
        let (path, mut headers, body) = self.requests.remove(0);
        assert_eq!(path, format!("/v1/{method}"));
        if let Some(shown) = headers.get_mut("flwr-task-token") {
            *shown = token.parse().unwrap();
        }
        let mut request = post(&path, headers, &());
        *request.body_mut() = Body::new(Full::new(body));
        send(port(&self.host), request).await
    }
}

#[tokio::test]
async fn recorded_requests_of_nodes_are_signed_and_are_of_their_time() {
    for (release, recorded) in RECORDED {
        let mut replay = Replay::of(recorded);
        for method in ["fleet/register-node", "fleet/activate-node"] {
            let (_, headers, body) = replay.requests.first().unwrap();
            let signature = signature::SignatureHeaders::read_http(headers).unwrap();
            assert_eq!(body[..2], [0x0a, 0xd7], "{release}: the key in PEM");
            let length = signature.public_key.len();
            assert_eq!(body[3..3 + length], signature.public_key, "{release}");
            // The signature is good, and from another day.
            let got = replay.sent(method, "").await;
            assert_eq!(got.refused(), (412, Some(50106)), "{release}: {method}");
        }
    }
}

#[tokio::test]
async fn recorded_requests_of_apps_and_commands_are_answered() {
    for (release, recorded) in RECORDED {
        let mut replay = Replay::of(recorded);
        replay.requests.drain(..2);
        let link = Arc::clone(replay.host.link());
        let started = link.start_run(bundle(), Default::default(), &Principal::Anybody);
        let run = started.await.unwrap();
        let acquired = replay.sent("runtime/acquire-task", "").await;
        let acquired: v1_30::AcquireTaskResponse = acquired.read();
        assert_eq!(acquired.task.unwrap().run_id, run.0, "{release}");
        let token = &*acquired.token;
        let input = replay.sent("runtime/pull-task-input", token).await;
        let input: v1_30::PullTaskInputResponse = input.read();
        assert_eq!(input.run.unwrap().run_id, run.0, "{release}");
        let nodes = replay.sent("runtime/get-nodes", token).await;
        assert!(nodes.read::<proto::GetNodesResponse>().nodes.is_empty());
        // The message is of another run: its reply is an error.
        let pulled = replay.sent("runtime/pull-messages", token).await;
        let pulled: proto::PullAppMessagesResponse = pulled.read();
        assert_eq!(pulled.messages_list.len(), 1, "{release}");
        assert!(pulled.messages_list[0].error.is_some(), "{release}");
        let output = replay.sent("runtime/push-task-output", token).await;
        assert_eq!(output.status, 200, "{release}: {}", output.text());
        let listed = replay.sent("control/list-runs", "").await;
        let listed: proto::ListRunsResponse = listed.read();
        let status = listed.run_dict[&run.0].status.clone().unwrap();
        assert_eq!(
            (&*status.status, &*status.sub_status),
            ("finished", "completed"),
            "{release}"
        );
    }
}
