# shellcheck shell=bash
# What the machine lends to the node: an address, folders, kernel settings; noted so that all can be given back.

# Where the node's parts write whatever they are told.
FIXED_FOLDERS=(/run/containerd /run/mount /run/netns /var/lib/cni /var/lib/kubelet /var/log/containers)

# What the kubelet, kube-proxy and the bridge change.
KERNEL_SETTINGS=(kernel.panic kernel.panic_on_oops vm.overcommit_memory vm.panic_on_oom net.ipv4.ip_forward
  net.ipv4.conf.all.route_localnet)

borrow_folders() {
  local folder missing
  for folder in "${FIXED_FOLDERS[@]}"; do
    mkdir -p "$STATE/fixed$folder"
    missing=$folder
    # Outermost last, so that they can be removed in the order of the note.
    while [[ ! -d $missing ]]; do
      echo "$missing" >>"$RECORD/folders"
      missing=$(dirname "$missing")
    done
    mkdir -p "$folder"
  done
}

return_folders() {
  local folder
  [[ -f $RECORD/folders ]] || return 0
  while read -r folder; do
    rmdir "$folder" 2>/dev/null || true
  done <"$RECORD/folders"
}

borrow_settings() {
  [[ -f $RECORD/settings ]] && return
  sysctl --ignore "${KERNEL_SETTINGS[@]}" >"$RECORD/settings"
}

return_settings() {
  [[ -f $RECORD/settings ]] || return 0
  sysctl --quiet --load "$RECORD/settings" || true
}

has_address() { [[ $(ip -oneline address show dev lo) == *" $NODE_ADDRESS/32 "* ]]; }

borrow_address() { has_address || ip address add "$NODE_ADDRESS/32" dev lo; }

return_address() { ! has_address || ip address del "$NODE_ADDRESS/32" dev lo; }

cgroup_folders() { find /sys/fs/cgroup -maxdepth 2 -type d -name "$CGROUP" 2>/dev/null || true; }

# The kubelet wants its root in every hierarchy (cgroup v1) or in the one there is (v2).
borrow_cgroups() {
  local hierarchy
  if [[ -f /sys/fs/cgroup/cgroup.controllers ]]; then
    mkdir -p "/sys/fs/cgroup/$CGROUP"
    return
  fi
  for hierarchy in /sys/fs/cgroup/*/; do
    mkdir -p "$hierarchy$CGROUP"
  done
}

return_cgroups() {
  local folder
  while read -r folder; do
    find "$folder" -depth -type d -exec rmdir {} \; 2>/dev/null || true
  done < <(cgroup_folders)
}
