# shellcheck shell=bash
# Sourced by every script here: where things are, and how progress and errors are shown.

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd -P)
SOURCES=$REPOSITORY/e2e/cluster
BUILD=$REPOSITORY/build
# Everything the running cluster keeps; `down` removes it whole.
STATE=$BUILD/cluster
LOGS=$STATE/log
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/fabrica

# The same for every clone of the project on a machine: they share address, ports and bridge,
# so the second one must find what the first one runs. It also keeps socket paths short.
RECORD=/run/fabrica-cluster

NODE_NAME=fabrica
NODE_ADDRESS=10.99.0.1
SERVICE_RANGE=10.96.0.0/16
POD_RANGE=10.244.0.0/16
CGROUP=fabrica-cluster
LOCAL_REGISTRY=fabrica.local
ADMIN_CONFIG=$STATE/admin.conf
CONTAINERD_SOCKET=$RECORD/containerd.sock

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

# step <what> <command…>: shows what ran and how long it took.
step() {
  local what=$1 started=$EPOCHREALTIME
  shift
  "$@"
  say "$(printf '  %-44s %6s s' "$what" "$(seconds_since "$started")")"
}

seconds_since() {
  local microseconds=$((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}))
  printf '%d.%d' $((microseconds / 1000000)) $((microseconds / 100000 % 10))
}

# quietly <log name> <command…>: says something only when the command fails.
quietly() {
  local log=$BUILD/$1.log
  shift
  mkdir -p "$BUILD"
  "$@" >"$log" 2>&1 </dev/null || {
    tail -n 30 "$log" >&2
    fail "failed: $* (all it said is in $log)"
  }
}

# wait_until <seconds> <command…>: polls until the command succeeds.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# content_hash <file or folder…>: the same for the same content, wherever the clone lies.
content_hash() {
  local path
  for path in "$@"; do
    (cd "$(dirname "$path")" && find "$(basename "$path")" -type f -print0 | sort -z | xargs -0 sha256sum)
  done | sha256sum | cut -c1-12
}

# An existing cluster is used when its kubeconfig is given and is not the one written here.
external_cluster() { [[ -n ${KUBECONFIG:-} && $KUBECONFIG != "$ADMIN_CONFIG" ]]; }

kubectl() { "$(tool_path node)" kubectl --kubeconfig="$(kubeconfig)" "$@"; }

kubeconfig() {
  if external_cluster; then echo "$KUBECONFIG"; else echo "$ADMIN_CONFIG"; fi
}

# One `up` or `down` at a time on a machine. Processes that outlive us must not inherit descriptor 9.
take_lock() {
  mkdir -p "$RECORD"
  exec 9>"$RECORD/lock"
  flock --nonblock 9 || {
    say "waiting for another make up or make down on this machine"
    flock 9
  }
}

# One build of images or release at a time in a clone.
take_build_lock() {
  mkdir -p "$BUILD"
  exec 7>"$BUILD/lock"
  flock 7
}
