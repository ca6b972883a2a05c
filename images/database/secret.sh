#!/usr/bin/env bash
# Makes the Secret with the database's password and URL, once. No template can: a render must be the same every time.
set -euo pipefail

ACCOUNT=${ACCOUNT:-/var/run/secrets/kubernetes.io/serviceaccount}
SECRET=${SECRET:?is not set}
HOST=${HOST:?is not set}
NAMESPACE=$(<"$ACCOUNT/namespace")
API=https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT
PASSWORD_BYTES=24

# Letters, digits, - and _ need no escape in a URL.
password=$(head -c "$PASSWORD_BYTES" /dev/urandom | base64 | tr '+/' '-_')
answer=$(curl --silent --show-error --retry 10 --retry-connrefused --max-time 60 --output /dev/null \
  --write-out '%{http_code}' --cacert "$ACCOUNT/ca.crt" --header @- --header 'Content-Type: application/json' \
  --data @<(printf '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"%s"},"stringData":{"password":"%s","url":"%s"}}' \
    "$SECRET" "$password" "postgres://fabrica:$password@$HOST:5432/fabrica") \
  "$API/api/v1/namespaces/$NAMESPACE/secrets" <<<"Authorization: Bearer $(<"$ACCOUNT/token")")
case $answer in
  201) echo "the Secret $SECRET is made" ;;
  409) echo "the Secret $SECRET is there" ;;
  *)
    echo "error: the API server answered $answer to making the Secret $SECRET" >&2
    exit 1
    ;;
esac
