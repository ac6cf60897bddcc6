//! Sets the commit that `--version` prints.

fn main() {
    flwr_build::set_commit();
}
