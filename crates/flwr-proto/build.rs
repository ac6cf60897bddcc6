//! Generates the wire types and services from `proto/` with protox, a protobuf compiler in
//! Rust: no protoc is needed on the machine.

use std::path::PathBuf;

const ROOT: &str = "../../proto";
const FILES: &[&str] = &[
    "flwr/proto/fleet",
    "flwr/proto/serverappio",
    "flwr/proto/clientappio",
    "flwr/proto/control",
    "flower/join",
    "flower/launch",
    "flower/upkeep",
    "shared/maps",
    "v1_08/tasks",
    "v1_10/earlier",
    "v1_15/inline",
    "v1_24/heartbeat",
    "v1_30/tasks",
    "v1_43/replies",
];
/// Services for which a client and a server are generated. `flwr-wire` serves and calls all services
/// by tables of its own; tests of nodes and SuperLinks speak Fleet by generated code.
const WITH_CODE: &[&str] = &["Fleet"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={ROOT}");
    let file = |name: &&str| PathBuf::from(format!("{ROOT}/{name}.proto"));
    let files = FILES.iter().map(file);
    let mut descriptors = protox::compile(files, [ROOT])?;
    for file in &mut descriptors.file {
        file.service
            .retain(|service| WITH_CODE.contains(&service.name()));
    }
    tonic_prost_build::configure()
        // `Bytes`, so that a payload is a slice of what came off the socket, not a copy.
        .bytes(".")
        // Sorted maps: the same message has the same bytes on every machine.
        .btree_map(".")
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)?;
    Ok(())
}
