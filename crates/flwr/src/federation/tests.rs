use std::fs;

use super::*;

const PROJECT: &str = r#"
[project]
name = "app"
version = "1.0.0"
[tool.flwr.app]
publisher = "me"
[tool.flwr.app.components]
serverapp = "app.s:app"
clientapp = "app.c:app"
"#;
const FEDERATIONS: &str = r#"
[tool.flwr.federations]
default = "one"
[tool.flwr.federations.one]
address = "one:9093"
root-certificates = "ca.crt"
"#;

/// A directory with an app in `app` and Flower's home in `home`.
struct Stage(tempfile::TempDir);

impl Stage {
    fn new(project: &str, home: &str) -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        let app = stage.0.path().join("app");
        fs::create_dir_all(app.join("app")).unwrap();
        fs::create_dir_all(stage.home()).unwrap();
        for module in ["app/s.py", "app/c.py"] {
            fs::write(app.join(module), "app = 1\n").unwrap();
        }
        fs::write(app.join("pyproject.toml"), project).unwrap();
        fs::write(stage.home().join("config.toml"), home).unwrap();
        stage
    }

    fn home(&self) -> PathBuf {
        self.0.path().join("home")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.home().join("config.toml")).unwrap()
    }

    fn around(&self) -> Surroundings {
        Surroundings {
            home: Some(self.home()),
            ..Surroundings::default()
        }
    }

    fn choose(
        &self,
        around: &Surroundings,
        federation: Option<&str>,
    ) -> Result<ResolvedFederation> {
        let root = self.0.path().join("app");
        let app = App::load(&root).unwrap();
        let target = Target {
            app: root,
            federation: federation.map(str::to_owned),
            federation_config: Vec::new(),
            proxy: None,
        };
        around.choose(Some(&app), &target)
    }
}

fn address(chosen: Result<ResolvedFederation>) -> String {
    chosen.unwrap().federation.address.unwrap().to_string()
}

#[test]
fn what_is_typed_comes_first_then_the_environment_the_app_and_the_users_file() {
    let home = FEDERATIONS.replace("one", "two");
    let both = Stage::new(&format!("{PROJECT}{FEDERATIONS}"), &home);
    let mut around = both.around();
    assert_eq!(address(both.choose(&around, None)), "one:9093");
    assert_eq!(address(both.choose(&around, Some("two"))), "two:9093");
    let two = both.choose(&around, Some("two")).unwrap();
    assert_eq!(two.base, both.home());
    assert_eq!(two.why, "it was named on the command line");

    around.federation = Some("two".into());
    assert_eq!(address(both.choose(&around, None)), "two:9093");
    assert_eq!(address(both.choose(&around, Some("one"))), "one:9093");
    around.federation = None;
    around.address = Some("three:9093".into());
    around.root_certificates = Some("three.crt".into());
    let three = both.choose(&around, None).unwrap();
    assert_eq!(
        three.federation.root_certificates.as_deref(),
        Some("three.crt")
    );
    assert_eq!(address(Ok(three)), "three:9093");
    assert_eq!(address(both.choose(&around, Some("one"))), "one:9093");
    around.address = None;
    assert!(matches!(
        both.choose(&around, None),
        Err(Error::OneWithoutOther { .. })
    ));

    let one = Stage::new(PROJECT, &home);
    assert_eq!(address(one.choose(&one.around(), None)), "two:9093");
}

#[test]
fn a_name_that_nobody_knows_is_told_with_all_that_are_known() {
    let stage = Stage::new(
        &format!("{PROJECT}{FEDERATIONS}"),
        &FEDERATIONS.replace("one", "two"),
    );
    let error = stage.choose(&stage.around(), Some("three")).unwrap_err();
    assert!(
        matches!(&error, Error::Federation(FederationError::Unknown { found, .. }) if found == &["one", "two", "local"]),
        "{}",
        error.chain()
    );
    let nothing = Stage::new(PROJECT, "");
    assert!(matches!(
        nothing.choose(&nothing.around(), None),
        Err(Error::Federation(FederationError::NoDefault))
    ));
    assert!(matches!(
        nothing.choose(&nothing.around(), Some("local")),
        Err(Error::LocalDown)
    ));
}

#[test]
fn the_file_of_a_later_flower_is_read() {
    let stage = Stage::new(
        PROJECT,
        "[superlink]\ndefault = \"far\"\n[superlink.far]\naddress = \"far:9093\"\n\
         [superlink.local]\naddress = \":local:\"\n",
    );
    let around = stage.around();
    assert_eq!(address(stage.choose(&around, None)), "far:9093");
    // Not an address, but the federation of `flwr up`.
    assert!(matches!(
        stage.choose(&around, Some("local")),
        Err(Error::LocalDown)
    ));
}

/// As flwr 1.26 and flwr 1.27 to 1.42 make the file when they find none.
#[test]
fn what_a_later_flower_writes_at_its_first_use_means_the_local_federation_and_the_supergrid() {
    let simulation = "options.num-supernodes = 10\noptions.backend.client-resources.num-cpus = 1\n";
    for (grid, local) in [
        ("supergrid.flower.ai", simulation),
        ("api.flower.ai", "address = \":local:\"\n"),
    ] {
        let file = format!(
            "[superlink]\ndefault = \"local\"\n\n[superlink.supergrid]\naddress = \"{grid}\"\n\n\
             [superlink.local]\n{local}"
        );
        let stage = Stage::new(PROJECT, &file);
        let around = stage.around();
        for name in [None, Some("local")] {
            let chosen = stage.choose(&around, name);
            assert!(matches!(chosen, Err(Error::LocalDown)), "{chosen:?}");
        }
        let chosen = stage.choose(&around, Some("supergrid"));
        assert!(
            matches!(&chosen, Err(Error::SuperGrid(name)) if name == "supergrid"),
            "{chosen:?}"
        );
    }
}

#[test]
fn a_broken_file_is_told_with_the_line() {
    let stage = Stage::new(PROJECT, "a = 1\nb = \n");
    let error = stage.choose(&stage.around(), None).unwrap_err().chain();
    assert!(
        error.contains("config.toml is not a TOML file: line 2"),
        "{error}"
    );
    let stage = Stage::new(PROJECT, &FEDERATIONS.replace("\"one:9093\"", "9093"));
    let error = stage.choose(&stage.around(), None).unwrap_err().chain();
    assert!(error.contains("`address` of federation `one`"), "{error}");
    assert!(error.contains("config.toml"), "{error}");
}

#[test]
fn adding_and_removing_leave_the_rest_of_the_file_as_it_is() {
    let stage = Stage::new(PROJECT, "# mine\n[other]\nx = 1 # why\n");
    let home = || Home::read(&stage.home()).unwrap();
    let address = |text: &str| [("address", toml_edit::Value::from(text))];
    home().add("a", &address("a:1"), false).unwrap();
    home().add("b", &address("b:2"), true).unwrap();
    assert_eq!(
        stage.text(),
        "# mine\n[other]\nx = 1 # why\n\n[superlink]\ndefault = \"b\"\n\n\
         [superlink.a]\naddress = \"a:1\"\n\n[superlink.b]\naddress = \"b:2\"\n"
    );
    home().set_default("a").unwrap();
    assert_eq!(home().federations().default_name(), Some("a"));
    home().remove("a").unwrap();
    assert_eq!(home().federations().default_name(), None);
    assert_eq!(home().federations().names().collect::<Vec<_>>(), ["b"]);
    assert!(stage.text().starts_with("# mine\n[other]\nx = 1 # why\n"));

    let inline = Stage::new(PROJECT, "superlink = {}\n");
    let error = Home::read(&inline.home())
        .unwrap()
        .add("a", &address("a:1"), false)
        .unwrap_err();
    assert!(matches!(error, Error::HomeFileForm { .. }));
}

#[test]
fn tables_of_earlier_versions_are_read_beside_those_of_today_and_move_there() {
    let earlier = "# mine\n[tool.other]\nx = 1\n\n[tool.flwr.federations]\ndefault = \"one\" # near\n\n\
                   # the first\n[tool.flwr.federations.one]\naddress = \"one:9093\"\nroot-certificates = \"ca.crt\"\n";
    let today = "\n[superlink]\ndefault = \"two\"\n[superlink.one]\naddress = \"other:9093\"\n\
                 [superlink.two]\naddress = \"two:9093\"\n";
    let stage = Stage::new(PROJECT, &format!("{earlier}{today}"));
    let around = stage.around();
    assert_eq!(address(stage.choose(&around, None)), "one:9093");
    assert_eq!(address(stage.choose(&around, Some("two"))), "two:9093");

    let home = || Home::read(&stage.home()).unwrap();
    home().set_default("two").unwrap();
    let text = stage.text();
    assert!(!text.contains("federations"), "{text}");
    for kept in [
        "# mine\n[tool.other]\nx = 1\n",
        "# the first\n[superlink.one]",
    ] {
        assert!(text.contains(kept), "{text}");
    }
    assert_eq!(address(stage.choose(&around, None)), "two:9093");
    let one = stage.choose(&around, Some("one")).unwrap().federation;
    assert_eq!(one.address.unwrap().to_string(), "one:9093");
    // The `flwr` of pip takes absolute paths only.
    let ca = stage.home().join("ca.crt");
    assert_eq!(one.root_certificates.as_deref(), ca.to_str());
    home().remove("one").unwrap();
    assert_eq!(home().federations().names().collect::<Vec<_>>(), ["two"]);
}

#[test]
fn a_file_that_is_a_link_stays_one() {
    let stage = Stage::new(PROJECT, "");
    let (link, file) = (stage.home().join("config.toml"), stage.home().join("real"));
    fs::rename(&link, &file).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let address = [("address", toml_edit::Value::from("a:1"))];
    let home = Home::read(&stage.home()).unwrap();
    home.add("a", &address, false).unwrap();
    assert!(link.is_symlink());
    assert!(fs::read_to_string(file).unwrap().contains("a:1"));
}
