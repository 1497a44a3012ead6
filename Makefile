# `make help` lists the targets. Needed beforehand: Python 3.11 or later, and make. All else is installed into .venv.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint format bench shell lock clean browser

PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$python"; break; }; done)
RUN := .venv/bin/python
APPS := activities connections crm_sync ctms exceptions_log
# Without dependencies: the lock file names them all, and pip, asked for `coverage[toml]`, would take a newer one that it
# has no hash of. Twice quiet: what is wrong with a package is said, what may be odd about pip's configuration is not.
INSTALL := .venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps
# Lock files hold hashes and no addresses: where packages come from is this machine's pip configuration.
LOCK := .venv/bin/uv pip compile --quiet --universal --python .venv/bin/python --python-version 3.11 \
	--generate-hashes --no-header pyproject.toml

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: .venv/.runtime ## Show it all on this machine: Vault, CRM sandbox, worker and beat, with demonstration data
	@exec $(RUN) manage.py demo $(DEMO)

test: .venv/.development browser ## Run every test: the Vault on SQLite, then what touches its database again on PostgreSQL
	$(RUN) -m pytest --numprocesses 2
	$(RUN) -m tests.servers $(RUN) -m pytest --numprocesses 2

lint: .venv/.development ## Check style, types, templates, floors, migrations and docker-compose.yml
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/djlint --quiet --check --lint templates
	.venv/bin/lint-imports --no-cache
	DJANGO_SETTINGS_MODULE=ctms.settings.test $(RUN) manage.py makemigrations --check --dry-run
	@if docker compose version >/dev/null 2>&1; then \
		SECRET_KEY=x FIELD_ENCRYPTION_KEYS=x POSTGRES_PASSWORD=x ALLOWED_HOSTS=x VAULT_BASE_URL=x docker compose config --quiet; \
	else \
		echo "docker compose is not installed: docker-compose.yml is checked by tests/test_deployment.py alone"; \
	fi

format: .venv/.development ## Rewrite Python files and templates in the project's style
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .
	.venv/bin/djlint --quiet --reformat templates

bench: .venv/.development ## Measure the ratios of the performance table
	$(RUN) -m tests.servers $(RUN) -m pytest -p no:randomly -o python_files='bench_*.py' -o python_functions='bench_*' tests/benchmarks

shell: .venv/.runtime ## Open a Python shell in which every model is at hand
	@$(RUN) manage.py shell

lock: .venv/.development ## Write requirements.txt and .ci/requirements-dev.txt again after a change of pyproject.toml
	$(LOCK) --output-file requirements.txt >/dev/null
	$(LOCK) --output-file .ci/requirements-dev.txt --constraint requirements.txt --group dev >/dev/null

clean: ## Remove the virtual environment, the demonstration data (var/) and all caches
	rm -rf .venv var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps lie inside .venv, so that they go when it goes; each is as old as the lock file that was installed.
.venv/.runtime: requirements.txt
	@$(call create_venv)
	@echo "Installing into .venv from requirements.txt"
	@$(INSTALL) -r requirements.txt
	@touch $@

.venv/.development: .ci/requirements-dev.txt
	@$(call create_venv)
	@echo "Installing into .venv from .ci/requirements-dev.txt"
	@$(INSTALL) -r .ci/requirements-dev.txt
	@touch $@ .venv/.runtime

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

# The browser of the tests: the system's Chromium, else Debian's package, else the build that Playwright brings.
browser: .venv/.development
	@if command -v chromium >/dev/null; then exit 0; fi; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		echo "Installing Debian's Chromium for the browser tests"; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium >/dev/null; \
	else \
		$(RUN) -m playwright install chromium; \
	fi
