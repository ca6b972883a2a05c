# shellcheck shell=bash
# Ends a cluster and removes everything it left on the machine, however it came to its end.

# Who runs a cluster here: the clone's folder, noted by `up`.
owner() { cat "$RECORD/owner" 2>/dev/null || true; }

any_running() {
  local name
  for name in $(recorded_names); do
    if is_running "$name"; then return 0; fi
  done
  return 1
}

# Refuses when another clone's cluster runs: the two share address, bridge and ports.
refuse_if_foreign() {
  local owner
  owner=$(owner)
  [[ -n $owner && $owner != "$REPOSITORY" && -d $owner ]] || return 0
  if any_running; then
    fail "the cluster of $owner runs on this machine; run \`make down\` there first"
  fi
}

# Without asking, for what they know is thrown away: first the kubelet, which would start again what the others lose.
stop_parts() {
  local name
  export STOP_SIGNAL=KILL
  stop_process kubelet
  kill_pods
  for name in $(recorded_names); do
    stop_process "$name"
  done
}

# Pods are told by our cgroup, their shims by our socket: nobody else has either.
kill_pods() {
  local deadline=$((SECONDS + 20)) pids
  while pids=$(pod_processes) && [[ -n $pids ]]; do
    ((SECONDS < deadline)) || fail "processes of pods do not end: $pids"
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null || true
    sleep 0.1
  done
}

pod_processes() {
  local folder
  {
    while read -r folder; do
      find "$folder" -name cgroup.procs -exec cat {} + 2>/dev/null || true
    done < <(cgroup_folders)
    pgrep --full -- "containerd-shim-runc-v2 .*-address $CONTAINERD_SOCKET" || true
  } | sort -u | { grep -v '^0$' || true; } | tr '\n' ' '
}

# Rules of kube-proxy and the kubelet, and of our pod network, told by its name.
clear_rules() {
  local tool rules networks pattern
  for tool in iptables ip6tables; do
    command -v "$tool-save" >/dev/null || continue
    rules=$("$tool-save")
    networks=$(sed -n 's/.*name: \\"fabrica-pods\\".* -j \(CNI-[0-9a-f]*\).*/\1/p' <<<"$rules" | sort -u)
    pattern=$(printf '%s\n' KUBE- "$networks" | sed '/^$/d' | paste -sd '|')
    if grep -q -E "$pattern" <<<"$rules"; then
      grep -v -E "$pattern" <<<"$rules" | "$tool-restore" --wait 5
    fi
  done
}

clear_network() {
  ip link delete cni0 2>/dev/null || true
  clear_rules
  return_address
}

# clear_remains: afterwards nothing of any cluster of ours is left outside build folders and the cache.
clear_remains() {
  local owner
  owner=$(owner)
  stop_parts
  clear_network
  return_settings
  return_cgroups
  return_folders
  rm -rf "$STATE"
  # Only what is a state folder for certain: by now something else may lie where the note points.
  [[ -z $owner || ! -f $owner/build/cluster/pki/complete ]] || rm -rf "$owner/build/cluster"
  find "$RECORD" -mindepth 1 ! -name lock -delete
}
