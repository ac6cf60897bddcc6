//! `docs/errors.md`: every error in it is produced here, and has the words that it has there.
//! After a wanted change write it anew: `FLWR_UPDATE_ERRORS=1 cargo xtask test -p e2e errors`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::local::User;

mod joining;
mod saving;
mod several;

const INTRODUCTION: &str = "\
# Errors, and the way out

Each of these was produced by the command above it, on the files that the line before tells of; a test
does so again with each change (`tests/tests/e2e/errors.rs`), and writes this file.

Exit status of all programs: 0 success; 1 it was tried and failed; 2 it was asked for in a way that
cannot work: flags, files, configuration; 130 Ctrl-C, of a `flwr` that watched a run. With
`--format json` an error is one JSON object on stdout, with `success` and `error-message`.
";

/// An app without federations.
const APP: &str = "[project]\nname = \"app\"\nversion = \"1.0.0\"\n[tool.flwr.app]\npublisher = \"me\"\n\
    [tool.flwr.app.components]\nserverapp = \"app.s:app\"\nclientapp = \"app.c:app\"\n\
    [tool.flwr.app.config]\nlearning-rate = 0.1\n";
/// A place where nobody listens.
const NOBODY: &str = "\n[tool.flwr.federations]\ndefault = \"far\"\n[tool.flwr.federations.far]\naddress = \"127.0.0.1:1\"\n";

/// The file, as it grows.
struct Page<'a> {
    user: &'a User,
    text: String,
    /// Addresses of this run, and what stands for them.
    places: Vec<(String, &'static str)>,
}

impl Page<'_> {
    fn chapter(&mut self, title: &str) {
        write!(self.text, "\n## {title}\n").unwrap();
    }

    /// Writes the app's `pyproject.toml` anew.
    fn app(&self, pyproject: &str) {
        let app = self.user.scratch.folder("app");
        fs::create_dir_all(app.join("app")).unwrap();
        for module in ["app/s.py", "app/c.py"] {
            fs::write(app.join(module), "app = 1\n").unwrap();
        }
        fs::write(app.join("pyproject.toml"), pyproject).unwrap();
    }

    /// What a command says that must fail with this status.
    #[track_caller]
    fn error(&mut self, when: &str, command: &str, code: i32) {
        let outcome = self.user.types(command);
        assert_eq!(outcome.code, Some(code), "{command}: {}", outcome.text);
        let folder = self.user.scratch.path().display().to_string();
        let said: Vec<_> = outcome
            .text
            .lines()
            .filter(|line| !is_beside(line))
            .map(|line| self.shown(&line.replace(&folder, "/home/you")))
            .collect();
        let command = command.replace(&folder, "/home/you");
        let said = said.join("\n");
        write!(
            self.text,
            "\n{when}\n\n```\n$ {command}\n{said}\n$ echo $?\n{code}\n```\n"
        )
        .unwrap();
    }
}

impl Page<'_> {
    /// A line as every run has it.
    fn shown(&self, line: &str) -> String {
        let places = self.places.iter();
        places.fold(line.to_owned(), |line, (here, shown)| {
            line.replace(here, shown)
        })
    }
}

/// What is said on the way, and not of the error: the log of daemons, and what `flwr log` says where a
/// SuperLink takes longer than a second to refuse, as one of a busy machine may.
fn is_beside(line: &str) -> bool {
    line.contains(" INFO ")
        || line.contains(" WARN ")
        || line.starts_with("Starting logstream for run_id")
}

#[test]
fn every_error_of_the_documentation_is_what_the_programs_say() {
    let user = User::new();
    let mut page = Page {
        user: &user,
        text: INTRODUCTION.to_owned(),
        places: Vec::new(),
    };
    apps(&mut page);
    federations(&mut page);
    files(&mut page);
    daemons(&mut page);
    joining::tokens(&mut page);
    joining::numbers(&mut page);
    with_a_superlink(&mut page);
    saving::backups(&mut page);
    several::superlinks(&mut page);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    if std::env::var_os("FLWR_UPDATE_ERRORS").is_some() {
        fs::write(&path, &page.text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    // Where they part is easier to see line by line.
    for (said, written) in page.text.lines().zip(written.lines()) {
        assert_eq!(said, written);
    }
    assert_eq!(page.text, written);
}

fn apps(page: &mut Page<'_>) {
    page.chapter("The app");
    page.error("There is no app in this directory.", "flwr run", 2);
    page.app("[project]\nname = \"app\nversion = \"1.0.0\"\n");
    page.error("A quote is missing in `pyproject.toml`.", "flwr run app", 2);
    page.app("[project]\nname = \"app\"\n");
    page.error("Sections and keys are missing.", "flwr run app", 2);
    page.app(&APP.replace("app.s:app", "app.server:app"));
    page.error(
        "The module of the ServerApp is not there.",
        "flwr run app",
        2,
    );
    page.app(APP);
    let scratch = &page.user.scratch;
    scratch.file("app/.gitignore", "*.log\napp/\n");
    page.error(
        "A pattern of `.gitignore` matches the app's package, or the directory that the app is in.",
        "flwr build --app app",
        2,
    );
    fs::remove_file(page.user.scratch.path().join("app/.gitignore")).unwrap();
    page.error(
        "No federation is named anywhere, and none is up.",
        "flwr run app",
        2,
    );
    page.app(&format!("{APP}{NOBODY}"));
    page.error("A key is mistyped.", "flwr run app -c learning-rat=0.2", 2);
    page.error(
        "A value is no TOML.",
        "flwr run app -c learning-rate=fast",
        2,
    );
    page.error("The directory is not there.", "flwr build --app nowhere", 2);
    page.user.scratch.file("damaged.fab", "not a bundle");
    page.error("A file is no bundle.", "flwr install damaged.fab", 1);
    page.error(
        "The name of a new app has a character that it cannot have.",
        "flwr new my_app --framework numpy",
        2,
    );
    page.error(
        "The directory of a new app is there already.",
        "flwr new app --framework numpy",
        2,
    );
}

fn federations(page: &mut Page<'_>) {
    page.chapter("The federation");
    page.app(&format!("{APP}{NOBODY}"));
    page.error("The name is not declared.", "flwr run app near", 2);
    page.error("It stands in the place of the app.", "flwr run far", 2);
    page.error("Nobody listens at the address.", "flwr run app", 1);
    page.error(
        "The address has no port.",
        "flwr ls app --federation-config address=\"far\"",
        2,
    );
    page.error(
        "The address is a URL.",
        "flwr ls app --federation-config address=\"https://far:9093\"",
        2,
    );
    page.error(
        "The proxy does not lead there.",
        "flwr ls app --federation-config address=\"superlink.example:9093\" --proxy http://127.0.0.1:1",
        1,
    );
    page.error(
        "The proxy is of another kind.",
        "flwr ls app --proxy socks5://user:password@proxy.example:1080",
        2,
    );
    page.error(
        "The root certificates are not there.",
        "flwr ls app --federation-config root-certificates=\"ca.crt\"",
        2,
    );
    page.error("Certificates and plaintext at once.", "flwr ls app --federation-config root-certificates=\"ca.crt\" --federation-config insecure=true", 2);
    page.app(&format!("{APP}\n[tool.flwr.federations]\ndefault = \"sim\"\n[tool.flwr.federations.sim]\noptions.num-supernodes = 10\n"));
    page.error("It is a simulation.", "flwr run app", 2);
    page.app(&format!("{APP}{NOBODY}enable-user-auth = true\n"));
    page.error("Its users log in, and nobody has.", "flwr ls app", 2);
    page.error("The local federation is not up.", "flwr ls . local", 1);
    page.error("It is not kept.", "flwr federation remove far", 2);
}

fn files(page: &mut Page<'_>) {
    page.chapter("Files of yours");
    let scratch = &page.user.scratch;
    let config = scratch.folder("home").join("config.toml");
    let text = "[tool.flwr.federations.lab]\naddress = lab:9093\n";
    fs::write(&config, text).unwrap();
    page.error(
        "A quote is missing in Flower's `config.toml`.",
        "flwr ls",
        2,
    );
    fs::remove_file(config).unwrap();
    let marked = "\u{feff}[project]\n".encode_utf16();
    let wide: Vec<_> = marked.flat_map(u16::to_le_bytes).collect();
    fs::write(page.user.scratch.folder("app").join("pyproject.toml"), wide).unwrap();
    page.error(
        "`pyproject.toml` was written by `>` of Windows PowerShell.",
        "flwr build --app app",
        2,
    );
    let certificates = page.user.scratch.folder("certificates");
    fs::write(certificates.join("ca.crt"), "precious").unwrap();
    page.error("Certificates are there already.", "flwr cert new", 2);
}

fn daemons(page: &mut Page<'_>) {
    page.chapter("Daemons");
    page.error(
        "Neither TLS nor plaintext was asked for.",
        "flower-superlink",
        2,
    );
    page.error(
        "A certificate without its key.",
        "flower-superlink --ssl-certfile server.pem",
        2,
    );
    page.error(
        "Keys prove nothing in plaintext.",
        "flower-superlink --insecure --auth-list-public-keys keys.csv",
        2,
    );
    page.error(
        "Tokens would be sent in plaintext.",
        "flower-superlink --insecure --account-auth-config accounts.toml",
        2,
    );
    page.error(
        "A key of a node, and plaintext.",
        "flower-supernode --insecure --auth-supernode-private-key node",
        2,
    );
    page.user
        .scratch
        .file("node.json", "{\"superlnk\": \"a:1\"}");
    page.error(
        "A key of a `--config` file is mistyped.",
        "flower-supernode --config node.json",
        2,
    );
    page.error(
        "A SuperNode gives up.",
        "flower-supernode --insecure --superlink 127.0.0.1:1 --max-retries 0",
        1,
    );
}

fn with_a_superlink(page: &mut Page<'_>) {
    page.chapter("What a SuperLink says");
    let user = page.user;
    user.does(user.scratch.path(), "flwr up --detach --supernodes 1");
    page.app(APP);
    page.error("It is up already.", "flwr up", 1);
    page.error("There is no such run.", "flwr log 1", 1);
    page.error("An id is no number.", "flwr log abc", 2);
    page.error("All runs are finished.", "flwr stop latest", 1);
    page.error(
        "The run cannot be stopped, since there is none.",
        "flwr stop 1",
        1,
    );
    page.error("Nor be deleted.", "flwr run delete 1", 1);
    page.error("It keeps no artifacts.", "flwr pull --run-id 1", 1);
    user.does(user.scratch.path(), "flwr down");
}
