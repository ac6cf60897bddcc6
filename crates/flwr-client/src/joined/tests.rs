use std::os::unix::fs::PermissionsExt;

use flwr_security::testing::Files;
use flwr_security::tls::certificates_of;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn join(enrolments: &Enrolments, token: JoinTokenId, node: u64) -> Joined {
    let files = Files::new();
    let pending = enrolments.begin(token).unwrap();
    let enrolled = Enrolled {
        superlink: &"superlink.example:9092".parse().unwrap(),
        node: NodeId(node),
        name: "ward 7",
        authorities: &certificates_of(&files.path("ca.crt")).unwrap(),
        certificate: b"",
    };
    pending.finish(&enrolled).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn an_enrolment_is_remembered_and_only_its_owner_can_read_it() {
    let home = tempfile::tempdir().unwrap();
    let enrolments = Enrolments::below(home.path());
    assert_eq!(enrolments.joined().unwrap(), None);
    let joined = join(&enrolments, JoinTokenId([1; 8]), u64::MAX);
    assert_eq!(enrolments.joined().unwrap(), Some(joined.clone()));
    assert_eq!(joined.node, NodeId(u64::MAX));
    assert_eq!(joined.name, "ward 7");
    assert_eq!(mode(joined.dir()), 0o700);
    assert_eq!(mode(&joined.key_file()), 0o600);
    let files = ["authorities.pem", "joined.json", "key", "key.pub"];
    assert_eq!(names(joined.dir()), files);
    assert_eq!(names(&home.path().join("supernode")), ["joined"]);
}

#[test]
fn a_second_try_with_the_same_token_has_the_same_key_and_another_token_has_another() {
    let home = tempfile::tempdir().unwrap();
    let enrolments = Enrolments::below(home.path());
    let key = |token| {
        let pending = enrolments.begin(JoinTokenId([token; 8])).unwrap();
        pending.key.public_key().fingerprint()
    };
    assert_eq!(key(1), key(1));
    assert_ne!(key(1), key(2));
}

#[test]
fn another_enrolment_takes_the_place_of_the_first_as_a_whole() {
    let home = tempfile::tempdir().unwrap();
    let enrolments = Enrolments::below(home.path());
    let first = join(&enrolments, JoinTokenId([1; 8]), 7);
    let key = fs::read(first.key_file()).unwrap();
    // A second enrolment that is not finished leaves the first alone.
    enrolments.begin(JoinTokenId([2; 8])).unwrap();
    assert_eq!(enrolments.joined().unwrap(), Some(first.clone()));
    assert_eq!(fs::read(first.key_file()).unwrap(), key);
    let second = join(&enrolments, JoinTokenId([2; 8]), 8);
    assert_eq!(enrolments.joined().unwrap(), Some(second.clone()));
    assert_ne!(fs::read(second.key_file()).unwrap(), key);
    assert_eq!(names(&home.path().join("supernode")), ["joined"]);
}

#[test]
fn damage_is_told_and_is_no_enrolment() {
    let home = tempfile::tempdir().unwrap();
    let enrolments = Enrolments::below(home.path());
    let joined = join(&enrolments, JoinTokenId([1; 8]), 7);
    for content in [
        "",
        "{}",
        r#"{"superlink":"a:1","node_id":"x","token_id":"1"}"#,
    ] {
        fs::write(joined.dir().join(FACTS), content).unwrap();
        let told = enrolments.joined().unwrap_err().to_string();
        assert!(
            told.contains("damaged") && told.contains("--rejoin"),
            "{told}"
        );
    }
}

#[test]
fn a_certificate_for_the_next_key_stands_behind_that_of_the_key_until_it_takes_its_place() {
    let home = tempfile::tempdir().unwrap();
    let joined = join(&Enrolments::below(home.path()), JoinTokenId([1; 8]), 7);
    let file = || fs::read_to_string(joined.certificate_file()).unwrap();
    joined.certify(b"first").unwrap();
    joined.add_certificate(b"second").unwrap();
    assert_eq!(file(), "first\nsecond");
    joined.certify(b"second").unwrap();
    assert_eq!(file(), "second");
}
