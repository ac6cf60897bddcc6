use super::*;
use crate::project::App;

const PROJECT: &str = r#"
[project]
name = "mini"
version = "1.0.0"
[tool.flwr.app]
publisher = "pub"
KEYS
[tool.flwr.app.components]
serverapp = "mini.s:app"
clientapp = "mini.c:app"
"#;

fn choice(keys: &str) -> Result<Option<Choice>> {
    Choice::of(&Project::parse(&PROJECT.replace("KEYS", keys)).unwrap())
}

fn app(files: &[&str]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for file in files {
        let path = directory.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    directory
}

const FILES: [&str; 14] = [
    "pyproject.toml",
    "mini/s.py",
    "mini/c.py",
    "mini/test_c.py",
    "mini/data.json",
    "mini/notes.txt",
    "mini/__pycache__/s.py",
    "conf/a.yaml",
    "conf/b.yml",
    "venv/x.py",
    ".flwr/secret.toml",
    "LICENSE",
    "README.md",
    ".editorconfig",
];

fn selected(directory: &tempfile::TempDir, keys: &str) -> Result<Vec<String>> {
    let selection = choice(keys)?.unwrap().select(directory.path())?;
    let mut names: Vec<_> = selection.files.into_iter().map(|(name, _)| name).collect();
    names.sort();
    Ok(names)
}

#[test]
fn an_app_without_the_keys_makes_no_choice() {
    assert!(choice("").unwrap().is_none());
}

#[test]
fn the_files_are_those_that_flwr_1_28_takes() {
    let directory = app(&FILES);
    let all = [
        "LICENSE",
        "README.md",
        "conf/a.yaml",
        "conf/b.yml",
        "mini/c.py",
        "mini/data.json",
        "mini/s.py",
    ];
    let without = |file: &str| {
        all.iter()
            .filter(|it| **it != file)
            .copied()
            .collect::<Vec<_>>()
    };
    for (keys, expected) in [
        (r#"fab-exclude = ["conf/a.yaml"]"#, without("conf/a.yaml")),
        (
            r#"fab-include = ["mini/**"]"#,
            vec!["mini/c.py", "mini/data.json", "mini/s.py"],
        ),
        (
            "fab-include = [\"mini/*\", \"*.yml\"]\nfab-exclude = [\"*.json\"]",
            vec!["conf/b.yml", "mini/c.py", "mini/s.py"],
        ),
    ] {
        assert_eq!(selected(&directory, keys).unwrap(), expected, "{keys}");
    }
    std::fs::write(directory.path().join(".gitignore"), "data.json\n").unwrap();
    let kept = selected(&directory, r#"fab-exclude = ["LICENSE"]"#).unwrap();
    assert!(!kept.contains(&"mini/data.json".to_owned()), "{kept:?}");
    assert!(kept.contains(&"mini/s.py".to_owned()), "{kept:?}");
}

#[test]
fn a_pattern_of_no_use_is_refused() {
    let directory = app(&FILES);
    for (keys, why) in [
        (
            r#"fab-include = ["*.csv"]"#,
            "of `fab-include` matches no file",
        ),
        (
            r#"fab-exclude = ["mini/notes.txt"]"#,
            "of `fab-exclude` matches no file",
        ),
        (
            r#"fab-include = [".editorconfig"]"#,
            ".editorconfig is chosen by `fab-include`",
        ),
        ("fab-include = []", "`fab-include`"),
        ("fab-exclude = [1]", "`fab-exclude`"),
        ("fab-exclude = \"a.py\"", "`fab-exclude`"),
    ] {
        let error = selected(&directory, keys).unwrap_err();
        assert!(error.to_string().contains(why), "{keys}: {error}");
        assert_eq!(error.exit_code(), 2);
    }
    let deep = format!("{}a.py", "d/".repeat(11));
    let directory = app(&[&deep, "mini/s.py"]);
    let error = selected(&directory, r#"fab-include = ["mini/**"]"#).unwrap_err();
    assert!(error.to_string().contains("10 directories"), "{error}");
}

/// The bundle of this app by the `flwr build` of flwr 1.28.0, 1.31.0 and 1.36.0, which is the same.
#[test]
fn a_bundle_has_the_bytes_that_flwr_1_28_writes() {
    const MINI: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../flwr-core/testdata/fab/mini"
    );
    let directory = app(&[
        "LICENSE",
        "README.md",
        "a/z.py",
        "a-b/c.py",
        "mini/test_x.py",
    ]);
    let read = |file: &str| std::fs::read_to_string(Path::new(MINI).join(file)).unwrap();
    let project = read("pyproject.toml").replace(
        "publisher = \"pub\"",
        "publisher = \"pub\"\nfab-include = [\"**/*.py\", \"conf/**\", \"LICENSE\"]\nfab-exclude = [\"a/z.py\"]",
    );
    std::fs::create_dir(directory.path().join("conf")).unwrap();
    for (file, text) in [
        ("pyproject.toml", project),
        ("mini/s.py", read("mini/s.py")),
        ("mini/c.py", read("mini/c.py")),
        ("conf/a.yaml", "x: 1\n".to_owned()),
        ("conf/b.json", "{}\n".to_owned()),
    ] {
        std::fs::write(directory.path().join(file), text).unwrap();
    }
    let bundle = App::load(directory.path()).unwrap().bundle().unwrap();
    assert_eq!(
        bundle.fab.hash,
        "d8298605bedee1aad4162b2d533dbeea2ca67798d97963c42403cf8548ddb790"
    );
    assert!(flwr_core::fab::Fab::open(bundle.fab.bytes).is_ok());
}
