# shellcheck shell=bash
# Images without an engine or a registry: buildah makes archives, containerd imports them.

IMAGES=$BUILD/images

# In a mount namespace of its own, because buildah leaves mounts behind.
run_buildah() {
  unshare --mount buildah --root "$IMAGES/storage" --runroot "$IMAGES/run" --storage-driver overlay "$@"
}

# archive <name> <tag>: where the finished image lies.
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
  rm -f "$IMAGES/archives/$name"-*.tar
  run_buildah push --quiet "$reference" "oci-archive:$archive.partial:$reference"
  run_buildah rmi --force "$reference" >/dev/null
  mv "$archive.partial" "$archive"
}

node_images() { ctr --address "$CONTAINERD_SOCKET" --namespace k8s.io images list --quiet; }

# import_archive <name> <tag>: into the node, unless it is there.
import_archive() {
  node_images | grep -Fxq "$LOCAL_REGISTRY/$1:$2" && return
  ctr --address "$CONTAINERD_SOCKET" --namespace k8s.io images import "$(archive "$1" "$2")" >/dev/null
}

pause_tag() { content_hash "$SOURCES/pause"; }
pause_image() { echo "$LOCAL_REGISTRY/pause:$(pause_tag)"; }

build_pause() {
  local context=$IMAGES/pause
  mkdir -p "$context"
  cp "$SOURCES/pause/Dockerfile" /bin/busybox "$context"
  gcc -Os -static -o "$context/pause" "$SOURCES/pause/pause.c"
  build_archive pause "$(pause_tag)" "$context"
}
