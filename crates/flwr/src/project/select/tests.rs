use super::*;

#[test]
fn files_are_picked_by_extension_and_pyproject_is_left_out_everywhere() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("app");
    for path in [
        "a.py",
        "b/c.md",
        "b/d.toml",
        "b/pyproject.toml",
        "pyproject.toml",
        "e.txt",
        ".py",
        "f.PY",
        ".x.py",
        "v/v.py",
    ] {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    std::fs::create_dir(root.join("dir.py")).unwrap();
    std::fs::write(root.join(".gitignore"), "v\n").unwrap();
    std::os::unix::fs::symlink(root.join("e.txt"), root.join("link.md")).unwrap();
    std::os::unix::fs::symlink(root.join("b"), root.join("linked")).unwrap();
    std::os::unix::fs::symlink(root.join("gone"), root.join("broken.py")).unwrap();
    let selection = Selection::of(&root).unwrap();
    let mut names: Vec<_> = selection.files.into_iter().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(names, [".x.py", "a.py", "b/c.md", "b/d.toml", "link.md"]);
}

#[test]
fn a_link_to_a_file_outside_the_app_is_refused_by_name() {
    use std::os::unix::fs::symlink;

    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("app");
    std::fs::create_dir_all(root.join("docs")).unwrap();
    let secret = directory.path().join("id_ecdsa");
    std::fs::write(&secret, "secret").unwrap();
    let refused = |link: &str| match Selection::of(&root) {
        Err(error @ Error::LinkOutside { .. }) => {
            assert_eq!(error.exit_code(), 2);
            let text = error.to_string();
            assert!(
                text.starts_with(&format!("{link} is a link to /")),
                "{text}"
            );
            assert!(error.hint().unwrap().ends_with(link));
            std::fs::remove_file(root.join(link)).unwrap();
        }
        Ok(selection) => panic!("bundled: {:?}", selection.files),
        Err(error) => panic!("{error}"),
    };
    symlink(&secret, root.join("docs/notes.md")).unwrap();
    refused("docs/notes.md");
    // By a relative path, and by another link.
    symlink("../id_ecdsa", root.join("first.txt")).unwrap();
    symlink("first.txt", root.join("second.py")).unwrap();
    refused("second.py");
    // The tokens of a login are in the app's directory.
    std::fs::create_dir_all(root.join(".flwr/.credentials")).unwrap();
    std::fs::write(root.join(".flwr/.credentials/lab.json"), "{}").unwrap();
    symlink(".flwr/.credentials/lab.json", root.join("lab.md")).unwrap();
    refused("lab.md");
    // What is not bundled is no danger: data sets are often linked.
    symlink(&secret, root.join("weights.bin")).unwrap();
    symlink(directory.path(), root.join("data")).unwrap();
    symlink(&secret, root.join("left.md")).unwrap();
    std::fs::write(root.join(".gitignore"), "left.md\n").unwrap();
    // An app whose own directory is reached by a link.
    let linked = directory.path().join("linked");
    symlink(&root, &linked).unwrap();
    for root in [&root, &linked] {
        assert_eq!(Selection::of(root).unwrap().files, []);
    }
}
