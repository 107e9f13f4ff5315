# make demo   the main job on real photographs, with an embedded language model, on a CPU, offline once installed
# make test   the unit tests
# make check  lint, format, types, direction of imports, the documentation site
# make slow   the heavier tests (kill and resume at random moments, embedded model)
# make docs   the documentation site in site/, offline, warnings as errors

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= runs/demo

.PHONY: demo test check slow docs clean

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

$(VENV)/.assets: $(VENV)/.installed
	$(BIN)/lossagent assets fetch smollm2-135m-instruct efficientnet-lite0
	touch $@

demo: $(VENV)/.assets
	$(BIN)/lossagent demo --out $(DEMO)

test: $(VENV)/.installed
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

slow: $(VENV)/.assets
	$(BIN)/python -m pytest -m slow

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python scripts/build_site.py

docs: $(VENV)/.installed
	$(BIN)/python scripts/write_reference.py
	$(BIN)/python scripts/build_site.py

clean:
	rm -rf site build/site $(VENV) .pytest_cache .ruff_cache .import_linter_cache .coverage
