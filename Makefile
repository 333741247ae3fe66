# Two commands: `make demo` shows a leaderboard on a fresh machine, `make test` checks the project.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ITEMS ?= 20
# Of pytest: one more than two cores, since tests of the command line wait for processes of theirs.
WORKERS ?= 3
# Byte code is made of what is imported, when it is: making it of everything takes longer than the rest of installing.
PIPFLAGS := --quiet --disable-pip-version-check --no-compile
# Two threads make tiny models slower on a shared machine; work is spread over processes instead.
export OMP_NUM_THREADS ?= 1
# Where byte code is never kept, each of the processes that tests start compiles torch again, for ten seconds.
unexport PYTHONDONTWRITEBYTECODE

# Of `make submission`: NAME=my_explainer, and what it is compared with on the first COUNT items of each of its tracks.
SUBMISSIONS ?= submissions
COUNT ?= 8
TASKS ?=
BASELINES ?= random,attention,aiba,pca
# The branch that a pull request is to be merged to, and its last commit; without them what is found here.
BASE ?=
HEAD ?=
OUT ?= runs/pull_request
REPORT ?= $(OUT)/report.md

.PHONY: demo test install submission examples lint types kernels unit audiogen docs clean

demo: $(VENV)/.installed
	$(BIN)/earwitness run --task micro_prompt --submission all --items $(ITEMS)
	$(BIN)/earwitness board
	@echo "Open the page with: $(BIN)/earwitness leaderboard"

test: lint
	$(MAKE) --jobs=2 types kernels
	$(MAKE) unit

install: $(VENV)/.installed-all

# What CI does with a pull request that adds a submission: validate, run in a box, verdicts against baselines, one page.
submission: $(VENV)/.installed-all
	@$(if $(NAME),,echo "name a folder of $(SUBMISSIONS): make submission NAME=my_explainer" >&2; exit 2)
	@$(BIN)/python -P -m earwitness.pull_requests "$(SUBMISSIONS)/$(NAME)" --items "$(COUNT)" --baselines "$(BASELINES)" \
		--out "$(OUT)" --report "$(REPORT)" \
		$(if $(TASKS),--tasks "$(TASKS)") $(if $(BASE),--base "$(BASE)") $(if $(HEAD),--head "$(HEAD)")

# Three pull requests through the steps of the workflow, one in order, one broken, one hostile.
examples: $(VENV)/.installed-dev
	$(BIN)/pytest -n 0 -m examples tests/pull_requests/test_examples.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

# pYIN becomes machine code on its first call, for half a minute: once, beside mypy, and not in each worker of pytest.
kernels: $(VENV)/.installed-dev
	$(BIN)/python -c "import numpy; from earwitness.worlds.estimators import pitch; pitch(numpy.sin(numpy.arange(8000)), 16000)"

unit: $(VENV)/.installed-dev
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

# AudioGenX's own setting, end to end, on a small random double of AudioGen that audiocraft wrote and the trained small PaSST.
audiogen: $(VENV)/.installed-dev
	$(BIN)/pytest -v tests/test_published_tasks.py -k audiogen

# The site, in site/: a warning, such as a link to nowhere, is an error.
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml requirements-nodeps.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install $(PIPFLAGS) -e '.[page]'
	$(BIN)/python -m pip install $(PIPFLAGS) --no-deps -r requirements-nodeps.txt
	@touch $@

$(VENV)/.installed-all: pyproject.toml requirements-nodeps.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install $(PIPFLAGS) -e '.[all]'
	$(BIN)/python -m pip install $(PIPFLAGS) --no-deps -r requirements-nodeps.txt
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: pyproject.toml requirements-nodeps.txt requirements-nodeps-dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install $(PIPFLAGS) -e '.[dev]'
	$(BIN)/python -m pip install $(PIPFLAGS) --no-deps -r requirements-nodeps.txt -r requirements-nodeps-dev.txt
	@touch $@ $(VENV)/.installed $(VENV)/.installed-all

# The packages of the extra alone: the library's own, torch first, are not needed where its sources are only read.
$(VENV)/.installed-docs: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"], sep="\n")' > $(VENV)/docs.txt
	$(BIN)/python -m pip install $(PIPFLAGS) -r $(VENV)/docs.txt
	@touch $@

clean:
	rm -rf $(VENV) runs board site
