#!/usr/bin/env bash
# Builds our four images on that base with podman, pip being told what this machine's pip is told.
# From the repository's root: docker/dev/build.sh [scorer|executor|labeler|trainer ...]
#
# WHEELS   a folder of wheels that pip shall prefer; with one of torch, PyTorch's index is not asked. None unless set
# CA       certificates to trust while building; the machine's own
set -euo pipefail
export CONTAINERS_CONF=${CONTAINERS_CONF:-$(dirname "$(realpath "$0")")/containers.conf}
cd "$(dirname "$(realpath "$0")")/../.."

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
ca=${CA:-/etc/ssl/certs/ca-certificates.crt}
pip=$(mktemp)
trap 'rm -f "$pip"' EXIT
printf '[global]\ncert = /ca.crt\ntimeout = 180\n%s\n' "${WHEELS:+find-links = /wheels}" > "$pip"
(($#)) || set -- executor labeler scorer trainer
for name; do
  podman build --format docker --network=host --file "docker/$name.Dockerfile" --tag "localhost/linewise/$name:$version" \
    --volume "$ca:/ca.crt:ro" --volume "$pip:/etc/pip.conf:ro" ${WHEELS:+--volume "$WHEELS:/wheels:ro"} \
    --build-arg BASE=localhost/python:3.11-slim --build-arg VERSION="$version" ${WHEELS:+--build-arg TORCH_INDEX_URL=} \
    --build-arg REVISION="$(git rev-parse HEAD)" .
done
