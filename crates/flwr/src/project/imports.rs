//! Lists the modules that the Python files of a bundle import. If `.gitignore` leaves out a module
//! that the bundle imports, every node would fail after the start of the run.
//!
//! This is no Python parser. Lines that begin with `import` or `from` count, with the names in
//! parentheses on the lines after them. The result serves warnings only, never a refusal.

use std::collections::BTreeSet;

/// The full names of the modules that a file imports, and of their packages. `file` is the path in
/// the bundle.
pub(super) fn of(file: &str, text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut lines = text.lines().map(without_comment);
    while let Some(line) = lines.next() {
        let mut statement = line.to_owned();
        if line.trim_start().starts_with("from ") && line.contains('(') {
            while !statement.contains(')')
                && let Some(more) = lines.next()
            {
                statement.push_str(more);
            }
        }
        let words = statement.trim_start();
        if let Some(modules) = words.strip_prefix("import ") {
            for module in names(modules) {
                add(&mut found, module);
            }
        } else if let Some((module, members)) = words
            .strip_prefix("from ")
            .and_then(|rest| rest.split_once(" import "))
        {
            let module = absolute(file, module.trim());
            add(&mut found, &module);
            for member in names(members) {
                let dot = if module.is_empty() { "" } else { "." };
                found.insert(format!("{module}{dot}{member}"));
            }
        }
    }
    found
}

/// The module name of an app's file: `a/b.py` is `a.b`, `a/__init__.py` is `a`.
pub(super) fn module(file: &str) -> String {
    let path = file.strip_suffix(".py").unwrap_or(file);
    let path = path.strip_suffix("/__init__").unwrap_or(path);
    path.replace('/', ".")
}

fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or(line)
}

/// `(a.b as c, d)` names `a.b` and `d`.
fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter_map(|name| {
        name.trim_matches(['(', ')', ' ', '\\', ';'])
            .split_whitespace()
            .next()
    })
}

/// A module and the packages above it.
fn add(found: &mut BTreeSet<String>, module: &str) {
    let ends = module.match_indices('.').map(|(at, _)| at);
    for end in ends.chain([module.len()]).filter(|end| *end > 0) {
        found.insert(module[..end].to_owned());
    }
}

/// Resolves the dots of a relative import: one dot is the package of the file.
fn absolute(file: &str, module: &str) -> String {
    let rest = module.trim_start_matches('.');
    let dots = module.len() - rest.len();
    if dots == 0 {
        return module.to_owned();
    }
    let mut names: Vec<_> = file.split('/').collect();
    names.truncate(names.len().saturating_sub(dots));
    names.extend((!rest.is_empty()).then_some(rest));
    names.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imported(file: &str, text: &str) -> Vec<String> {
        of(file, text).into_iter().collect()
    }

    #[test]
    fn imports_are_told_by_their_full_names() {
        let text = "import os, net.data.loader as loader  # net.other\nfrom net import ( # two\n    task, # one\n    model as m,\n)\n    from .data import load\nfrom . import tools\n";
        assert_eq!(
            imported("net/server.py", text),
            [
                "net",
                "net.data",
                "net.data.load",
                "net.data.loader",
                "net.model",
                "net.task",
                "net.tools",
                "os"
            ]
        );
        assert_eq!(
            imported("net/deep/x.py", "from ..data import y\n"),
            ["net", "net.data", "net.data.y"]
        );
        assert_eq!(imported("x.py", "from . import y\n"), ["y"]);
        assert_eq!(imported("x.py", "from ....a import y\n"), ["a", "a.y"]);
        assert_eq!(imported("x.py", "# import a\nimporting = 1\n"), [""; 0]);
    }

    #[test]
    fn a_file_is_a_module() {
        assert_eq!(module("net/data/__init__.py"), "net.data");
        assert_eq!(module("net/task.py"), "net.task");
        assert_eq!(module("net/data"), "net.data");
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_an_answer(text in "(import |from |[.a,# ()\\n])*", file in "[a/.]{0,9}") {
            let _ = of(&file, &text);
        }
    }
}
