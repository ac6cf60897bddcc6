//! Variables beside what is typed, and beside a file.

use super::*;

#[test]
fn a_prefix_of_insecure_and_its_variable_take_the_connection_out_of_the_file() {
    let on = r#"{"use_secure_connection": true}"#;
    let insecure = Args {
        insecure: true,
        ..plain()
    };
    assert_eq!(with("c.json", on, &["--insec"]).unwrap(), insecure);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.json");
    fs::write(&path, on).unwrap();
    let config = path.to_str().unwrap();
    let variables = [("PROGRAM_CONFIG", config), ("PROGRAM_INSECURE", "1")];
    let read = beside(&variables, &[]).unwrap();
    assert!(read.insecure && read.client_key.is_none());
}

#[test]
fn a_variable_turns_a_switch_of_the_file_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.json");
    fs::write(&path, r#"{"insecure": true}"#).unwrap();
    let config = path.to_str().unwrap();
    let variables = [("PROGRAM_CONFIG", config), ("PROGRAM_INSECURE", "off")];
    assert!(!beside(&variables, &[]).unwrap().insecure);
}

#[test]
fn a_file_and_a_variable_may_name_a_flag_by_its_alias() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    fs::write(&path, "old_switch = true\n").unwrap();
    let config = path.to_str().unwrap();
    assert!(beside(&[("PROGRAM_CONFIG", config)], &[]).unwrap().switch);
    let off = [("PROGRAM_CONFIG", config), ("PROGRAM_SWITCH", "off")];
    assert!(!beside(&off, &[]).unwrap().switch);
    assert!(beside(&[("PROGRAM_OLD_SWITCH", "on")], &[]).unwrap().switch);
}

#[test]
fn a_variable_and_a_file_may_have_several_values_with_commas() {
    let variables = [("PROGRAM_LIST", "7,8")];
    assert_eq!(beside(&variables, &[]).unwrap().list, [7, 8]);
    assert_eq!(beside(&variables, &["--list", "9"]).unwrap().list, [9]);
    let wrong = beside(&[("PROGRAM_LIST", "7,x")], &[]).unwrap_err();
    assert!(wrong.contains("PROGRAM_LIST"), "{wrong}");
    let file = with("c.toml", "list = \"7,8\"\n", &[]).unwrap();
    assert_eq!(file.list, [7, 8]);
}
