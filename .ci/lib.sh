# shellcheck shell=bash
# Runs the parts of a check one after the other, goes on after a failing one, and counts.

source "$(dirname "${BASH_SOURCE[0]}")/../e2e/cluster/lib/all.sh"
CI_FOLDER=$REPOSITORY/.ci
PART_LOGS=$BUILD/test-logs
FAILED_PARTS=()

# run_part <name> <command…>: shows and keeps what it says. Its failure is remembered, not fatal.
run_part() {
  local name=$1 started=$EPOCHREALTIME status=0 log=$PART_LOGS/$1.log
  shift
  mkdir -p "$PART_LOGS"
  say "=== $name"
  # In a subshell of its own: `set -e` is void in whatever stands before `||`.
  set +e
  (set -e; "$@") 2>&1 </dev/null | tee "$log"
  status=${PIPESTATUS[0]}
  set -e
  if ((status == 0)); then
    say "=== $name: passed in $(seconds_since "$started") s"
  else
    FAILED_PARTS+=("$name")
    say "=== $name: FAILED in $(seconds_since "$started") s, see $log"
  fi
}

# finish: the counts of all parts in one last line, and the run's verdict.
finish() {
  if ((${#FAILED_PARTS[@]} > 0)); then say "failed: ${FAILED_PARTS[*]}"; fi
  "$CI_FOLDER/count" "$PART_LOGS" "${FAILED_PARTS[@]}"
  ((${#FAILED_PARTS[@]} == 0))
}
