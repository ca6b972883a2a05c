#!/usr/bin/env bash
# Runs the database in DATA_FOLDER and makes it there when there is none. The password is what the Secret says at each
# start, so that a new Secret and a restart are all that a new password needs.
set -euo pipefail

DATA_FOLDER=${DATA_FOLDER:-/data}
SOCKET_FOLDER=${SOCKET_FOLDER:-/tmp}
PASSWORD=${FABRICA_DATABASE_PASSWORD:?is not set}
CLUSTER=$DATA_FOLDER/cluster
# The image holds one version.
BINARIES=$(echo /usr/lib/postgresql/*/bin)

# In a folder of another name first, for a start may be cut off in the middle.
make_cluster() {
  rm -rf "$CLUSTER.partial"
  "$BINARIES/initdb" --pgdata "$CLUSTER.partial" --username fabrica --encoding UTF8 --locale C.UTF-8 --data-checksums \
    --auth-local peer --auth-host scram-sha-256 >/dev/null
  echo 'host all all all scram-sha-256' >>"$CLUSTER.partial/pg_hba.conf"
  mv "$CLUSTER.partial" "$CLUSTER"
}

# Without a network, before anybody can connect.
run_alone() { "$BINARIES/postgres" --single -D "$CLUSTER" "$1" >/dev/null; }

prepare() {
  [[ $PASSWORD =~ ^[A-Za-z0-9_-]+$ ]] || {
    echo "error: the password may hold letters, digits, - and _ alone" >&2
    exit 1
  }
  run_alone postgres <<<"ALTER ROLE fabrica PASSWORD '$PASSWORD';"
  local made
  made=$(echo "SELECT 'there' FROM pg_database WHERE datname = 'fabrica';" |
    "$BINARIES/postgres" --single -D "$CLUSTER" postgres)
  [[ $made == *there* ]] || run_alone postgres <<<'CREATE DATABASE fabrica;'
}

[[ -d $CLUSTER ]] || make_cluster
prepare
unset FABRICA_DATABASE_PASSWORD PASSWORD
exec "$BINARIES/postgres" -D "$CLUSTER" -k "$SOCKET_FOLDER" -c "listen_addresses=${LISTEN_ADDRESSES:-*}" \
  -c "port=${PORT:-5432}" -c log_statement=none
