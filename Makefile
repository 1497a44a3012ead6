# `make help` lists the targets. Needed beforehand: Python 3.11 or later, and make. All else is installed into .venv.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo vault test check changed test-sqlite test-postgresql test-browser test-reliability coverage soak lint lint-types lint-all-else format bench shell lock clean browser

PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$python"; break; }; done)
RUN := .venv/bin/python
# Images of containers often forbid Python to keep what it compiled. Every process of the tests would compile every module,
# and pytest rewrite the assertions of every test.
export PYTHONDONTWRITEBYTECODE :=
# Without dependencies: the lock file names them all, and pip, asked for `coverage[toml]`, would take a newer one that it
# has no hash of. Twice quiet: what is wrong with a package is said, what may be odd about pip's configuration is not.
INSTALL := .venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps
# Lock files hold hashes and no addresses: where packages come from is this machine's pip configuration.
LOCK := .venv/bin/uv pip compile --quiet --universal --python .venv/bin/python --python-version 3.11 \
	--generate-hashes --no-header pyproject.toml --extra vault

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

demo: .venv/.demo ## Show it all on this machine: Vault, CRM sandbox, worker and beat, with demonstration data
	@exec $(RUN) manage.py demo $(DEMO)

# A Vault of its own, whose data outlive `make clean`. Only what production has is installed for it.
VAULT_FOLDER ?= $(CURDIR)/vault
vault: .venv/.runtime ## Run an empty Vault of your own on this machine: asks for its first admin; data and keys in vault/
	@exec env VAULT_VAR_DIR="$(VAULT_FOLDER)" $(RUN) manage.py vault $(VAULT)

test: test-sqlite test-postgresql test-browser test-reliability ## Run every test; docs/development/testing.md says what runs where

# Three for two processors, because tests wait; two where a test's processes keep them busy. Each begins with tests that
# lie together: what a module makes once is made once.
PROCESSES ?= 3
PYTEST := $(RUN) -m pytest --dist worksteal --numprocesses
ON_POSTGRESQL := $(RUN) -m tests.servers

test-sqlite: .venv/.development ## Run unit, integration and system tests with the Vault on SQLite
	$(PYTEST) $(PROCESSES) -m "unit or integration or system"

test-postgresql: .venv/.development ## Run those of them that prove something about SQL with the Vault on PostgreSQL
	$(ON_POSTGRESQL) $(PYTEST) $(PROCESSES) -m "unit or integration or system"

test-browser: .venv/.development browser ## Run the browser tests
	$(PYTEST) 2 -m browser tests/browser

test-reliability: .venv/.development ## Run the reliability tests, with the Vault on SQLite and on PostgreSQL
	$(PYTEST) 2 -m reliability
	$(ON_POSTGRESQL) $(PYTEST) 2 -m reliability

check: .venv/.development ## Check what a change needs beforehand: style, types, floors, unit and integration tests on SQLite
	.venv/bin/ruff format --check --quiet .
	.venv/bin/ruff check --quiet .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PYTEST) $(PROCESSES) -m "unit or integration"

# What differs from the commit SINCE, by imports and by folder; see tests/changed.py.
SINCE ?= HEAD
changed: .venv/.development ## Run the unit, integration and system tests that a change touches, on SQLite (SINCE=<commit>, or HEAD)
	@tests=$$($(RUN) -m tests.changed $(SINCE)); \
	if [ -n "$$tests" ]; then $(PYTEST) $(PROCESSES) -m "unit or integration or system" $$tests || [ $$? = 5 ]; \
	else echo "No test is touched by what changed since $(SINCE)"; fi

SOAK_MINUTES ?= 30
soak: .venv/.development ## Let both sides do anything in any order, again and again for SOAK_MINUTES (30) minutes
	@rm -f .pytest_cache/soak-steps; mkdir -p .pytest_cache; end=$$(( $$(date +%s) + 60 * $(SOAK_MINUTES) )); \
	while [ $$(date +%s) -lt $$end ]; do \
		SOAK_EXAMPLES=50 SOAK_STEPS=.pytest_cache/soak-steps $(RUN) -m pytest -q -n 0 --timeout 0 tests/reliability/test_any_order.py || exit 1; \
	done; awk '{ steps += $$1 } END { print NR " stories with " steps " steps" }' .pytest_cache/soak-steps

coverage: .venv/.development ## Measure how much of the code the unit, integration and system tests on SQLite run
	$(PYTEST) $(PROCESSES) -m "unit or integration or system" --cov --cov-report=term

lint: .venv/.development ## Check style, types, templates, floors, reads past scope, migrations, docker-compose.yml, and packages for vulnerabilities
	@$(MAKE) --no-print-directory --jobs 2 --output-sync lint-types lint-all-else

lint-types:
	.venv/bin/mypy

lint-all-else:
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/djlint --quiet --check --lint templates crm_sync/sandbox/templates
	.venv/bin/lint-imports --no-cache
	@DJANGO_SETTINGS_MODULE=ctms.settings.test $(RUN) manage.py shell --no-imports --command "from tests.managers import main; main()"
	DJANGO_SETTINGS_MODULE=ctms.settings.test $(RUN) manage.py makemigrations --check --dry-run
	@if docker compose version >/dev/null 2>&1; then \
		ALLOWED_HOSTS=x VAULT_BASE_URL=x docker compose config --quiet; \
	else \
		echo "docker compose is not installed: docker-compose.yml is checked by tests/test_deployment.py alone"; \
	fi
	@$(RUN) .ci/audit.py

format: .venv/.development ## Rewrite Python files and templates in the project's style
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .
	.venv/bin/djlint --quiet --reformat templates crm_sync/sandbox/templates

# BENCHMARKS=tests/benchmarks/bench_transfer.py measures some and leaves the figures of the others as they are.
BENCHMARKS ?= tests/benchmarks
bench: .venv/.development ## Measure the ratios of the performance table and render docs/benchmarks.md
	BENCHMARK_FIGURES=docs/benchmarks.jsonl $(RUN) -m tests.servers $(RUN) -m pytest -p no:randomly -o python_files='bench_*.py' -o python_functions='bench_*' $(BENCHMARKS)
	$(RUN) -m tests.benchmarks.figures

shell: .venv/.runtime ## Open a Python shell in which every model is at hand
	@$(RUN) manage.py shell

lock: .venv/.development ## Write the lock files again after a change of pyproject.toml
	$(LOCK) --output-file requirements.txt >/dev/null
	$(LOCK) --output-file .ci/requirements-demo.txt --constraint requirements.txt --extra demo >/dev/null
	$(LOCK) --output-file .ci/requirements-dev.txt --constraint .ci/requirements-demo.txt --extra demo --group dev >/dev/null

clean: ## Remove the virtual environment, the demonstration data (var/) and all caches
	rm -rf .venv var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* htmlcov test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps lie inside .venv, so that they go when it goes; each is as old as the lock file that was installed.
.venv/.runtime: requirements.txt
	@$(call create_venv)
	@echo "Installing into .venv from requirements.txt"
	@$(INSTALL) -r requirements.txt
	@touch $@

.venv/.demo: .ci/requirements-demo.txt
	@$(call create_venv)
	@echo "Installing into .venv from .ci/requirements-demo.txt"
	@$(INSTALL) -r .ci/requirements-demo.txt
	@touch $@ .venv/.runtime

.venv/.development: .ci/requirements-dev.txt
	@$(call create_venv)
	@echo "Installing into .venv from .ci/requirements-dev.txt"
	@$(INSTALL) -r .ci/requirements-dev.txt
	@touch $@ .venv/.demo .venv/.runtime

define create_venv
	if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11 or later is needed and none was found. Install it, or name it: make PYTHON=/path/to/python" >&2; \
		exit 1; \
	fi; \
	if ! "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$(PYTHON) lacks the venv module. On Debian and Ubuntu install the package python3-venv." >&2; \
		exit 1; \
	fi; \
	"$(PYTHON)" -m venv .venv
endef

# The browser of the tests: Debian's Chromium without windows, which takes half the processor time of the one with; else the
# system's Chromium, else the build that Playwright brings.
browser: .venv/.development
	@if command -v chromium-headless-shell >/dev/null; then exit 0; fi; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		echo "Installing Debian's Chromium for the browser tests"; \
		export DEBIAN_FRONTEND=noninteractive; \
		install="apt-get -qq install -y --no-install-recommends"; apt-get -qq update; \
		$$install chromium-headless-shell >/dev/null || $$install chromium >/dev/null; \
	elif ! command -v chromium >/dev/null; then \
		$(RUN) -m playwright install chromium; \
	fi
