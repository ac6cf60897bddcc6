//! Tokens in the hands of people.

use flwr_client::channel::Proxies;
use flwr_daemon::clock::SystemClock;
use flwr_daemon::renew::Renewable;

use super::*;
use crate::accounts::Accounts;
use crate::link::{Principal, TokenTerms};

#[tokio::test]
async fn a_token_names_the_authority_of_the_superlink() {
    let office = Office::new();
    let token = office.token().await;
    let tls = office.files.load().unwrap();
    assert_eq!(Some(token.pin), tls.authority_pin());
}

#[tokio::test]
async fn a_token_is_for_a_host_that_the_certificate_names() {
    let office = Office::new();
    let of = |host: &str, address: Option<&str>| NewJoinToken {
        host: host.to_owned(),
        address: address.map(|address| address.parse().unwrap()),
        ..new_token()
    };
    for (host, address, expected) in [
        ("localhost", None, "localhost:9092"),
        ("127.0.0.1", None, "127.0.0.1:9092"),
        ("10.0.0.7", Some("localhost:19092"), "localhost:19092"),
    ] {
        let token = office.issue(of(host, address)).await.unwrap();
        assert_eq!(token.address.to_string(), expected);
    }
    for (host, address) in [
        ("10.0.0.7", None),
        ("localhost", Some("superlink.example:9092")),
        ("not a host", None),
    ] {
        let refused = refusal(office.issue(of(host, address)).await);
        assert!(
            matches!(&refused, Refusal::Joining(JoinRefusal::Host { .. })),
            "{refused:?}"
        );
        let text = refused.to_string();
        assert!(
            text.contains("--address") && text.contains("localhost"),
            "{text}"
        );
    }
    let nowhere = refusal(office.issue(of("", None)).await);
    assert!(matches!(
        nowhere,
        Refusal::Field {
            field: "address",
            ..
        }
    ));
}

#[tokio::test]
async fn a_token_has_bounds() {
    let office = Office::new();
    let with = |ttl: u64, uses: u32, name: Option<&str>| NewJoinToken {
        ttl: Duration::from_secs(ttl),
        uses,
        name: name.map(str::to_owned),
        ..new_token()
    };
    for (new, field) in [
        (with(0, 1, None), "ttl"),
        (with(31 * 86_400, 1, None), "ttl"),
        (with(60, 0, None), "uses"),
        (with(60, 10_001, None), "uses"),
        (with(60, 2, Some("ward 7")), "name"),
        (with(60, 1, Some(&"n".repeat(256))), "name"),
        (
            NewJoinToken {
                address: Some("localhost:0".parse().unwrap()),
                ..new_token()
            },
            "address",
        ),
    ] {
        let refused = refusal(office.issue(new).await);
        assert!(
            matches!(refused, Refusal::Field { field: at, .. } if at == field),
            "{refused:?}"
        );
    }
    assert_eq!(
        office.person().await.join_tokens().await.unwrap().tokens,
        []
    );
}

#[tokio::test]
async fn where_fleet_demands_certificates_a_token_is_refused_with_what_is_missing() {
    let office = Office::new();
    let tls = {
        let ca = office.files.path("ca.crt");
        let files = flwr_security::testing::server_files(
            &ca,
            &office.files.path("server.pem"),
            &office.files.path("server.key"),
        );
        flwr_security::tls::ServerTls::load(flwr_security::tls::ServerFiles {
            clients: Some(flwr_security::tls::ClientCa { ca, crl: None }),
            ..files
        })
        .unwrap()
    };
    let joining = JoinPlace {
        tls: Some(tls),
        fleet: 9092,
        ..JoinPlace::default()
    };
    let host = Host::new(Parts {
        joining,
        ..parts(link(MemoryState::default()), Policy::Enrolled, None)
    });
    let office = Office { host, ..office };
    let refused = refusal(office.issue(new_token()).await).to_string();
    assert!(refused.contains("--join-api-address"), "{refused}");
}

#[tokio::test]
async fn a_token_that_nobody_made_cannot_be_revoked() {
    let office = Office::new();
    let person = office.person().await;
    for id in ["0011223344556677", "junk", ""] {
        let refused = person.revoke_join_token(id).await;
        let expected = JoinRefusal::TokenNotFound(id.to_owned());
        assert_eq!(refusal(refused), expected.into());
    }
}

#[tokio::test]
async fn a_token_and_its_nodes_are_its_makers_and_the_admins() {
    let office = Office::new();
    let link = office.host.link();
    let account = |id: &str, admin| Principal::Account {
        id: id.to_owned(),
        name: String::new(),
        admin,
    };
    let (alice, carol, root) = (
        account("alice-1", false),
        account("carol-1", false),
        account("root-1", true),
    );
    let token = JoinToken::issue(Pin([7; 32]), "localhost:9092".parse().unwrap()).unwrap();
    let terms = TokenTerms {
        id: token.id,
        secret: token.secret.hash(),
        name: None,
        address: token.address.to_string(),
        ttl: 60.0,
        uses: 1,
    };
    let kept = link.add_join_token(terms, &alice).await.unwrap();
    for (principal, tokens) in [(&alice, 1), (&carol, 0), (&root, 1)] {
        let listed = link.join_tokens(principal).await.unwrap();
        assert_eq!(listed.len(), tokens, "{principal:?}");
    }
    let id = kept.id.to_string();
    let refused = link.revoke_join_token(&id, &carol).await.unwrap_err();
    let expected = JoinRefusal::TokenNotFound(id.clone());
    assert_eq!(Failure::from(refused), expected.into());
    let node = office.join(&token, &key()).await.unwrap().node;
    let nodes = link.all_nodes().await.unwrap();
    assert_eq!(nodes[0].owner.as_deref(), Some("alice-1"));
    assert!(link.dismiss(node, &carol).await.is_err());
    link.dismiss(node, &alice).await.unwrap();
    link.revoke_join_token(&id, &root).await.unwrap();
    let listed = link.join_tokens(&alice).await.unwrap();
    assert!(listed[0].revoked_at.is_some());
}

#[tokio::test]
async fn a_token_is_forgotten_thirty_days_after_its_end() {
    let office = Office::new();
    let person = office.person().await;
    office.token().await;
    let count = async || person.join_tokens().await.unwrap().tokens.len();
    let days = |days: u64| Duration::from_secs(days * 86_400);
    for (wait, tokens) in [(days(30), 1), (days(1), 0)] {
        office.clock.advance(wait);
        office.host.link().forget_join_tokens().await.unwrap();
        assert_eq!(count().await, tokens);
    }
}

#[tokio::test]
async fn a_token_ends_with_its_account() {
    let office = Office::new();
    let tls = office.files.load().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("accounts.toml");
    let list = |account: &str| {
        let roots = office.files.path("ca.crt").display().to_string();
        let text = format!(
            "issuer = \"https://login.example\"\nclient-id = \"superlink\"\nroot-certificates = \"{roots}\"\nallow = [\"sub:{account}\"]\n"
        );
        std::fs::write(&file, text).unwrap();
    };
    list("alice-1");
    let accounts = Accounts::load(&file, Proxies::default(), Arc::new(SystemClock)).unwrap();
    let accounts = Arc::new(accounts);
    let joining = JoinPlace {
        tls: Some(tls.clone()),
        fleet: 9092,
        ..JoinPlace::default()
    };
    let host = Host::new(Parts {
        joining,
        accounts: Some(Arc::clone(&accounts)),
        ..parts(Arc::clone(office.host.link()), Policy::Enrolled, None)
    });
    let address: Address = "localhost:9092".parse().unwrap();
    let token = JoinToken::issue(tls.authority_pin().unwrap(), address.clone()).unwrap();
    let terms = TokenTerms {
        id: token.id,
        secret: token.secret.hash(),
        name: None,
        address: address.to_string(),
        ttl: 3600.0,
        uses: 2,
    };
    let alice = Principal::Account {
        id: "alice-1".to_owned(),
        name: "alice".to_owned(),
        admin: false,
    };
    host.link().add_join_token(terms, &alice).await.unwrap();
    let join = async || {
        let attempt = attempt(HERE, &token, &key());
        let session = JoinHost::joining(&host, &head(Some(at_home(HERE))));
        session.join(attempt).await
    };
    join().await.unwrap();
    list("bob-1");
    accounts.renew().unwrap();
    let refused = join().await;
    assert_eq!(refusal(refused), JoinRefusal::OwnerNotListed.into());
    list("alice-1");
    accounts.renew().unwrap();
    join().await.unwrap();
}
