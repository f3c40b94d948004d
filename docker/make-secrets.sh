#!/usr/bin/env bash
# Makes the secrets that compose reads, and a cluster's Secret can be made of, as files in a folder that you alone may
# enter. What is there is kept. In the containers other users read them, so the files themselves are open.
# From the repository's root: docker/make-secrets.sh [FOLDER]
set -euo pipefail
folder=${1:-secrets}

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { [[ -e $folder/$1 ]] || printf '%s\n' "$2" > "$folder/$1"; }

umask 022
mkdir -p -m 700 "$folder"
keep api_keys "$(random)"          # what people and programs outside show to scorer and labeler, a key a line
keep inner_key "$(random)"         # what opens the executor, and nothing else
keep postgres_password "$(random)"
keep grafana_password "$(random)"
keep database_url "postgresql://linewise:$(cat "$folder/postgres_password")@postgres:5432/linewise"
keep redis_url redis://redis:6379/0
