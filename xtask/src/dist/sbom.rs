//! `sbom.cdx.json`: the bill of materials of all programs, in CycloneDX.
//!
//! cargo-cyclonedx writes a bill for each package, beside the package. Here it writes into a tree of
//! links, and the bills of the programs become one. Nothing in the bill depends on the folder, the time
//! or chance.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::source::{Source, VERSION};
use super::{programs, tools, tree, work};
use crate::support::build;

/// The file's name.
const NAME: &str = "sbom.cdx.json";
/// The version of CycloneDX: the newest that cargo-cyclonedx writes.
const SPECIFICATION: &str = "1.5";
/// What all programs together are in the bill.
const WHOLE: &str = "flower-daemons";

/// Writes the bill, and says where it is. A crate of `cargo tree` that the bill has not is an error.
pub(super) fn make(source: &Source) -> Result<PathBuf> {
    let shadow = Shadow::make(&work().join("sbom"))?;
    shadow.describe()?;
    let mut bill = Bill::default();
    for package in programs::PACKAGES {
        bill.add(&shadow.bill(package)?)?;
    }
    let (built, listed) = (crates_of_programs()?, bill.crates()?);
    if let Some(missing) = built.difference(&listed).next() {
        bail!("{NAME} has no {missing}, which `cargo tree` has");
    }
    bill.besides = besides()?;
    let file = work().join(NAME);
    let text = serde_json::to_string_pretty(&bill.json(source)?)?;
    tree::write(&file, &(text + "\n"))?;
    Ok(file)
}

/// Compares a bill with the crates that the programs in a folder name themselves.
pub(super) fn agrees_with_programs(bill: &Path, folder: &Path) -> Result<()> {
    let read: Value = serde_json::from_str(&fs::read_to_string(bill)?)?;
    let components = read["components"].as_array();
    let components = components.with_context(|| format!("{NAME} has no components"))?;
    let is_crate = |component: &&Value| {
        component["purl"]
            .as_str()
            .is_some_and(|purl| purl.starts_with("pkg:cargo/"))
    };
    let listed = crates_of(&components.iter().filter(is_crate).cloned().collect())?;
    let (mut shipped, mut used) = (BTreeSet::new(), BTreeSet::new());
    let names = programs::INSTALLED.map(|(_, name)| name);
    for name in names.into_iter().chain(["flwrd"]) {
        let list: Value = serde_json::from_str(&tools::crates_in(&folder.join(name))?)?;
        let packages = list["packages"].as_array();
        let packages = packages.with_context(|| format!("{name} does not list its crates"))?;
        // Crates that only the build runs are marked, those that write code among them.
        let shipping = packages.iter().filter(|package| package["kind"] != "build");
        shipped.extend(crates_of(&Value::Array(shipping.cloned().collect()))?);
        used.extend(crates_of(&list["packages"])?);
    }
    if let Some(other) = shipped.difference(&listed).next() {
        bail!("a program has {other}, and {NAME} has it not");
    }
    match listed.difference(&used).next() {
        None => Ok(()),
        Some(other) => bail!("{NAME} has {other}, and no program has it"),
    }
}

/// What is linked into programs and is no crate: the standard library, and glibc into static programs.
fn besides() -> Result<Vec<Value>> {
    let mut rustc = Command::new("rustc");
    let rust = build::said(rustc.current_dir(build::root()).arg("--version"))?;
    let glibc = build::said(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    let component = |name: &str, said: &str, licence: &str, place: &str| {
        let version = said.split_whitespace().nth(1);
        let version = version.with_context(|| format!("{said:?} names no version of {name}"))?;
        anyhow::Ok(json!({
            "type": "library",
            "bom-ref": format!("{name}@{version}"),
            "name": name,
            "version": version,
            "purl": format!("pkg:generic/{name}@{version}"),
            "licenses": [{ "expression": licence }],
            "description": place,
        }))
    };
    Ok(vec![
        component("rust-std", &rust, "MIT OR Apache-2.0", "in all programs")?,
        component(
            "glibc",
            &glibc,
            "LGPL-2.1-or-later",
            "in the static programs",
        )?,
    ])
}

/// Names and versions in a list of components or packages.
fn crates_of(list: &Value) -> Result<BTreeSet<String>> {
    let list = list.as_array().context("no list of crates")?;
    let name = |item: &Value| {
        Some(format!(
            "{} {}",
            item["name"].as_str()?,
            item["version"].as_str()?
        ))
    };
    let names: Option<_> = list.iter().map(name).collect();
    names.context("a crate without a name or a version")
}

/// What `cargo tree` says of the crates in the programs.
fn crates_of_programs() -> Result<BTreeSet<String>> {
    let mut tree = build::cargo();
    tree.args(["tree", "--locked", "--edges", "normal", "--prefix", "none"]);
    tree.args(["--target", programs::TARGET, "--format", "{p}"]);
    for package in programs::PACKAGES {
        tree.args(["--package", package]);
    }
    let said = build::said(&mut tree)?;
    let crates = said.lines().filter_map(|line| line.split_once(" v"));
    let crates = crates.map(|(name, rest)| {
        let version = rest.split(' ').next().unwrap_or_default();
        format!("{name} {version}")
    });
    Ok(crates.collect())
}

/// A tree of links to the workspace, in which every package has a folder of its own.
struct Shadow(PathBuf);

impl Shadow {
    fn make(folder: &Path) -> Result<Self> {
        tree::empty(folder)?;
        let root = build::root();
        let own = ["crates", "tests", "xtask"];
        link_all(&root, folder, &own)?;
        for name in ["tests", "xtask"] {
            link_all(&root.join(name), &folder.join(name), &[])?;
        }
        for package in fs::read_dir(root.join("crates"))? {
            let name = package?.file_name();
            let (from, to) = (
                root.join("crates").join(&name),
                folder.join("crates").join(&name),
            );
            link_all(&from, &to, &[])?;
        }
        Ok(Self(folder.to_owned()))
    }

    /// Has every package described.
    fn describe(&self) -> Result<()> {
        let mut describe = tools::cyclonedx()?;
        describe.current_dir(&self.0);
        describe.args(["--format", "json", "--spec-version", SPECIFICATION]);
        describe.args(["--target", programs::TARGET, "--no-build-deps"]);
        describe.args(["--override-filename", "bill", "--quiet"]);
        build::said(&mut describe)?;
        Ok(())
    }

    /// The bill of one package.
    fn bill(&self, package: &str) -> Result<Value> {
        let file = self.0.join("crates").join(package).join("bill.json");
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let mut bill = serde_json::from_str(&text)?;
        without_folder(&mut bill);
        Ok(bill)
    }
}

/// Takes this machine's folders out of the names of our own crates.
fn without_folder(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(path) = text.strip_prefix("path+file://") {
                let name = path.rsplit('/').next().unwrap_or_default();
                *text = name.replacen('#', "@", 1);
            } else if let Some((before, after)) = text.split_once("?download_url=file:") {
                let part = after.split_once('#').map(|(_, part)| format!("#{part}"));
                *text = before.to_owned() + &part.unwrap_or_default();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_folder),
        Value::Object(fields) => fields.values_mut().for_each(without_folder),
        _ => {}
    }
}

/// Links what a folder has into another, but what it makes itself, hidden files, and `target`.
fn link_all(from: &Path, to: &Path, but: &[&str]) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let name = entry?.file_name();
        let shown = name.to_string_lossy();
        if !but.contains(&&*shown) && !shown.starts_with('.') && shown != "target" {
            symlink(from.join(&name), to.join(&name))?;
        }
    }
    Ok(())
}

/// The bills of several packages.
#[derive(Default)]
struct Bill {
    programs: Vec<String>,
    components: BTreeMap<String, Value>,
    needs: BTreeMap<String, BTreeSet<String>>,
    /// Components that no package names.
    besides: Vec<Value>,
    tools: Value,
}

impl Bill {
    /// Adds the bill of a package.
    fn add(&mut self, bill: &Value) -> Result<()> {
        let package = &bill["metadata"]["component"];
        self.programs.push(reference(package)?);
        self.tools = bill["metadata"]["tools"].clone();
        let others = bill["components"].as_array().context("no components")?;
        for component in others.iter().chain([package]) {
            self.components
                .insert(reference(component)?, component.clone());
        }
        let needs = bill["dependencies"].as_array().context("no dependencies")?;
        for need in needs {
            let of = need["ref"].as_str().context("a dependency of nobody")?;
            let on = need["dependsOn"].as_array().into_iter().flatten();
            let on = on.filter_map(Value::as_str).map(str::to_owned);
            self.needs.entry(of.to_owned()).or_default().extend(on);
        }
        Ok(())
    }

    fn crates(&self) -> Result<BTreeSet<String>> {
        let list = self.components.values().cloned().collect();
        crates_of(&Value::Array(list))
    }

    /// One bill for all.
    fn json(&self, source: &Source) -> Result<Value> {
        let mut needs = self.needs.clone();
        let besides = self.besides.iter().map(reference);
        let whole = self.programs.iter().cloned().map(Ok).chain(besides);
        needs.insert(WHOLE.to_owned(), whole.collect::<Result<_>>()?);
        let needs = needs
            .into_iter()
            .map(|(of, on)| json!({ "ref": of, "dependsOn": on }));
        let mut bill = Map::new();
        bill.insert("bomFormat".into(), "CycloneDX".into());
        bill.insert("specVersion".into(), SPECIFICATION.into());
        bill.insert("version".into(), 1.into());
        bill.insert(
            "metadata".into(),
            json!({
                "timestamp": source.time()?,
                "tools": self.tools,
                "component": {
                    "type": "application",
                    "bom-ref": WHOLE,
                    "name": WHOLE,
                    "version": VERSION,
                    "licenses": [{ "expression": "Apache-2.0" }],
                    "properties": [{ "name": "commit", "value": source.commit }],
                },
            }),
        );
        let components = self.components.values().chain(&self.besides);
        let components = components.cloned().collect();
        bill.insert("components".into(), Value::Array(components));
        bill.insert("dependencies".into(), needs.collect());
        let number = serial(&serde_json::to_vec(&bill)?);
        bill.insert("serialNumber".into(), number.into());
        Ok(Value::Object(bill))
    }
}

fn reference(component: &Value) -> Result<String> {
    let reference = component["bom-ref"].as_str();
    Ok(reference
        .context("a component without a reference")?
        .to_owned())
}

/// A serial number that belongs to this content: a UUID of version 8 (RFC 9562).
fn serial(content: &[u8]) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(content)[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let (a, b, c, d, e) = (
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    );
    format!("urn:uuid:{a}-{b}-{c}-{d}-{e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill(package: &str, needs: &[&str]) -> Value {
        let component = |name: &str| json!({ "bom-ref": name, "name": name, "version": "1" });
        let components: Vec<_> = needs.iter().map(|name| component(name)).collect();
        json!({
            "metadata": { "component": component(package), "tools": [] },
            "components": components,
            "dependencies": [{ "ref": package, "dependsOn": needs }],
        })
    }

    #[test]
    fn the_folder_of_the_build_is_not_in_the_bill() {
        let mut value = json!([
            "path+file:///home/me/flower/crates/flwrd#0.1.0 bin-target-0",
            "pkg:cargo/flwrd@0.1.0?download_url=file://.#src/main.rs",
            "registry+https://github.com/rust-lang/crates.io-index#zmij@1.0.23",
        ]);
        without_folder(&mut value);
        let expected = json!([
            "flwrd@0.1.0 bin-target-0",
            "pkg:cargo/flwrd@0.1.0#src/main.rs",
            "registry+https://github.com/rust-lang/crates.io-index#zmij@1.0.23",
        ]);
        assert_eq!(value, expected);
    }

    #[test]
    fn what_is_linked_besides_the_crates_has_its_version() {
        let names = crates_of(&besides().unwrap().into()).unwrap();
        let has = |start: &str| names.iter().any(|name| name.starts_with(start));
        assert!(has("rust-std 1.") && has("glibc 2."), "{names:?}");
    }

    #[test]
    fn a_crate_of_two_programs_stands_in_the_bill_once() {
        let mut both = Bill::default();
        both.add(&bill("one", &["shared", "own"])).unwrap();
        both.add(&bill("two", &["shared"])).unwrap();
        both.besides = vec![json!({ "bom-ref": "glibc@2", "name": "glibc", "version": "2" })];
        let source = Source {
            commit: "abc".into(),
            epoch: "0".into(),
        };
        let json = both.json(&source).unwrap();
        let names = crates_of(&json["components"]).unwrap();
        let expected = ["glibc 2", "one 1", "own 1", "shared 1", "two 1"].map(str::to_owned);
        assert_eq!(names, expected.into());
        assert_eq!(json["components"].as_array().unwrap().len(), 5);
        let whole = json["dependencies"].as_array().unwrap();
        let whole = whole.iter().find(|need| need["ref"] == WHOLE).unwrap();
        assert_eq!(whole["dependsOn"], json!(["glibc@2", "one", "two"]));
        assert_eq!(json["metadata"]["timestamp"], "1970-01-01T00:00:00Z");
        assert_eq!(json, both.json(&source).unwrap());
    }
}
