# shellcheck shell=bash
# The demo's model: a script that says what a plan asks it to say. Agents are real; who answers them here is not.

MODEL_LISTENS=$NODE_ADDRESS:8089
# What the script takes for a key: it tells a request of the broker's from one of anybody else's.
MODEL_KEY=sk-scripted-model

model_url() { echo "http://$MODEL_LISTENS"; }
model_program() { echo "$(binary_folder)/fabrica-model-api"; }

# A copy of its own, for a build writes over the other one.
start_model() {
  install --mode 0755 "$(model_program)" "$STATE/model-api"
  start_process model "$STATE/model-api" --address "$MODEL_LISTENS" --key "$MODEL_KEY"
}
ready_model() { curl --fail --silent "$(model_url)/healthz"; }

# One of a former build goes.
renew_model() {
  ! is_running model || cmp --quiet "$(model_program)" "$STATE/model-api" || stop_process model
}

# What agents in the demo may use: the script's key, and the forge's token.
make_agent_secret() {
  kubectl --namespace demo create secret generic agent --from-literal="ANTHROPIC_API_KEY=$MODEL_KEY" \
    --from-literal="GITEA_TOKEN=$(<"$FORGE/run.token")" --dry-run=client --output=yaml |
    kubectl apply --server-side -f - >/dev/null
}
