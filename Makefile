# The two main commands are `make sweep` and `make test`. Every command except `clean` first creates
# .venv if it is missing, or updates it if pyproject.toml or constraints.txt have changed.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
RUN := $(VENV)/bin
# Further arguments of the command: make sweep ARGS="--method vib --dataset fashion_mnist"
ARGS ?=

.PHONY: sweep test test-slow lint format clean

sweep: $(VENV)/.installed
	$(RUN)/paretoib sweep --method mib $(ARGS)

test: $(VENV)/.installed-test
	$(RUN)/python -m pytest -m "not slow" --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-slow: $(VENV)/.installed-test
	$(RUN)/python -m pytest -m slow $(ARGS)

lint: $(VENV)/.installed-test
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports

format: $(VENV)/.installed-test
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(RUN)/pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@
