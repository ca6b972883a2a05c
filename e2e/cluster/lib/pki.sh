# shellcheck shell=bash
# One certificate authority, and a certificate and kubeconfig for each part.

DAYS=365
PKI=$STATE/pki

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$PKI/$1.key"; }

make_authority() {
  new_key ca
  openssl req -x509 -new -key "$PKI/ca.key" -subj /CN=fabrica-cluster -days "$DAYS" -out "$PKI/ca.crt"
}

# make_certificate <name> <subject> [subject alternative names]
make_certificate() {
  local name=$1 subject=$2 names=${3:-DNS:$1}
  new_key "$name"
  openssl req -new -key "$PKI/$name.key" -subj "$subject" |
    openssl x509 -req -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -CAserial "$PKI/serial" -CAcreateserial \
      -days "$DAYS" -out "$PKI/$name.crt" \
      -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$names") 2>/dev/null
}

# make_kubeconfig <name>: for the certificate of that name.
make_kubeconfig() {
  local name=$1 partial=$STATE/$1.conf.partial
  local -a config=("$(tool_path node)" kubectl config "--kubeconfig=$partial")
  rm -f "$partial"
  "${config[@]}" set-cluster fabrica --server="https://$NODE_ADDRESS:6443" \
    --certificate-authority="$PKI/ca.crt" --embed-certs
  "${config[@]}" set-credentials "$name" --client-certificate="$PKI/$name.crt" \
    --client-key="$PKI/$name.key" --embed-certs
  "${config[@]}" set-context fabrica --cluster=fabrica --user="$name"
  "${config[@]}" use-context fabrica
  mv "$partial" "$STATE/$name.conf"
}

make_identities() {
  [[ -f $PKI/complete ]] && return
  local name
  mkdir -p "$PKI"
  chmod 700 "$PKI"
  make_authority
  openssl genrsa -out "$PKI/service-account.key" 2048 2>/dev/null
  make_certificate kube-apiserver /CN=kube-apiserver \
    "IP:$NODE_ADDRESS,IP:10.96.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
  make_certificate admin /O=system:masters/CN=admin
  make_certificate kube-scheduler /CN=system:kube-scheduler
  make_certificate kube-controller-manager /CN=system:kube-controller-manager
  make_certificate kubelet "/O=system:nodes/CN=system:node:$NODE_NAME" "DNS:$NODE_NAME,IP:$NODE_ADDRESS"
  make_certificate kube-proxy /CN=system:kube-proxy
  make_certificate front-proxy /CN=front-proxy-client
  for name in admin kube-scheduler kube-controller-manager kubelet kube-proxy; do
    make_kubeconfig "$name" >/dev/null
  done
  touch "$PKI/complete"
}
