# shellcheck shell=bash
# Processes that outlive `make`, known by id and start time: an id is used again, the pair is not.

# start_time <pid>: in ticks since boot; fails when there is no such process or it only waits to be reaped.
start_time() {
  local stat
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  # The second field is the name and may hold anything; what follows its last parenthesis is plain.
  local -a fields
  read -ra fields <<<"${stat##*) }"
  [[ ${fields[0]} != Z ]] || return 1
  echo "${fields[19]}"
}

# recorded_pid <name>: the process recorded under this name, when it still lives.
recorded_pid() {
  local pid started
  { read -r pid started <"$RECORD/pids/$1"; } 2>/dev/null || return 1
  [[ $(start_time "$pid") == "$started" ]] || return 1
  echo "$pid"
}

is_running() { recorded_pid "$1" >/dev/null; }

recorded_names() { ls "$RECORD/pids" 2>/dev/null || true; }

# start_process <name> <command…>: in a session of its own, so that no terminal's end reaches it.
start_process() {
  local name=$1
  shift
  mkdir -p "$RECORD/pids" "$LOGS"
  setsid "$@" >>"$LOGS/$name.log" 2>&1 </dev/null 9>&- &
  local pid=$!
  echo "$pid $(start_time "$pid")" >"$RECORD/pids/$name"
  disown "$pid"
}

# stop_process <name>: asks, waits a little, then insists.
stop_process() {
  local name=$1 pid
  if pid=$(recorded_pid "$name"); then
    kill "-${STOP_SIGNAL:-TERM}" "$pid" 2>/dev/null || true
    wait_until 10 process_gone "$name" || kill -KILL "$pid" 2>/dev/null || true
    wait_until 5 process_gone "$name" || fail "process $pid ($name) does not end"
  fi
  rm -f "$RECORD/pids/$name"
}

process_gone() { ! is_running "$1"; }

# await <name> <seconds> <command…>: until the part answers; shows its last words when it does not.
await() {
  local name=$1 deadline=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ! is_running "$name" || ((SECONDS >= deadline)); then
      say "$(tail -n 15 "$LOGS/$name.log")"
      fail "$name did not become ready; all it said is in $LOGS/$name.log"
    fi
    sleep 0.1
  done
}
