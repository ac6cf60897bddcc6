//! The log lines that strangers cause.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use flwr_security::signature::{SignatureHeaders, sign};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::set_default;
use tracing::{Event, Level, Metadata, Subscriber};

use super::*;

/// Counts the warnings and errors of a thread.
#[derive(Clone, Default)]
struct Lines(Arc<AtomicUsize>);

impl Lines {
    /// The lines since the last look.
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn head(last: u8) -> Head {
    Head {
        patience: Duration::from_secs(1),
        peer: Some(peer((Ipv4Addr::new(10, 0, 0, last), 50_000).into())),
        release: None,
    }
}

/// A SuperLink with a list of keys in this folder, and the key on the list.
fn with_a_list(folder: &Path) -> (Host, PrivateKey) {
    let list = folder.join("keys");
    let known = PrivateKey::generate().unwrap();
    std::fs::write(&list, known.public_key().to_openssh()).unwrap();
    let keys = Arc::new(FromFile::load(&list).unwrap());
    let host = host(link(MemoryState::default()), Policy::Listed(keys), None);
    (host, known)
}

#[tokio::test(start_paused = true)]
async fn a_stranger_whose_requests_are_refused_writes_one_line_in_five_seconds() {
    let lines = Lines::default();
    let _guard = set_default(lines.clone());
    let folder = tempfile::tempdir().unwrap();
    let (host, known) = with_a_list(folder.path());
    let flood = async |signature: &SignatureHeaders, address: u8| {
        for _ in 0..1000 {
            let proof = NodeProof::Signature(signature.clone());
            assert!(host.admit(proof, &head(address)).await.is_err());
        }
    };
    let unknown = sign(&PrivateKey::generate().unwrap(), OffsetDateTime::now_utc()).unwrap();
    flood(&unknown, 1).await;
    assert_eq!(lines.take(), 1);
    flood(&unknown, 1).await;
    assert_eq!(lines.take(), 0);
    flood(&unknown, 2).await;
    assert_eq!(lines.take(), 1, "another address is told of all the same");
    let forged = SignatureHeaders {
        public_key: Bytes::from(known.public_key().to_pem()),
        ..unknown.clone()
    };
    flood(&forged, 1).await;
    assert_eq!(lines.take(), 1, "another reason is told of all the same");
    tokio::time::advance(Duration::from_secs(5)).await;
    flood(&unknown, 1).await;
    assert_eq!(lines.take(), 1);
}

#[tokio::test(start_paused = true)]
async fn older_strangers_and_clients_off_the_list_are_as_quiet() {
    let lines = Lines::default();
    let _guard = set_default(lines.clone());
    let folder = tempfile::tempdir().unwrap();
    let (host, _) = with_a_list(folder.path());
    for _ in 0..100 {
        let answer = call(&host, "CreateNode", HeaderMap::new(), Bytes::new()).await;
        assert_ne!(answer.code, Code::Ok);
    }
    assert!(lines.take() <= 1);

    let names = folder.path().join("clients");
    std::fs::write(&names, "CN=alice\n").unwrap();
    let names = FromFile::load(&names).unwrap();
    for _ in 0..100 {
        let stranger = clients::peer("bob");
        assert!(
            auth::require_listed("--ssl-client-allow-list", &names.now(), Some(&stranger)).is_err()
        );
    }
    assert!(lines.take() <= 1);
}
