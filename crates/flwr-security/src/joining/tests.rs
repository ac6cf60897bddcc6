use super::*;
use crate::key::PrivateKey;

fn token() -> JoinToken {
    let address = "superlink.example:9092".parse().unwrap();
    JoinToken::issue(Pin::of_spki(b"an authority"), address).unwrap()
}

#[test]
fn a_token_is_read_as_it_was_written() {
    let token = token();
    let text = token.reveal();
    assert!(JoinToken::is_meant(&text));
    assert_eq!(text.parse(), Ok(token.clone()));
    for around in [
        format!(" {}\n", *text),
        format!("\"{}\"", *text),
        format!(" '{} '\n", *text),
    ] {
        assert!(JoinToken::is_meant(&around));
        assert_eq!(around.parse(), Ok(token.clone()));
    }
    let amid = format!("flower-supernode --join {}", *text);
    assert!(!JoinToken::is_meant(&amid) && JoinToken::is_in(&amid));
    assert_eq!(amid.parse::<JoinToken>(), Err(InvalidJoinToken::Amid));
    assert_eq!(
        JoinToken::hide(&amid),
        "flower-supernode --join the join token"
    );
}

#[test]
fn tokens_differ() {
    let (one, other) = (token(), token());
    assert_ne!(one.id, other.id);
    assert_ne!(one.secret, other.secret);
}

#[test]
fn a_token_that_was_cut_or_altered_is_told_from_another_text() {
    let text = token().reveal();
    for length in PREFIX.len()..text.len() {
        let cut = text[..length].parse::<JoinToken>();
        assert_eq!(cut, Err(InvalidJoinToken::Damaged), "{length} letters");
    }
    for at in PREFIX.len()..text.len() {
        let mut altered = text.as_bytes().to_vec();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert_eq!(
            altered.parse::<JoinToken>(),
            Err(InvalidJoinToken::Damaged),
            "letter {at}"
        );
    }
    assert_eq!(
        "token.txt".parse::<JoinToken>(),
        Err(InvalidJoinToken::Foreign)
    );
    assert_eq!("".parse::<JoinToken>(), Err(InvalidJoinToken::Foreign));
}

#[test]
fn a_token_keeps_its_secret_from_debug_output() {
    let token = token();
    let printed = format!("{token:?}");
    assert!(printed.contains("secret: JoinSecret,"), "{printed}");
}

#[test]
fn an_id_is_read_as_it_is_shown() {
    let id = token().id;
    assert_eq!(id.to_string().parse(), Ok(id));
    assert!("12".parse::<JoinTokenId>().is_err());
}

#[test]
fn a_statement_holds_for_one_connection_one_token_and_one_key() {
    let (key, other) = (
        PrivateKey::generate().unwrap(),
        PrivateKey::generate().unwrap(),
    );
    let (one, two) = (JoinTokenId([1; 8]), JoinTokenId([2; 8]));
    let statement = join_statement(&[7; 32], one, key.public_key());
    for foreign in [
        join_statement(&[8; 32], one, key.public_key()),
        join_statement(&[7; 32], two, key.public_key()),
        join_statement(&[7; 32], one, other.public_key()),
        renew_key_statement(&[7; 32], key.public_key(), other.public_key()),
    ] {
        assert_ne!(statement, foreign);
    }
    let forth = renew_key_statement(&[7; 32], key.public_key(), other.public_key());
    assert_ne!(
        forth,
        renew_key_statement(&[7; 32], other.public_key(), key.public_key())
    );
}
