#!/bin/sh
# Makes a certificate authority and a server certificate for this machine in certificates/.
#   ./generate_cert.sh [name-or-address …]     default: localhost 127.0.0.1 ::1
set -eu
cd "$(dirname "$0")"
[ "$#" -gt 0 ] || set -- localhost 127.0.0.1 ::1

names=
for name in "$@"; do
    case $name in
        *:* | *[0-9].[0-9]*.[0-9]*.[0-9]*) names="$names,IP:$name" ;;
        *) names="$names,DNS:$name" ;;
    esac
done

umask 077
mkdir -p certificates
cd certificates

# The authority. Whoever trusts ca.crt trusts what ca.key signs.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
    -subj "/CN=Flower example CA" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout ca.key -out ca.crt 2>/dev/null

# The SuperLink's key and certificate.
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -subj "/CN=$1" -keyout server.key -out server.csr 2>/dev/null
cat >server.ext <<END
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=${names#,}
END
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -set_serial "0x$(openssl rand -hex 16)" \
    -days 365 -extfile server.ext -out server.pem 2>/dev/null
rm server.csr server.ext
openssl verify -CAfile ca.crt server.pem >/dev/null
chmod 644 ca.crt server.pem

echo "certificates/: ca.crt, ca.key, server.pem, server.key, valid for $*"
