//! Wrappers around a program that leaves a thread behind, as `flwr-serverapp` does.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::apps::{Program, serverapp_command};

/// Ends by `sys.exit`, with a thread that goes on; tells what it got.
const PROGRAM: &str = "
import sys, threading
threading.Thread(target=threading.Event().wait).start()
print(sys.argv[1:2], 'theirs' in sys.modules, flush=True)
sys.exit(7)
";

struct Place {
    dir: TempDir,
    wrapper: PathBuf,
}

impl Place {
    /// A wrapper; in it, `PROGRAM` is the program's path.
    fn new(wrapper: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("program.py");
        fs::write(&program, PROGRAM).unwrap();
        let path = dir.path().join("flwr-serverapp");
        let text = wrapper.replace("PROGRAM", program.to_str().unwrap());
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self { dir, wrapper: path }
    }

    fn prepare(&self) -> Guard {
        Guard::prepare(&self.wrapper, Some(self.dir.path()))
    }
}

#[test]
fn a_wrapped_program_ends_with_its_status() {
    let place = Place::new("#!/bin/sh\nVARIABLE=1 exec python3 PROGRAM \"$@\"\n");
    let guard = place.prepare();
    assert!(
        matches!(&guard, Guard::Wrapper(python) if python.is_file()),
        "{guard:?}"
    );
    let (text, _) = guard.warning(&place.wrapper).unwrap();
    assert!(text.contains("starts from nothing"), "{text}");
    let program = Program::at(place.wrapper.clone());
    let command = serverapp_command(&program, "a:1", "abc", None, Some(place.dir.path()));
    assert_eq!(command.program, place.wrapper);
    // The environment's own module of that name still counts.
    let own = place.dir.path().join("own");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("theirs.py"), "").unwrap();
    fs::write(own.join("sitecustomize.py"), "import theirs").unwrap();
    let (_, path) = &command.env[command.env.len() - 1];
    let path = env::join_paths(env::split_paths(path).chain([own])).unwrap();
    let output = Command::new(&command.program)
        .args(&command.args)
        .env("PYTHONPATH", path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "['--insecure'] True\n");
}

#[test]
fn a_program_that_is_no_python_or_hears_of_no_variables_has_no_guard() {
    for wrapper in [
        "#!/bin/sh\nexit 0\n",
        "#!/bin/sh\nexec env -u PYTHONPATH python3 -c pass \"$@\"\n",
        "#!/bin/sh\nexec python3 -I -c pass \"$@\"\n",
        // Not the program, though it is a Python.
        "#!/bin/sh\npython3 -c pass\n",
    ] {
        let place = Place::new(wrapper);
        let guard = place.prepare();
        assert_eq!(guard, Guard::Missing, "{wrapper}");
        let (text, hint) = guard.warning(&place.wrapper).unwrap();
        assert!(
            text.contains("does not tell which Python runs it"),
            "{text}"
        );
        assert!(hint.contains("PATH"), "{hint}");
    }
}

#[test]
fn a_script_has_a_guard_without_being_asked() {
    let python = Place::new("").dir.path().join("python3");
    let place = Place::new("");
    fs::write(&place.wrapper, format!("#!{}\n", python.display())).unwrap();
    assert_eq!(place.prepare(), Guard::Missing, "there is no such Python");
    let python = place.dir.path().join("python3");
    fs::write(&python, "").unwrap();
    fs::write(&place.wrapper, format!("#!{}\n", python.display())).unwrap();
    let guard = place.prepare();
    assert_eq!(guard.warning(&place.wrapper), None);
    assert_eq!(guard, Guard::Script(python));
    assert!(names_its_python(&place.wrapper));
}
