# One verb per task; `make help` lists them. Continuous integration calls the same verbs.
#
# Everything made here stays in .venvs/ (one environment per Python version), .oracle/ (the
# environment of phanos 0.3.2), .rabbitmq/, .brokers/, .prometheus/, .prometheuses/, .browser/,
# .pythons/, .debug-python/ and .valgrind/ (Debian's packages, unpacked) and target/ (compiled Rust).
# A step runs again only when what it was made from has changed.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

# --- Python versions ---------------------------------------------------------------------

SUPPORTED := 3.10 3.11 3.12 3.13 3.14 3.15
# Unpacked into .pythons/ when they are needed, where the machine has none of its own.
PACKAGED := $(if $(shell command -v apt-get),3.14 3.15)

versions_of = $(foreach pair,$(1),$(firstword $(subst =, ,$(pair))))

ifneq ($(filter-out help clean,$(or $(MAKECMDGOALS),help)),)
ifeq ($(MAKELEVEL),0)
# Words such as 3.11=/usr/bin/python3.11, looked up once for the makes below this one too.
export FOUND := $(shell python3 tools/interpreters.py $(SUPPORTED))
# Verbs run one after the other whatever `--jobs` says; tests run in several processes.
.NOTPARALLEL:
endif
PYTHON3_VERSION := $(shell python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
endif
UNPACKED := $(filter-out $(call versions_of,$(FOUND)),$(PACKAGED))
INTERPRETERS := $(FOUND) \
	$(foreach version,$(UNPACKED),$(version)=$(CURDIR)/.pythons/$(version)/usr/bin/python$(version))
# `make test-versions VERSIONS=3.12` runs on fewer than there are.
VERSIONS := $(call versions_of,$(INTERPRETERS))
LACKING := $(filter-out $(VERSIONS),$(SUPPORTED))
# Lint, demo, bench and oracle run on one version: that of `python3`, else the newest found.
DEFAULT := $(or $(filter $(PYTHON3_VERSION),$(call versions_of,$(FOUND))),$(lastword $(VERSIONS)))

# The interpreter of an environment such as 3.11 or peers-3.11: of its version, or the default one
# for other names.
version_of = $(lastword $(subst -, ,$(1)))
interpreter_of = $(patsubst $(version_of)=%,%,$(filter $(version_of)=%,$(INTERPRETERS)))
interpreter = $(or $(call interpreter_of,$(1)),$(call interpreter_of,$(DEFAULT)))

DEFAULT_BIN := .venvs/$(DEFAULT)/bin
RELEASE_BIN := .venvs/release-$(DEFAULT)/bin

# --- Commands ----------------------------------------------------------------------------

PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --no-input
# The crate binds to one interpreter; naming it keeps cargo from rebuilding when PATH changes.
CARGO := PYO3_PYTHON=$(call interpreter,$(DEFAULT)) cargo
# The library that programs embedding Python link with; empty if Python came without it.
PYTHON_LIBRARY = $(shell $(call interpreter,$(DEFAULT)) -c 'import os, sysconfig as s; \
	path = os.path.join(*s.get_config_vars("LIBDIR", "LDLIBRARY")); \
	print(path if os.path.exists(path) else "")')
# Compiled before, no tests take minutes: one that hangs is ended, and was named after a minute.
LIMITED := $(if $(shell command -v timeout),timeout 600 env)
# Packages that need no Python.
CRATES := --package phanos-core --package phanos-delivery --package phanos-collector \
	--package phanos-tests
# What shows whether the package works when it was compiled in another way.
CORE := $(addprefix tests/python/,calls generators asyncio metrics handlers)
# A program that makes every kind of call, and what watches it.
MEMORY := tests/python/memory
export PHANOS_ORACLE_PYTHON := $(CURDIR)/.oracle/bin/python

say = @printf '\n\033[1m==> %s\033[0m\n' $(1)

# --- Verbs -------------------------------------------------------------------------------

.PHONY: help
help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { sub(/:.*/, "", $$1); printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: versions
versions: ## say which Python versions this machine has
	$(call say,"Python versions")
	@test -n "$(VERSIONS)" || { echo "found none of CPython $(SUPPORTED)" >&2; exit 1; }
	@printf '  found    %s\n' $(FOUND)
	@echo "  unpacked $(or $(UNPACKED),none)"
	@echo "  lacking  $(or $(LACKING),none)"
	@echo "  default  $(DEFAULT)"

.PHONY: build
build: versions $(VERSIONS:%=.venvs/%/.package) ## build and install the package for every Python version found

.PHONY: lint
lint: lint-rust lint-python ## check format, style and types

.PHONY: lint-rust
lint-rust: versions
	$(call say,"rustfmt and clippy")
	cargo fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked $(CRATES) --all-targets -- -D warnings

# stubtest does not object to a private module that has no stub, hence the line above it.
.PHONY: lint-python
lint-python: .venvs/$(DEFAULT)/.test .venvs/$(DEFAULT)/.lint .venvs/$(DEFAULT)/.package
	$(call say,"ruff")
	$(DEFAULT_BIN)/ruff format --check
	$(DEFAULT_BIN)/ruff check
	$(call say,"import-linter")
	PYTHONPATH=python $(DEFAULT_BIN)/lint-imports --no-cache
	$(call say,"zizmor")
	$(DEFAULT_BIN)/zizmor --offline --quiet .github
	$(call say,"mypy and pyright and stubtest")
	$(DEFAULT_BIN)/mypy
	$(DEFAULT_BIN)/basedpyright --pythonpath $(DEFAULT_BIN)/python
	test -f $(DEFAULT_BIN)/../lib/python$(DEFAULT)/site-packages/phanos/_phanos.pyi
	$(DEFAULT_BIN)/python -m mypy.stubtest phanos._phanos

.PHONY: test-rust
test-rust: versions ## test the crates without Python, then the extension with it
	$(call say,"cargo test")
	$(CARGO) test --locked --quiet --no-run $(CRATES)
	$(LIMITED) $(CARGO) test --locked --quiet $(CRATES)
	@library="$(PYTHON_LIBRARY)"; \
	if test -z "$$library"; then \
		echo "not run with Python: $(call interpreter,$(DEFAULT)) has no library to link with"; \
	else \
		set -x; LD_LIBRARY_PATH="$${library%/*}$${LD_LIBRARY_PATH:+:$$LD_LIBRARY_PATH}" \
			$(CARGO) test --locked --quiet --no-run --package phanos --lib && \
		LD_LIBRARY_PATH="$${library%/*}$${LD_LIBRARY_PATH:+:$$LD_LIBRARY_PATH}" \
			$(LIMITED) $(CARGO) test --locked --quiet --package phanos --lib; \
	fi

# Tests wait more than they work: two processes for each processor.
WORKERS = $(shell expr 2 '*' $$(nproc))
PYTEST := -m pytest --numprocesses=$(WORKERS) --dist=loadgroup --no-loadscope-reorder
OTHERS := $(filter-out $(DEFAULT),$(VERSIONS))
# What these tests import is installed for the default version alone.
NO_PAGE := --ignore=tests/python/page

.PHONY: test-python
test-python: versions test-python-$(DEFAULT) ## run the Python tests on the default version

# What a broker does is the same for every Python, and so is most of what pages, benchmarks and
# servers do: these tests run on the default version, on the others those marked `every_version`.
# RABBITMQ_TESTS=all runs all of those with a broker everywhere.
selection = not wheels and not memcheck and not daemon_matrix and $(if $(filter $(DEFAULT),$(1)),not counts,(not \
	one_version$(if $(filter all,$(RABBITMQ_TESTS)), or rabbitmq)))

# phanos 0.3.2 on the same version, where it can be installed there: sizes of objects differ.
oracle = $$(own=$(CURDIR)/.venvs/oracle-$(1)/bin/python; \
	$$own -c 'import phanos' 2>/dev/null && echo $$own || echo $(PHANOS_ORACLE_PYTHON))
$(OTHERS:%=test-python-%): test-python-%: .venvs/oracle-%/.measured

.PHONY: $(SUPPORTED:%=test-python-%)
test-python-$(DEFAULT): .venvs/$(DEFAULT)/.servers .venvs/$(DEFAULT)/.page .browser/.installed
$(SUPPORTED:%=test-python-%): test-python-%: .venvs/%/.test .venvs/%/.package .oracle/.oracle \
		.rabbitmq/.installed .prometheus/.installed
	$(call say,"pytest on Python $*")
	PHANOS_ORACLE_PYTHON=$(call oracle,$*) .venvs/$*/bin/python $(PYTEST) -m '$(call selection,$*)' \
		$(if $(filter $(DEFAULT),$*),,$(NO_PAGE))

.PHONY: test-versions
test-versions: versions $(OTHERS:%=test-python-%) ## run the Python tests on every other version found
	@echo "  covered  $(or $(OTHERS),none)"
	@echo "  lacking  $(or $(LACKING),none)"

# The versions of RabbitMQ that Debian's releases have, 3.10 to 4.3.
BROKERS := bookworm trixie forky

.PHONY: test-brokers
test-brokers: versions $(BROKERS:%=test-broker-%) ## run the tests with a broker on every RabbitMQ from 3.10 to 4.3

.PHONY: $(BROKERS:%=test-broker-%)
$(BROKERS:%=test-broker-%): test-broker-%: .venvs/$(DEFAULT)/.test .venvs/$(DEFAULT)/.package \
		.venvs/$(DEFAULT)/.servers .oracle/.oracle .brokers/%/.installed
	$(call say,"RabbitMQ of Debian $*: $$(cat .brokers/$*/.installed)")
	PHANOS_RABBITMQ=.brokers/$* $(DEFAULT_BIN)/python $(PYTEST) -m rabbitmq $(NO_PAGE)

# The next release of Debian has Prometheus 3, in which histograms are native ones.
ANOTHER_PROMETHEUS := .prometheuses/forky

.PHONY: test-prometheus
test-prometheus: versions .venvs/$(DEFAULT)/.test .venvs/$(DEFAULT)/.package $(ANOTHER_PROMETHEUS)/.installed ## run the tests that ask a real Prometheus on version 3 as well
	$(call say,"$$(cat $(ANOTHER_PROMETHEUS)/.installed)")
	PHANOS_PROMETHEUS=$(ANOTHER_PROMETHEUS) $(DEFAULT_BIN)/python $(PYTEST) -m prometheus $(NO_PAGE)

# Other tests run what is compiled in less time; what differs is what the compiler makes of it.
.PHONY: test-release
test-release: versions .venvs/release-$(DEFAULT)/.test .venvs/release-$(DEFAULT)/.package ## run a core of the tests with the package as it ships
	$(call say,"the package as it ships on Python $(DEFAULT)")
	$(RELEASE_BIN)/python $(PYTEST) $(CORE)

# PyO3 keeps what is dropped without the interpreter lock in a pool; without it, that aborts.
.PHONY: test-no-reference-pool
test-no-reference-pool: versions .venvs/unpooled-$(DEFAULT)/.test .venvs/unpooled-$(DEFAULT)/.package ## the same and more without PyO3's reference pool
	$(call say,"without a reference pool on Python $(DEFAULT)")
	.venvs/unpooled-$(DEFAULT)/bin/python $(PYTEST) -m 'not memcheck and not daemon_matrix' \
		$(CORE) $(MEMORY) tests/python/lifetime

# It counts all references, and checks what it is given.
.PHONY: test-debug-python
test-debug-python: versions .venvs/debug-python/.test .venvs/debug-python/.package ## the same on a debug build of CPython, and whether calls lose references
	$(call say,"on a debug build of CPython")
	.venvs/debug-python/bin/python $(PYTEST) -m 'not memcheck' $(CORE) $(MEMORY)

.PHONY: test-memcheck
test-memcheck: versions .venvs/$(DEFAULT)/.test .venvs/$(DEFAULT)/.package .valgrind/.installed ## valgrind over calls, contexts, forks and exits at random
	$(call say,"valgrind on Python $(DEFAULT)")
	$(DEFAULT_BIN)/python $(PYTEST) -m memcheck $(MEMORY)

# What the end of the interpreter unwinds is what the compiler makes of the code: as it ships, too.
DAEMON_THREADS = $(PYTEST) $(wildcard tests/python/lifetime/test_daemon_threads*.py)

.PHONY: test-daemon-threads
test-daemon-threads: versions $(VERSIONS:%=daemon-threads-%) daemon-threads-release-$(DEFAULT) ## the end of the interpreter with daemon threads in every place, on every version
	@echo "  covered  $(VERSIONS)"

.PHONY: $(SUPPORTED:%=daemon-threads-%) daemon-threads-release-$(DEFAULT)
$(SUPPORTED:%=daemon-threads-%) daemon-threads-release-$(DEFAULT): daemon-threads-%: .venvs/%/.test .venvs/%/.package
	$(call say,"the end with daemon threads: $*")
	.venvs/$*/bin/python $(DAEMON_THREADS)

# The table is the answer: every line is printed as soon as it is known.
.PHONY: test-servers
test-servers: .venvs/$(DEFAULT)/.package .venvs/$(DEFAULT)/.test .venvs/$(DEFAULT)/.servers \
		.oracle/.oracle .oracle/.servers .rabbitmq/.installed ## all servers under load, beside phanos 0.3.2: a table of what arrived
	$(call say,"servers on Python $(DEFAULT)")
	@PYTHONPATH=tests/python/servers:tests/python/rabbitmq:. \
		$(DEFAULT_BIN)/python -m real_servers --oracle $(PHANOS_ORACLE_PYTHON)

# Without the flags of a make that does several things at once.
ONE_BY_ONE = MAKEFLAGS= $(MAKE) --no-print-directory

# While crates are compiled, packages are fetched and installed.
.PHONY: test
test: versions ## lint, Rust tests, Python tests on the default version
	@+$(MAKE) --no-print-directory --jobs=2 --output-sync=target rust environments
	@+$(ONE_BY_ONE) lint-python test-python
	$(call say,"All checks passed")

.PHONY: rust
rust:
	@+$(ONE_BY_ONE) lint-rust test-rust

.PHONY: environments
environments:
	@+$(ONE_BY_ONE) .venvs/$(DEFAULT)/.test .venvs/$(DEFAULT)/.lint \
		.venvs/$(DEFAULT)/.servers .venvs/$(DEFAULT)/.page .oracle/.oracle .rabbitmq/.installed \
		.prometheus/.installed .browser/.installed

# zig links for an old C library on any Linux, and brings the compiler for what is written in C.
WHEEL_BIN := .venvs/wheel/bin
EMPTY := $(foreach version,$(VERSIONS),.venvs/empty-$(version)/bin/python)
MATURIN = PATH=$(CURDIR)/$(WHEEL_BIN):$$PATH CARGO_TARGET_DIR=$(CURDIR)/target/wheel \
	$(WHEEL_BIN)/maturin build --locked --release --out dist $(addprefix --interpreter ,$(EMPTY))
AUDIT := for wheel in dist/*-linux_*.whl dist/*-manylinux*.whl; do \
	test ! -e $$wheel || $(WHEEL_BIN)/auditwheel show $$wheel | grep -E 'consistent|manylinux'; done

.PHONY: wheel
wheel: versions .venvs/wheel/.wheel-tools $(EMPTY) ## build the wheels for this system and the source distribution into dist/
	$(call say,"wheels")
	@rm -rf dist
	@$(WHEEL_BIN)/maturin sdist --out dist
	@$(MATURIN) $(if $(filter Linux,$(shell uname -s)),--zig --compatibility manylinux_2_28)
	@$(AUDIT)

.PHONY: wheel-musl
wheel-musl: versions .venvs/wheel/.wheel-tools $(EMPTY) ## build wheels for Linux with musl, such as Alpine, into dist/
	$(call say,"wheels for musl")
	@rm -rf dist
	@rustup target add $(shell uname -m)-unknown-linux-musl
	@$(MATURIN) --zig --compatibility musllinux_1_2 --target $(shell uname -m)-unknown-linux-musl

.PHONY: test-wheels
test-wheels: wheel .venvs/$(DEFAULT)/.test ## install the wheels, and build from the source distribution, in empty environments
	$(call say,"what is installed from an index")
	PHANOS_INTERPRETERS='$(INTERPRETERS)' $(DEFAULT_BIN)/python -m pytest tests/python/wheels

.PHONY: licenses
licenses: ## write which licences the crates in the wheel have: THIRD_PARTY_LICENSES.txt
	@$(call interpreter,$(DEFAULT)) -m tools.licenses

# Both ask databases on the Internet, which not every mirror of an index has.
.PHONY: audit
audit: .venvs/audit/.audit ## look for known faults in what the package and its checks depend on
	$(call say,"pip-audit")
	for file in requirements/*.txt; do .venvs/audit/bin/pip-audit --requirement $$file || exit; done
	$(call say,"cargo audit")
	cargo install --quiet --locked --root target/audit cargo-audit
	target/audit/bin/cargo-audit audit

.PHONY: demo
demo: .venvs/demo/.demo .venvs/demo/.package ## serve two small applications, show what was recorded and what Prometheus reads
	@.venvs/demo/bin/python -m demo

.PHONY: demo-rabbitmq
demo-rabbitmq: .venvs/demo/.demo-rabbitmq .venvs/demo/.package .rabbitmq/.installed ## the same into a RabbitMQ of its own, which is killed meanwhile
	@.venvs/demo/bin/python -m demo.rabbitmq

# How long `make soak` goes on, in seconds.
SOAK_S := 300
FAULTS := PYTHONPATH=tests/python/rabbitmq:. $(RELEASE_BIN)/python -m faults
BROKER_NEEDS := .venvs/release-$(DEFAULT)/.test .venvs/release-$(DEFAULT)/.package .rabbitmq/.installed

.PHONY: faults
faults: $(BROKER_NEEDS) ## break broker and network, one fault at a time: the table in docs/reliability.md
	$(call say,"faults")
	@$(FAULTS) --write docs/reliability.md

.PHONY: soak
soak: $(BROKER_NEEDS) ## the same at random, for SOAK_S seconds; SEED=... repeats a run
	$(call say,"faults at random")
	@$(FAULTS) --soak $(SOAK_S) $(if $(SEED),--seed $(SEED))

# How long `make kills` goes on for each of the two ways, in seconds.
KILLS_S := 60

.PHONY: kills
kills: $(BROKER_NEEDS) ## kill leaders, collector, broker and connections at random for KILLS_S seconds, compare every series (SEED=... repeats)
	$(call say,"kills at random")
	@PHANOS_KILLS_S=$(KILLS_S) $(if $(SEED),PHANOS_KILLS_SEED=$(SEED)) \
		PHANOS_COMMAND=$(CURDIR)/$(RELEASE_BIN)/phanos \
		$(RELEASE_BIN)/python -m pytest -q --capture=no tests/python/kills

# What a profiled call costs is measured on these versions, as far as the machine has them.
MEASURED := 3.11 3.13 3.14 3.15
BENCH := PYTHONPATH=benches/python:. $(DEFAULT_BIN)/python -m
# A quick run is for trying things out: it leaves the numbers that are kept alone.
RESULTS := $(if $(QUICK),target/bench,benches/results)

.PHONY: bench
bench: $(addprefix bench-,$(filter $(VERSIONS),$(MEASURED))) ## measure what everything costs: docs/costs.md, README, raw numbers (QUICK=1 prints only)
	$(if $(QUICK),,$(CARGO) bench --locked --package phanos-benches)
	$(call say,"what a profiled call costs")
	@echo "  lacking  $(or $(filter-out $(VERSIONS),$(MEASURED)),none)"
	@$(BENCH) costs.page --results $(RESULTS) $(if $(QUICK),,--write docs/costs.md --summary README.md)

.PHONY: $(MEASURED:%=bench-%)
$(MEASURED:%=bench-%): bench-%: .venvs/$(DEFAULT)/.package .venvs/release-%/.wheel \
		.venvs/oracle-%/.measured .venvs/peers-%/.measured .rabbitmq/.installed
	$(call say,"measuring on Python $*")
	@$(BENCH) costs --ours .venvs/release-$*/bin/python --oracle .venvs/oracle-$*/bin/python \
		--peers .venvs/peers-$*/bin/python --wheel .venvs/release-$*/wheel/*.whl \
		--results $(RESULTS) $(if $(QUICK),--quick)

COUNTS := PYTHONPATH=tests/python:. $(RELEASE_BIN)/python -m counts
COUNTS_NEED := .venvs/release-$(DEFAULT)/.test .venvs/release-$(DEFAULT)/.package .valgrind/.installed

.PHONY: counts
counts: $(COUNTS_NEED) ## count the instructions of a profiled call with valgrind
	$(call say,"instructions per call")
	@$(COUNTS)

# Where another compiler or Python makes other counts, there is nothing to compare with.
.PHONY: counts-check
counts-check: versions ## the same, and fail if a count has risen
	$(call say,"instructions per call")
	@if $(call interpreter,$(DEFAULT)) tests/python/counts/toolchain.py; then \
		$(MAKE) --no-print-directory counts-compared; \
	fi

.PHONY: counts-compared
counts-compared: $(COUNTS_NEED)
	$(RELEASE_BIN)/python -m pytest tests/python/counts

.PHONY: count-accept
count-accept: $(COUNTS_NEED) ## the same, and let the tests expect these counts
	$(call say,"instructions per call")
	@$(COUNTS) --accept

# No `--quiet`: it would silence the warnings that `--strict` counts.
.PHONY: docs
docs: .venvs/docs/.docs ## build the pages as a site in target/site; broken links are errors
	$(call say,"site")
	@NO_MKDOCS_2_WARNING=1 .venvs/docs/bin/mkdocs build --strict
	@echo "  target/site/index.html"

.PHONY: settings
settings: .venvs/$(DEFAULT)/.package ## write the table of settings in docs/settings.md anew, from the code
	@$(DEFAULT_BIN)/python -m tools.settings_table

.PHONY: pictures
pictures: .venvs/$(DEFAULT)/.page .browser/.installed ## draw the pictures of the collector's page in docs/ anew
	@PYTHONPATH=tests/python/page:tests/python/collector:. $(DEFAULT_BIN)/python -m pictures

.PHONY: format
format: .venvs/$(DEFAULT)/.lint ## format and mend what can be mended
	cargo fmt
	$(DEFAULT_BIN)/ruff check --fix
	$(DEFAULT_BIN)/ruff format

.PHONY: clean
clean: ## remove everything these verbs made
	rm -rf .venvs .oracle .rabbitmq .brokers .pythons .debug-python .valgrind .prometheus .prometheuses .browser target dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# --- Environments ------------------------------------------------------------------------

# A directory counts as well: a deleted file leaves its trace in the time of its directory.
SOURCES := $(wildcard Cargo.toml Cargo.lock build.rs pyproject.toml) \
	$(shell find src crates python -name __pycache__ -prune -o ! -name '*.so' -print)

# The interpreter is a link, as old as what it points to, hence behind the `|`.
.venvs/%/bin/python:
	@printf '==> environment %s\n' $(@D:%/bin=%)
	@$(if $(filter $(UNPACKED),$(call version_of,$*)),+$(MAKE) --no-print-directory \
		.pythons/$(call version_of,$*)/.installed)
	@$(call interpreter,$*) -m venv --clear .venvs/$*

# Debian's interpreter comes without what `venv` installs pip from.
.venvs/debug-python/bin/python: .debug-python/.installed | .venvs/$(DEFAULT)/bin/python
	@printf '==> environment %s\n' $(@D:%/bin=%)
	@.debug-python/usr/bin/python -m venv --clear --without-pip .venvs/debug-python
	@$(DEFAULT_BIN)/python -m pip --python $@ $(wordlist 3,9,$(PIP_INSTALL)) pip

.PRECIOUS: .venvs/%/bin/python

# `release-3.11` has the package as a user installs it, `demo` too; others have it compiled in less
# time, and with checks for what must not happen, for tests. Each version has its own target
# directory: PyO3 is compiled for one version at a time, and a shared directory would compile it
# anew at every change of version. The first begins as a copy of what `cargo test` compiled, the
# others as copies of the first: all crates but PyO3 and the extension are compiled once.
# The stamp bears the time of the start: a source edited meanwhile counts as changed.
profile = $(if $(filter release-% demo,$(1)),release,dev)
own_target = $(patsubst unpooled-%,unpooled,$(filter unpooled-% debug-python,$(1)))
target = target/$(or $(own_target),$(filter $(SUPPORTED),$(call version_of,$(1))),$(DEFAULT))
flags = $(if $(filter unpooled-%,$(1)),RUSTFLAGS='--cfg pyo3_disable_reference_pool')
copy_compiled = for compiled in target/$(DEFAULT)/debug target/debug; do \
	if test ! -d $(1)/debug -a -d $$compiled; then mkdir -p $(1); cp -a $$compiled $(1)/debug; fi; \
	done

.venvs/%/.package: $(SOURCES) | .venvs/%/bin/python
	@printf '==> pip install . into .venvs/%s\n' $*
	@touch $@.started
	@$(if $(filter dev,$(call profile,$*)),$(if $(call flags,$*),:,$(call copy_compiled,$(call target,$*))),:)
	@$(call flags,$*) CARGO_TARGET_DIR=$(CURDIR)/$(call target,$*) \
		MATURIN_PEP517_ARGS='--profile $(call profile,$*)' \
		.venvs/$*/bin/python $(PIP_INSTALL) --force-reinstall .
	@mv $@.started $@

# The same, to be weighed.
.venvs/%/.wheel: .venvs/%/.package
	@rm -rf .venvs/$*/wheel
	@CARGO_TARGET_DIR=$(CURDIR)/$(call target,$*) .venvs/$*/bin/python -m pip wheel --quiet --no-input \
		--disable-pip-version-check --no-deps --wheel-dir .venvs/$*/wheel .
	@touch $@

# .venvs/3.11/.test: requirements/test.txt is installed in the environment of 3.11.
.venvs/%/.test: requirements/test.txt requirements/demo-rabbitmq.txt requirements/demo.txt \
		| .venvs/%/bin/python
	$(install_requirements)

.venvs/%/.servers: requirements/servers.txt requirements/demo.txt | .venvs/%/bin/python
	$(install_requirements)

.venvs/%/.page: requirements/page.txt | .venvs/%/bin/python
	$(install_requirements)

.venvs/%/.lint: requirements/lint.txt | .venvs/%/bin/python
	$(install_requirements)

.venvs/%/.audit: requirements/audit.txt | .venvs/%/bin/python
	$(install_requirements)

.venvs/%/.docs: requirements/docs.txt | .venvs/%/bin/python
	$(install_requirements)

.venvs/%/.demo: requirements/demo.txt | .venvs/%/bin/python
	$(install_requirements)

.venvs/%/.demo-rabbitmq: requirements/demo-rabbitmq.txt requirements/demo.txt | .venvs/%/bin/python
	$(install_requirements)

.oracle/bin/python:
	@$(call interpreter,$(DEFAULT)) -m venv --clear .oracle

.oracle/.oracle: requirements/oracle.txt | .oracle/bin/python
	$(install_requirements)

.oracle/.servers: requirements/servers.txt requirements/demo.txt | .oracle/.oracle
	$(install_requirements)

# What is measured beside this package. A library may not install on a version of Python: then it
# is left out there, and the tables say so.
.venvs/oracle-%/.measured: requirements/oracle.txt | .venvs/oracle-%/bin/python
	$(install_if_possible)

.venvs/peers-%/.measured: requirements/bench.txt | .venvs/peers-%/bin/python
	$(install_if_possible)

# RabbitMQ with its Erlang, unless the machine has them installed.
.rabbitmq/.installed: tools/rabbitmq/packages.py tools/packages.py
	@printf '==> RabbitMQ into %s\n' $(@D)
	@$(call interpreter,$(DEFAULT)) -m tools.rabbitmq.packages

# RabbitMQ of another release of Debian, with all that it needs: .brokers/trixie, .brokers/forky.
.brokers/%/.installed: tools/rabbitmq/packages.py tools/packages.py tools/relocated.py \
		| .venvs/packages/.packages
	@printf '==> RabbitMQ into %s\n' $(@D)
	@.venvs/packages/bin/python -m tools.rabbitmq.packages $*

.PRECIOUS: .brokers/%/.installed

# Python of Debian's next release, with all that it needs.
.pythons/%/.installed: tools/pythons.py tools/packages.py tools/relocated.py \
		| .venvs/packages/.packages
	@printf '==> Python %s into %s\n' $* $(@D)
	@.venvs/packages/bin/python -m tools.pythons $*

.venvs/%/.wheel-tools: requirements/wheel.txt | .venvs/%/bin/python
	$(install_requirements)

.venvs/%/.packages: requirements/packages.txt | .venvs/%/bin/python
	$(install_requirements)

# Prometheus with promtool, unless the machine has them installed.
.prometheus/.installed: tools/prometheus.py tools/packages.py
	@printf '==> Prometheus into %s\n' $(@D)
	@$(call interpreter,$(DEFAULT)) -m tools.prometheus

# Prometheus of another release of Debian, with all that it needs.
.prometheuses/%/.installed: tools/prometheus.py tools/packages.py tools/relocated.py \
		| .venvs/packages/.packages
	@printf '==> Prometheus into %s\n' $(@D)
	@.venvs/packages/bin/python -m tools.prometheus $*

.PRECIOUS: .prometheuses/%/.installed

# Chromium, unless the machine has it installed.
.browser/.installed: tools/browser.py tools/packages.py
	@printf '==> Chromium into %s\n' $(@D)
	@$(call interpreter,$(DEFAULT)) -m tools.browser

# Valgrind, unless the machine has it installed.
.valgrind/.installed: tools/valgrind.py tools/packages.py
	@printf '==> valgrind into %s\n' $(@D)
	@$(call interpreter,$(DEFAULT)) -m tools.valgrind

# A debug build of CPython.
.debug-python/.installed: tools/debug_python.py tools/packages.py
	@printf '==> a debug build of CPython into %s\n' $(@D)
	@$(call interpreter,$(DEFAULT)) -m tools.debug_python

define install_requirements
@printf '==> %s into %s\n' $< $(@D)
@$(@D)/bin/python $(PIP_INSTALL) --requirement $<
@touch $@
endef

define install_if_possible
@printf '==> %s into %s\n' $< $(@D)
@$(@D)/bin/python $(PIP_INSTALL) --requirement $< || echo "$< does not install on $(call interpreter,$*)"
@touch $@
endef
