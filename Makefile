# Every target sets up what it needs first. The back-end of MLX on Linux is the CPU's until you say
# `make BACKEND=cuda13 ...` (or cuda12), once; on macOS it is Metal, and there is nothing to choose.

BACKEND ?= $(or $(shell cat .venv/.backend 2>/dev/null),cpu)
PY := .venv/bin/python
TOOLS := pyproject.toml .dev/setup .dev/is-fit .dev/requirements.lock .dev/find-python .dev/openblas

.DEFAULT_GOAL := help
.PHONY: help demo serve mic test lint web parity bench chaos soak full-size train doctor clean audit lock

help: ## list these targets
	@grep -E '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

demo: .venv/.ready ## transcribe a recording of a human voice as if it were spoken now
	@$(PY) -m voxwire demo

serve: .venv/.ready ## serve at http://127.0.0.1:8000: a page to speak into, and the APIs
	@$(PY) -m voxwire serve

# Without BACKEND: the one that is there stays.
mic: .venv/.ready ## add what `voxwire listen` needs for the microphone
	@sh .dev/setup .venv mic

test: .venv/.ready ## run all tests
	@$(PY) -m pytest

lint: .venv/.ready ## check style and types
	@sh .dev/lint .venv

audit: .venv/.ready .venv-audit/.ready ## hold what is installed to the lock, and it to known faults
	@sh .dev/audit .venv .venv-audit

lock: .venv-audit/.ready ## choose the newest dependencies that fit, and lock them by their hashes
	@sh .dev/lock .venv-audit

web: .venv/.ready ## build the page anew; needs node
	@$(PY) -m voxwire.protocol.native.typescript > clients/web/src/messages.ts
	@sh .dev/web check
	@sh .dev/web build

parity: .venv-parity/.ready ## compare live with the model's implementation in transformers (torch)
	@.venv-parity/bin/python -m pytest tests/parity

bench: .venv/.bench ## measure speed, capacity and peers; 25 minutes, or ONLY="step uploads", SHORT=1
	@$(PY) -m tests.bench $(ONLY) $(if $(SHORT),--short)

full-size: .venv/.ready ## load and step random weights of the real 4B shape; needs 12 GB of disk
	@$(PY) -m voxwire full-size

soak: .venv/.ready ## hear twelve hours in one session, as fast as it goes; HOURS=1 for less
	@$(PY) -m tests.soak $(if $(HOURS),--hours $(HOURS))

chaos: .venv/.ready ## attack a running server in thousands of ways; takes half an hour
	@$(PY) -m tests.chaos.run

# A step makes and drops a gigabyte: kept, and in huge pages, it costs a sixth less. More threads of
# NumPy's than one would wait for each other beside torch's.
train: .venv-train/.ready ## train the embedded checkpoint anew; two and a half hours
	@OPENBLAS_NUM_THREADS=1 THP_MEM_ALLOC_ENABLE=1 MALLOC_TOP_PAD_=64000000 \
		MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000 \
		.venv-train/bin/python -m voxwire.model.training

doctor: .venv/.ready ## report device, BLAS, versions, memory and measured speed
	@$(PY) -m voxwire doctor

clean: ## remove environments, caches and build folders; keeps checkpoints and training work
	rm -rf .venv .venv-audit .venv-parity .venv-train build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Anew, too, where it was made for another back-end or place, or its Python is gone.
ifneq ($(shell sh .dev/is-fit .venv $(BACKEND) && echo yes),yes)
.venv/.ready .venv/.bench: FORCE
endif
FORCE:

.venv/.ready: $(TOOLS)
	@sh .dev/setup .venv $(BACKEND),dev

.venv/.bench: $(TOOLS)
	@sh .dev/setup .venv $(BACKEND),dev,bench
	@touch $@

.venv-parity/.ready: $(TOOLS)
	@sh .dev/setup .venv-parity $(BACKEND),dev,parity

.venv-audit/.ready: $(TOOLS)
	@sh .dev/setup .venv-audit audit

.venv-train/.ready: $(TOOLS)
	@sh .dev/setup .venv-train $(BACKEND),dev,training
