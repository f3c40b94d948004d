# Everything runs from .venv and .venv-check in this checkout; nothing outside it is changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CHECKERS := .venv-check
AUDIT := $(VENV)/audit

.DEFAULT_GOAL := help
.PHONY: help setup demo up test check format lint types imports manifests secrets audit clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## Make .venv and install everything, pinned by constraints.txt

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'Linewise needs Python 3.11 or newer; try: make PYTHON=python3.12 setup' >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo 'python3 cannot make virtual environments; try: apt-get install python3-venv' >&2; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

# The demo's programs are its own policy's: where a machine gives no user namespaces, the other walls will do for them.
demo: export LINEWISE_ALLOW_WEAK_ISOLATION ?= 1
demo: $(INSTALLED) ## The whole method on this machine: label, train a PRM, serve it, PPO, evaluate, report
	$(BIN)/linewise demo

up: $(INSTALLED) ## The three services on embedded defaults
	$(BIN)/linewise up

test: $(INSTALLED) ## All tests, two files at a time
	$(BIN)/pytest --numprocesses 2 --dist loadfile

check: lint types imports secrets manifests test ## What CI runs: ruff, mypy, import-linter, secret scan, manifests, tests

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(INSTALLED)
	$(BIN)/mypy

imports: $(INSTALLED)
	$(BIN)/lint-imports

manifests: $(CHECKERS)/.installed ## Overlays and Dockerfiles: kustomize, kubernetes-validate, checkov
	k8s/check.sh

$(CHECKERS)/.installed: k8s/check-requirements.txt
	@$(PYTHON) -m venv $(CHECKERS)
	$(CHECKERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

# The words that examples and tests say in a secret's place, names of variables and of the Kubernetes Secret, are none.
secrets: $(INSTALLED)
	git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --no-verify \
	  --exclude-files '^(trainer/problems/data/|docs/images/|tests/.*/data/)' \
	  --exclude-secrets '^(password|secret|keys?|k1|linewise|[A-Z]+(_[A-Z]+)*)$$'

# Strict, for a dependency that could not be asked about is else a warning and the whole a success.
audit: $(INSTALLED) ## Ask PyPI's advisories about every pinned dependency; needs PyPI's JSON API
	@test -x $(AUDIT)/bin/pip-audit || { $(PYTHON) -m venv $(AUDIT) && $(AUDIT)/bin/pip install --quiet pip-audit; }
	$(AUDIT)/bin/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip

format: $(INSTALLED) ## Format and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove what make installed, and caches; runs/ and .linewise/ stay
	rm -rf $(VENV) $(CHECKERS) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
