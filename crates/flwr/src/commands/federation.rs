//! `flwr federation`: lists all federations, and edits those in the user's `config.toml`.

use std::path::Path;

use flwr_core::address::Address;
use flwr_core::port::Control as _;
use flwr_core::refusal::{Feature, Refusal};
use toml::Table;
use toml_edit::Value;

use crate::cli::{
    FederationAddArgs, FederationCommand, FederationDefaultArgs, FederationListArgs,
    FederationRemoveArgs, FederationShowArgs, Target,
};
use crate::connect;
use crate::error::{Error, Result};
use crate::federation::{Home, Source, Surroundings};
use crate::local;
use crate::render::{FederationRow, Output};

pub(super) async fn execute(command: &FederationCommand, output: &mut Output) -> Result<()> {
    let surroundings = Surroundings::of_process();
    match command {
        FederationCommand::List(args) => match args.target() {
            Some(target) => list_of_superlink(args, &target, output).await,
            None => list(args, &surroundings, output),
        },
        FederationCommand::Show(args) => show(args, &surroundings, output),
        FederationCommand::Add(args) => add(args, &surroundings.home_file()?, output),
        FederationCommand::Remove(args) => remove(args, &surroundings.home_file()?, output),
        FederationCommand::Default(args) => default(args, &surroundings.home_file()?, output),
        FederationCommand::Create(_)
        | FederationCommand::Archive(_)
        | FederationCommand::AddSupernode(_)
        | FederationCommand::RemoveSupernode(_)
        | FederationCommand::RemoveAccount(_)
        | FederationCommand::Invite(_) => not_offered(Feature::Federations),
        FederationCommand::SimulationConfig(_) => not_offered(Feature::Simulations),
    }
}

fn not_offered(feature: Feature) -> Result<()> {
    Err(Error::NotOffered(Refusal::NotOffered(feature)))
}

/// The federations of a SuperLink, or all that is in one of them.
async fn list_of_superlink(
    args: &FederationListArgs,
    target: &Target,
    output: &mut Output,
) -> Result<()> {
    let superlink = super::reach(target, "federation", output)?;
    let busy = output.busy("Asking the SuperLink");
    let Some(id) = &args.federation_id else {
        let federations = superlink.control.federations().await;
        busy.finish_and_clear();
        output.progress("📄 Listing federations...");
        return output.superlink_federations(&federations?);
    };
    let whole = superlink.control.federation(id).await;
    busy.finish_and_clear();
    output.progress(&format!("📄 Showing federation '{id}'..."));
    output.whole_federation(&whole?)
}

fn list(args: &FederationListArgs, around: &Surroundings, output: &mut Output) -> Result<()> {
    let app = super::app_if_there(&args.app)?;
    let sources = around.sources(app.as_ref())?;
    let default = sources
        .iter()
        .find_map(|source| source.federations.default_name().map(str::to_owned));
    let mut rows: Vec<FederationRow> = Vec::new();
    for source in &sources {
        for name in source.federations.names() {
            // The first source that has a name is the one that is meant.
            if rows.iter().all(|row| row.name != name) {
                let is_default = default.as_deref() == Some(name);
                rows.push(row(source, name, is_default));
            }
        }
    }
    if let Some(home) = &around.home
        && rows.iter().all(|row| row.name != local::NAME)
        && let Some(description) = local::Local::at(home).description()?
    {
        let chosen = local::chosen(&description, &Table::new(), String::new())?;
        rows.push(FederationRow::new(&chosen, default.is_none()));
    }
    output.federations(&rows)?;
    if rows.is_empty() {
        output.suggest(
            "start a federation on this machine with `flwr up --detach`, or keep the address of yours: `flwr \
             federation add NAME --address HOST:9093`",
        );
    }
    Ok(())
}

fn row(source: &Source, name: &str, is_default: bool) -> FederationRow {
    if source.means_local(name) {
        return FederationRow::other(name, "flwr up", &source.told, is_default);
    }
    if source.means_supergrid(name, &Table::new()) {
        return FederationRow::other(name, "SuperGrid, not supported", &source.told, is_default);
    }
    match source.get(name, &Table::new(), String::new()) {
        Ok(chosen) => FederationRow::new(&chosen, is_default),
        // Another version of Flower may have written it: the rest can be used.
        Err(_) => FederationRow::other(name, "not usable", &source.told, is_default),
    }
}

fn show(args: &FederationShowArgs, around: &Surroundings, output: &mut Output) -> Result<()> {
    let target = args.target.meant();
    let app = super::app_if_there(&target.app)?;
    output.federation(&around.choose(app.as_ref(), &target)?)
}

fn add(args: &FederationAddArgs, home: &Home, output: &mut Output) -> Result<()> {
    let name = args.name.as_str();
    let good = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name == "default" || !name.chars().all(good) {
        return Err(Error::FederationName(name.to_owned()));
    }
    if home.federations().table(name).is_some() && !args.force {
        return Err(Error::FederationExists {
            name: name.to_owned(),
            path: home.path().to_owned(),
        });
    }
    let address: Address = Address::from_target(&args.address).map_err(Error::AddressFlag)?;
    if let Some(setting) = &args.proxy {
        connect::proxies(Some(setting))?;
    }
    let mut settings = vec![("address", Value::from(address.to_string()))];
    for (key, file) in [
        ("root-certificates", &args.root_certificates),
        ("client-certificate", &args.client_certificate),
        ("client-key", &args.client_key),
    ] {
        if let Some(file) = file {
            settings.push((key, Value::from(whole(file)?)));
        }
    }
    if args.insecure {
        settings.push(("insecure", Value::from(true)));
    }
    if args.enable_user_auth {
        settings.push(("enable-user-auth", Value::from(true)));
    }
    if let Some(server_name) = &args.server_name {
        settings.push(("server-name", Value::from(server_name.as_str())));
    }
    if let Some(proxy) = &args.proxy {
        settings.push(("proxy", Value::from(proxy.reveal())));
    }
    home.add(name, &settings, args.default)?;
    output.success(&format!(
        "Federation `{name}` is kept in {}",
        home.path().display()
    ))
}

/// The path of a file that is there, for use from any directory.
fn whole(file: &Path) -> Result<String> {
    let path = file.canonicalize().map_err(|source| Error::Read {
        path: file.to_owned(),
        source,
    })?;
    path.into_os_string()
        .into_string()
        .map_err(|path| Error::FilePath(path.into()))
}

fn remove(args: &FederationRemoveArgs, home: &Home, output: &mut Output) -> Result<()> {
    let name = known(&args.name, home)?;
    home.remove(name)?;
    output.success(&format!(
        "Federation `{name}` is taken out of {}",
        home.path().display()
    ))
}

fn default(args: &FederationDefaultArgs, home: &Home, output: &mut Output) -> Result<()> {
    let Some(name) = &args.name else {
        let name = home.federations().default_name().map(str::to_owned);
        let name = name.ok_or_else(|| Error::NoHomeDefault(home.path().to_owned()))?;
        return output.say(&name);
    };
    let name = known(name, home)?;
    home.set_default(name)?;
    output.success(&format!("Federation `{name}` is the default one"))
}

fn known<'a>(name: &'a str, home: &Home) -> Result<&'a str> {
    let federations = home.federations();
    if federations.table(name).is_some() {
        return Ok(name);
    }
    Err(Error::NotKept {
        name: name.to_owned(),
        path: home.path().to_owned(),
        nearest: flwr_core::config::nearest(name, federations.names()).map(str::to_owned),
    })
}
