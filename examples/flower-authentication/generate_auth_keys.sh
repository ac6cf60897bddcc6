#!/bin/sh
# Makes a key pair for each of n SuperNodes (default 2) in keys/, and the list of public keys
# that the SuperLink reads with --auth-list-public-keys.
#   ./generate_auth_keys.sh [n]
set -eu
cd "$(dirname "$0")"
count=${1:-2}
case $count in
    '' | *[!0-9]* | 0*) echo "'$count' is not a number of nodes. Usage: ./generate_auth_keys.sh [n]" >&2; exit 2 ;;
esac

umask 077
mkdir -p keys
rm -f keys/client_credentials_* keys/client_public_keys.csv

list=
number=1
while [ "$number" -le "$count" ]; do
    ssh-keygen -q -t ecdsa -b 384 -N "" -C "" -f "keys/client_credentials_$number"
    list="$list,$(tr -d '\n' <"keys/client_credentials_$number.pub")"
    number=$((number + 1))
done
printf '%s\n' "${list#,}" >keys/client_public_keys.csv
chmod 644 keys/client_credentials_*.pub keys/client_public_keys.csv

echo "keys/: $count key pairs (client_credentials_N, client_credentials_N.pub) and client_public_keys.csv"
