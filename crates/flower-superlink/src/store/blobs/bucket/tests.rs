//! Addresses of buckets, and files that belong to them.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn an_address_names_bucket_prefix_region_and_endpoint() {
    let url = "s3://models/team-a/x?region=eu-1&endpoint=http%3A%2F%2F127.0.0.1:9000";
    let url = BucketUrl::parse(url).unwrap();
    assert_eq!(
        url.to_string(),
        "s3://models/team-a/x at http://127.0.0.1:9000"
    );
    assert_eq!(url.region.as_deref(), Some("eu-1"));
    let plain = BucketUrl::parse("s3://models").unwrap();
    assert_eq!(
        (plain.to_string().as_str(), plain.endpoint),
        ("s3://models", None)
    );
}

#[test]
fn what_is_no_bucket_or_is_not_encrypted_is_refused() {
    for wrong in [
        "s3://",
        "s3:///x",
        "gs://models",
        "s3://m/../x",
        "s3://m?region",
    ] {
        let refused = BucketUrl::parse(wrong).unwrap_err().to_string();
        assert!(
            refused.contains("write s3://BUCKET/PREFIX"),
            "{wrong}: {refused}"
        );
    }
    let refused = BucketUrl::parse("s3://m?profile=a")
        .unwrap_err()
        .to_string();
    assert!(refused.contains("`profile`"), "{refused}");
    for open in [
        "http://10.0.0.1:9000",
        "http://127.0.0.1.example.com",
        "ftp://x",
        "10.0.0.1",
        "https://me:secret@x",
    ] {
        let refused = BucketUrl::parse(&format!("s3://m?endpoint={open}")).unwrap_err();
        assert!(
            matches!(refused, BucketError::Endpoint(_)),
            "{open}: {refused}"
        );
    }
    for good in [
        "https://s3.example.com",
        "http://localhost:1",
        "http://[::1]:9",
    ] {
        assert!(
            BucketUrl::parse(&format!("s3://m?endpoint={good}")).is_ok(),
            "{good}"
        );
    }
}

#[test]
fn a_file_without_certificates_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    fs::write(&path, "no certificate").unwrap();
    let bucket = Bucket {
        url: BucketUrl::parse("s3://models").unwrap(),
        credentials: None,
        roots: Some(path),
        cache: 0,
        apps: None,
    };
    let refused = bucket.store().unwrap_err();
    assert!(
        matches!(refused, BucketError::Certificates { .. }),
        "{refused}"
    );
}

#[test]
fn credentials_are_read_from_a_file_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("credentials");
    let text = "[other]\naws_access_key_id = no\n[default]\naws_access_key_id = me\n\
                aws_secret_access_key=se=cret\n";
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let refused = Credentials::read(&path).err().unwrap();
    assert!(
        matches!(refused, BucketError::OpenCredentials(_)),
        "{refused}"
    );
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let found = Credentials::read(&path).ok().unwrap();
    assert_eq!(
        (found.id.as_str(), found.secret.as_str()),
        ("me", "se=cret")
    );
    fs::write(&path, "aws_access_key_id = me\n").unwrap();
    let refused = Credentials::read(&path).err().unwrap().to_string();
    assert!(
        refused.contains("has no aws_secret_access_key"),
        "{refused}"
    );
}
