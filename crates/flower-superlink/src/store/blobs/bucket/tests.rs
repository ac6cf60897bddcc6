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
fn an_error_tells_no_key_and_no_password() {
    for secret in [
        "s3://KEY:SECRET@models/a",
        "s3://KEY:SEC/RET@models",
        "s3://KEY:SEC?RET@models",
        "https://KEY:SECRET@host/models",
        "s3://models?secret_access_key=SECRET",
        "s3://models?SECRET",
        "s3://models?region=%FFSECRET",
        "s3://models?endpoint=https://KEY:SECRET@host",
        "s3://models?endpoint=https://KEY:SEC%2FRET@host/x",
        "s3://models?endpoint=http://host/SECRET?x=SECRET",
    ] {
        let refused = BucketUrl::parse(secret).unwrap_err().to_string();
        let told = ["SECRET", "SEC", "RET", "KEY:"].map(|part| refused.contains(part));
        assert_eq!(told, [false; 4], "{secret}: {refused}");
        assert!(refused.contains("models") || refused.contains("host") || refused.contains('…'));
    }
}

#[test]
fn a_file_with_credentials_stands_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials");
    let text = "aws_access_key_id = me\naws_secret_access_key = mine\n";
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let bucket = Bucket {
        url: BucketUrl::parse("s3://models").unwrap(),
        credentials: Some(file.clone()),
        roots: None,
        cache: 0,
        apps: None,
        superlink: "a".to_owned(),
    };
    let environment = AmazonS3Builder::new()
        .with_access_key_id("other")
        .with_token("foreign")
        .with_skip_signature(true)
        .with_region("eu-1");
    let found = bucket.identified(environment.clone()).unwrap();
    let value = |key| found.get_config_value(&key);
    assert_eq!(value(AmazonS3ConfigKey::AccessKeyId).as_deref(), Some("me"));
    assert_eq!(value(AmazonS3ConfigKey::Token), None);
    assert_eq!(
        value(AmazonS3ConfigKey::SkipSignature).as_deref(),
        Some("false")
    );
    assert_eq!(value(AmazonS3ConfigKey::Region).as_deref(), Some("eu-1"));
    fs::write(&file, format!("{text}aws_session_token = foreign\n")).unwrap();
    let refused = bucket.identified(environment).unwrap_err().to_string();
    assert!(
        refused.contains("--storage-credentials-file") && refused.contains("expires"),
        "{refused}"
    );
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
        superlink: "a".to_owned(),
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
