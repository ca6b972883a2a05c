# shellcheck shell=bash
# Images without an engine or a registry: buildah makes archives, containerd imports them.

IMAGES=$BUILD/images

# In a mount namespace of its own, because buildah leaves mounts behind.
run_buildah() {
  local -a command=(buildah --root "$IMAGES/storage" --runroot "$IMAGES/run" --storage-driver overlay "$@")
  if ((EUID == 0)); then unshare --mount "${command[@]}"; else "${command[@]}"; fi
}

# archive <name> <tag>: where the finished image lies. Uncompressed, for it never leaves this machine.
archive() { echo "$IMAGES/archives/$1-$2.tar"; }

# build_archive <name> <tag> <context folder> [buildah flags]: with the Dockerfile of the context.
build_archive() {
  local name=$1 tag=$2 context=$3 archive reference
  shift 3
  archive=$(archive "$name" "$tag")
  reference=$LOCAL_REGISTRY/$name:$tag
  [[ -f $archive ]] && return
  mkdir -p "$IMAGES/archives"
  run_buildah bud --quiet --isolation chroot --layers=false --timestamp 0 "$@" --tag "$reference" "$context" >/dev/null
  rm -f "$IMAGES/archives/$name"-*.tar*
  run_buildah push --quiet "$reference" "docker-archive:$archive.partial:$reference"
  run_buildah rmi --force "$reference" >/dev/null
  mv "$archive.partial" "$archive"
}

on_node() { ctr --address "$CONTAINERD_SOCKET" --namespace k8s.io "$@"; }

# import_archive <name> <tag>: into the node, unless it is there.
import_archive() {
  on_node images list --quiet | grep -Fxq "$LOCAL_REGISTRY/$1:$2" && return
  on_node images import --snapshotter overlayfs "$(archive "$1" "$2")" >/dev/null
}

# push_archive <name> <tag of the archive> <tag…>: to IMAGE_REGISTRY, under these tags. Layers that it has are not sent again.
push_archive() {
  local name=$1 image tag
  image=$(run_buildah pull --quiet "docker-archive:$(archive "$1" "$2")")
  shift 2
  for tag in "$@"; do
    run_buildah push --quiet --tls-verify="$(registry_has_tls)" "$image" "docker://$IMAGE_REGISTRY/$name:$tag"
  done
  run_buildah rmi --force "$image" >/dev/null
}

# A registry on this machine speaks plain HTTP, as container engines take it too.
registry_has_tls() {
  case ${IMAGE_REGISTRY%%[:/]*} in
    localhost | 127.*) echo false ;;
    *) echo true ;;
  esac
}

pause_tag() { content_hash "$SOURCES/pause"; }
pause_image() { echo "$LOCAL_REGISTRY/pause:$(pause_tag)"; }

build_pause() {
  local context=$IMAGES/context/pause
  mkdir -p "$context"
  cp "$SOURCES/pause/Dockerfile" /bin/busybox "$context"
  gcc -Os -static -o "$context/pause" "$SOURCES/pause/pause.c"
  build_archive pause "$(pause_tag)" "$context"
}
