# Everything a newcomer or CI needs. The second time, the environments are there already.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV ?= .venv
PY := $(VENV)/bin/python
COLONY := $(VENV)/bin/colony
# A stamp is named after what it installed, so that a changed pyproject.toml installs again.
HASH := $(shell cksum < pyproject.toml | cut -d' ' -f1)
RUN := $(VENV)/.run-$(HASH)
DEV := $(VENV)/.dev-$(HASH)

# Of pip's lines only the large downloads and the end; errors come on stderr.
PIP := $(PY) -m pip install --disable-pip-version-check --progress-bar off
SHORTER := sed -nE 's/^ *(Downloading [^ ]+ \([0-9.]+ MB\)).*/  \1/p; /^Installing collected packages/s/.*/  Installing/p; /^Successfully/s/ installed .*/ installed/p'

.PHONY: help demo test check sdk cluster-test bench bench-scale bench-reap bench-end crash-matrix clean setup format

help: ## say what there is
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

demo: setup ## rehearse a whole colony, training included: no cloud, no cost
	@$(COLONY) rehearse --exec examples/ddp/task.yaml

test: setup $(DEV) ## all tests but those of the Kubernetes test bed
	@$(PY) -m pytest -n logical --maxprocesses 8 --dist worksteal $(ARGS)

check: $(DEV) ## format, lint, types, and which room may import which
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports

cluster-test: setup $(DEV) ## tests on a real Kubernetes, built at the first time (10 minutes)
	@PYTHONPATH=tests/support $(PY) -m testbed
	@$(PY) -m pytest -m cluster tests/cluster -rs $(ARGS)

sdk: setup $(DEV) ## an SDK for Go, generated from our schema, compiles (3 minutes at the first time)
	@$(PY) -m pytest -m sdk tests/components/test_sdk.py $(ARGS)

crash-matrix: setup $(DEV) ## cut a life off before and after each step; the reaper must leave nothing
	@PYTHONPATH=tests/support $(PY) -m crash_matrix $(ARGS)

bench: setup $(DEV) ## cold starts, job states, layers, the market beside SkyPilot's, rehearsals of 1, 3 and 10 clusters, 10 side by side
	@$(PY) tools/bench.py $(ARGS)

bench-scale: setup $(DEV) ## a gang of 8,000 GPUs on 1,000 fake nodes of a real control plane (20 minutes)
	@$(PY) tools/bench_scale.py $(ARGS)

bench-reap: setup $(DEV) ## 200 colonies in one look of the reaper
	@PYTHONPATH=tests/support $(PY) tools/bench_reap.py $(ARGS)

bench-end: setup $(DEV) ## what the end of a job costs: until its machines go, and what is paid
	@$(PY) tools/bench_end.py $(ARGS)

format: $(DEV) ## let ruff format and sort
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

setup: $(RUN) ## the environment and the Pulumi CLI
	@$(COLONY) setup

clean: ## remove what make made here; the Pulumi CLI stays in the user's cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@tools/venv.sh $(VENV)

$(RUN): | $(VENV)/bin/python
	@echo 'installing the Python packages (130 MB to download)'
	@$(PIP) -e '.[aws]' | $(SHORTER)
	@touch $@

$(DEV): | $(RUN)
	@echo 'installing the development tools and the SDKs of all clouds (1 GB unpacked)'
	@$(PIP) -e '.[aws,azure,gcp,onprem,s3,gs,azblob,policy,dev]' | $(SHORTER)
	@touch $@
