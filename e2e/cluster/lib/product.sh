# shellcheck shell=bash
# What the cluster is for: our binaries, our web page, our images.

PRODUCT_IMAGES=(operator gateway runtime terminal faber database)
PROFILE=${PROFILE:-dev}
# What a base image does not need, a third of its size.
BASE_EXCLUDES=('/usr/share/doc/*' '/usr/share/man/*' '/usr/share/locale/*')

binary_name() {
  case $1 in
    terminal | faber) echo fabrica-runtime ;;
    *) echo "fabrica-$1" ;;
  esac
}

# Cargo calls the folder of the profile `dev` differently.
binary_folder() {
  local profile=$PROFILE
  [[ $profile != dev ]] || profile=debug
  echo "${CARGO_TARGET_DIR:-$REPOSITORY/target}/$(rustc --print host-tuple)/$profile"
}

build_binaries() {
  (cd "$REPOSITORY" && cargo build --workspace --locked --profile "$PROFILE" --bins)
}

# The page is built again when one of its sources changed; its packages when their list did.
build_web() {
  local web=$REPOSITORY/gateway/web stamp=$BUILD/web.stamp sources
  web_packages
  sources=$(cd "$web" && git ls-files --cached --others --exclude-standard -z . |
    xargs -0 sha256sum 2>/dev/null | sha256sum)
  [[ -f $web/dist/index.html && $(cat "$stamp" 2>/dev/null) == "$sources" ]] && return
  quietly web-build npm --prefix "$web" run --silent build
  echo "$sources" >"$stamp"
}

web_packages() {
  local web=$REPOSITORY/gateway/web
  [[ $web/node_modules/.package-lock.json -nt $web/package-lock.json ]] && return
  quietly web-packages npm --prefix "$web" ci --no-audit --no-fund
}

# The images that people and agents work in stand on a Debian, each on one of its own with the packages it lists.
has_base() { [[ -f $(packages_file "$1") ]]; }
packages_file() { echo "$REPOSITORY/images/$1/packages.txt"; }
base_tag() { { cat "$(packages_file "$1")"; echo "${BASE_EXCLUDES[*]}"; } | sha256sum | cut -c1-12; }
base_archive() { echo "$CACHE/base-$(base_tag "$1")/rootfs.tar"; }
base_image() { echo "localhost/fabrica-base:$(base_tag "$1")"; }

# build_base <image>: its Debian, from packages, once for a list of packages.
build_base() {
  local archive
  archive=$(base_archive "$1")
  [[ -f $archive ]] && return
  mkdir -p "$(dirname "$archive")"
  (
    flock 8
    [[ -f $archive ]] || make_root_file_system "$1" "$archive"
  ) 8>"$(dirname "$archive")/lock"
}

# What images stand on and is not built from our sources.
fetch_bases() {
  local name
  for name in "${PRODUCT_IMAGES[@]}"; do
    ! has_base "$name" || build_base "$name"
  done
  fetch_agent
}

make_root_file_system() {
  local name=$1 archive=$2 pattern
  local -a excludes=()
  for pattern in "${BASE_EXCLUDES[@]}"; do
    excludes+=(--dpkgopt="path-exclude=$pattern")
  done
  mmdebstrap --quiet --variant=minbase --include="$(paste -sd, "$(packages_file "$name")")" "${excludes[@]}" \
    bookworm "$archive.partial.tar" </dev/null
  mv "$archive.partial.tar" "$archive"
}

import_base() {
  run_buildah inspect --type image "$(base_image "$1")" >/dev/null 2>&1 && return
  local context=$IMAGES/context/base archive
  archive=$(base_archive "$1")
  mkdir -p "$context"
  printf 'FROM scratch\nADD rootfs.tar /\n' >"$context/Dockerfile"
  ln -f "$archive" "$context/rootfs.tar" 2>/dev/null || cp "$archive" "$context/rootfs.tar"
  run_buildah bud --quiet --layers=false --timestamp 0 --tag "$(base_image "$1")" "$context" >/dev/null
  rm -rf "$context"
}

# The agent's command line, fetched once for a version; the cache outlives clones.
agent_folder() { echo "$CACHE/agent-$(content_hash "$REPOSITORY/images/faber/agent.lock")"; }
agent_command() { echo "$(agent_folder)/claude"; }

fetch_agent() {
  local folder
  folder=$(agent_folder)
  mkdir -p "$folder"
  (
    flock 8
    [[ -x $folder/claude ]] || "$REPOSITORY/images/faber/fetch-agent" "$folder"
  ) 8>"$folder/lock"
}

add_agent() {
  fetch_agent
  ln -f "$(agent_command)" "$1" 2>/dev/null || cp "$(agent_command)" "$1"
}

image_context() { echo "$IMAGES/context/$1"; }

# prepare_context <name>: all that goes into the image, and nothing else.
prepare_context() {
  local name=$1 context binary
  context=$(image_context "$name")
  rm -rf "$context"
  mkdir -p "$context"
  cp "$REPOSITORY/images/$name/Dockerfile" "$context"
  ! has_base "$name" || cp "$(packages_file "$name")" "$context"
  [[ $name != faber ]] || cp "$REPOSITORY"/images/faber/{agent.lock,fetch-agent} "$context"
  if [[ $name == database ]]; then
    cp "$REPOSITORY/images/$name/"*.sh "$context"
    return
  fi
  binary=$(binary_name "$name")
  strip --strip-debug -o "$context/$binary" "$(binary_folder)/$binary"
}

# image_tag <name>: the content's hash, so that an unchanged image is neither built, imported nor rolled out again.
image_tag() { content_hash "$(image_context "$1")"; }

build_image() {
  local name=$1 tag
  local -a flags=()
  prepare_context "$name"
  [[ ! -f $(archive "$name" "$(image_tag "$name")") ]] || return 0
  if has_base "$name" && command -v mmdebstrap >/dev/null; then
    build_base "$name"
    import_base "$name"
    flags+=(--build-arg "BASE=$(base_image "$name")")
  fi
  tag=$(image_tag "$name")
  # Not a part of the tag: agent.lock says which it is.
  [[ $name != faber ]] || add_agent "$(image_context "$name")"
  build_archive "$name" "$tag" "$(image_context "$name")" "${flags[@]}"
  rm -f "$(image_context "$name")/claude"
}

deliver_image() {
  local tag
  tag=$(image_tag "$1")
  if external_cluster; then push_archive "$1" "$tag" "$tag"; else import_archive "$1" "$tag"; fi
}

# What the chart pulls when its values name no tag.
chart_version() { sed -n 's/^appVersion: "\(.*\)"$/\1/p' "$REPOSITORY/charts/fabrica/Chart.yaml"; }
