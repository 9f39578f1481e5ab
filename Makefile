# The commands of people and CI. `make` alone lists them.
# PYTHON is the first of these interpreters that is 3.11, 3.12 or 3.13; PYTHON=... names another.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c '$(FITS)' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

# Runs pip with one moving line that counts packages, instead of several hundred lines. Python compiles
# the modules that are imported; all of them would take most of a minute.
define install
	@$(BIN)/pip install --no-compile --disable-pip-version-check --progress-bar off -c constraints.txt $(1) \
	| { n=0; r=''; [ -t 1 ] && r='\r\033[K'; while read -r word name rest; do case $$word in \
	Collecting) n=$$((n + 1)); [ -t 1 ] && printf "$$r    package %d: %s" $$n "$$name";; \
	Downloading) [ -t 1 ] && printf "$$r    package %d: %s %s" $$n "$${name##*/}" "$$rest";; \
	Installing) [ "$$name" = collected ] && printf "$$r    installing %d packages\n" $$n;; \
	esac; done; true; }
endef

# Each module is compiled once and kept, also where the environment says otherwise: tests start several
# hundred programs.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup dev up test coverage chart lint format eval bench soak clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.serving models/.unpacked  ## environment and models for `make up`

dev: $(VENV)/.dev models/.unpacked  ## environment and models with the tools of training and tests

up: setup  ## start everything on this machine; Ctrl-C stops it
	@exec $(BIN)/xunwen up

test: dev $(VENV)/.compiled  ## unit tests and tests against the real servers, four at a time
	$(BIN)/pytest --numprocesses 4

coverage: dev $(VENV)/.compiled  ## `make test` with the coverage of all processes; takes half as long again
	@mkdir -p var/coverage
	$(BIN)/pytest --numprocesses 4 --cov --cov-report=
	@echo "==> coverage: the modules with the least, and all; \`$(BIN)/coverage report -m\` names the lines"
	@$(BIN)/coverage report --sort=cover | { sed -n 3,17p; tail -n 1; }

chart: dev  ## render, lint and validate the Helm chart, the Dockerfile and the compose file
	$(BIN)/pytest tests/deploy/test_chart.py tests/deploy/test_dockerfile.py tests/deploy/test_compose.py

soak: dev  ## the tests that take minutes to hours: all images installed and searched, long loads
	$(BIN)/pytest -m soak -s

eval: dev  ## quality of each phase, measured through a running system (`make up` in another shell)
	$(BIN)/xunwen eval online $(EVAL)

bench: dev  ## speed beside other engines and servers; EVAL and BENCH pass options
	$(BIN)/python -m benchmarks $(BENCH)

lint: dev  ## ruff and mypy, tests included
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: dev  ## let ruff fix and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the environment (not the data under var/)
	rm -rf $(VENV) models/.unpacked

$(VENV)/.created:
	@echo "==> environment"
	@[ -n "$(PYTHON)" ] || { echo "No Python 3.11, 3.12 or 3.13 is on the PATH; install one, or name it: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c '$(FITS)' || { echo "Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --upgrade pip -c constraints.txt
	@touch $@

$(VENV)/.serving: $(VENV)/.created pyproject.toml constraints.txt
	@echo "==> dependencies of the services (1.4 GB on disk, once)"
	$(call install,-e '.[embedded]')
	@touch $@

$(VENV)/.dev: $(VENV)/.serving
	@echo "==> dependencies of training and tests"
	$(call install,-e '.[dev]')
	@touch $@

# Once, before four processes would all compile the same modules at the same time. An error is told by
# the tests themselves.
$(VENV)/.compiled: $(VENV)/.dev
	@echo "==> modules that the tests import"
	@$(BIN)/pytest --collect-only -qq >/dev/null 2>&1 || true
	@touch $@

models/.unpacked: $(VENV)/.serving $(wildcard models/*/weights.packed) $(wildcard models/*/manifest.json)
	@echo "==> models"
	@$(BIN)/python -m services.common.model_dir unpack models/*/
	@touch $@
