# `make` alone says what there is.
# The first Python that is new enough, python3 before all others.
PYTHON ?= $(or $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do \
            $$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done),python3)
VENV := .venv
STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-test
DOCS_STAMP := $(VENV)/.installed-docs
# What an installation depends on; Python files count at once.
SOURCES := setup.cfg setup.py pyproject.toml tools/make_venv.py edge/fastpath/build.py edge/tls/build.py loadgen/wire/build.py loadgen/wire/build_tls.py $(wildcard edge/fastpath/src/*.[ch] edge/tls/src/*.[ch] loadgen/wire/src/*.[ch] webroot/sw.js webroot/edge/*.js webroot/edge/*/*.js)

# What makes environments; a shell that knows no such program says no more than that.
make_venv = @command -v $(firstword $(PYTHON)) >/dev/null || { \
    echo "PYTHON=$(PYTHON): there is no such program; name a Python, 3.10 or newer" >&2; exit 1; }; \
    $(PYTHON) tools/make_venv.py

.PHONY: help venv test-venv docs-venv run test check docs native-test sim fuzz bench clean

help:
	@echo "make venv            the environment: .venv/bin/twistd, edgectl, loadgen"
	@echo "make run [SITE=DIR]  four nodes on http://localhost:8001 .. 8004; Ctrl-C stops them;"
	@echo "                     PORT=9001: on 9001 .. 9004; TLS=1: on https://, with an authority made for it;"
	@echo "                     DEV=1: free-form GraphQL and GraphiQL at /graphql"
	@echo "make test            lint, types, all tests, native code under sanitizers"
	@echo "make check           lint, imports and types only"
	@echo "make docs            these documents as a site: docs/_build/html/index.html"
	@echo "make native-test     the C code alone, under ASan and UBSan"
	@echo "make sim             thousands of simulated clusters with every fault there is"
	@echo "make fuzz            hostile bytes for what nodes read from each other and from applications, a minute each"
	@echo "make bench           CPU per request beside nginx"
	@echo "make clean           removes what was built"
	@echo "PYTHON=python3.x chooses another Python (3.10 or newer) for the environment."

venv: $(STAMP)

$(STAMP): $(SOURCES)
	$(make_venv) $(VENV) regex
	@touch $@

test-venv: $(TEST_STAMP)

$(TEST_STAMP): $(SOURCES)
	$(make_venv) $(VENV) test,docs
	@touch $(STAMP) $(DOCS_STAMP) $@

docs-venv: $(DOCS_STAMP)

$(DOCS_STAMP): $(SOURCES)
	$(make_venv) $(VENV) docs
	@touch $(STAMP) $@

run: venv
	@exec $(VENV)/bin/python -m ops.staging $(if $(SITE),--site "$(SITE)") $(if $(PORT),--base-port $(PORT)) $(if $(TLS),--tls) $(if $(DEV),--dev)

test:
	@$(PYTHON) tools/run_tests.py

check: test-venv
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/mypy

# From scratch each time: what is not read again says nothing of its broken links.
docs: docs-venv
	@$(VENV)/bin/sphinx-build --fresh-env --fail-on-warning --keep-going --nitpicky --quiet \
	    --doctree-dir docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

native-test:
	@$(MAKE) --no-print-directory -C tests/native test

sim: venv
	@$(VENV)/bin/python -m simulation $(SIM)

fuzz: test-venv
	@$(VENV)/bin/python -c 'import atheris' 2>/dev/null || $(PYTHON) tools/make_venv.py $(VENV) test,docs,fuzz
	@$(VENV)/bin/python -m tests.fuzz $(FUZZ)

# The benchmarks drive nodes and clients by the means of the tests.
bench: test-venv
	@$(PYTHON) tools/bench_tools.py
	@$(VENV)/bin/python -c 'import uvicorn, uvloop' 2>/dev/null || $(PYTHON) tools/make_venv.py $(VENV) test,docs,bench
	@$(VENV)/bin/python -m benchmarks $(BENCH)

clean:
	rm -rf $(VENV) build dist docs/_build .staging .mypy_cache .ruff_cache .hypothesis _trial_temp* *.egg-info
	rm -f $(foreach m,edge/_native edge/_tls loadgen/wire/_native loadgen/wire/_tls,$(m).*so $(m).c $(m).o)
	find . -name __pycache__ -prune -exec rm -rf {} +
	@$(MAKE) --no-print-directory -C tests/native clean
