#!/usr/bin/env bash
# What CI asks of k8s/ and docker/: the operator's rules are Prometheus' own, every overlay can be built, its objects are
# what Kubernetes' schemas say, and checkov finds nothing; what it may pass over stands with its reason in
# k8s/.checkov.yaml or beside the object.
# By `make manifests`, which installs the tools.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
tools=.venv-check/bin
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT

diff k8s/components/monitoring/rules.yaml <(k8s/rules.sh)

for overlay in k8s/overlays/*/; do
  "$tools/kubectl" kustomize "$overlay" > "$built/$(basename "$overlay").yaml"
done

# A kind without a schema is only warned of: it must be one of those that operators bring.
"$tools/kubernetes-validate" --strict --quiet "$built"/*.yaml k8s/overlays/local/model-loader.yaml 2>&1 | tee "$built/said"
! grep -vE "Couldn't find schema for kind (ScaledObject|PodMonitor|PrometheusRule) " "$built/said"

checkov() { "$tools/checkov" --compact --quiet --skip-download "$@"; }
checkov --config-file k8s/.checkov.yaml --directory "$built"
checkov --framework dockerfile --directory docker --skip-path dev
