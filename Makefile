# The ways to build, run and prove Fabrica; `make` alone lists them. What they do stands in the scripts they call.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

# The cargo profile of the images: dev for the local cluster, release for publishing.
PROFILE ?= dev
export PROFILE

.PHONY: help up down env test check fmt images push charts crds ui bench bench-terminal clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## A real Kubernetes on this machine with Fabrica in it; again: what changed
	@e2e/cluster/up

down: ## End the cluster; the machine is as it was
	@e2e/cluster/down

env: ## Print KUBECONFIG, FABRICA_URL, FABRICA_TOKEN: eval "$(make -s env)"
	@e2e/cluster/env

test: ## Everything: check, then all tests on the cluster of make up
	@.ci/test

check: ## What needs no cluster: formats, lints, unit tests, generated files, licences
	@.ci/check

fmt: ## Format the sources
	@cargo fmt --all

images: ## Build the images into build/images (PROFILE=release for publishing)
	@e2e/cluster/images

push: PROFILE = release
push: ## Build the images and push them: IMAGE_REGISTRY=<where to> [IMAGE_TAGS="1.2.3 latest"] [IMAGES="operator gateway"]
	@IMAGES_TO_PUSH="$(IMAGES)" e2e/cluster/push

charts: ## Lint the chart and render it
	@e2e/cluster/charts

crds: ## Write what is generated: manifests, API reference, OpenAPI, the page's types
	@.ci/generate

ui: ## Build the web page
	@e2e/cluster/web

bench: ## Measure what docs/performance.md states, on the cluster of make up
	@e2e/bench/run

bench-terminal: ## Measure the terminal beside node-pty and terminado, without a cluster (ROWS="6a 6d": only these)
	@e2e/bench/peers/run $(ROWS)

clean: down ## Remove everything built here; the cache of tools stays
	@rm -rf build target gateway/web/dist gateway/web/node_modules e2e/browser/node_modules
