#!/usr/bin/env bash
# Prometheus' own rule files as the operator's PrometheusRules, for kustomize cannot make the one of the other:
#   k8s/rules.sh > k8s/components/monitoring/rules.yaml
# k8s/check.sh and a test see to it that this was done.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

echo '# Made of docker/observability/rules by k8s/rules.sh: change it there.'
for file in docker/observability/rules/*.yml; do
  cat << END
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: linewise-$(basename "$file" .yml)
spec:
END
  sed 's/^\(.\)/  \1/' "$file"
done
