# Makes the certificates of the table, by openssl, in folders of the current one: `NAME/ca.crt` is
# what clients trust, `NAME/server.pem` and `NAME/server.key` are the server's.
set -e
CA='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign'
NAMES='subjectAltName=DNS:localhost,IP:127.0.0.1'
SERVER="$NAMES\nextendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature"
PAST='-startdate 20200101000000Z -enddate 20210101000000Z'
COMING='-startdate 20200101000000Z -enddate 20990101000000Z'

new() { rm -rf "$1"; mkdir "$1"; cd "$1"; }

# key NAME [ALGORITHM OPTIONS...]
key() {
  name=$1; shift
  [ $# -gt 0 ] || set -- EC -pkeyopt ec_paramgen_curve:P-256
  openssl genpkey -algorithm "$@" -out "$name.key" 2>/dev/null
}

# signed NAME ISSUER EXTENSIONS [DATES] [DIGEST]: by itself if it is its own issuer
signed() {
  [ -f "$1.key" ] || key "$1"
  subject=${1%%-*}
  openssl req -new -key "$1.key" -subj "/O=T/CN=$subject" -out "$1.csr"
  printf "$3\nsubjectKeyIdentifier=hash\n" > "$1.ext"
  rm -f index* serial*; : > index.txt; echo "01$(openssl rand -hex 8)" > serial
  cat > ca.cnf <<CNF
[ca]
default_ca=it
[it]
database=index.txt
serial=serial
new_certs_dir=.
policy=any
unique_subject=no
[any]
organizationName=optional
commonName=optional
CNF
  if [ "$1" = "$2" ]; then by="-selfsign"; else by="-cert $2.crt"; fi
  openssl ca -batch -config ca.cnf -in "$1.csr" -out "$1.crt" -keyfile "$2.key" $by \
    ${4:-$COMING} -md "${5:-sha256}" -extfile "$1.ext" -notext >/dev/null 2>&1
}

# The usual: a root, and what it has signed.
root() { signed root root "${1:-$CA}" "$2"; cp root.crt ca.crt; }
leaf() { signed leaf "${1:-root}" "${2:-$SERVER}" "$3" "$4"; serve leaf; }
serve() { cp leaf.key server.key; for name in "$@"; do cat "$name.crt"; done > server.pem; }

# --- chains
(new plain; root; leaf)
(new self-signed-ca; signed leaf leaf "basicConstraints=critical,CA:TRUE\n$NAMES"; serve leaf; cp leaf.crt ca.crt)
(new self-signed-certsign-only; signed leaf leaf "$CA\n$NAMES"; serve leaf; cp leaf.crt ca.crt)
(new self-signed-expired; signed leaf leaf "basicConstraints=critical,CA:TRUE\n$NAMES" "$PAST"; serve leaf; cp leaf.crt ca.crt)
(new self-signed-other-name; signed leaf leaf "basicConstraints=critical,CA:TRUE\nsubjectAltName=DNS:elsewhere"; serve leaf; cp leaf.crt ca.crt)
(new leaf-is-the-root; root; leaf; cp leaf.crt ca.crt)
(new address-as-dns-name; root; leaf root 'subjectAltName=DNS:localhost,DNS:127.0.0.1')
(new address-as-dns-name-constrained; root "$CA\nnameConstraints=permitted;IP:10.0.0.0/255.0.0.0"; leaf root 'subjectAltName=DNS:127.0.0.1')
(new other-name; root; leaf root 'subjectAltName=DNS:elsewhere')
(new intermediate; root; signed sub root "$CA"; leaf sub; serve leaf sub)
(new intermediate-first; root; signed sub root "$CA"; leaf sub; serve sub leaf)
(new intermediate-missing; root; signed sub root "$CA"; leaf sub)
(new expired; root; leaf root "$SERVER" "$PAST")
(new expired-root; root "$CA" "$PAST"; leaf)
(new expired-root-and-renewed; root "$CA" "$PAST"; cp root.crt old.crt; root; cat old.crt root.crt > ca.crt; leaf)
(new expired-root-and-successor; root "$CA" "$PAST"; cp root.crt old.crt; rm root.key; root; cat old.crt root.crt > ca.crt; leaf)
(new expired-intermediate; root; signed sub root "$CA" "$PAST"; leaf sub; serve leaf sub)
(new intermediate-no-ca; root; signed sub root 'basicConstraints=critical,CA:FALSE'; leaf sub; serve leaf sub)
(new root-no-ca; root 'basicConstraints=critical,CA:FALSE'; leaf)
(new intermediate-no-certsign; root; signed sub root 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign'; leaf sub; serve leaf sub)
(new path-length; root; signed sub root "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign"; signed low sub "$CA"; leaf low; serve leaf low sub)
(new path-length-of-root; root "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign"; signed sub root "$CA"; leaf sub; serve leaf sub)
(new names-violated; root; signed sub root "$CA\nnameConstraints=critical,permitted;DNS:example.org"; leaf sub; serve leaf sub)
(new names-kept; root; signed sub root "$CA\nnameConstraints=critical,permitted;DNS:localhost,permitted;IP:127.0.0.0/255.0.0.0"; leaf sub; serve leaf sub)
(new sha-1; root; leaf root "$SERVER" "$COMING" sha1)
(new sha-1-intermediate; root; signed sub root "$CA" "$COMING" sha1; leaf sub; serve leaf sub)
(new for-clients-only; root; leaf root "$NAMES\nextendedKeyUsage=clientAuth")
(new intermediate-for-clients-only; root; signed sub root "$CA\nextendedKeyUsage=clientAuth"; leaf sub; serve leaf sub)
(new key-usage-without-signing; root; leaf root "$NAMES\nkeyUsage=critical,keyEncipherment")
(new critical-extension; root; leaf root "$SERVER\n1.2.3.4.5=critical,DER:0500")
(new weak-root-key; key root RSA -pkeyopt rsa_keygen_bits:1024; root; leaf)
(new seven-intermediates; root; last=root; all=; for n in 1 2 3 4 5 6 7; do signed sub$n $last "$CA"; last=sub$n; all="sub$n $all"; done; leaf $last; serve leaf $all)
(new seven-intermediates-one-limits-names; root; last=root; all=; for n in 1 2 3 4 5 6 7; do limits=; [ $n = 3 ] && limits='\nnameConstraints=critical,permitted;DNS:localhost,permitted;IP:127.0.0.0/255.0.0.0'; signed sub$n $last "$CA$limits"; last=sub$n; all="sub$n $all"; done; leaf $last; serve leaf $all)
(new seven-intermediates-one-too-many; root; last=root; all=; for n in 1 2 3 4 5 6 7; do limits=; [ $n = 2 ] && limits=,pathlen:3; signed sub$n $last "basicConstraints=critical,CA:TRUE$limits"; last=sub$n; all="sub$n $all"; done; leaf $last; serve leaf $all)

# --- keys
(new rsa-2048; key leaf RSA -pkeyopt rsa_keygen_bits:2048; root; leaf)
(new rsa-1024; key leaf RSA -pkeyopt rsa_keygen_bits:1024; root; leaf)
(new p-384; key leaf EC -pkeyopt ec_paramgen_curve:P-384; root; leaf)
(new p-521; key leaf EC -pkeyopt ec_paramgen_curve:P-521; root; leaf)
(new ed25519; key leaf ED25519; root; leaf)
(new ed25519-root; key root ED25519; signed root root "$CA" "$COMING" null; cp root.crt ca.crt; leaf root "$SERVER" "$COMING" null)
(new second-key; root; leaf; key other; cat other.key leaf.key > server.key)
(new parameters-first; root; leaf; { openssl ecparam -name prime256v1; openssl ec -in leaf.key 2>/dev/null; } > server.key)
(new other-key; root; leaf; key other; cp other.key server.key)
(new encrypted-key; root; leaf; openssl pkey -in leaf.key -aes256 -passout pass:x -out server.key)
(new key-in-pkcs12; root; leaf; openssl pkcs12 -export -inkey leaf.key -in leaf.crt -passout pass:x -out server.key)
(new key-in-der; root; leaf; openssl pkey -in leaf.key -outform DER -out server.key)
(new key-of-openssh; root; leaf; ssh-keygen -q -p -N '' -f server.key)
(new ed25519-of-openssh; root; leaf; rm server.key; ssh-keygen -q -t ed25519 -N '' -f server.key)
(new certificate-for-key; root; leaf; cp leaf.crt server.key)

# --- encodings of what is trusted
encoded() { new "$1"; root; leaf; }
(encoded byte-order-mark; { printf '\357\273\277'; cat root.crt; } > ca.crt)
(encoded indented; sed 's/^/    /' root.crt > ca.crt)
(encoded windows-lines; sed 's/$/\r/' root.crt > ca.crt)
(encoded utf-16; { printf '\377\376'; iconv -t UTF-16LE root.crt; } > ca.crt)
(encoded text-before; openssl x509 -in root.crt -text -out ca.crt)
(encoded trusted; openssl x509 -in root.crt -addtrust serverAuth -out ca.crt)
(encoded trusted-not-for-servers; openssl x509 -in root.crt -addreject serverAuth -out ca.crt)
(encoded pkcs7; openssl crl2pkcs7 -nocrl -certfile root.crt -out ca.crt)
(encoded pkcs7-der; openssl crl2pkcs7 -nocrl -certfile root.crt -outform DER -out ca.crt)
(encoded der; openssl x509 -in root.crt -outform DER -out ca.crt)
(encoded pkcs12; openssl pkcs12 -export -nokeys -in root.crt -passout pass:x -out ca.crt)
(encoded request; cp root.csr ca.crt)
