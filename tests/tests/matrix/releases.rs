//! Which releases are tried, and what of each.

use e2e::Release;

use crate::combination::Kind;

/// All releases that `cargo xtask interop` tries, the earliest first.
pub(crate) const ALL: [Release; 29] = [
    Release::V1_8,
    Release::V1_10,
    Release::V1_12,
    Release::V1_13,
    Release::V1_14,
    Release::V1_15,
    Release::V1_16,
    Release::V1_17,
    Release::V1_18,
    Release::V1_19,
    Release::V1_20,
    Release::V1_21,
    Release::V1_22,
    Release::V1_23,
    Release::V1_25,
    Release::V1_26,
    Release::V1_28,
    Release::V1_29,
    Release::V1_31,
    Release::V1_33,
    Release::V1_34,
    Release::V1_36,
    Release::V1_37,
    Release::V1_38,
    Release::V1_39,
    Release::V1_40,
    Release::V1_41,
    Release::V1_42,
    Release::V1_43,
];

/// The combinations of versions before 1.13, of those before 1.15, and of those to 1.22.
const OLDEST: [Kind; 1] = [Kind::SuperLinkAndOldest];
const OLDER: [Kind; 2] = [Kind::SuperLinkAndSuperNode, Kind::SuperLinkAndServerApp];
const TO_1_22: [Kind; 6] = [
    Kind::SuperLinkAndSuperNode,
    Kind::SuperLinkAndCli,
    Kind::SuperLinkAndServerApp,
    Kind::SuperNodeAndSuperLink,
    Kind::SuperNodeAndClientApp,
    Kind::CliAndSuperLink,
];
/// Those of releases that speak HTTP, and of releases that are not known here.
const TODAY: [Kind; 8] = [
    Kind::SuperLinkAndSuperNode,
    Kind::SuperLinkAndCli,
    Kind::SuperLinkAndServerApp,
    Kind::SuperNodeAndSuperLink,
    Kind::SuperNodeAndClientApp,
    Kind::CliAndSuperLink,
    Kind::DaemonsAndApps,
    Kind::DaemonsAndSuperexec,
];

/// What is tried of the versions between: a few of each, since few releases change a wire.
const BETWEEN: [(Kind, &[Release]); 8] = [
    (Kind::SuperLinkAndSuperNode, SUPERNODES),
    (Kind::SuperLinkAndCli, CLIS),
    (Kind::SuperLinkAndServerApp, APPS),
    (Kind::SuperNodeAndSuperLink, SUPERNODES),
    (Kind::SuperNodeAndClientApp, APPS),
    (Kind::CliAndSuperLink, CLIS),
    (Kind::DaemonsAndApps, APPS),
    (Kind::DaemonsAndSuperexec, SUPEREXECS),
];
const SUPERNODES: &[Release] = &[
    Release::V1_23,
    Release::V1_26,
    Release::V1_31,
    Release::V1_36,
    Release::V1_39,
];
const CLIS: &[Release] = &[
    Release::V1_23,
    Release::V1_26,
    Release::V1_28,
    Release::V1_31,
    Release::V1_36,
    Release::V1_37,
    Release::V1_38,
    Release::V1_39,
];
const APPS: &[Release] = &[
    Release::V1_22,
    Release::V1_23,
    Release::V1_25,
    Release::V1_26,
    Release::V1_29,
    Release::V1_31,
    Release::V1_33,
    Release::V1_34,
    Release::V1_36,
    Release::V1_37,
    Release::V1_38,
    Release::V1_39,
];
const SUPEREXECS: &[Release] = &[
    Release::V1_22,
    Release::V1_23,
    Release::V1_26,
    Release::V1_29,
    Release::V1_31,
    Release::V1_34,
    Release::V1_36,
    Release::V1_37,
    Release::V1_38,
    Release::V1_39,
];

/// What is tried of this release.
pub(crate) fn kinds(release: Release) -> Vec<Kind> {
    let before = if release < Release::V1_13 {
        &OLDEST[..]
    } else if release < Release::V1_15 {
        &OLDER[..]
    } else if release < Release::V1_23 {
        &TO_1_22[..]
    } else if release.is_since(40) || !ALL.contains(&release) {
        return TODAY.to_vec();
    } else {
        &[]
    };
    let between = BETWEEN.iter().filter(|(_, of)| of.contains(&release));
    let between = between.map(|(kind, _)| *kind);
    let between = between.filter(|kind| !before.contains(kind));
    before.iter().copied().chain(between).collect()
}

#[test]
fn the_releases_of_today_are_tried_in_all_roles() {
    for number in ["1.40.0", "1.42.0", "1.43.0.dev20261026", "1.44.0"] {
        let release = Release::parse(number).unwrap();
        assert_eq!(release.number(), number);
        assert_eq!(kinds(release), TODAY, "{number}");
    }
    assert_eq!(kinds(Release::V1_10), OLDEST);
    assert_eq!(kinds(Release::V1_38).len(), 6);
    assert!(ALL.is_sorted());
}
