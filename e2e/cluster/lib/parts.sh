# shellcheck shell=bash disable=SC2054
# The parts of the cluster in the order they start. Each has start_<part> and, where it answers, ready_<part>.

PARTS=(mounts etcd kube-apiserver kube-controller-manager kube-scheduler containerd kubelet kube-proxy coredns
  local-path-provisioner gitea model)

component() {
  local name=$1
  shift
  start_process "$name" "$(tool_path node)" "$name" "$@"
}

# start_inside <name> <command…>: where the node's mounts are; see hold-mounts.
start_inside() {
  local name=$1
  shift
  start_process "$name" nsenter --mount --target "$(recorded_pid mounts)" -- "$@"
}

start_mounts() {
  start_process mounts unshare --mount --propagation private "$SOURCES/hold-mounts" "$STATE/mounts-ready"
}
ready_mounts() { [[ -e $STATE/mounts-ready ]]; }

start_etcd() {
  component etcd --name=fabrica --data-dir="$STATE/etcd" --unsafe-no-fsync --log-level=warn \
    --listen-client-urls=http://127.0.0.1:23790 --advertise-client-urls=http://127.0.0.1:23790 \
    --listen-peer-urls=http://127.0.0.1:23800 --initial-advertise-peer-urls=http://127.0.0.1:23800 \
    --initial-cluster=fabrica=http://127.0.0.1:23800
}
ready_etcd() { [[ $(curl --silent http://127.0.0.1:23790/health) == *true* ]]; }

start_kube_apiserver() {
  local -a flags=(
    --advertise-address="$NODE_ADDRESS" --bind-address="$NODE_ADDRESS" --secure-port=6443
    --etcd-servers=http://127.0.0.1:23790
    --service-cluster-ip-range="$SERVICE_RANGE"
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true
    --client-ca-file="$STATE/pki/ca.crt"
    --tls-cert-file="$STATE/pki/kube-apiserver.crt" --tls-private-key-file="$STATE/pki/kube-apiserver.key"
    --kubelet-certificate-authority="$STATE/pki/ca.crt"
    --kubelet-client-certificate="$STATE/pki/admin.crt" --kubelet-client-key="$STATE/pki/admin.key"
    # By address: nothing resolves the node's name, which exec and logs would ask for.
    --kubelet-preferred-address-types=InternalIP
    --service-account-issuer=https://kubernetes.default.svc
    --service-account-key-file="$STATE/pki/service-account.key"
    --service-account-signing-key-file="$STATE/pki/service-account.key"
    --requestheader-client-ca-file="$STATE/pki/ca.crt"
    --proxy-client-cert-file="$STATE/pki/front-proxy.crt" --proxy-client-key-file="$STATE/pki/front-proxy.key"
    # One file: least privilege is judged by all that was ever asked.
    --audit-policy-file="$STATE/audit.yaml" --audit-log-path="$STATE/audit.log" --audit-log-maxsize=4096
  )
  component kube-apiserver "${flags[@]}"
}
ready_kube_apiserver() { kubectl get --raw=/readyz; }

start_kube_controller_manager() {
  component kube-controller-manager --bind-address=127.0.0.1 --leader-elect=false \
    --kubeconfig="$STATE/kube-controller-manager.conf" \
    --authentication-kubeconfig="$STATE/kube-controller-manager.conf" \
    --authorization-kubeconfig="$STATE/kube-controller-manager.conf" \
    --service-account-private-key-file="$STATE/pki/service-account.key" --root-ca-file="$STATE/pki/ca.crt" \
    --use-service-account-credentials \
    --allocate-node-cidrs --cluster-cidr="$POD_RANGE" --service-cluster-ip-range="$SERVICE_RANGE"
}

start_kube_scheduler() {
  component kube-scheduler --bind-address=127.0.0.1 --leader-elect=false \
    --kubeconfig="$STATE/kube-scheduler.conf" \
    --authentication-kubeconfig="$STATE/kube-scheduler.conf" \
    --authorization-kubeconfig="$STATE/kube-scheduler.conf"
}

start_containerd() { start_inside containerd containerd --config "$STATE/containerd.toml"; }
ready_containerd() { ctr --address "$CONTAINERD_SOCKET" version; }

start_kubelet() {
  start_inside kubelet "$(tool_path node)" kubelet \
    --config="$STATE/kubelet.yaml" --kubeconfig="$STATE/kubelet.conf" --root-dir="$STATE/kubelet" \
    --hostname-override="$NODE_NAME" --node-ip="$NODE_ADDRESS"
}
ready_kubelet() { curl --fail --silent http://127.0.0.1:10248/healthz; }

start_kube_proxy() { component kube-proxy --config="$STATE/kube-proxy.yaml"; }
ready_kube_proxy() { curl --fail --silent http://127.0.0.1:10256/livez; }

start_coredns() { start_process coredns "$(tool_path coredns)" -conf "$STATE/Corefile"; }

start_local_path_provisioner() {
  # It ends at once when its settings are not there.
  kubectl apply --server-side -f "$STATE/volumes.yaml" >/dev/null
  start_process local-path-provisioner "$(tool_path local-path-provisioner)" start \
    --config "$STATE/volumes.json" --kubeconfig "$ADMIN_CONFIG" --namespace kube-system \
    --configmap-name local-path-config --provisioner-name rancher.io/local-path \
    --helper-image "$(pause_image)"
}

# start_part <part>: starts it when it does not run and waits until it answers.
start_part() { is_running "$1" || step "start $1" launch "$1"; }

launch() {
  local function=${1//-/_}
  "start_$function"
  if declare -F "ready_$function" >/dev/null; then
    await "$1" 60 "ready_$function"
  fi
}
