# shellcheck shell=bash disable=SC2054
# The demo's forge: a real Gitea on the node's address, with a user, a repository, and tokens. Pods and the machine reach it.

FORGE=$STATE/forge
FORGE_ADDRESS=$NODE_ADDRESS:3000
FORGE_OWNER=demo
FORGE_REPOSITORY=demo
# Gitea refuses to be root.
FORGE_USER=65534
# What a Run needs: push, pull request, labels, work items.
RUN_SCOPES=write:repository,write:issue
# What people and tests need beside that: repositories of their own.
PEOPLE_SCOPES=$RUN_SCOPES,write:user
# What the gateway needs to search it for forms.
SEARCH_SCOPES=read:repository,read:issue

forge_url() { echo "http://$FORGE_ADDRESS"; }
forge_repository_url() { echo "$(forge_url)/$FORGE_OWNER/$FORGE_REPOSITORY.git"; }
forge_token() { cat "$FORGE/people.token"; }

# Not root, but let through folders that are closed: the clone may lie anywhere. Without the secure bit, access(2), which git
# asks, forgets that.
AS_FORGE=(env --chdir="$FORGE/data" HOME="$FORGE/data" USER=nobody GITEA_WORK_DIR="$FORGE/data"
  setpriv --reuid="$FORGE_USER" --regid="$FORGE_USER" --clear-groups --no-new-privs --securebits=+no_setuid_fixup
  --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search --bounding-set=-all,+dac_read_search)

gitea() { "${AS_FORGE[@]}" "$(tool_path gitea)" "$@" --config "$FORGE/app.ini"; }

# Gitea adds its own secrets to its configuration, so that is written once.
write_forge_config() {
  [[ ! -f $FORGE/app.ini ]] || return 0
  mkdir -p "$FORGE/data"
  sed -e "s|@FORGE@|$FORGE|g" -e "s|@URL@|$(forge_url)|g" -e "s|@ADDRESS@|$NODE_ADDRESS|g" \
    -e "s|@FILES@|$(dirname "$(tool_path gitea)")|g" "$SOURCES/config/gitea.ini" >"$FORGE/partial"
  chown -R "$FORGE_USER:$FORGE_USER" "$FORGE"
  mv "$FORGE/partial" "$FORGE/app.ini"
}

# Nobody waits for it here: it is asked once the product runs.
start_gitea() {
  write_forge_config
  start_process gitea "${AS_FORGE[@]}" "$(tool_path gitea)" web --config "$FORGE/app.ini"
}
forge_answers() { curl --fail --silent "$(forge_url)/api/v1/version"; }

# make_forge: whatever of user, tokens, repository and Secrets is not there yet.
make_forge() {
  await gitea 60 forge_answers
  [[ -s $FORGE/run.token ]] || make_forge_user
  [[ -s $FORGE/search.token ]] || make_forge_token search "$SEARCH_SCOPES"
  make_forge_secret demo forge run
  make_forge_secret fabrica-system forge-search search
}

# make_forge_secret <namespace> <name> <token>
make_forge_secret() {
  kubectl --namespace "$1" create secret generic "$2" --from-literal="token=$(<"$FORGE/$3.token")" \
    --dry-run=client --output=yaml | kubectl apply --server-side -f - >/dev/null
}

make_forge_user() {
  quietly forge-user gitea admin user create --username "$FORGE_OWNER" --email demo@fabrica.invalid --admin \
    --random-password --must-change-password=false
  make_forge_token people "$PEOPLE_SCOPES"
  curl --fail --silent --show-error --output /dev/null --header "Authorization: token $(forge_token)" \
    --json "{\"name\": \"$FORGE_REPOSITORY\", \"auto_init\": true, \"default_branch\": \"main\",
      \"description\": \"A repository for Runs to work on.\"}" "$(forge_url)/api/v1/user/repos"
  # Last, for it says that all is there.
  make_forge_token run "$RUN_SCOPES"
}

# make_forge_token <name> <scopes>
make_forge_token() {
  local token
  token=$(gitea admin user generate-access-token --raw --username "$FORGE_OWNER" --token-name "$1" --scopes "$2")
  (umask 077 && echo "$token" >"$FORGE/$1.token")
}
