#!/bin/sh
# Three SuperLinks on this machine, to try: with PostgreSQL, SeaweedFS, HAProxy and two SuperNodes, in the
# folder `cluster` of the current one. Ctrl-C stops all of it and removes the folder.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
PATH=$PATH:/usr/sbin
for program in "$bin/initdb" haproxy weed flwr-serverapp flower-superlink; do
    command -v "$program" >/dev/null || {
        echo "$program is not there: $here/README.md tells where it comes from" >&2
        exit 1
    }
done
umask 077
mkdir cluster
cd cluster
place=$PWD
database=$(mktemp -d)
pids=
weed=

stop() {
    trap '' EXIT INT TERM
    echo "stopping"
    # It would take ten seconds. Its sockets have names that the SeaweedFS of another user needs too.
    kill -KILL "$weed" 2>/dev/null && rm -f /tmp/seaweedfs-*-grpc-1[0-9][0-9][0-9][0-9].sock
    # The youngest first. Those that were killed by hand are gone.
    for pid in $pids; do
        kill "$pid" 2>/dev/null || :
        wait "$pid" 2>/dev/null || :
    done
    postgres pg_ctl stop -s -m fast -D "$database/data" || :
    cd / && rm -rf "$place" "$database"
}
trap stop EXIT
trap 'exit 0' INT TERM

# PostgreSQL refuses to run as root.
postgres() {
    program=$bin/$1
    shift
    case $(id -u) in
    # That user may not enter this folder.
    0) (cd / && exec runuser -u postgres -- "$program" "$@") ;;
    *) "$program" "$@" ;;
    esac
}
[ "$(id -u)" != 0 ] || chown postgres "$database"

# Starts a program: NAME.log has what it says, NAME.pid its number.
start() {
    name=$1
    shift
    "$@" >"$name.log" 2>&1 &
    echo $! >"$name.pid"
    pids="$! $pids"
}

# Waits until a command succeeds, half a minute at most.
wait_for() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries = 150 ]; then
            tail -n 5 ./*.log >&2
            echo "gave up: $*" >&2
            exit 1
        fi
        sleep 0.2
    done
}

# --- PostgreSQL
postgres initdb -D "$database/data" -U postgres --encoding UTF8 --locale C \
    --auth-local trust --auth-host scram-sha-256 >initdb.log
postgres pg_ctl start -s -w -D "$database/data" -l "$database/log" \
    -o "-p 15432 -k $database -c listen_addresses=127.0.0.1"
head -c 18 /dev/urandom | base64 >database-password
"$bin/psql" -q -h "$database" -p 15432 -U postgres -v password="$(cat database-password)" <<'SQL'
CREATE ROLE flower LOGIN PASSWORD :'password';
CREATE DATABASE flower OWNER flower ENCODING 'UTF8' TEMPLATE template0;
SQL

# --- a bucket
secret=$(head -c 18 /dev/urandom | base64)
mkdir bucket
AWS_ACCESS_KEY_ID=flower AWS_SECRET_ACCESS_KEY=$secret start weed weed mini -dir=bucket -bucket=flower \
    -ip=127.0.0.1 -ip.bind=127.0.0.1 -filer.localSocket="$database/filer" -s3.localSocket="$database/s3" \
    -webdav=false -admin.ui=false -s3.port.iceberg=0 -master.telemetry=false
weed=$!
wait_for grep -q 'Press Ctrl' weed.log
printf 'aws_access_key_id = flower\naws_secret_access_key = %s\n' "$secret" >storage-credentials

# --- three SuperLinks, each with the usual ports at an address of its own. `exec`: the number in the file is
# that of the SuperLink, and not of a shell.
flwr cert new >/dev/null
flwr key new --count 2 >/dev/null
superlink() {
    number=$1
    shift
    exec flower-superlink \
        --superlink-name "superlink-$number" \
        --database postgres://flower@127.0.0.1:15432/flower \
        --database-password-file database-password \
        --storage 's3://flower/federation?region=us-east-1&endpoint=http://127.0.0.1:8333' \
        --storage-credentials-file storage-credentials \
        --ssl-ca-certfile certificates/ca.crt \
        --ssl-certfile certificates/server.pem --ssl-keyfile certificates/server.key \
        --auth-list-public-keys keys/client_public_keys.csv \
        --fleet-api-address "127.0.1.$number:9092" \
        --control-api-address "127.0.1.$number:9093" --proxy-protocol-from 127.0.0.1 \
        --serverappio-api-address "127.0.1.$number:9091" --serverappio-advertise 127.0.0.1:9091 \
        --host "127.0.1.$number" --health-server-address "127.0.1.$number:9098" \
        --flwr-dir home --resume-runs "$@"
}
(superlink 1 --check-config) >check.log 2>&1 || {
    cat check.log >&2
    exit 1
}
for number in 1 2 3; do
    start "superlink-$number" superlink "$number"
done

# --- the balancer: the file of three machines, with other addresses
sed -e 's/10\.0\.0\.1\([123]\):/127.0.1.\1:/' -e 's/bind :/bind 127.0.0.1:/' "$here/haproxy.cfg" >haproxy.cfg
start haproxy haproxy -db -f haproxy.cfg

# --- two SuperNodes
for number in 1 2; do
    start "supernode-$number" flower-supernode --superlink 127.0.0.1:9092 \
        --root-certificates certificates/ca.crt --flwr-dir home \
        --auth-supernode-private-key "keys/client_credentials_$number" \
        --auth-supernode-public-key "keys/client_credentials_$number.pub" \
        --node-config "partition-id=$((number - 1)) num-partitions=2" \
        --clientappio-api-address "127.0.0.1:$((9093 + number))"
done
for number in 1 2; do
    wait_for grep -q 'registered with the SuperLink' "supernode-$number.log"
done

echo "Three SuperLinks and two SuperNodes are up. Logs and process numbers are in $place."
wait
