//! Scripts as installers write them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

/// An environment in a folder of this name.
struct Environment {
    _dir: TempDir,
    python: PathBuf,
    script: PathBuf,
}

impl Environment {
    fn new(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join(name).join("bin");
        fs::create_dir_all(&bin).unwrap();
        let python = bin.join("python3");
        fs::write(&python, "").unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            script: bin.join("flwr-serverapp"),
            python,
            _dir: dir,
        }
    }

    /// The options that the interpreter of this script has, where that is this environment's.
    fn options(&self, script: &str) -> Option<Vec<String>> {
        let text = script.replace("PYTHON", self.python.to_str().unwrap());
        fs::write(&self.script, format!("{text}\nimport sys\n")).unwrap();
        let path = self.python.parent().unwrap().as_os_str();
        let found = Interpreter::found_in(&self.script, path)?;
        assert_eq!(found.python, self.python, "{script}");
        let options = found.options.iter();
        Some(options.map(|it| it.to_str().unwrap().to_owned()).collect())
    }
}

const NONE: [String; 0] = [];

#[test]
fn the_first_line_names_a_python_and_its_options() {
    let environment = Environment::new("venv");
    for (line, options) in [
        ("#!PYTHON", ""),
        ("#! PYTHON ", ""),
        ("#!PYTHON -Es", "-Es"),
        ("#!/usr/bin/env python3", ""),
        ("#!/usr/bin/env -S python3 -u -X dev", "-u -X dev"),
    ] {
        let found = environment
            .options(line)
            .unwrap_or_else(|| panic!("{line}"));
        assert_eq!(found.join(" "), options, "{line}");
    }
}

#[test]
fn a_path_with_a_space_or_too_long_stands_in_the_second_line() {
    let long = "long/".repeat(40);
    for name in ["my venv", &long, "it is/ünïcode"] {
        let environment = Environment::new(name);
        for line in [
            // pip
            "'''exec' \"PYTHON\" \"$0\" \"$@\"\n' '''",
            // uv
            "'''exec' 'PYTHON' \"$0\" \"$@\"\n' '''",
            "'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python3' \"$0\" \"$@\"\n' '''",
            // conda
            "'''exec' \"PYTHON\" \"$0\" \"$@\" #'''",
        ] {
            let found = environment.options(&format!("#!/bin/sh\n{line}"));
            assert_eq!(found.unwrap_or_else(|| panic!("{line}")), NONE);
        }
    }
    let environment = Environment::new("my venv");
    let options = environment.options("#!/bin/sh\n'''exec' \"PYTHON\" -I -s \"$0\" \"$@\"\n' '''");
    assert_eq!(options.unwrap(), ["-I", "-s"]);
    let unquoted = Environment::new(&long);
    let found = unquoted.options("#!/bin/sh\n'''exec' PYTHON \"$0\" \"$@\"\n' '''");
    assert_eq!(found.unwrap(), NONE);
}

#[test]
fn what_is_no_python_script_has_no_python() {
    let environment = Environment::new("venv");
    for script in [
        "",
        "#!",
        "#!/bin/sh",
        "#!/bin/sh\nexec PYTHON \"$0\" \"$@\"",
        "#!/bin/bash\nexport A=1\nexec PYTHON -m flwr \"$@\"",
        "#!/bin/sh\n'''exec' \"$HOME/bin/python3\" \"$0\" \"$@\"",
        "#!/bin/sh\n'''exec' `which python3` \"$0\" \"$@\"",
        "#!/bin/sh\n'''exec' \"/no/python3\" \"$0\" \"$@\"",
        "#!/bin/sh\n'''exec' \"PYTHON",
        "#!/usr/bin/env",
        "#!/usr/bin/env perl",
        "#!/usr/bin/env -S A=1 python3",
        "#!/no/python3",
        "\u{7f}ELF",
    ] {
        assert_eq!(environment.options(script), None, "{script}");
    }
}

#[test]
fn a_python_that_is_gone_is_named() {
    let environment = Environment::new("venv");
    let shown = environment.python.display();
    fs::write(&environment.script, format!("#!{shown}\nimport sys\n")).unwrap();
    assert_eq!(Interpreter::gone(&environment.script), None);
    fs::remove_file(&environment.python).unwrap();
    let gone = Interpreter::gone(&environment.script);
    assert_eq!(gone.as_ref(), Some(&environment.python));
    assert_eq!(Interpreter::of(&environment.script), None);
    fs::write(&environment.script, "#!/nonexistent/ruby\n").unwrap();
    assert_eq!(Interpreter::gone(&environment.script), None);
}
