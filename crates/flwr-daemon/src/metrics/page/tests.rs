use std::fs;

use flwr_metrics::Amount;
use http::header::AUTHORIZATION;
use http_body_util::BodyExt;
use parking_lot::Mutex;
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::clock::SystemClock;
use crate::metrics::MetricsFlags;

const TOKEN: &str = "0123456789abcdef";

#[derive(Debug, Default)]
struct Daemon {
    nodes: Amount,
    reason: Mutex<Option<NotReady>>,
}

#[async_trait]
impl Source for Daemon {
    async fn refresh(&self) {
        self.nodes.set(7);
    }

    fn ready(&self) -> Result<(), NotReady> {
        self.reason.lock().clone().map_or(Ok(()), Err)
    }
}

/// The page of a daemon, and the folder of its token if it asks for one.
fn page(daemon: &Arc<Daemon>, asks: bool) -> (Page, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    fs::write(&token, TOKEN).unwrap();
    let flags = MetricsFlags {
        metrics_address: Some("127.0.0.1:0".to_owned()),
        metrics_token_file: asks.then_some(token),
        ..MetricsFlags::default()
    };
    let place = MetricsPlace::load(&flags).unwrap().0.unwrap();
    let mut registry = Registry::default();
    daemon.nodes.register(&mut registry, "flwr_nodes", "Nodes");
    let (meter, renewals) = (Meter::default(), Renewals::new(Arc::new(SystemClock)));
    let source = Arc::<Daemon>::clone(daemon);
    (
        Page::new(&place, registry, (&meter, &renewals), source),
        dir,
    )
}

async fn ask(page: &Page, line: &str, token: Option<&str>) -> (u16, String, String) {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Body::empty()).unwrap();
    let response = page.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let media_type = response.headers()[CONTENT_TYPE]
        .to_str()
        .unwrap()
        .to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (
        status,
        media_type,
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

#[tokio::test]
async fn numbers_are_read_when_somebody_asks() {
    let (page, _dir) = page(&Arc::default(), false);
    let (status, media_type, body) = ask(&page, "GET /metrics", None).await;
    assert_eq!(status, 200);
    assert_eq!(media_type, "text/plain; version=0.0.4; charset=utf-8");
    assert!(body.contains("\nflwr_nodes 7.0\n"), "{body}");
    assert!(body.contains("\nprocess_open_fds "), "{body}");
}

#[tokio::test]
async fn a_daemon_that_is_not_ready_says_why_and_lives() {
    let daemon = Arc::<Daemon>::default();
    let (page, _dir) = page(&daemon, true);
    for (reason, expected) in [
        (None, (200, "ok\n")),
        (
            Some(NotReady::Draining),
            (503, "draining: this daemon is about to end\n"),
        ),
        (
            Some(NotReady::NotWritable),
            (503, "the state cannot be written: see this daemon's log\n"),
        ),
        (
            Some(NotReady::NotRegistered),
            (
                503,
                "not registered with the SuperLink: see this daemon's log\n",
            ),
        ),
    ] {
        daemon.reason.lock().clone_from(&reason);
        // Orchestrators have no token.
        let (status, _, body) = ask(&page, "GET /readyz", None).await;
        assert_eq!((status, body.as_str()), expected);
        assert_eq!(ask(&page, "HEAD /livez", None).await.0, 200);
    }
}

#[tokio::test]
async fn the_numbers_are_for_those_who_have_the_token() {
    let (page, dir) = page(&Arc::default(), true);
    for token in [None, Some("0123456789abcdeg"), Some("")] {
        let (status, _, body) = ask(&page, "GET /metrics", token).await;
        assert_eq!(status, 401);
        assert!(body.contains("--metrics-token-file"), "{body}");
    }
    assert_eq!(ask(&page, "GET /metrics", Some(TOKEN)).await.0, 200);
    // Another token takes its place while the daemon runs.
    fs::write(dir.path().join("token"), "fedcba9876543210").unwrap();
    let token = page.0.token.as_ref().unwrap();
    token.reload().unwrap();
    assert_eq!(ask(&page, "GET /metrics", Some(TOKEN)).await.0, 401);
    let other = Some("fedcba9876543210");
    assert_eq!(ask(&page, "GET /metrics", other).await.0, 200);
}

#[tokio::test]
async fn nothing_else_is_there_and_nothing_is_changed() {
    let (page, _dir) = page(&Arc::default(), false);
    for path in ["/", "/metrics/", "/debug", "/v1/fleet/pull-messages"] {
        let (status, _, body) = ask(&page, &format!("GET {path}"), None).await;
        assert_eq!(status, 404, "{path}");
        assert!(body.contains("/readyz"), "{body}");
    }
    for path in ["/metrics", "/livez", "/readyz"] {
        assert_eq!(ask(&page, &format!("POST {path}"), None).await.0, 405);
    }
}
