# shellcheck shell=bash
# The port of FABRICA_URL: chosen once, then remembered, so that bookmarks and tests keep working.

PORT_FILE=$BUILD/gateway-port
FIRST_PORT=30080
LAST_PORT=30179

port_is_free() { [[ -z $(ss --no-header --listening --tcp "sport = :$1") ]]; }

# choose_port: keeps the remembered one unless somebody else has taken it since.
choose_port() {
  local port
  mkdir -p "$BUILD"
  if [[ -f $PORT_FILE ]] && port_is_free "$(<"$PORT_FILE")"; then return; fi
  for ((port = FIRST_PORT; port <= LAST_PORT; port++)); do
    if port_is_free "$port"; then
      echo "$port" >"$PORT_FILE"
      return
    fi
  done
  fail "no port from $FIRST_PORT to $LAST_PORT is free for the gateway"
}

gateway_port() { cat "$PORT_FILE"; }
