# `make demo` and `make test` are all that a new machine needs; each sets itself up the first time (.ci/setup).
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
# The tests start their own screen (pytest-xvfb). Qt's "offscreen" crashes as soon as napari adds a layer.
SCREEN := env -u QT_QPA_PLATFORM -u WAYLAND_DISPLAY
# More for the command: make test ARGS="tests/topology -k torus"; make benchmark ARGS=--document
ARGS ?=

.PHONY: help demo test lint format app pictures benchmark experiment tables weights clean

help: ## what can be made (the default)
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## segment a volume, print its certificate, write mask, fields, report and picture into demo/
	@.ci/setup core
	$(BIN)/toposeg demo -o demo

test: ## the whole test suite, the real window under Xvfb included
	@.ci/setup test
	@command -v Xvfb >/dev/null || { echo "The tests of the window need Xvfb, and it is not installed (see above)." >&2; exit 1; }
	$(SCREEN) $(BIN)/python -m pytest $(ARGS)

lint: ## style, format, types and the import contract
	@.ci/setup dev
	@status=0; \
	for check in "ruff check ." "ruff format --check ." "mypy" "lint-imports --no-logo"; do \
	    echo "$$check"; $(BIN)/$$check || status=1; \
	done; \
	exit $$status

format: ## let ruff put the style right where it can
	@.ci/setup dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

app: ## open napari with the docks laid out
	@.ci/setup app
	$(BIN)/toposeg open

pictures: ## take every picture of the documentation anew, in the real window
	@.ci/setup test
	for script in docs/screenshots.py docs/tutorial_pictures.py docs/labeller_pictures.py; do \
	  $(SCREEN) xvfb-run -a -s "-screen 0 1600x1300x24" $(BIN)/python $$script || exit 1; done

benchmark: ## the tables of docs/results.md; the first needs real images (benchmarks/README.md)
	@.ci/setup test
	$(BIN)/python benchmarks/segmentation.py $(ARGS)
	$(BIN)/python benchmarks/certification.py $(ARGS)

experiment: ## the persistent homology loss on real images: over an hour; what was cut off goes on where it was
	@.ci/setup test
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/persistence_training.py --seeds 0 1 2 3 4 100
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/persistence_training.py $(ARGS)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/dense_gradient.py $(ARGS)

tables: ## the papers' tables: trains every system, hours; what was cut off goes on where it was
	@.ci/setup test
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/tables.py T1 T2 T3 T4 T5 T6 T7 $(ARGS)

weights: ## the shipped networks, trained again on synthetic images: hours; what was cut off goes on where it was
	@.ci/setup test
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/weights.py $(ARGS)

clean: ## remove what was made: .venv, demo/, caches, builds
	rm -rf .venv demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find . -path ./.git -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf
