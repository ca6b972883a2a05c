# shellcheck shell=bash
# What `make check` asks of the sources. Each function is one part.

part_scripts() {
  local -a scripts
  command -v shellcheck >/dev/null || fail "shellcheck is not installed"
  mapfile -t scripts < <(grep -rlE '^(#!/usr/bin/env bash|# shellcheck shell=bash)' .ci e2e/cluster e2e/bench images --exclude-dir=node)
  shellcheck --external-sources "${scripts[@]}"
}

part_web() {
  build_web
  npm --prefix gateway/web run --silent check
}

part_format() { cargo fmt --all --check; }

part_lints() { cargo clippy --workspace --all-targets --locked -- --deny warnings; }

# Every build is one of the whole workspace: cargo unites the features of the packages it is told to build, and another
# choice of packages would build their dependencies again.
# A real forge and a real agent belong to the runtime's tests.
part_unit() {
  build_tool gitea
  fetch_agent
  FABRICA_TEST_GITEA=$(tool_path gitea) FABRICA_TEST_AGENT_CLI=$(agent_command) \
    cargo test --workspace --locked --no-fail-fast
}

# What is generated from the types and committed: manifests, reference, OpenAPI, the page's types.
part_generated() {
  build_binaries
  "$(binary_folder)/crdgen" --check
  "$(binary_folder)/fabrica-gateway" openapi | diff gateway/openapi.json - ||
    fail "gateway/openapi.json is stale: run \`make crds\` and commit what it writes"
  npm --prefix gateway/web run --silent types -- --check
}

part_chart() {
  command -v promtool >/dev/null || fail "promtool is not installed: the Debian package prometheus brings it"
  build_tool helm
  "$(tool_path helm)" lint --strict charts/fabrica
  PATH=$(dirname "$(tool_path helm)"):$PATH cargo test --workspace --locked --test chart
}

part_licences() {
  build_tool cargo-deny
  "$(tool_path cargo-deny)" --offline --log-level error check --hide-inclusion-graph bans licenses sources
}

part_modules() {
  "$CI_FOLDER/circles" src crds/src gateway/protocol/src gateway/store/src gateway/telemetry/src images/runtime/src gateway/src gateway/cli/src e2e/model-api/src e2e/network/src e2e/bench/peers/src
}

check_all() {
  run_part scripts part_scripts
  run_part lengths "$CI_FOLDER/lengths"
  run_part modules part_modules
  run_part web part_web
  run_part format part_format
  run_part lints part_lints
  run_part unit part_unit
  run_part generated part_generated
  run_part chart part_chart
  run_part licences part_licences
}
