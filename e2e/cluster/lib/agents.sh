# shellcheck shell=bash
# The real agents that tests drive. They are not ours to hand on: each machine fetches its own, of the version and with
# the digest that agents.lock states.

AGENTS_LOCK=$SOURCES/config/agents.lock

# agent_cli: where Claude Code is; fetched once on a machine. Safe to call from several places at once.
agent_cli() {
  local package version digest folder path
  read -r package version digest < <(grep "^@anthropic-ai/claude-code-linux-$(agent_machine) " "$AGENTS_LOCK") ||
    fail "there is no Claude Code for $(uname -m) in $AGENTS_LOCK"
  folder=$CACHE/claude-$version
  path=$folder/package/claude
  if [[ ! -x $path ]]; then
    mkdir -p "$folder"
    (
      flock 8
      [[ -x $path ]] || fetch_agent "$package@$version" "$digest" "$folder"
    ) 8>"$folder/lock" || return
  fi
  echo "$path"
}

agent_machine() {
  case $(uname -m) in
    x86_64) echo x64 ;;
    *) uname -m ;;
  esac
}

# fetch_agent <package@version> <sha512 in base64> <folder>: the registry may be any mirror, so what it hands out is
# believed for its digest alone.
fetch_agent() {
  local package=$1 digest=$2 folder=$3 file
  command -v npm >/dev/null || fail "fetching $package needs npm"
  say "  fetching $package, once on this machine"
  rm -rf "$folder/partial" "$folder/package"
  mkdir -p "$folder/partial"
  npm pack --silent --pack-destination "$folder/partial" "$package" >/dev/null
  file=$(echo "$folder"/partial/*.tgz)
  [[ $(openssl dgst -sha512 -binary "$file" | base64 -w0) == "$digest" ]] ||
    fail "$package is not what agents.lock says"
  tar -xzf "$file" -C "$folder/partial"
  mv "$folder/partial/package" "$folder/package"
  rm -rf "$folder/partial"
}
