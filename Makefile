# The one entry to everything; `make help` lists it. The builds themselves are CMake presets
# (CMakePresets.json): release in build/, every other preset in build-PRESET/.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := all

JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 10
FUZZ_SEED ?= 1
FUZZ_SECONDS_FULL ?= 120
CHECK_ARGS ?=
CTEST_ARGS ?=

CTEST := ctest --output-on-failure --no-tests=error --timeout 600

build = cmake --preset $(1) --log-level=WARNING >/dev/null && \
	cmake --build --preset $(1) --parallel $(JOBS)

# $(call run_tests,PRESET,LABELS): the quick ones side by side; the system ones, which load both cores
# with servers and clients, one at a time.
run_tests = $(CTEST) --test-dir build-$(1) -L quick -j $(JOBS) $(CTEST_ARGS) && \
	$(CTEST) --test-dir build-$(1) -L '$(2)' $(CTEST_ARGS)

.PHONY: all run test test-quick test-full test-all test-asan test-tsan test-vm test-guests demo dist bench lint fmt clean deps help
.PHONY: build-dev build-release build-asan build-tsan

all: build-release  ## Build build/acceptq (the default)

build-release:
	@$(call build,release)

build-dev:
	@$(call build,dev)

build-asan:
	@$(call build,asan)

build-tsan:
	@$(call build,tsan)

run:  ## Install what is missing, build, and check this machine
	@tools/install-deps build
	@$(MAKE) all
	@tools/run-check build/acceptq $(CHECK_ARGS)

test:  ## Everything that CI runs: unit, golden and system tests, bounded fuzzing, other kernels
	@tools/install-deps test guests
	@$(MAKE) build-dev
	@$(call run_tests,dev,system)
	@$(MAKE) test-vm
	@tools/fuzz --changed --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)

test-vm:  ## Ledgers on kernels 5.10, 6.1 and 6.12, and the seed case on NFS, in guests
	@tools/install-deps test guests
	@$(MAKE) build-dev
	@tools/test-kernels --tests "ledger_test ledger_cases_test" 5.10 6.1 6.12
	@tools/test-kernels --tests "collect_bpf_system_test nfs_seed_test" 6.1

test-quick:  ## The tests that need neither root nor time
	@tools/install-deps build test-quick
	@$(MAKE) build-dev
	@$(CTEST) --test-dir build-dev -L quick -j $(JOBS) $(CTEST_ARGS)

test-full:  ## All tests, also under sanitizers, in guests with other kernels and in a bare root
	@tools/install-deps full
	@FUZZ_SECONDS_FULL=$(FUZZ_SECONDS_FULL) tools/test-full

# The parts of test-full that need more than one command.
test-all test-asan test-tsan: test-%:
	@$(MAKE) build-$(if $(filter all,$*),dev,$*)
	@$(call run_tests,$(if $(filter all,$*),dev,$*),system|full)

test-guests: dist  ## The static binary alone in guests with kernels 5.10, 6.1, 6.12 and sid's
	@tools/test-guests

demo:  ## The seed case with a real nginx: overflow, two fixes, proof (under a minute)
	@tools/install-deps demo
	@$(MAKE) all
	@build/acceptq lab run seed

dist:  ## One static binary and its archive, in dist/
	@tools/install-deps build
	@$(call build,dist)
	@tools/make-dist

bench:  ## Measure acceptq against the ss loop and against its own promises
	@tools/install-deps bench
	@$(call build,bench)
	@tools/bench

lint:  ## clang-format, clang-tidy, include directions, shellcheck, documents
	@tools/install-deps lint
	@tools/lint

fmt:  ## Format all sources in place
	@tools/install-deps lint
	@tools/sources | xargs -r clang-format-19 -i

deps:  ## Install all that any target needs
	@tools/install-deps full

clean:  ## Remove everything that a build made
	@rm -rf build build-dev build-bench build-asan build-tsan build-fuzz build-dist dist

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS=$$'\t' read -r target what; do printf '  make %-12s %s\n' "$$target" "$$what"; done
