# Stageboard. `make help` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help run admin backup restore test test-fast mutate fmt bench faults screenshots lock upgrade clean

# What only GNU make passes on by itself when it stands on its command line.
export PORT STAGEBOARD_DATA PYTHON
PY := .venv/bin/python

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | awk -F '\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'
	@echo "  Variables of run: PORT=8000 SAMPLE=no STAGEBOARD_DATA=/path/to/folder PYTHON=/path/to/python3.13"

run:  ## set up what is missing, then serve on 127.0.0.1:8000 until Ctrl-C
	@config/setup.sh
	@exec $(PY) manage.py serve --setup $(if $(filter no No NO 0 false,$(SAMPLE)),,--sample)

admin:  ## make the first Admin (asks for a name and a password)
	@config/setup.sh
	@$(PY) manage.py make_admin

backup:  ## back the whole database up into one dated file (TO=/folder; while it runs)
	@config/setup.sh
	@$(PY) manage.py backup $(if $(TO),--to "$(TO)")

restore:  ## put a backup in the database's place: FILE=/path CONFIRM=yes (stop the product first)
	@config/setup.sh
	@$(PY) manage.py restore "$(FILE)" $(if $(filter yes,$(CONFIRM)),--yes)

test:  ## all checks and all tests, on SQLite and PostgreSQL, with Redis and Chromium
	@config/setup.sh dev
	@.ci/test

test-fast:  ## lint, types and the tests on SQLite that need no browser
	@config/setup.sh dev
	@.ci/checks
	@$(PY) -m pytest -n 2 --dist loadgroup -m "not browser"

mutate:  ## change the pure rules in every small way; each time a test must fail
	@config/setup.sh dev
	@$(PY) -m tests.mutation

fmt:  ## format Python and templates, and repair what lint can repair
	@config/setup.sh dev
	@$(PY) -m ruff check --quiet --fix-only .
	@$(PY) -m ruff format .
	@find templates -name '*.html' -print0 | xargs -0 .venv/bin/djade --target-version 6.1 || true

bench:  ## measure board and moves at 1,000, 10,000 and 100,000 cards on PostgreSQL
	@config/setup.sh dev
	@.ci/on-postgres $(PY) -m tests.bench
	@.ci/on-postgres $(PY) -m tests.bench.sweep --due $(or $(DUE),1000)

faults:  ## kill worker, Redis, PostgreSQL and mail server under load; docs/faults.md says what was found
	@config/setup.sh dev
	@$(PY) -m tests.faults --cards $(or $(CARDS),3000) --mails $(or $(MAILS),10000)

screenshots:  ## take the screenshots of the README in a real browser
	@config/setup.sh dev
	@$(PY) -m tests.browser.screenshots

lock:  ## write the lock files after a change of pyproject.toml
	@config/setup.sh dev
	@config/lock.sh

upgrade:  ## the same, with the newest versions that pyproject.toml allows
	@config/setup.sh dev
	@config/lock.sh --upgrade

clean:  ## remove .venv and caches; data/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis htmlcov .coverage*
