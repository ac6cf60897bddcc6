//! Each vector in `testdata/tomlw` is a document and what the real library writes for it.

use proptest::prelude::*;

use super::*;

fn rewritten(text: &str) -> String {
    to_string(&text.parse().unwrap())
}

#[test]
fn documents_are_written_as_the_real_library_writes_them() {
    let vectors = [
        (
            include_str!("../../testdata/tomlw/everything.in.toml"),
            include_str!("../../testdata/tomlw/everything.out.toml"),
        ),
        (
            include_str!("../../testdata/tomlw/project.in.toml"),
            include_str!("../../testdata/tomlw/project.out.toml"),
        ),
        (
            include_str!("../../testdata/tomlw/width.in.toml"),
            include_str!("../../testdata/tomlw/width.out.toml"),
        ),
    ];
    for (source, expected) in vectors {
        let ours = rewritten(source);
        for (line, (a, b)) in ours.lines().zip(expected.lines()).enumerate() {
            assert_eq!(a, b, "line {}", line + 1);
        }
        assert_eq!(ours, expected);
    }
}

#[test]
fn what_is_written_reads_back_as_the_same_document() {
    for source in [
        include_str!("../../testdata/tomlw/project.in.toml"),
        include_str!("../../testdata/tomlw/width.in.toml"),
    ] {
        let document: Table = source.parse().unwrap();
        assert_eq!(rewritten(source).parse::<Table>().unwrap(), document);
    }
}

#[test]
fn floats_are_pythons() {
    for (number, expected) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1e16, "1e+16"),
        (9_999_999_999_999_998.0, "9999999999999998.0"),
        (1e-4, "0.0001"),
        (1e-5, "1e-05"),
        (1.5e-7, "1.5e-07"),
        (1e100, "1e+100"),
        (1e-300, "1e-300"),
        (f64::MAX, "1.7976931348623157e+308"),
        (f64::NEG_INFINITY, "-inf"),
        (-f64::NAN, "nan"),
        (3_678_528_665_082.281_3, "3678528665082.2812"),
        (654_681_395_457_256.3, "654681395457256.2"),
        (5e-324, "5e-324"),
        (-0.000_12, "-0.00012"),
        (123.0, "123.0"),
        (1e15, "1000000000000000.0"),
        (0.1 + 0.2, "0.30000000000000004"),
    ] {
        assert_eq!(float(number), expected);
    }
}

#[test]
fn an_empty_document_is_empty_text() {
    assert_eq!(to_string(&Table::new()), "");
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        any::<bool>().prop_map(Value::Boolean),
        any::<f64>()
            .prop_filter("NaN is not equal to itself", |f| !f.is_nan())
            .prop_map(Value::Float),
        ".*".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            proptest::collection::vec((".*", inner), 0..5)
                .prop_map(|pairs| Value::Table(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_document_reads_back_unchanged(pairs in proptest::collection::vec((".*", value()), 0..6)) {
        let document: Table = pairs.into_iter().collect();
        let text = to_string(&document);
        prop_assert_eq!(text.parse::<Table>().unwrap(), document, "{}", text);
    }
}
