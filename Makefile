# Needs: make, and a Python >= 3.11 with venv. Everything else comes into .venv, from constraints.txt;
# the network is needed for that, and for what `make test-slow` installs besides, but not afterwards.
#
#   make demo       all example DAGs, one after the other, through real Airflow, into real S3
#   make test       lint, types, import contracts, documentation, tests: minutes
#   make test-slow  all other tests: most of an hour
#   make up / down  the same stack, kept, with Airflow's user interface
#   make help       all commands

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

# make test PYTHON=python3.13: with this interpreter, whose .venv takes the place of another's.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Tests run side by side, file by file, each process with servers of its own.
JOBS ?= 2
EXTRAS := cli,emulator,index,stack,celery,dev,docs,bench

# Python without its bytecode cache makes every start of Airflow three seconds slower.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH
unexport VIRTUAL_ENV

# Without a home directory, uv has no place for its cache, and pip complains.
ifneq ($(shell [ -w "$$HOME" ] && echo writable),writable)
export UV_CACHE_DIR ?= $(CURDIR)/build/uv-cache
export PIP_NO_CACHE_DIR ?= 1
endif

comma := ,
# Why .venv has to be made anew: it is another interpreter's, or its programs name another folder.
STALE := $(shell [ -x $(BIN)/python ] || exit 0; \
  grep -qF "$$(pwd -P)/$(VENV)" $(VENV)/pyvenv.cfg || { echo "it was made in another folder"; exit; }; \
  [ -n "$(PYTHON)" ] || exit 0; \
  version='import sys; print(sys.version)'; \
  [ "$$("$(PYTHON)" -c "$$version" 2>&1)" = "$$($(BIN)/python -c "$$version")" ] || \
  echo "it is not $(PYTHON)'s but $$($(BIN)/python --version)'s")

.PHONY: FORCE help install demo test lint docs picture screenshots oldest-airflow geemap pgstac wheel test-slow fuzz mutants reliability-page live bench bench-starting bench-compressions up down lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1  /p' Makefile | awk '{ name = $$1; $$1 = ""; printf "make %-20s%s\n", name, $$0 }'

install: $(STAMP) ## make .venv from constraints.txt

$(STAMP): setup.cfg pyproject.toml constraints.txt $(if $(STALE),FORCE)
	@if [ -n "$(STALE)" ] || [ ! -x $(BIN)/python ]; then \
	  for candidate in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11); do \
	    "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	      2>/dev/null && found="$$candidate" && break; \
	  done; \
	  if [ -z "$$found" ]; then \
	    candidate="$(or $(PYTHON),python3)"; \
	    is="$$("$$candidate" --version 2>/dev/null)" && is="$$candidate is $$is, and " || is="$(if $(PYTHON),$(PYTHON) does not run$(comma) and )"; \
	    echo "$${is}Python 3.11 or newer with venv is needed: on Debian or Ubuntu, apt-get install python3 python3-venv; elsewhere, name one with make PYTHON=/path/to/python3 install" >&2; \
	    exit 1; \
	  fi; \
	  [ -z "$(STALE)" ] || echo "$(VENV) is made anew: $(STALE)"; \
	  "$$found" -m venv --clear $(VENV); \
	fi
	@[ -x $(BIN)/uv ] || $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt \
	  --editable '.[$(EXTRAS)]'
	@touch $@

demo: $(STAMP) ## run all example DAGs against the emulator, then show what is in the bucket
	$(BIN)/python -m stack.demo

test: lint docs ## lint, strict types, import contracts, documentation, tests: before every commit
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

lint: $(STAMP) ## the same without the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Read anew each time: what is not read again cannot warn again.
docs: $(STAMP) ## build the documentation into build/docs; a warning is an error
	$(BIN)/python -m sphinx --fresh-env --fail-on-warning --quiet docs build/docs

picture: $(STAMP) ## draw docs/santa_cruz.png, the README's download, and docs/ndvi_series.png
	$(BIN)/python -m stack.picture

# With the browser that the machine has: apt-get install chromium fonts-dejavu-core.
screenshots: $(STAMP) ## photograph the tabs of Airflow's pages for docs/
	$(BIN)/python -m stack.screenshots

oldest-airflow: $(STAMP) ## make the environment of the smoke test on the oldest Airflow
	$(BIN)/python -m stack.oldest

geemap: $(STAMP) ## make the environment of the tests with geemap
	$(BIN)/python -m stack.geemap

pgstac: $(STAMP) ## make the environment of the test with pgstac; the server is Debian's, with PostGIS
	$(BIN)/python -m stack.pgstac

wheel: $(STAMP) ## build the wheel and install it where its tests find it
	$(BIN)/python -m stack.wheel

# Test by test: the fault matrix is one file. What shares a stack is a group, which stays together.
test-slow: wheel oldest-airflow geemap pgstac ## all tests that `make test` leaves out, for they take too long
	$(BIN)/python -m pytest -m "slow and not live" -n $(JOBS) --dist loadgroup --junit-xml=build/test-slow.xml

fuzz: $(STAMP) ## the drawn tests with new examples, twenty times as many; prints what failed
	$(BIN)/python -m pytest -m "(hypothesis or mutated) and not live" --hypothesis-profile=fuzz -n $(JOBS)

# It goes on where it was ended. MUTANTS='bucket publish' tries these rooms, '--count 200' more.
mutants: $(STAMP) ## put mistakes into the code, and count those that tests notice: an hour or two
	$(BIN)/python -m tests.mutants $(MUTANTS)

reliability-page: $(STAMP) ## write the fault matrix, and the last test-slow's figures, into its page
	$(BIN)/python -m tests.reliability.reliability_page

live: $(STAMP) ## the contract tests and downloads, against the real Earth Engine with your account
	$(BIN)/python -m stack.live

# What is measured is only as good as the machine is quiet. BENCH='--quick' is a look at it;
# BENCH='--cells 4x16-500ms large' measures these again and leaves the others as they were.
bench: $(STAMP) ## compare with geedim, most of an hour; writes docs/performance.md
	$(BIN)/python -m tests.benchmarks $(BENCH)

bench-starting: $(STAMP) ## how long a download takes to start; writes docs/performance.md
	$(BIN)/python -m tests.benchmarks.starting

bench-compressions: $(STAMP) ## what each compression of a raster costs; writes docs/performance.md
	$(BIN)/python -m tests.benchmarks.compressions

up: $(STAMP) ## start a kept stack with Airflow's user interface, and print its URL
	$(BIN)/python -m stack.kept up

down: $(STAMP) ## stop what `make up` started
	$(BIN)/python -m stack.kept down

lock: $(STAMP) ## write constraints.txt anew from setup.cfg, with the newest versions
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 \
	  --custom-compile-command 'make lock' --no-emit-index-url \
	  --extra cli --extra emulator --extra index --extra stack --extra celery --extra dev --extra docs --extra bench \
	  setup.cfg --output-file constraints.txt

clean: ## remove what these commands made
	@if [ -x $(BIN)/python ] && [ -d build/kept ]; then $(BIN)/python -m stack.kept down; fi
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache \
	  .hypothesis
	find airflow_provider dags stack tests -name __pycache__ -type d -prune -exec rm -rf {} +
