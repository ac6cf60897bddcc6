#!/bin/sh
# Makes what a federation needs whose clients prove who they are:
#   certificates/   an authority (ca.crt), and the server's certificate and key (server.pem, .key)
#   keys/           a key pair for each of n clients (default 2), one pair for the server, and
#                   client_public_keys.csv, the list of clients that the server lets in
#
#   ./generate.sh [n]
set -eu
cd "$(dirname "$0")"
count=${1:-2}
case $count in
    '' | *[!0-9]* | 0*) echo "'$count' is not a number of clients. Usage: ./generate.sh [n]" >&2; exit 2 ;;
esac
for program in openssl ssh-keygen; do
    command -v $program >/dev/null || { echo "$program is needed (on Debian: apt-get install openssl openssh-client)" >&2; exit 1; }
done

umask 077
mkdir -p certificates keys

# The authority. Whoever trusts ca.crt trusts what ca.key signs.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
    -subj "/CN=Flower example CA" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout certificates/ca.key -out certificates/ca.crt 2>/dev/null

# The server's key and certificate.
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -subj "/CN=localhost" -keyout certificates/server.key -out certificates/server.csr 2>/dev/null
cat >certificates/server.ext <<END
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1
END
openssl x509 -req -in certificates/server.csr -CA certificates/ca.crt -CAkey certificates/ca.key \
    -set_serial "0x$(openssl rand -hex 16)" -days 365 -extfile certificates/server.ext \
    -out certificates/server.pem 2>/dev/null
rm certificates/server.csr certificates/server.ext
openssl verify -CAfile certificates/ca.crt certificates/server.pem >/dev/null

# The keys. Of the server's pair only old versions of Flower make use.
rm -f keys/client_credentials_* keys/server_credentials* keys/client_public_keys.csv
ssh-keygen -q -t ecdsa -b 384 -N "" -C "" -f keys/server_credentials
list=
number=1
while [ "$number" -le "$count" ]; do
    ssh-keygen -q -t ecdsa -b 384 -N "" -C "" -f "keys/client_credentials_$number"
    list="$list,$(tr -d '\n' <"keys/client_credentials_$number.pub")"
    number=$((number + 1))
done
printf '%s\n' "${list#,}" >keys/client_public_keys.csv
chmod 644 certificates/ca.crt certificates/server.pem keys/*.pub keys/client_public_keys.csv

echo "certificates/: ca.crt, ca.key, server.pem, server.key, valid for localhost 127.0.0.1 ::1"
echo "keys/: $count client key pairs, one server key pair, and client_public_keys.csv"
