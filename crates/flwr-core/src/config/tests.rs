use proptest::prelude::*;

use super::pairs::pairs_of;
use super::*;

fn flat(texts: &[&str]) -> UserConfig {
    flatten(&parse_pairs(texts).unwrap()).unwrap()
}

fn text(value: &str) -> Scalar {
    Scalar::Text(value.into())
}

// The expected pairs are what Python's `re.findall` gives for flwr's expression.
#[test]
fn pairs_are_found_as_flower_finds_them() {
    let cases: [(&str, &[(&str, &str)]); 14] = [
        ("a=1 b=2", &[("a", "1"), ("b", "2")]),
        ("a=\"x y\" b='p q'", &[("a", "\"x y\""), ("b", "'p q'")]),
        ("a = 1", &[]),
        ("a= b=c", &[("b", "c")]),
        ("=a=b", &[("=a", "b")]),
        ("a==b", &[("a", "=b")]),
        ("a=\"x", &[("a", "\"x")]),
        ("a=\"x y", &[("a", "\"x")]),
        ("a=\"x\"b=1", &[("a", "\"x\""), ("b", "1")]),
        ("word a=1,b=2 tail", &[("a", "1,b=2")]),
        (
            "é.ü=1\u{1f}b=2\u{a0}c=3",
            &[("é.ü", "1"), ("b", "2"), ("c", "3")],
        ),
        ("a='x\ny'", &[("a", "'x\ny'")]),
        ("a=", &[]),
        ("", &[]),
    ];
    for (given, expected) in cases {
        assert_eq!(pairs_of(given), expected, "{given:?}");
    }
}

#[test]
fn values_are_toml() {
    let config = flat(&["lr=1e-3 n=5 neg=-1 on=true name=\"x y\" path='a/b' big=0xff"]);
    assert_eq!(config["lr"], Scalar::Float(1e-3));
    assert_eq!(config["n"], Scalar::Int(5));
    assert_eq!(config["neg"], Scalar::Int(-1));
    assert_eq!(config["on"], Scalar::Bool(true));
    assert_eq!(config["name"], text("x y"));
    assert_eq!(config["path"], text("a/b"));
    assert_eq!(config["big"], Scalar::Int(255));
}

#[test]
fn dotted_keys_nest_and_later_flags_win_key_by_key() {
    let config = flat(&["a.b=1 a.c=2", "a.c=3 d=4", "", "d=5"]);
    let expected = [("a.b", 1), ("a.c", 3), ("d", 5)];
    assert_eq!(
        config,
        expected
            .map(|(key, n)| (key.to_owned(), Scalar::Int(n)))
            .into()
    );
}

#[test]
fn a_string_without_quotes_is_an_error_that_shows_how() {
    let error = parse_pairs(&["name=x"]).unwrap_err();
    assert!(matches!(&error, ConfigError::Pairs { given, .. } if given == "name=x"));
    assert!(error.to_string().contains("key3=\"string\""), "{error}");
    assert!(parse_pairs(&["a=1 a=2"]).is_err());
}

#[test]
fn a_file_among_pairs_is_an_error() {
    assert_eq!(
        parse_pairs(&["a=1", "over.toml"]).unwrap_err(),
        ConfigError::Mixed
    );
}

#[test]
fn words_without_a_pair_are_reported() {
    assert_eq!(ignored("lr = 0.1 a=1"), ["lr", "=", "0.1"]);
    assert!(ignored("a=1 b=\"x y\"").is_empty());
}

#[test]
fn arrays_and_dates_are_no_config_values() {
    for given in ["a.b=[1]", "a.b=1979-05-27"] {
        let table = parse_pairs(&[given]).unwrap();
        assert_eq!(
            flatten(&table).unwrap_err(),
            ConfigError::NotScalar("a.b".into())
        );
    }
}

#[test]
fn overrides_replace_and_must_exist() {
    let base = flat(&["lr=0.1 rounds=3"]);
    let fused = fuse(&base, &flat(&["rounds=5"])).unwrap();
    assert_eq!(fused["rounds"], Scalar::Int(5));
    assert_eq!(fused["lr"], Scalar::Float(0.1));
    let error = fuse(&base, &flat(&["round=5"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Key 'round' is not present in the main dictionary (did you mean 'rounds'?)"
    );
    let error = fuse(&base, &flat(&["stranger=5"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Key 'stranger' is not present in the main dictionary"
    );
}

#[test]
fn an_empty_value_on_the_wire_is_refused() {
    let wire = BTreeMap::from([("k".to_owned(), flwr_proto::Scalar { scalar: None })]);
    assert_eq!(from_wire(wire).unwrap_err(), ConfigError::Empty("k".into()));
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        (-1e300..1e300).prop_map(Scalar::Float),
        any::<i64>().prop_map(Scalar::Int),
        any::<bool>().prop_map(Scalar::Bool),
        ".*".prop_map(Scalar::Text),
        any::<u64>().prop_map(Scalar::Uint),
        any::<Vec<u8>>().prop_map(|bytes| Scalar::Bytes(bytes.into())),
    ]
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(texts in proptest::collection::vec("[a-c.= '\"\\[\\]{}#\\\\\n0-9-]*|.*", 0..4)) {
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        if let Ok(table) = parse_pairs(&texts) {
            let _ = flatten(&table);
        }
        for text in texts {
            let _ = ignored(text);
            let _ = from_toml_text(text);
        }
    }

    #[test]
    fn the_wire_carries_every_value(config in proptest::collection::btree_map(".*", scalar(), 0..8)) {
        prop_assert_eq!(from_wire(to_wire(&config)).unwrap(), config);
    }
}

#[test]
fn a_toml_file_is_known_by_its_suffix_in_any_case() {
    for text in ["a.toml", "A.TOML", "dir/o.Toml", ".toml", "é.toml"] {
        assert!(is_toml_file(text), "{text}");
    }
    for text in ["", "toml", "a=1", "a.tomlé", "é", "file=\"a.toml\""] {
        assert!(!is_toml_file(text), "{text}");
    }
    let mixed = parse_pairs(&["a=1", "b.TOML"]).unwrap_err();
    assert!(matches!(mixed, ConfigError::Mixed));
}
