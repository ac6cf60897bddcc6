//! Tells of the SuperNode of this machine that has joined a SuperLink: what it remembers.

use std::path::Path;

use flwr_client::joined::{Enrolments, Joined};
use flwr_core::cause::chain;
use flwr_core::checkup::Checkup;
use flwr_security::key::PrivateKey;
use flwr_security::private_files;
use flwr_security::tls::{ClientTls, Dated};
use time::OffsetDateTime;

const SUPERNODE: &str = "supernode";

/// Looks below Flower's home directory. Where no node has joined, there is nothing to tell.
pub(super) fn look(home: &Path, now: OffsetDateTime, checkup: &mut Checkup) {
    let joined = match Enrolments::below(home).joined() {
        Ok(None) => return,
        Ok(Some(joined)) => joined,
        Err(error) => return checkup.failed(SUPERNODE, chain(&error), None),
    };
    let fingerprint = match PrivateKey::from_file(&joined.key_file()) {
        Ok(key) => key.public_key().fingerprint(),
        Err(error) => {
            let hint = "join anew: `flower-supernode --join TOKEN --rejoin`";
            return checkup.failed(SUPERNODE, chain(&error), Some(hint));
        }
    };
    let Joined {
        superlink,
        token,
        node,
        ..
    } = &joined;
    let dir = joined.dir().display();
    let text = format!(
        "node {node} of {superlink}, joined with token {token}; key {fingerprint}, in {dir}"
    );
    checkup.good(SUPERNODE, text);
    if let Some(warning) = private_files::exposed(&joined.key_file()) {
        checkup.warning(SUPERNODE, warning, None);
    }
    match ClientTls::trusting(joined.authorities_file()) {
        Ok(tls) => Dated::tell(&tls.dated(), SUPERNODE, now, checkup),
        Err(error) => checkup.failed(SUPERNODE, chain(&error), None),
    }
}

#[cfg(test)]
mod tests {
    use flwr_client::joined::{Begun, Enrolled};
    use flwr_core::checkup::Outcome;
    use flwr_core::id::NodeId;
    use flwr_security::joining::JoinTokenId;
    use flwr_security::pki::{Pki, Request};
    use flwr_security::tls::certificates_of;

    use super::*;

    fn found(home: &Path) -> Vec<(Outcome, String)> {
        let mut checkup = Checkup::new();
        look(home, OffsetDateTime::now_utc(), &mut checkup);
        let findings = checkup.findings().iter();
        findings
            .map(|finding| (finding.outcome, finding.text.clone()))
            .collect()
    }

    fn join(home: &Path) -> Joined {
        let request = Request {
            names: vec![],
            days: 365,
        };
        let files = Pki::make(&request).unwrap();
        let files = files.write(&home.join("certificates"), false).unwrap();
        let begun = Enrolments::below(home).begin(JoinTokenId([9; 8])).unwrap();
        let Begun::Pending(pending) = begun else {
            panic!("an enrolment out of nothing: {begun:?}");
        };
        let enrolled = Enrolled {
            superlink: &"superlink.example:9092".parse().unwrap(),
            node: NodeId(7),
            name: "",
            authorities: &certificates_of(&files[0]).unwrap(),
            certificate: b"",
        };
        pending.finish(&enrolled).unwrap()
    }

    #[test]
    fn what_a_joined_node_remembers_is_told_and_its_damage_too() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(found(home.path()), []);
        let joined = join(home.path());
        let told = found(home.path());
        let [(Outcome::Good, text)] = &told[..] else {
            panic!("{told:?}")
        };
        for part in [
            "node 7",
            "superlink.example:9092",
            "0909090909090909",
            "SHA256:",
        ] {
            assert!(text.contains(part), "{text}");
        }
        std::fs::remove_file(joined.authorities_file()).unwrap();
        assert_eq!(found(home.path())[1].0, Outcome::Failed);
        std::fs::write(joined.key_file(), "").unwrap();
        let told = found(home.path());
        assert_eq!(told[0].0, Outcome::Failed, "{told:?}");
        std::fs::write(joined.dir().join("joined.json"), "{").unwrap();
        let told = found(home.path());
        assert!(told[0].1.contains("damaged"), "{told:?}");
    }
}
