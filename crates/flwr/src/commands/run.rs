//! `flwr run`: bundle the app, have the SuperLink run it, and on request watch it to its end.

use flwr_core::config::{self, UserConfig};
use flwr_core::fab::Fab;
use flwr_core::project::Federation;
use flwr_proto::config_record::Item;
use flwr_proto::config_record_value::Value;
use flwr_proto::{ConfigRecord, ConfigRecordValue, StartRunRequest};
use serde_json::json;

use super::log::{Reader, Seen, follow};
use crate::cli::RunArgs;
use crate::connect::SuperLink;
use crate::error::{Error, Result};
use crate::project::{App, Bundle, config_error, ignored_words, overrides};
use crate::render::{Output, status_words};
use crate::resolved::ResolvedFederation;

const FLAG: &str = "--run-config";

pub(super) async fn run(args: &RunArgs, output: &mut Output) -> Result<()> {
    let app = super::load(&args.target.app, output)?;
    let chosen = super::offer::choose(&app, args, output).await?;
    let override_config = run_config(args, &app)?;
    for line in app
        .warnings
        .iter()
        .cloned()
        .chain(ignored_words(FLAG, &args.run_config))
    {
        output.warn(&line);
    }
    let mut superlink = SuperLink::connect(&chosen, "run")?;
    let Bundle { fab, warnings } = app.bundle()?;
    for warning in &warnings {
        output.warn(warning);
    }
    let (name, size) = (fab.file_name(), fab.bytes.len());
    output.talk(&format!("Bundled {name}: {size} bytes"));
    let request = request(&fab, &override_config, &chosen.federation)?;
    if args.dry_run {
        return rehearsed(&fab, &override_config, &chosen, output);
    }
    let run_id = start(&mut superlink, request, &chosen, output).await?;
    output.success(&format!("🎊 Successfully started run {run_id}"))?;
    output.json(&started(run_id, &fab))?;
    let mut reader = match (args.stream, args.wait) {
        (true, _) => Reader::Screen(output),
        (false, true) => Reader::Nobody,
        (false, false) => return Ok(()),
    };
    follow(&mut superlink, run_id, Seen::default(), &mut reader).await?;
    verdict(&mut superlink, run_id).await
}

/// Has the SuperLink start the run. The answer is the run's id.
async fn start(
    superlink: &mut SuperLink,
    request: StartRunRequest,
    chosen: &ResolvedFederation,
    output: &mut Output,
) -> Result<u64> {
    let busy = output.busy(&format!(
        "Sending it to federation `{}`",
        chosen.federation.name
    ));
    let answer = superlink.start_run(request).await;
    busy.finish_and_clear();
    answer?.run_id.ok_or(Error::NotStarted)
}

/// What would have been sent, and where.
fn rehearsed(
    fab: &Fab,
    override_config: &UserConfig,
    chosen: &ResolvedFederation,
    output: &mut Output,
) -> Result<()> {
    let federation = &chosen.federation;
    let address = federation.address.as_ref().map(ToString::to_string);
    output.success(&format!(
        "Everything is in order: {}, {} bytes, would run on federation `{}` ({}). Nothing was sent.",
        fab.file_name(),
        fab.bytes.len(),
        federation.name,
        address.as_deref().unwrap_or_default(),
    ))?;
    let mut answer = json!({"success": true, "dry-run": true});
    super::describe(fab, &mut answer);
    answer["federation"] = json!(federation.name);
    answer["address"] = json!(address);
    answer["run-config-overrides"] = json!(override_config.keys().collect::<Vec<_>>());
    output.json(&answer)
}

/// The overrides, each of a key that the app has: the SuperLink would start the run and leave it
/// to the ServerApp to fail.
fn run_config(args: &RunArgs, app: &App) -> Result<UserConfig> {
    let given = overrides(FLAG, &args.run_config)?;
    let given = config::flatten(&given).map_err(config_error(FLAG))?;
    config::fuse(&app.project().manifest().config, &given).map_err(config_error(FLAG))?;
    Ok(given)
}

fn request(
    fab: &Fab,
    override_config: &UserConfig,
    federation: &Federation,
) -> Result<StartRunRequest> {
    let options =
        config::flatten(&federation.options).map_err(config_error("the federation's options"))?;
    Ok(StartRunRequest {
        fab: Some(flwr_proto::Fab {
            hash_str: fab.hash.clone(),
            content: fab.bytes.clone(),
        }),
        override_config: config::to_wire(override_config),
        federation_options: Some(record(&options)),
    })
}

fn record(options: &UserConfig) -> ConfigRecord {
    use config::Scalar;
    let value = |scalar: &Scalar| match scalar {
        Scalar::Float(number) => Value::Double(*number),
        Scalar::Int(number) => Value::Sint64(*number),
        Scalar::Bool(flag) => Value::Bool(*flag),
        Scalar::Text(text) => Value::String(text.clone()),
        Scalar::Uint(number) => Value::Uint64(*number),
        Scalar::Bytes(bytes) => Value::Bytes(bytes.clone()),
    };
    let item = |(key, scalar): (&String, &Scalar)| Item {
        key: key.clone(),
        value: Some(ConfigRecordValue {
            value: Some(value(scalar)),
        }),
    };
    ConfigRecord {
        items: options.iter().map(item).collect(),
    }
}

fn started(run_id: u64, fab: &Fab) -> serde_json::Value {
    let mut answer = super::run_answer(run_id);
    super::describe(fab, &mut answer);
    answer
}

/// How a run ended whose log is at its end.
async fn verdict(superlink: &mut SuperLink, run_id: u64) -> Result<()> {
    let response = superlink.list_runs(Some(run_id)).await?;
    let Some(run) = response.run_dict.get(&run_id) else {
        return Ok(());
    };
    match status_words(run) {
        (status, _) if status == "finished:completed" => Ok(()),
        (status, details) => Err(Error::NotCompleted {
            run_id,
            status,
            details,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_simulation_travel_flat() {
        let options = "num-supernodes = 2\nbackend.client-resources.num-cpus = 1.5\nverbose = true"
            .parse()
            .unwrap();
        let record = record(&config::flatten(&options).unwrap());
        let keys: Vec<_> = record.items.iter().map(|item| item.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "backend.client-resources.num-cpus",
                "num-supernodes",
                "verbose"
            ]
        );
        let cpus = record.items[0].value.clone().unwrap().value;
        assert_eq!(cpus, Some(Value::Double(1.5)));
    }
}
