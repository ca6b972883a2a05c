# shellcheck shell=bash
# What the local cluster needs of the machine; names everything that is missing at once.

PACKAGES=(buildah binutils busybox-static ca-certificates conntrack containerd containernetworking-plugins curl gcc iproute2
  iptables libc6-dev mmdebstrap openssl procps runc util-linux)
DISK_GIB=15
ADVICE="or use a cluster of your own: KUBECONFIG=<its kubeconfig> IMAGE_REGISTRY=<a registry it pulls from> make up"

check_machine() {
  local -a missing=()
  ((EUID == 0)) || missing+=("root: the node mounts, routes and starts containers")
  [[ $(uname -m) == x86_64 ]] || missing+=("an x86_64 machine: this is $(uname -m)")
  grep -qs '^ID=debian' /etc/os-release || missing+=("Debian 12: packages come from apt-get")
  command -v cargo >/dev/null || missing+=("Rust, see https://rustup.rs")
  command -v go >/dev/null || missing+=("Go, see https://go.dev/dl")
  command -v npm >/dev/null || missing+=("Node.js with npm, see https://nodejs.org")
  local free
  free=$(df --output=avail --block-size=1G "$REPOSITORY" | tail -n 1)
  ((free >= DISK_GIB)) || missing+=("$DISK_GIB GiB of disk for builds and images: $REPOSITORY has ${free// /}")
  local other
  for other in k3s-server k0s kubelet kube-proxy; do
    if pgrep --exact "$other" >/dev/null; then missing+=("a machine without another Kubernetes node: $other runs"); fi
  done
  ((${#missing[@]} == 0)) && return
  say "the local cluster needs:"
  printf '  - %s\n' "${missing[@]}" >&2
  fail "$ADVICE"
}

missing_packages() {
  local package status
  for package in "${PACKAGES[@]}"; do
    # shellcheck disable=SC2016
    status=$(dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null || true)
    [[ $status == *" installed" ]] || echo "$package"
  done
}

install_packages() {
  local -a missing
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]} == 0)) && return
  step "install ${#missing[@]} Debian packages" apt_get_install "${missing[@]}"
}

apt_get_install() {
  local log
  log=$(mktemp)
  # A package's own service must not start: the cluster runs its own containerd.
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install --yes --no-install-recommends "$@"; } </dev/null >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    fail "apt-get could not install: $*"
  fi
  rm -f "$log"
}
