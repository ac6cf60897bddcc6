//! Nodes whose clocks are right, while the clock of the SuperLink is not.

use flwr_daemon::clock::Clock as _;
use flwr_proto as proto;
use flwr_security::key::PrivateKey;
use flwr_security::signature;

use super::*;

/// A SuperLink with a clock that the test sets.
fn scene() -> (Host, Arc<MockClock>) {
    let clock = Arc::new(MockClock::new(Timestamp::from_secs(1_750_000_100.0)));
    let link = Arc::new(Link::new(crate::link::Parts {
        clock: Arc::<MockClock>::clone(&clock),
        ..link_parts(Arc::new(MemoryState::default()), clock.now())
    }));
    (host(link, Policy::AnyKey, None), clock)
}

/// Registers a node whose clock is `ahead` of this machine's by so many seconds.
async fn register(host: &Host, key: &PrivateKey, ahead: i64) -> Answered {
    let made = OffsetDateTime::now_utc() + time::Duration::seconds(ahead);
    let mut headers = HeaderMap::new();
    signature::sign(key, made).unwrap().write(&mut headers);
    let request = proto::CreateNodeRequest {
        heartbeat_interval: 30.0,
    };
    call(host, "CreateNode", headers, request.encode_to_vec().into()).await
}

#[tokio::test]
async fn the_clock_of_before_a_step_counts_for_signatures_for_an_hour() {
    for step in [-600, 600] {
        let ((host, clock), key) = (scene(), PrivateKey::generate().unwrap());
        // The machine's clock, as the nodes see it, is to be set by so many seconds.
        let refused = register(&host, &key, -step).await;
        assert_eq!(refused.code, Code::Unauthenticated, "{}", refused.text);
        clock.set(clock.now() + step as f64);
        assert_eq!(register(&host, &key, -step).await.code, Code::Ok);
        assert_eq!(register(&host, &key, 0).await.code, Code::Ok);
        for other in [2 * step, -2 * step] {
            let refused = register(&host, &key, other).await;
            assert_eq!(refused.code, Code::Unauthenticated, "{other}");
        }
        clock.advance(Duration::from_secs(3600));
        let refused = register(&host, &key, -step).await;
        assert_eq!(refused.code, Code::Unauthenticated, "an hour has passed");
    }
}
