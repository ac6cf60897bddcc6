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
