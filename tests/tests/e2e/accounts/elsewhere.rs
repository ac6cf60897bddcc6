//! People at several SuperLinks: who signs in at one is known at the others.

use e2e::federation::Balancer;
use e2e::oidc::{Person, Provider};
use e2e::{App, Maker, Scratch, ports};

use super::write;
use crate::cluster::Cluster;

const OURS: Maker = Maker::Ours;

#[test]
fn a_login_that_began_at_one_superlink_is_finished_at_another() {
    let (provider, files) = (Provider::start(), Scratch::new());
    files.file("idp.pem", provider.certificate());
    let accounts = write(&files, &provider, "[\"sub:alice-1\"]");
    let flags = ["--account-auth-config", accounts.to_str().unwrap()];
    let mut cluster = Cluster::with(Vec::new(), &flags);
    let balancer = Balancer::listen(ports::free());
    balancer.lead_to(vec![cluster.federation.control()]);
    let app = App::copy("trouble", files.path());
    app.join(&cluster.federation);
    app.point_at(&cluster.federation, balancer.address());
    let project = app.path.join("pyproject.toml");
    let text = std::fs::read_to_string(&project).unwrap() + "enable-user-auth = true\n";
    std::fs::write(project, text).unwrap();

    let flwr = cluster.federation.flwr(OURS);
    let mut login = flwr.spawn(&app.path, &["login", ".", "e2e"]);
    login.line("Please login with your user credentials here");
    balancer.lead_to(vec![cluster.other.control()]);
    cluster.federation.superlink().kill();
    provider.approve(&Person::named("alice"));
    let status = login.wait();
    let text = login.all_lines().join("\n");
    assert!(
        status.success() && text.contains("Login successful"),
        "{text}"
    );
    // The first SuperLink never saw the tokens, and knows who shows them.
    cluster.federation.restart_superlink();
    for superlink in [cluster.federation.control(), cluster.other.control()] {
        balancer.lead_to(vec![superlink]);
        let listed = cluster
            .federation
            .flwr(OURS)
            .call(&app.path, &["ls", ".", "e2e"]);
        let _ = listed.success();
    }
    cluster.other.process.stop();
    cluster.federation.stop();
}
