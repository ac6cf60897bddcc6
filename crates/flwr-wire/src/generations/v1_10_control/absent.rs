//! The methods of flwr 1.27 and later for what a SuperLink need not have. Each is refused by the name of
//! the feature: a command then prints a sentence, and not that it may be too old.

use flwr_core::port::{Control, Result};
use flwr_core::refusal::{Feature, Refusal};
use futures::future::{Ready, ready};

use crate::methods::Request;

/// The methods, each with the feature that it is of.
pub(super) const METHODS: [(&str, Feature); 29] = [
    ("/flwr.proto.Control/CreateFederation", Feature::Federations),
    (
        "/flwr.proto.Control/ArchiveFederation",
        Feature::Federations,
    ),
    (
        "/flwr.proto.Control/AddNodeToFederation",
        Feature::Federations,
    ),
    (
        "/flwr.proto.Control/RemoveNodeFromFederation",
        Feature::Federations,
    ),
    (
        "/flwr.proto.Control/RemoveAccountFromFederation",
        Feature::Federations,
    ),
    ("/flwr.proto.Control/CreateInvitation", Feature::Federations),
    ("/flwr.proto.Control/ListInvitations", Feature::Federations),
    ("/flwr.proto.Control/AcceptInvitation", Feature::Federations),
    ("/flwr.proto.Control/RejectInvitation", Feature::Federations),
    ("/flwr.proto.Control/RevokeInvitation", Feature::Federations),
    (
        "/flwr.proto.Control/ConfigureSimulationFederation",
        Feature::Simulations,
    ),
    ("/flwr.proto.Control/ListRunSeries", Feature::RunSeries),
    ("/flwr.proto.Control/GetRunSeries", Feature::RunSeries),
    ("/flwr.proto.Control/StreamRunEvents", Feature::RunEvents),
    ("/flwr.proto.Control/StartAutomation", Feature::Automations),
    ("/flwr.proto.Control/ListAutomations", Feature::Automations),
    ("/flwr.proto.Control/StopAutomation", Feature::Automations),
    ("/flwr.proto.Control/ListConnectors", Feature::Connectors),
    (
        "/flwr.proto.Control/DisconnectConnector",
        Feature::Connectors,
    ),
    (
        "/flwr.proto.Control/BeginConnectorOAuth",
        Feature::Connectors,
    ),
    (
        "/flwr.proto.Control/CompleteConnectorOAuth",
        Feature::Connectors,
    ),
    ("/flwr.proto.Control/ListApps", Feature::Apps),
    ("/flwr.proto.Control/StoreApp", Feature::Apps),
    ("/flwr.proto.Control/AddApp", Feature::Apps),
    ("/flwr.proto.Control/RemoveApp", Feature::Apps),
    ("/flwr.proto.Control/ListAppAssociations", Feature::Apps),
    (
        "/flwr.proto.Control/UpdateRunSeriesDescription",
        Feature::RunSeries,
    ),
    (
        "/flwr.proto.Control/ListRunSeriesEvents",
        Feature::RunSeries,
    ),
    (
        "/flwr.proto.Control/SetFederationIcon",
        Feature::Federations,
    ),
];

/// Refuses a request, whatever stands in it.
pub(super) fn refuse<C: Control>(
    feature: Feature,
) -> impl Fn(C, Request<()>) -> Ready<Result<()>> + Copy {
    move |_, _| ready(Err(Refusal::NotOffered(feature).into()))
}
