# shellcheck shell=bash
# Programs that are built from their sources: which versions, where their binaries are cached, how they are built.

TOOLS=(node coredns helm local-path-provisioner gitea)

KUBERNETES_VERSION=1.34.4
GITEA_VERSION=1.26.1

# tool_source <name>: what to install, as `go install` or `cargo install` want it. Node and Gitea have a module of their own here.
tool_source() {
  case $1 in
    coredns) echo github.com/coredns/coredns@v1.12.4 ;;
    helm) echo helm.sh/helm/v3/cmd/helm@v3.22.0 ;;
    local-path-provisioner) echo github.com/rancher/local-path-provisioner@v0.0.30 ;;
    cargo-deny) echo cargo-deny@0.20.2 ;;
    *) fail "no such tool: $1" ;;
  esac
}

tool_version() {
  local source
  case $1 in
    node) echo "$KUBERNETES_VERSION-$(content_hash "$SOURCES"/node/{main.go,go.mod,go.sum})" ;;
    gitea) echo "$GITEA_VERSION-$(content_hash "$SOURCES"/gitea/{go.mod,go.sum})" ;;
    *)
      source=$(tool_source "$1")
      source=${source##*@}
      echo "${source#v}"
      ;;
  esac
}

tool_path() { echo "$CACHE/$1-$(tool_version "$1")/$1"; }

# build_tool <name>: builds it unless the cache holds this version. Safe to call from several places at once.
build_tool() {
  local name=$1 path folder
  path=$(tool_path "$name")
  [[ -x $path ]] && return
  folder=$(dirname "$path")
  mkdir -p "$folder"
  (
    flock 8
    [[ -x $path ]] && exit
    command -v go >/dev/null || fail "building $name needs Go: see https://go.dev/dl"
    say "  building $name $(tool_version "$name"), once on this machine"
    compile_tool "$name" "$folder/partial"
    mv "$folder/partial/$name" "$path"
    rm -rf "$folder/partial"
  ) 8>"$folder/lock"
}

compile_tool() {
  local name=$1 folder=$2
  mkdir -p "$folder"
  # Below our own cargo in priority: whoever waits for both waits for that.
  case $name in
    node) compile_node "$folder" ;;
    gitea) compile_gitea "$folder" ;;
    cargo-*) compile_cargo_tool "$name" "$folder" ;;
    *) GOBIN=$folder nice -n 10 go install -trimpath -ldflags "-s -w" "$(tool_source "$name")" ;;
  esac
}

compile_node() {
  local flags="-s -w" version=v$KUBERNETES_VERSION package
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=34"
  done
  (cd "$SOURCES/node" && nice -n 10 go build -trimpath -ldflags "$flags" -o "$1/node" .)
}

# With a module of its own, as Gitea needs replacements that `go install` does not take. What it reads while it runs is put
# beside it.
compile_gitea() {
  local folder=${1%/*} module part
  (cd "$SOURCES/gitea" && nice -n 10 go build -trimpath -tags "sqlite sqlite_unlock_notify" \
    -ldflags "-s -w -X main.Version=$GITEA_VERSION" -o "$1/gitea" code.gitea.io/gitea)
  # Known once the build has fetched it.
  module=$(cd "$SOURCES/gitea" && go list -m -f '{{.Dir}}' code.gitea.io/gitea)
  for part in templates options public; do
    rm -rf "${folder:?}/$part"
    cp -r --no-preserve=mode "$module/$part" "$folder"
  done
}

# Unoptimised, which builds in a third of the time; outside the project, whose settings are for static binaries.
compile_cargo_tool() {
  (cd / && CARGO_TARGET_DIR=$2/target CARGO_PROFILE_DEV_DEBUG=0 nice -n 10 \
    cargo install --quiet --debug --locked --root "$2/root" "$(tool_source "$1")")
  mv "$2/root/bin/$1" "$2/$1"
}

# One after the other: each build alone fills the processors.
build_tools() {
  local name
  for name in "${TOOLS[@]}"; do
    [[ -x $(tool_path "$name") ]] || step "build $name" build_tool "$name"
  done
}
