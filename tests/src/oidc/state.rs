//! What the provider knows, and answers.

use http::Method;
use serde_json::{Value, json};

use super::form::Form;
use super::{CLIENT, Key, Mood, Person, now};

/// What a test may change, and look at.
#[derive(Debug)]
pub struct State {
    pub(super) issuer: String,
    /// The key that signs, and is published.
    pub key: Key,
    /// How it stands with logins that have begun, by device code.
    pub(super) logins: Vec<(String, Decision)>,
    /// The refresh token that is good now, of whom, and how many were given.
    refresh: Vec<(String, Person)>,
    given: u32,
    /// How often its keys were asked for.
    pub asked_for_keys: u32,
    /// How often a login was asked about.
    pub polls: u32,
    /// How often tokens were refreshed, in vain or not.
    pub refreshes: u32,
    /// How it misbehaves.
    pub mood: Mood,
    /// Seconds that tokens are good for.
    pub lifetime: i64,
    /// Whether clients must show the secret.
    pub wants_secret: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Decision {
    Open,
    Approved(Person),
    Denied,
    Spent,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            issuer: String::new(),
            key: Key::rsa("one"),
            logins: Vec::new(),
            refresh: Vec::new(),
            given: 0,
            asked_for_keys: 0,
            polls: 0,
            refreshes: 0,
            mood: Mood::Fine,
            lifetime: 300,
            wants_secret: false,
        }
    }

    pub(super) fn claims(&self, person: &Person) -> Value {
        let now = now();
        json!({
            "iss": self.issuer, "sub": person.id, "aud": CLIENT,
            "exp": now + self.lifetime, "iat": now,
            "preferred_username": person.name, "groups": person.groups,
            "email": format!("{}@example.org", person.name), "email_verified": true,
        })
    }

    /// A new pair each time: the refresh token before it is dead, as with providers that rotate.
    fn tokens(&mut self, person: &Person) -> Value {
        let token = self.key.sign(&self.claims(person));
        let access = match self.mood {
            Mood::OpaqueAccessToken => "opaque".to_owned(),
            _ => token.clone(),
        };
        let mut tokens = json!({
            "access_token": access, "id_token": token, "token_type": "Bearer",
            "expires_in": self.lifetime,
        });
        if self.mood != Mood::NoRefreshToken {
            tokens["refresh_token"] = self.new_refresh(person).into();
        }
        tokens
    }

    pub(super) fn new_refresh(&mut self, person: &Person) -> String {
        self.given += 1;
        let token = format!("refresh-{}", self.given);
        self.refresh.push((token.clone(), person.clone()));
        token
    }

    pub(super) fn answer(&mut self, method: &Method, path: &str, form: &Form) -> (u16, Value) {
        if self.mood == Mood::Broken {
            return (500, json!({}));
        }
        if self.mood == Mood::Endless {
            return (200, json!({"issuer": "x".repeat(2 << 20)}));
        }
        match (method, path) {
            (&Method::GET, "/.well-known/openid-configuration") => (200, self.discovery()),
            (&Method::GET, "/keys") => {
                self.asked_for_keys += 1;
                // Clients pass over kinds of keys that they do not know.
                let strange = json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "x", "kid": "pq"});
                (200, json!({"keys": [self.key.jwk(), strange]}))
            }
            (&Method::POST, "/device" | "/token")
                if self.wants_secret && !form.has_secret
                    || !self.wants_secret && form.is_stranger() =>
            {
                (401, json!({"error": "invalid_client"}))
            }
            (&Method::POST, "/device") => self.begin(),
            (&Method::POST, "/token") => self.grant(form),
            _ => (404, json!({})),
        }
    }

    fn discovery(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        let issuer = match self.mood {
            Mood::OtherIssuer => "https://other.example.org".to_owned(),
            _ => self.issuer.clone(),
        };
        let mut facts = json!({
            "issuer": issuer, "jwks_uri": at("/keys"), "token_endpoint": at("/token"),
            "authorization_endpoint": at("/auth"),
        });
        if self.mood != Mood::NoDevices {
            facts["device_authorization_endpoint"] = at("/device").into();
        }
        facts
    }

    fn begin(&mut self) -> (u16, Value) {
        let number = self.logins.len();
        // Everything that a form has to encode.
        let code = format!("device/{number}+=&");
        self.logins.push((code.clone(), Decision::Open));
        let place = format!("{}/activate", self.issuer);
        let mut begun = json!({
            "device_code": code, "user_code": format!("CODE-{number}"),
            "verification_uri": place, "expires_in": 60, "interval": 1,
        });
        if self.mood != Mood::NoCompleteUri {
            begun["verification_uri_complete"] = format!("{place}?user_code=CODE-{number}").into();
        }
        (200, begun)
    }

    fn grant(&mut self, form: &Form) -> (u16, Value) {
        let no = |word: &str| (400, json!({"error": word}));
        match form.get("grant_type").as_deref() {
            Some("urn:ietf:params:oauth:grant-type:device_code") => {
                self.polls += 1;
                if self.mood == Mood::SlowDown {
                    return no("slow_down");
                }
                let code = form.get("device_code").unwrap_or_default();
                let login = self.logins.iter_mut().find(|(known, _)| *known == code);
                match login.map(|(_, decision)| decision) {
                    None | Some(Decision::Spent) => no("expired_token"),
                    Some(Decision::Open) => no("authorization_pending"),
                    Some(Decision::Denied) => no("access_denied"),
                    Some(decision @ Decision::Approved(_)) => {
                        match std::mem::replace(decision, Decision::Spent) {
                            Decision::Approved(person) => (200, self.tokens(&person)),
                            _ => no("expired_token"),
                        }
                    }
                }
            }
            Some("refresh_token") => {
                self.refreshes += 1;
                let token = form.get("refresh_token").unwrap_or_default();
                let at = self.refresh.iter().position(|(known, _)| *known == token);
                match at {
                    None => no("invalid_grant"),
                    Some(at) => {
                        let (_, person) = self.refresh.swap_remove(at);
                        (200, self.tokens(&person))
                    }
                }
            }
            _ => no("unsupported_grant_type"),
        }
    }
}
