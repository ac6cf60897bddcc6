//! Prints the federations of a SuperLink, and what is in one of them.

use flwr_core::port::control::{Federation, Member, WholeFederation};
use serde_json::{Value, json};

use super::table::{Row, Table};
use super::{Colour, NodeRow, Output, RunRow, nodes, printable, runs};
use crate::cli::Format;
use crate::error::Result;

impl Output {
    /// The list of a SuperLink's federations, in the format that was asked for.
    pub(crate) fn superlink_federations(&mut self, federations: &[Federation]) -> Result<()> {
        let all = || federations.iter().map(outline).collect::<Vec<_>>();
        self.list(
            &table(federations),
            || json!({"success": true, "federations": all()}),
        )
    }

    /// A federation with its people, SuperNodes and runs, in the format that was asked for.
    pub(crate) fn whole_federation(&mut self, whole: &WholeFederation) -> Result<()> {
        let (nodes, runs) = (NodeRow::each(&whole.nodes), RunRow::all(&whole.runs));
        if self.format == Format::Json {
            let mut federation = outline(&whole.federation);
            federation["members"] = whole.members.iter().map(member).collect();
            federation["nodes"] = nodes.iter().map(NodeRow::brief).collect();
            federation["runs"] = runs.iter().map(RunRow::brief).collect();
            return self.json(&json!({"success": true, "federation": federation}));
        }
        self.table(&table(std::slice::from_ref(&whole.federation)))?;
        self.say("\nMembers")?;
        self.table(&members(&whole.members))?;
        self.say("\nSuperNodes")?;
        self.table(&nodes::table(&nodes, self.verbose))?;
        self.say("\nRuns")?;
        self.table(&runs::table(&runs))
    }
}

fn outline(federation: &Federation) -> Value {
    json!({
        "id": federation.id,
        "description": federation.description,
        "archived": federation.archived,
        "simulation": federation.simulation,
    })
}

fn member(member: &Member) -> Value {
    json!({"member_id": member.account.name, "role": member.role})
}

fn row<const N: usize>(cells: [&str; N]) -> Row {
    Row {
        cells: cells.into_iter().map(printable).collect(),
        short: None,
        colour: Colour::Green,
    }
}

fn table(federations: &[Federation]) -> Table {
    let federation = |federation: &Federation| {
        let runtime = match federation.simulation {
            true => "simulation",
            false => "deployment",
        };
        let status = match federation.archived {
            true => "archived",
            false => "active",
        };
        let (id, description) = (&*federation.id, &*federation.description);
        row([id, description, runtime, status])
    };
    Table {
        headers: vec!["Federation", "Description", "Runtime", "Status"],
        rows: federations.iter().map(federation).collect(),
        coloured: 3,
        spare: &[1],
    }
}

fn members(members: &[Member]) -> Table {
    Table {
        headers: vec!["Account Name", "Role"],
        rows: members
            .iter()
            .map(|member| row([&*member.account.name, &*member.role]))
            .collect(),
        coloured: 1,
        spare: &[],
    }
}
