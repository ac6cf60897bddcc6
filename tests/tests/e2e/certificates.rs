//! Certificates and keys as people have them, made by openssl: what our programs say of each, and
//! what gRPC of pip's flwr makes of the same files. Each test prints its part of the table
//! (`cargo xtask test -p e2e -- certificates --nocapture`).

mod dates;
mod look;
mod ways_out;

use look::Ours::{Connects, Refused, Unusable};
use look::{Pip, table};

#[test]
fn chains_of_every_kind() {
    table(
        "chain",
        &[
            ("plain", Connects, "", Pip::Ready, Pip::Ready),
            ("self-signed-ca", Connects, "", Pip::Ready, Pip::Ready),
            (
                "self-signed-certsign-only",
                Refused("keyUsage without digitalSignature"),
                "keyUsage without digitalSignature",
                Pip::Refused,
                Pip::NoServer,
            ),
            (
                "self-signed-expired",
                Refused("has expired on 2021-01-01"),
                "it expired on 2021-01-01",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "self-signed-other-name",
                Refused("not for 127.0.0.1, but for elsewhere"),
                "",
                Pip::Refused,
                Pip::Refused,
            ),
            ("leaf-is-the-root", Connects, "", Pip::Ready, Pip::Ready),
            (
                "address-as-dns-name",
                Connects,
                "it names 127.0.0.1 as a DNS name",
                Pip::Ready,
                Pip::Ready,
            ),
            // A CA that may sign for no address would sign for this one.
            (
                "address-as-dns-name-constrained",
                Refused("names 127.0.0.1 as a DNS name, and one of its CAs limits names"),
                "one of its CAs limits names",
                Pip::Ready,
                Pip::Ready,
            ),
            (
                "other-name",
                Refused("not for 127.0.0.1, but for elsewhere"),
                "",
                Pip::Refused,
                Pip::Refused,
            ),
            ("intermediate", Connects, "", Pip::Ready, Pip::Ready),
            (
                "intermediate-first",
                Connects,
                "the certificate of the key is not the first in the file",
                Pip::Ready,
                Pip::NoServer,
            ),
            (
                "intermediate-missing",
                Refused("signed by a CA that is not trusted here"),
                "O=T, CN=sub is neither in the root certificate file nor in the file with the certificate",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "expired",
                Refused("its certificate has expired on 2021-01-01"),
                "it expired on 2021-01-01",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "expired-root",
                Refused("the certificate of its CA O=T, CN=root has expired on 2021-01-01"),
                "the CA certificate O=T, CN=root expired on 2021-01-01",
                Pip::Refused,
                Pip::Refused,
            ),
            // The same key with later dates: pip's takes the first, and does not look further.
            (
                "expired-root-and-renewed",
                Connects,
                "",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "expired-root-and-successor",
                Connects,
                "",
                Pip::Ready,
                Pip::Ready,
            ),
            (
                "expired-intermediate",
                Refused("the certificate of its CA O=T, CN=sub has expired on 2021-01-01"),
                "the CA certificate O=T, CN=sub in the chain expired on 2021-01-01",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "intermediate-no-ca",
                Refused("CA O=T, CN=sub is not a CA's"),
                "CA O=T, CN=sub is not a CA's",
                Pip::Refused,
                Pip::Refused,
            ),
            ("root-no-ca", Connects, "", Pip::Ready, Pip::Ready),
            (
                "intermediate-no-certsign",
                Refused("keyUsage without keyCertSign"),
                "keyUsage without keyCertSign",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "path-length",
                Refused("CA O=T, CN=sub allows 0 CAs below it"),
                "CN=sub allows 0 CAs below it",
                Pip::Refused,
                Pip::Refused,
            ),
            ("path-length-of-root", Connects, "", Pip::Ready, Pip::Ready),
            (
                "names-violated",
                Refused("CA O=T, CN=sub allows it to sign only for example.org"),
                "only for example.org",
                Pip::Refused,
                Pip::Refused,
            ),
            // pip's TLS library evaluates no limits for addresses, and refuses them all.
            ("names-kept", Connects, "", Pip::Refused, Pip::Refused),
            // SHA-1 can be forged, and RSA of 1024 bits broken: ours stay with their no.
            (
                "sha-1",
                Refused("its certificate is signed with SHA-1"),
                "is signed with SHA-1",
                Pip::Ready,
                Pip::Ready,
            ),
            (
                "sha-1-intermediate",
                Refused("CA O=T, CN=sub is signed with SHA-1"),
                "is signed with SHA-1",
                Pip::Ready,
                Pip::Ready,
            ),
            (
                "weak-root-key",
                Refused("has an RSA key of 1024 bits"),
                "has an RSA key of 1024 bits",
                Pip::Ready,
                Pip::Ready,
            ),
            (
                "for-clients-only",
                Refused("extendedKeyUsage without serverAuth"),
                "extendedKeyUsage without serverAuth",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "intermediate-for-clients-only",
                Refused("CN=sub has an extendedKeyUsage without serverAuth"),
                "without serverAuth",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "key-usage-without-signing",
                Connects,
                "keyUsage without digitalSignature",
                Pip::Refused,
                Pip::NoServer,
            ),
            (
                "critical-extension",
                Refused("a critical extension that is not known here (1.2.3.4.5)"),
                "(1.2.3.4.5)",
                Pip::Refused,
                Pip::Refused,
            ),
            ("seven-intermediates", Connects, "", Pip::Ready, Pip::Ready),
            (
                "seven-intermediates-one-limits-names",
                Refused("more than six CAs above it, one of which limits names"),
                "more than six CAs above it",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "seven-intermediates-one-too-many",
                Refused("CN=sub2 allows 3 CAs below it"),
                "CN=sub2 allows 3 CAs below it",
                Pip::Refused,
                Pip::Refused,
            ),
        ],
    );
}

#[test]
fn keys_of_every_kind() {
    table(
        "key",
        &[
            ("rsa-2048", Connects, "", Pip::Ready, Pip::Ready),
            (
                "rsa-1024",
                Unusable("not a key that TLS can use"),
                "",
                Pip::Nothing,
                Pip::Ready,
            ),
            ("p-384", Connects, "", Pip::Ready, Pip::Ready),
            (
                "p-521",
                Connects,
                "its key is of kind EC P-521",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "ed25519",
                Connects,
                "its key is of kind Ed25519",
                Pip::Refused,
                Pip::Refused,
            ),
            ("ed25519-root", Connects, "", Pip::Ready, Pip::Ready),
            ("second-key", Connects, "", Pip::Ready, Pip::NoServer),
            ("parameters-first", Connects, "", Pip::Ready, Pip::Ready),
            (
                "other-key",
                Unusable("it is not the key of the certificate"),
                "",
                Pip::Nothing,
                Pip::NoServer,
            ),
            (
                "encrypted-key",
                Unusable("openssl pkey -in"),
                "",
                Pip::Nothing,
                Pip::NoServer,
            ),
            (
                "key-in-pkcs12",
                Unusable("openssl pkcs12 -in"),
                "",
                Pip::Nothing,
                Pip::NoServer,
            ),
            (
                "key-in-der",
                Unusable("openssl pkey -inform DER -in"),
                "",
                Pip::Nothing,
                Pip::NoServer,
            ),
            ("key-of-openssh", Connects, "", Pip::Ready, Pip::NoServer),
            (
                "ed25519-of-openssh",
                Unusable("ssh-keygen -p -m PEM"),
                "",
                Pip::Nothing,
                Pip::NoServer,
            ),
            (
                "certificate-for-key",
                Unusable("it holds a certificate, and PEM text of a private key is expected"),
                "",
                Pip::Nothing,
                Pip::NoServer,
            ),
        ],
    );
}

#[test]
fn encodings_of_every_kind() {
    table(
        "encoding",
        &[
            ("byte-order-mark", Connects, "", Pip::Refused, Pip::Refused),
            ("indented", Connects, "", Pip::Refused, Pip::Refused),
            ("windows-lines", Connects, "", Pip::Ready, Pip::Ready),
            ("utf-16", Connects, "", Pip::Refused, Pip::Refused),
            ("text-before", Connects, "", Pip::Ready, Pip::Ready),
            ("trusted", Connects, "", Pip::Ready, Pip::Ready),
            (
                "trusted-not-for-servers",
                Unusable("exclude this use"),
                "",
                Pip::Nothing,
                Pip::Refused,
            ),
            (
                "pkcs7",
                Unusable("it holds PKCS#7"),
                "",
                Pip::Nothing,
                Pip::Refused,
            ),
            (
                "pkcs7-der",
                Unusable("it holds PKCS#7"),
                "",
                Pip::Nothing,
                Pip::Refused,
            ),
            (
                "der",
                Unusable("it holds a certificate in DER"),
                "",
                Pip::Nothing,
                Pip::Refused,
            ),
            (
                "pkcs12",
                Unusable("it holds PKCS#12"),
                "",
                Pip::Nothing,
                Pip::Refused,
            ),
            (
                "request",
                Unusable("a certificate request, which no CA has signed"),
                "",
                Pip::Nothing,
                Pip::Refused,
            ),
        ],
    );
}
