# 'make demo' and 'make test' install what they need, into .venv and .localcloud alone; only the
# browser of the tests is the system's package, where that can be installed.

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
VENV := .venv
BIN := $(VENV)/bin
CHECKOV := .localcloud/checkov
AUDIT := .localcloud/audit
RELEASE := .localcloud/release
PIP := $(BIN)/pip --no-cache-dir --disable-pip-version-check --quiet
# pip would compile all that it installs with one core. Some files are for a later Python.
COMPILE := $(BIN)/python -m compileall -qq -j 0 -x '/(tests?|testing|transformers/models|databricks|mypyc?|networkx|pip|setuptools)/' $(VENV)/lib
export TMPDIR := $(CURDIR)/.localcloud/tmp
export MLFLOW_DISABLE_TELEMETRY := true
# A local cloud is many short processes: without compiled modules each of them compiles its own.
unexport PYTHONDONTWRITEBYTECODE
export HF_HOME := $(CURDIR)/.localcloud/cache/huggingface

.PHONY: demo test soak simulate load chaos check check-infra check-bicep bench performance scale format schema \
	diagram reference permissions pictures package package-table reproduce audit coverage mutation \
	lock clean

demo: $(VENV)/.demo
	$(BIN)/tuneops local demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest --basetemp=.localcloud/pytest --numprocesses=4 --dist=loadfile \
		--no-loadscope-reorder $(TESTS)

# HOSTS=2 has two hosts whose clocks differ.
# RUN='SEED/TWIG' replays one history and tells everything of it.
simulate: $(VENV)/.dev
	$(BIN)/python -m tests.simulation $(if $(HOSTS),--hosts $(HOSTS)) $(RUN)

soak: $(VENV)/.dev
	$(BIN)/python -m pytest --basetemp=.localcloud/pytest -m soak $(TESTS)

# Takes an hour; QUICK=1 some minutes, SOAK=1 half an hour, or as many minutes as MINUTES says.
load: $(VENV)/.dev
	$(BIN)/python -m tests.under_load .localcloud/load $(if $(QUICK),--quick) \
		$(if $(SOAK)$(MINUTES),--soak $(or $(MINUTES),25)) $(if $(SEED),--seed $(SEED))

# SEED, ROUND, STORIES, FAULTS and QUICK=1: see docs/chaos.md.
chaos: $(VENV)/.dev
	$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(ROUND),--round $(ROUND)) \
		$(if $(STORIES),--stories $(STORIES)) $(if $(FAULTS),--faults $(FAULTS)) \
		$(if $(QUICK),--quick)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What infra/ asks Azure for, by checkov's rules; .checkov.yaml has the exceptions.
check-infra: $(CHECKOV)/.done
	$(CHECKOV)/bin/checkov --config-file .checkov.yaml

# Needs the Azure CLI, which brings the compiler.
check-bicep:
	az bicep build --file infra/main.bicep --stdout > /dev/null
	az bicep build --file infra/events.bicep --stdout > /dev/null

# QUICK=1 leaves out the largest dataset, which takes most of the time. PART="release triggers"
# measures these alone, of release, triggers, reconcile and cold.
bench: $(VENV)/.bench
	$(BIN)/python bench/run.py $(if $(QUICK),--quick) $(if $(PART),--part $(PART))
	$(BIN)/python -m tools.performance

# Writes docs/performance.md from bench/results.json.
performance: $(VENV)/.demo
	$(BIN)/python -m tools.performance

# Takes ten minutes with 10,000 projects; SIZES="10 1000" takes one.
scale: $(VENV)/.bench
	$(BIN)/python bench/scale.py .localcloud/scale $(or $(SIZES),10 1000 10000)

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(VENV)/.demo
	$(BIN)/tuneops schema > schemas/project.schema.json
	$(BIN)/tuneops schema policy > schemas/policy.schema.json
	$(BIN)/tuneops schema message > schemas/message.schema.json

diagram: $(VENV)/.demo
	$(BIN)/python -m tuneops.diagram docs/rollout.md

reference: $(VENV)/.demo
	$(BIN)/python -m tuneops.cli.reference docs/cli.md

permissions: $(VENV)/.demo
	$(BIN)/python -m tools.permissions

# Walks through docs/tutorial.md; takes three minutes and a browser.
pictures: $(VENV)/.dev
	$(BIN)/python -m tools.pictures

# DEPENDENCIES=1 puts them into it, for the Python that PYTHON_VERSION names: see docs/packaging.md.
package: $(VENV)/.package
	$(BIN)/python -m tools.package $(if $(DEPENDENCIES),--dependencies) \
		$(if $(PYTHON_VERSION),--python $(PYTHON_VERSION))

package-table: $(VENV)/.package
	$(BIN)/python -m tools.package --table docs/packaging.md

# Everything that is released, built twice from the commit, in other places and at other times.
reproduce: $(RELEASE)/.done
	$(RELEASE)/bin/python -m tools.reproduce

# What is known of the packages that the locks pin; tools/audit.toml has what is accepted.
audit: $(AUDIT)/.done
	$(AUDIT)/bin/python -m tools.audit

# TESTS="-m 'not slow and not soak'" measures what the quick ones reach.
coverage: $(VENV)/.dev
	rm -rf .localcloud/coverage
	@mkdir -p .localcloud/coverage
	$(BIN)/coverage run -m pytest --basetemp=.localcloud/pytest --hypothesis-profile=steady \
		--numprocesses=4 --dist=loadfile --no-loadscope-reorder $(TESTS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage html --quiet --fail-under=0
	$(BIN)/coverage report

# MUTANTS='tuneops.decide.*' tries a part; all of them take half an hour.
mutation: $(VENV)/.mutation
	$(BIN)/python -m tools.mutation $(MUTANTS)

# Needs uv; requirements.txt is the part of the lock that Azure Functions installs.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-header \
		--no-emit-index-url pyproject.toml --output-file requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
		--no-emit-index-url --generate-hashes pyproject.toml --constraint requirements.lock \
		--output-file requirements.txt
	for folder in validate .github/audit .github/release; do \
		uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
			--no-emit-index-url --generate-hashes --constraint requirements.lock \
			--output-file $$folder/requirements.txt $$folder/requirements.in || exit 1; \
	done

clean:
	rm -rf $(VENV) .localcloud test-artifacts mutants

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml requirements.lock
	@mkdir -p "$(TMPDIR)"
	$(PIP) install --no-compile --constraint requirements.lock --editable '.[cli,local]'
	@$(COMPILE) || true
	@touch $@

$(VENV)/.bench: $(VENV)/.demo
	$(PIP) install --constraint requirements.lock --editable '.[cli,local,bench]'
	@touch $@

$(VENV)/.package: $(BIN)/python requirements.lock
	$(PIP) install --constraint requirements.lock packaging
	@touch $@

$(VENV)/.mutation: $(VENV)/.dev
	$(PIP) install --constraint requirements.lock mutmut
	@touch $@

$(AUDIT)/.done $(RELEASE)/.done: .localcloud/%/.done: .github/%/requirements.txt $(BIN)/python
	@mkdir -p "$(TMPDIR)"
	$(BIN)/python -m venv .localcloud/$*
	.localcloud/$*/bin/pip --no-cache-dir --disable-pip-version-check --quiet install \
		--only-binary :all: --require-hashes --requirement $<
	@touch $@

# It pins packages that others need newer, and a parser that is behind Bicep.
$(CHECKOV)/.done: $(BIN)/python
	@mkdir -p "$(TMPDIR)"
	$(BIN)/python -m venv $(CHECKOV)
	$(CHECKOV)/bin/pip --no-cache-dir --disable-pip-version-check --quiet install checkov==3.3.30
	$(CHECKOV)/bin/pip --no-cache-dir --disable-pip-version-check --quiet install --no-deps \
		pycep-parser==0.7.1
	@touch $@

# Microsoft's worker is declared for Python 3.13 alone, and runs on 3.11 as well.
$(VENV)/.dev: $(BIN)/python pyproject.toml requirements.lock
	@mkdir -p "$(TMPDIR)"
	$(PIP) install --no-compile --constraint requirements.lock --editable '.[cli,local,dev]'
	$(PIP) install --no-deps --ignore-requires-python \
		azure-functions-runtime==1.3.0 azurefunctions-extensions-base==1.2.0
	@$(COMPILE) || true
	$(BIN)/python -m tests.chromium || true
	@touch $(VENV)/.demo $@
