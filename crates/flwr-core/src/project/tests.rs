use proptest::prelude::*;

use super::*;
use crate::config::Scalar;

const GOOD: &str = r#"
[project]
name = "digits"
version = "1.0.0"
[tool.flwr.app]
publisher = "pub"
[tool.flwr.app.components]
serverapp = "digits.server_app:app"
clientapp = "digits.client_app:app"
[tool.flwr.app.config]
rounds = 3
opt.lr = 0.1
[tool.flwr.federations]
default = "local"
[tool.flwr.federations.local]
address = "127.0.0.1:9093"
insecure = true
[tool.flwr.federations.remote]
address = "superlink.example:9093"
root-certificates = "certificates/ca.crt"
[tool.flwr.federations.simulation]
options.num-supernodes = 10
"#;

fn federation(name: Option<&str>, overrides: &str) -> Result<Federation, FederationError> {
    let federations = Project::parse(GOOD).unwrap().federations();
    let name = name.or(federations.default_name()).unwrap();
    federations.get(name, &overrides.parse().unwrap())
}

#[test]
fn a_manifest_has_names_components_and_a_flat_config() {
    let project = Project::parse(GOOD).unwrap();
    let manifest = project.manifest();
    assert_eq!(manifest.fab_id(), "pub/digits");
    assert_eq!(manifest.version, "1.0.0");
    assert_eq!(manifest.serverapp, "digits.server_app:app");
    assert_eq!(manifest.clientapp, "digits.client_app:app");
    assert_eq!(manifest.config["opt.lr"], Scalar::Float(0.1));
    assert_eq!(manifest.config["rounds"], Scalar::Int(3));
}

#[test]
fn all_that_is_missing_is_told_at_once_in_flowers_words() {
    let error =
        Project::parse("[project]\nversion = 1\n[tool.flwr.app.components]\nserverapp = 'x'\n")
            .unwrap_err();
    let expected = [
        "Property \"name\" missing in [project]",
        "Property \"version\" in [project] must be a string",
        "Property \"publisher\" missing in [tool.flwr.app]",
        "Missing attribute in x: \"serverapp\" should have the form <module>:<attribute>, such as client:app",
        "Property \"clientapp\" missing in [tool.flwr.app.components]",
    ];
    assert_eq!(
        error,
        ProjectError::Invalid(expected.map(str::to_owned).into())
    );
    let error = Project::parse("").unwrap_err();
    assert_eq!(
        error.to_string(),
        "pyproject.toml is invalid:\n- Missing [project] section\n- Missing [tool.flwr.app] section"
    );
}

#[test]
fn a_config_value_that_cannot_travel_is_refused() {
    let text = GOOD.replace("rounds = 3", "rounds = [3]");
    let error = Project::parse(&text).unwrap_err();
    assert_eq!(
        error,
        ProjectError::Config(ConfigError::NotScalar("rounds".into()))
    );
}

#[test]
fn the_default_federation_is_used_unless_one_is_named() {
    let local = federation(None, "").unwrap();
    assert_eq!(local.name, "local");
    assert_eq!(local.address.unwrap().to_string(), "127.0.0.1:9093");
    assert!(local.insecure);
    let remote = federation(Some("remote"), "").unwrap();
    assert_eq!(
        remote.root_certificates.as_deref(),
        Some("certificates/ca.crt")
    );
    assert!(!remote.insecure);
    let simulation = federation(Some("simulation"), "").unwrap();
    assert_eq!(simulation.address, None);
    assert_eq!(simulation.options["num-supernodes"].as_integer(), Some(10));
}

#[test]
fn an_unknown_federation_is_told_with_those_there_are() {
    for wanted in ["nope", "default"] {
        let found = ["local", "remote", "simulation"].map(str::to_owned).into();
        assert_eq!(
            federation(Some(wanted), "").unwrap_err(),
            FederationError::Unknown {
                wanted: wanted.into(),
                found
            }
        );
    }
    let none = Project::parse(GOOD.split("[tool.flwr.federations]").next().unwrap()).unwrap();
    assert_eq!(none.federations().default_name(), None);
    assert_eq!(none.federations().names().count(), 0);
}

#[test]
fn overrides_replace_a_setting_and_strangers_are_refused() {
    assert_eq!(
        federation(None, "address = 'h:1'")
            .unwrap()
            .address
            .unwrap()
            .to_string(),
        "h:1"
    );
    let simulation = federation(Some("simulation"), "options.num-supernodes = 5").unwrap();
    assert_eq!(simulation.options["num-supernodes"].as_integer(), Some(5));
    let error = federation(None, "adress = 'h:1'").unwrap_err();
    assert!(
        matches!(error, FederationError::Override(ConfigError::UnknownKey { nearest: Some(near), .. }) if near == "address")
    );
}

#[test]
fn contradictions_and_wrong_types_are_refused() {
    let error = federation(Some("remote"), "insecure = true").unwrap_err();
    assert_eq!(
        error,
        FederationError::InsecureWithCertificates("remote".into())
    );
    for overrides in [
        "insecure = 'yes'",
        "address = 1",
        "root-certificates = true",
        "options = 1",
    ] {
        let error = federation(None, overrides).unwrap_err();
        assert!(
            matches!(&error, FederationError::Type { key, .. } if overrides.starts_with(key.as_str())),
            "{error}"
        );
    }
    assert!(matches!(
        federation(None, "address = 'h'").unwrap_err(),
        FederationError::Address { .. }
    ));
}

#[test]
fn removing_the_federations_keeps_the_order_of_the_rest() {
    let text = GOOD.replace(
        "[tool.flwr.app.config]",
        "[tool.flwr.later]\na = 1\n[tool.flwr.app.config]",
    );
    let document = Project::parse(&text).unwrap().without_federations();
    let keys: Vec<_> = section(&document, "tool.flwr")
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(keys, ["app", "later"]);
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in ".*", cut in 0..GOOD.len(), junk in "[\\[\\]={}.'\"a-z\n]{0,6}") {
        let _ = Project::parse(&text);
        let mut damaged = GOOD.to_owned();
        damaged.insert_str(cut, &junk);
        if let Ok(project) = Project::parse(&damaged) {
            let federations = project.federations();
            for name in federations.names() {
                let _ = federations.get(name, &Table::new());
            }
        }
    }
}
