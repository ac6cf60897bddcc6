#!/bin/sh
# Makes a certificate authority and a server certificate signed by it, for development and tests.
#
#   certificates/generate.sh                          names: localhost 127.0.0.1 ::1
#   certificates/generate.sh superlink.example.org 10.0.0.5
#   OUT=/etc/flower DAYS=90 certificates/generate.sh superlink.example.org
#
# OUT   where the files go (default: the folder this script is in)
# DAYS  how long both certificates are valid (default: 365)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-$here}
days=${DAYS:-365}
[ "$#" -gt 0 ] || set -- localhost 127.0.0.1 ::1

# Keys must never be readable by others, not even while they are being written.
umask 077
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

cp "$here/openssl.cnf" "$work/openssl.cnf"
dns=0 ip=0
for name in "$@"; do
    case $name in
        *:* | *[0-9].[0-9]*.[0-9]*.[0-9]*)
            ip=$((ip + 1)); echo "IP.$ip = $name" ;;
        *)
            dns=$((dns + 1)); echo "DNS.$dns = $name" ;;
    esac
done >>"$work/openssl.cnf"

openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$work/ca.key"
openssl req -x509 -new -sha256 -config "$work/openssl.cnf" -extensions authority \
    -key "$work/ca.key" -subj "/CN=Flower development CA" -days "$days" -out "$work/ca.crt"

openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$work/server.key"
openssl req -new -sha256 -config "$work/openssl.cnf" \
    -key "$work/server.key" -subj "/CN=$1" -out "$work/server.csr"
openssl x509 -req -sha256 -in "$work/server.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" \
    -set_serial "0x$(openssl rand -hex 16)" -extfile "$work/openssl.cnf" -extensions server \
    -days "$days" -out "$work/server.pem" 2>/dev/null

openssl verify -CAfile "$work/ca.crt" "$work/server.pem" >/dev/null
chmod 644 "$work/ca.crt" "$work/server.pem"
mv "$work/ca.crt" "$work/ca.key" "$work/server.pem" "$work/server.key" "$out/"

echo "Wrote ca.crt, ca.key, server.pem and server.key to $out"
echo "The server certificate is valid for: $*"
