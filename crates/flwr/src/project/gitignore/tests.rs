//! The expected files are what `flwr build` of flwr 1.22.0 puts into its bundle for the same
//! tree and the same `.gitignore`.

use super::*;

/// What is left of `paths` (below an app in `/home/me/app`).
fn left<'a>(gitignore: &str, paths: &[&'a str]) -> Vec<&'a str> {
    let rules = Rules::new(gitignore);
    let names = |path: &'a str| {
        ["home", "me", "app"]
            .into_iter()
            .chain(path.split('/'))
            .collect::<Vec<_>>()
    };
    paths
        .iter()
        .copied()
        .filter(|path| !rules.ignores(&names(path)))
        .collect()
}

#[test]
fn names_and_wildcards_match_files_and_directories_at_any_depth() {
    let paths = [
        "a.py",
        "a/b.py",
        "c/a/b.py",
        "xa.py",
        "notes.md",
        "c/notes.md",
    ];
    assert_eq!(
        left("a", &paths),
        ["a.py", "xa.py", "notes.md", "c/notes.md"]
    );
    assert_eq!(
        left("*.md", &paths),
        ["a.py", "a/b.py", "c/a/b.py", "xa.py"]
    );
    assert_eq!(
        left("a/", &paths),
        ["a.py", "xa.py", "notes.md", "c/notes.md"]
    );
    assert_eq!(
        left("?a.py\n# xa.py\n\nnotes.??", &paths),
        ["a.py", "a/b.py", "c/a/b.py"]
    );
}

#[test]
fn anchored_patterns_mean_the_root_of_the_file_system() {
    let paths = ["a.py", "a/b.py"];
    assert_eq!(left("/a.py\n/a\na/b.py", &paths), paths);
    assert_eq!(left("/home/me/app/a.py", &paths), ["a/b.py"]);
    assert_eq!(left("**/a/b.py", &paths), ["a.py"]);
    assert_eq!(left("me", &paths), [""; 0]);
    assert_eq!(left("/home", &paths), [""; 0]);
}

#[test]
fn the_last_pattern_that_matches_decides_even_for_a_directory_above() {
    let paths = ["gen/keep.py", "gen/drop.py"];
    assert_eq!(left("gen/\n!keep.py", &paths), ["gen/keep.py"]);
    assert_eq!(left("!keep.py\ngen/", &paths), [""; 0]);
    assert_eq!(left("*\n!gen/", &paths), paths);
}

#[test]
fn compiled_files_are_always_out_unless_taken_back() {
    let paths = [
        "__pycache__/a.py",
        "b/__pycache__/c/a.py",
        "x__pycache__/a.py",
    ];
    assert_eq!(left("", &paths), ["x__pycache__/a.py"]);
    assert_eq!(left("!__pycache__/", &paths), paths);
}

#[test]
fn braces_are_letters_and_classes_are_classes() {
    let paths = ["{a,b}.py", "a.py", "b.py", "c.py", "].py"];
    assert_eq!(left("{a,b}.py", &paths), ["a.py", "b.py", "c.py", "].py"]);
    assert_eq!(left("[ab].py", &paths), ["{a,b}.py", "c.py", "].py"]);
    assert_eq!(left("[!ab].py", &paths), ["{a,b}.py", "a.py", "b.py"]);
    assert_eq!(left("[]a].py", &paths), ["{a,b}.py", "b.py", "c.py"]);
    assert_eq!(left("\\{a*", &paths), ["a.py", "b.py", "c.py", "].py"]);
    assert_eq!(left("[a.py", &paths), paths);
}

#[test]
fn a_wildcard_is_a_character_not_a_byte() {
    let paths = ["é.py", "üü.py", "a.py"];
    assert_eq!(left("?.py", &paths), ["üü.py"]);
    assert_eq!(left("[à-ÿ].py", &paths), ["üü.py", "a.py"]);
    assert_eq!(left("[!a].py", &paths), ["üü.py", "a.py"]);
}

#[test]
fn double_stars_stand_for_any_depth() {
    let paths = ["a/b.py", "a/x/b.py", "a/x/y/b.py", "b.py"];
    assert_eq!(left("**/app/a/**/b.py", &paths), ["b.py"]);
    assert_eq!(left("**/a/**", &paths), ["b.py"]);
    assert_eq!(
        left("**/app/*/b.py", &paths),
        ["a/x/b.py", "a/x/y/b.py", "b.py"]
    );
    assert_eq!(left("**/**/b.py", &paths), [""; 0]);
    assert_eq!(left("**", &paths), [""; 0]);
    assert_eq!(left("/**", &paths), [""; 0]);
    assert_eq!(left("/**/", &paths), paths);
    assert_eq!(left("a**y", &["ay", "axy", "a/y", "b"]), ["a/y", "b"]);
}

#[test]
fn spaces_around_a_pattern_do_not_count() {
    assert_eq!(left("  a.py \t\n", &["a.py", "b.py"]), ["b.py"]);
}

#[test]
fn no_pattern_makes_it_fail() {
    for line in [
        "!",
        "/",
        "//",
        "**",
        "***",
        "[",
        "[!",
        "[]",
        "\\",
        "a\\",
        "{",
        "}",
        "{{{",
        "!/",
        "[z-a]",
        "**/",
        "a**b/",
        "é[é-ü]",
    ] {
        let _ = left(line, &["a.py", "b/c.py"]);
    }
}

proptest::proptest! {
    #[test]
    fn any_line_and_path_give_an_answer(line in "[!/*?a\\[\\]\\\\-]{0,12}|.*", path in "[a/-]{0,12}") {
        let _ = left(&line, &[&path]);
    }
}
