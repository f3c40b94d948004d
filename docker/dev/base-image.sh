#!/usr/bin/env bash
# A stand-in for python:3.11-slim from Debian's own packages, where no registry of images can be reached.
# As root: apt-get install debootstrap podman; docker/dev/base-image.sh
set -euo pipefail
export CONTAINERS_CONF=${CONTAINERS_CONF:-$(dirname "$(realpath "$0")")/containers.conf}

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates bookworm "$root"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
tar -C "$root" -c . | podman import --change 'CMD ["python3"]' - localhost/python:3.11-slim
