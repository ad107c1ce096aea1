# `make help` says what there is.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
NATIVE := $(wildcard edge/fastpath/src/*.[ch]) edge/fastpath/build.py

.PHONY: help venv run test check native-test bench clean

help:
	@echo "make venv            the environment: .venv/bin/twistd, edgectl, loadgen"
	@echo "make run [SITE=DIR]  four nodes on http://localhost:8001 .. 8004; Ctrl-C stops them"
	@echo "make test            lint, types, all tests, native code under sanitizers"
	@echo "make check           lint and types only"
	@echo "make native-test     the C code alone, under ASan and UBSan"
	@echo "make bench           CPU per request beside nginx"
	@echo "make clean           removes what was built"

venv: $(STAMP)

$(STAMP): setup.cfg setup.py pyproject.toml tools/make_venv.py $(NATIVE)
	$(PYTHON) tools/make_venv.py $(VENV)
	@touch $(STAMP)

run: venv
	@exec $(VENV)/bin/python -m ops.staging $(if $(SITE),--site "$(SITE)")

test:
	@$(PYTHON) tools/run_tests.py

check: venv
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

native-test:
	@$(MAKE) --no-print-directory -C tests/native test

bench: venv
	@$(VENV)/bin/python tools/bench_tools.py
	@$(VENV)/bin/python -m benchmarks $(BENCH)

clean:
	rm -rf $(VENV) build dist .staging .mypy_cache .ruff_cache .hypothesis _trial_temp* *.egg-info
	rm -f edge/fastpath/_native.c edge/fastpath/_native*.so
	$(MAKE) --no-print-directory -C tests/native clean
