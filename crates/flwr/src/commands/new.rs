//! `flwr new`: makes a directory with an app that is ready to run.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use flwr_security::whole_dir;

use crate::cli::{Framework, NewArgs};
use crate::error::{Error, Result};
use crate::render::Output;

mod reserved_names;

use reserved_names::RESERVED_NAMES;

/// Publisher where neither a flag nor the system names one.
const NOBODY: &str = "me";

/// The files of a template: the path in the app, and the text with its placeholders.
macro_rules! template {
    ($name:literal: $($file:literal),+) => {
        &[$(($file, include_str!(concat!("../../templates/", $name, "/", $file)))),+]
    };
}

fn files(framework: Framework) -> &'static [(&'static str, &'static str)] {
    match framework {
        Framework::NumPy => template!("numpy": "pyproject.toml", "README.md", "gitignore",
            "module/__init__.py", "module/client_app.py", "module/server_app.py", "module/task.py"),
        Framework::Sklearn => template!("sklearn": "pyproject.toml", "README.md", "gitignore",
            "module/__init__.py", "module/client_app.py", "module/server_app.py", "module/task.py"),
        Framework::PyTorch => template!("pytorch": "pyproject.toml", "README.md", "gitignore",
            "module/__init__.py", "module/client_app.py", "module/server_app.py", "module/task.py"),
        Framework::Minimal => template!("minimal": "pyproject.toml", "README.md", "gitignore",
            "module/__init__.py", "module/client_app.py", "module/server_app.py"),
    }
}

pub(super) fn new(args: &NewArgs, output: &mut Output) -> Result<()> {
    let mut asker = Asker::of_terminal();
    let name = match &args.app_name {
        Some(name) => name.clone(),
        None => asker.ask("Name of the app", "NAME")?,
    };
    let name = Name::parse(&name)?;
    if Path::new(&name.app).exists() {
        return Err(Error::AppExists(name.app.into()));
    }
    let framework = match args.kind.or(args.framework) {
        Some(framework) => framework,
        None => framework(&mut asker)?,
    };
    let publisher = args.username.clone().or_else(|| std::env::var("USER").ok());
    let publisher = publisher.filter(|user| is_plain(user));
    if let (Some(given), None) = (&args.username, &publisher) {
        return Err(Error::Username(given.clone()));
    }
    let publisher = publisher.unwrap_or_else(|| NOBODY.to_owned());
    write(Path::new("."), &name, framework, &publisher)?;
    output.success("🎊 Flower App creation successful.")?;
    output.say(&format!("\n  cd {}", name.app))?;
    if matches!(framework, Framework::Sklearn | Framework::PyTorch) {
        output.say("  pip install -e .")?;
    }
    output.say("  flwr up --detach\n  flwr run . --stream\n  flwr down")
}

/// The name of an app, and of its Python module.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    app: String,
    module: String,
}

impl Name {
    /// As Flower has it: a letter, then letters, digits and `-`.
    fn parse(name: &str) -> Result<Self> {
        let mut letters = name.chars();
        let good = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && letters.all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !good {
            return Err(Error::AppName(name.to_owned()));
        }
        let module = name.replace('-', "_").to_lowercase();
        if RESERVED_NAMES.binary_search(&module.as_str()).is_ok() {
            return Err(Error::AppNameTaken(name.to_owned()));
        }
        Ok(Self {
            app: name.to_owned(),
            module,
        })
    }
}

/// Whether a publisher can stand in a TOML text and in the name of a bundle.
fn is_plain(publisher: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    !publisher.is_empty() && publisher.chars().all(plain)
}

fn framework(asker: &mut Asker) -> Result<Framework> {
    let names: Vec<_> = Framework::value_variants()
        .iter()
        .filter_map(|framework| Some(framework.to_possible_value()?.get_name().to_owned()))
        .collect();
    let names = names.join(", ");
    loop {
        let answer = asker.ask(&format!("Framework ({names})"), "FRAMEWORK")?;
        match Framework::from_str(&answer, true) {
            Ok(framework) => return Ok(framework),
            Err(_) => asker.tell(&format!("`{answer}` is none of {names}")),
        }
    }
}

/// Writes the app of a template under its own names.
fn write(parent: &Path, name: &Name, framework: Framework, publisher: &str) -> Result<()> {
    let directory = parent.join(&name.app);
    let files = files(framework).iter().map(|(file, text)| {
        let file = match *file {
            "gitignore" => PathBuf::from(".gitignore"),
            file => file.replace("module/", &format!("{}/", name.module)).into(),
        };
        let text = text
            .replace("{{name}}", &name.app)
            .replace("{{module}}", &name.module)
            .replace("{{publisher}}", publisher);
        (file, text)
    });
    whole_dir::create(&directory, files).map_err(|source| Error::Write {
        path: directory,
        source,
    })
}

/// Asks whoever sits at the terminal.
pub(super) struct Asker {
    terminal: bool,
}

impl Asker {
    pub(super) fn of_terminal() -> Self {
        Self {
            terminal: io::stdin().is_terminal() && io::stderr().is_terminal(),
        }
    }

    /// Whether somebody sits there.
    pub(super) const fn can_ask(&self) -> bool {
        self.terminal
    }

    /// Whether the answer to a question is yes, for which Enter is enough.
    pub(super) fn agrees(&mut self, question: &str) -> bool {
        let answer = self.ask(&format!("{question} [Y/n]"), "y");
        answer.is_ok_and(|answer| {
            let answer = answer.to_ascii_lowercase();
            matches!(answer.as_str(), "" | "y" | "yes")
        })
    }

    /// The answer to a question; where nobody can be asked, `argument` is missing.
    pub(super) fn ask(&mut self, question: &str, argument: &'static str) -> Result<String> {
        if !self.terminal {
            return Err(Error::NobodyToAsk(argument));
        }
        let mut err = io::stderr().lock();
        let _ = write!(err, "{question}: ").and_then(|()| err.flush());
        let mut answer = String::new();
        match io::stdin().lock().read_line(&mut answer) {
            Ok(read) if read > 0 => Ok(answer.trim().to_owned()),
            _ => Err(Error::NobodyToAsk(argument)),
        }
    }

    fn tell(&mut self, line: &str) {
        let _ = writeln!(io::stderr(), "{line}");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::project::App;

    #[test]
    fn what_is_made_is_an_app_that_can_be_bundled() {
        for framework in Framework::value_variants() {
            let directory = tempfile::tempdir().unwrap();
            let name = Name::parse("My-app1").unwrap();
            assert_eq!(name.module, "my_app1");
            write(directory.path(), &name, *framework, "me").unwrap();
            let made: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
            assert_eq!(made.len(), 1, "{made:?}");
            let root = directory.path().join("My-app1");
            let app = App::load(&root).unwrap();
            assert_eq!(app.project().manifest().fab_id(), "me/My-app1");
            assert_eq!(app.project().federations().default_name(), None);
            assert!(app.warnings.is_empty(), "{:?}", app.warnings);
            let bundle = app.bundle().unwrap();
            assert!(bundle.warnings.is_empty(), "{:?}", bundle.warnings);
            assert!(root.join(".gitignore").exists());
            assert!(!root.join("module").exists());
            for file in ["pyproject.toml", "README.md", "my_app1/server_app.py"] {
                let text = fs::read_to_string(root.join(file)).unwrap();
                assert!(!text.contains("{{"), "{framework:?} {file}: {text}");
            }
        }
    }

    #[test]
    fn names_that_cannot_be_bundled_or_imported_are_refused() {
        for name in ["", "1app", "my app", "my_app", "../x", "é"] {
            assert!(
                matches!(Name::parse(name), Err(Error::AppName(_))),
                "{name}"
            );
        }
        for name in ["numpy", "Json", "random", "zipfile"] {
            assert!(matches!(Name::parse(name), Err(Error::AppNameTaken(_))));
        }
        assert!(RESERVED_NAMES.is_sorted(), "they are searched in halves");
        assert!(is_plain("alice-1") && !is_plain("a\"b") && !is_plain(""));
    }
}
