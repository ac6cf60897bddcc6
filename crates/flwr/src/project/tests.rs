use std::path::Path;

use super::*;

/// An app like flwr-core's test vector, whose bundle Flower itself made.
const MINI: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../flwr-core/testdata/fab/mini"
);

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// A copy of the app with one file changed.
fn changed(file: &str, text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in ["pyproject.toml", ".gitignore", "mini/c.py", "mini/s.py"] {
        let to = directory.path().join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(Path::new(MINI).join(name), to).unwrap();
    }
    std::fs::write(directory.path().join(file), text).unwrap();
    directory
}

#[test]
fn a_bundle_is_the_one_that_flower_builds() {
    let bundle = App::load(Path::new(MINI)).unwrap().bundle().unwrap();
    assert_eq!(bundle.fab.file_name(), "pub.mini.1-0-0.8dce5c8e.fab");
}

#[test]
fn a_missing_or_broken_pyproject_is_told() {
    let empty = tempfile::tempdir().unwrap();
    let error = App::load(empty.path()).unwrap_err().chain();
    assert!(error.contains("`pyproject.toml` does not exist"), "{error}");
    let error = App::load(changed("pyproject.toml", "[project]\nname = 'x'\n").path())
        .unwrap_err()
        .chain();
    let expected = "Project configuration could not be loaded: pyproject.toml is invalid:\n\
                    - Property \"version\" missing in [project]\n- Missing [tool.flwr.app] section";
    assert_eq!(error, expected);
    let error = App::load(changed("pyproject.toml", "[project\n").path())
        .unwrap_err()
        .chain();
    assert!(error.contains("line 1"), "{error}");
}

#[test]
fn a_missing_module_or_attribute_is_told() {
    let text = std::fs::read_to_string(Path::new(MINI).join("pyproject.toml")).unwrap();
    let error = App::load(
        changed(
            "pyproject.toml",
            &text.replace("mini.s:app", "mini.server:app"),
        )
        .path(),
    )
    .unwrap_err();
    assert!(
        error.chain().contains("Unable to load module mini.server"),
        "{}",
        error.chain()
    );
    let error = App::load(changed("mini/c.py", "application = 1\n").path()).unwrap_err();
    assert!(
        error
            .chain()
            .contains("Unable to find attribute app in module mini.c"),
        "{}",
        error.chain()
    );
    let app = App::load(
        changed(
            "pyproject.toml",
            &text.replace("mini.s:app", "elsewhere.s:app"),
        )
        .path(),
    )
    .unwrap();
    assert!(
        app.warnings[0].contains("module elsewhere.s is not part of this app"),
        "{:?}",
        app.warnings
    );
}

#[test]
fn a_pyproject_in_another_encoding_is_named_and_a_byte_order_mark_is_none() {
    let text = std::fs::read_to_string(Path::new(MINI).join("pyproject.toml")).unwrap();
    let directory = changed("pyproject.toml", &format!("\u{feff}{text}"));
    let bundle = App::load(directory.path()).unwrap().bundle().unwrap();
    assert_eq!(bundle.fab.file_name(), "pub.mini.1-0-0.8dce5c8e.fab");
    let wide: Vec<_> = "\u{feff}"
        .encode_utf16()
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    std::fs::write(directory.path().join("pyproject.toml"), wide).unwrap();
    let error = App::load(directory.path()).unwrap_err();
    assert!(error.chain().contains("is UTF-16 text, and must be UTF-8"));
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn overrides_come_from_pairs_or_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("o.toml");
    std::fs::write(&file, "[nested]\na = 2\n").unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(
        overrides("-c", &strings(&[file])).unwrap(),
        overrides("-c", &strings(&["nested.a=2"])).unwrap()
    );
    let mixed = overrides("-c", &strings(&["a=1", file])).unwrap_err();
    assert!(
        mixed.chain().contains("cannot be passed alongside"),
        "{}",
        mixed.chain()
    );
    let shouted = directory.path().join("O.TOML");
    std::fs::write(&shouted, "\u{feff}[nested]\na = 2\n").unwrap();
    assert_eq!(
        overrides("-c", &strings(&[shouted.to_str().unwrap()])).unwrap(),
        overrides("-c", &strings(&["nested.a=2"])).unwrap()
    );
    let missing = overrides("-c", &strings(&["/nowhere/o.toml"])).unwrap_err();
    assert!(
        missing.chain().starts_with("cannot read /nowhere/o.toml: "),
        "{}",
        missing.chain()
    );
}

#[test]
fn words_that_do_nothing_are_told() {
    let lines = ignored_words("--run-config", &strings(&["lr 0.1", "a=1", "x.toml"]));
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with("`lr` in --run-config is ignored"),
        "{}",
        lines[0]
    );
}
