use std::path::Path;

use clap::CommandFactory;

use super::*;

/// Kept in `testdata/help.txt`: a change of a flag shows there. After a wanted change write it
/// anew with `FLWR_UPDATE_HELP=1 cargo test -p flower-superlink help`.
#[test]
fn help_is_as_recorded() {
    let help = Args::command()
        .term_width(100)
        .render_long_help()
        .to_string();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/help.txt");
    if std::env::var_os("FLWR_UPDATE_HELP").is_some() {
        std::fs::write(&file, &help).unwrap();
    }
    assert_eq!(help, std::fs::read_to_string(&file).unwrap());
}
