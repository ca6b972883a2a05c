# shellcheck shell=bash
# What the cluster is for: our binaries, our web page, our images.

PRODUCT_IMAGES=(operator gateway runtime terminal)
PROFILE=${PROFILE:-dev}
# What a base image does not need, a third of its size.
BASE_EXCLUDES=(/usr/share/doc/* /usr/share/man/* /usr/share/locale/*)

binary_name() {
  case $1 in
    terminal) echo fabrica-runtime ;;
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

packages_file() { echo "$REPOSITORY/images/terminal/packages.txt"; }
base_tag() { { cat "$(packages_file)"; echo "${BASE_EXCLUDES[*]}"; } | sha256sum | cut -c1-12; }
base_archive() { echo "$CACHE/base-$(base_tag)/rootfs.tar"; }
base_image() { echo "localhost/fabrica-base:$(base_tag)"; }

# build_base: the terminal image's Debian, from packages, once for a list of packages.
build_base() {
  local archive
  archive=$(base_archive)
  [[ -f $archive ]] && return
  mkdir -p "$(dirname "$archive")"
  (
    flock 8
    [[ -f $archive ]] || make_root_file_system "$archive"
  ) 8>"$(dirname "$archive")/lock"
}

make_root_file_system() {
  local pattern
  local -a excludes=()
  for pattern in "${BASE_EXCLUDES[@]}"; do
    excludes+=(--dpkgopt="path-exclude=$pattern")
  done
  mmdebstrap --quiet --variant=minbase --include="$(paste -sd, "$(packages_file)")" "${excludes[@]}" \
    bookworm "$1.partial.tar" </dev/null
  mv "$1.partial.tar" "$1"
}

import_base() {
  run_buildah inspect --type image "$(base_image)" >/dev/null 2>&1 && return
  local context=$IMAGES/context/base
  mkdir -p "$context"
  printf 'FROM scratch\nADD rootfs.tar /\n' >"$context/Dockerfile"
  ln -f "$(base_archive)" "$context/rootfs.tar" 2>/dev/null || cp "$(base_archive)" "$context/rootfs.tar"
  run_buildah bud --quiet --layers=false --timestamp 0 --tag "$(base_image)" "$context" >/dev/null
  rm -rf "$context"
}

image_context() { echo "$IMAGES/context/$1"; }

# prepare_context <name>: all that goes into the image, and nothing else.
prepare_context() {
  local name=$1 context binary
  context=$(image_context "$name")
  binary=$(binary_name "$name")
  rm -rf "$context"
  mkdir -p "$context"
  cp "$REPOSITORY/images/$name/Dockerfile" "$context"
  [[ $name != terminal ]] || cp "$(packages_file)" "$context"
  strip --strip-debug -o "$context/$binary" "$(binary_folder)/$binary"
}

# image_tag <name>: the content's hash, so that an unchanged image is neither built, imported nor rolled out again.
image_tag() { content_hash "$(image_context "$1")"; }

build_image() {
  local name=$1
  local -a flags=()
  prepare_context "$name"
  [[ ! -f $(archive "$name" "$(image_tag "$name")") ]] || return 0
  if [[ $name == terminal ]] && command -v mmdebstrap >/dev/null; then
    build_base
    import_base
    flags+=(--build-arg "BASE=$(base_image)")
  fi
  build_archive "$name" "$(image_tag "$name")" "$(image_context "$name")" "${flags[@]}"
}

deliver_image() {
  if external_cluster; then push_archive "$1" "$(image_tag "$1")"; else import_archive "$1" "$(image_tag "$1")"; fi
}
