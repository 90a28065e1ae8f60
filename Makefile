# What one needs: `make run` to use it, `make test` to trust it, `make check` while changing it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

NODE := target/node
export PATH := $(HOME)/.cargo/bin:$(PATH):$(CURDIR)/$(NODE)/bin
CARGO := cargo
TOOLCHAIN := $(shell tests/tools/toolchain.sh)
ifneq ($(TOOLCHAIN),)
export RUSTUP_TOOLCHAIN := $(TOOLCHAIN)
endif
VENV := target/venv
KEEPER := target/release/artifact-keeper
# What `make test` does not run a second time on PostgreSQL, as `make test-long` does: it asks little of the database.
LITTLE_ON_POSTGRES := archives:: client_setup:: gomod_differential:: guide_ openapi:: sums_equal_version_control:: tidy:: ui::

.PHONY: help run test test-long faulty mutants check bench generate tools-build tools-test

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: tools-build ## build everything and start the server on SQLite and a local folder
	$(CARGO) build --release --locked -p keeper-api
	exec $(KEEPER)

faulty: tools-build ## build the server that some tests need: with failpoints, and without pages
	$(CARGO) build --locked -p keeper-api --example faulty-keeper --no-default-features --features failpoints

mutants: tools-build tools-test ## break each promise on purpose and see its test fail, for example: make mutants ONLY=T5
	tests/mutants/run.sh "$(ONLY)"

test: tools-build tools-test faulty ## install what the tests need, and run all of them
	$(CARGO) test --workspace --locked
	KEEPER_TEST_DATABASE=postgres $(CARGO) test -p keeper-api --lib --locked store::
	KEEPER_TEST_DATABASE=postgres $(CARGO) test -p keeper-api --test blackbox --locked -- $(addprefix --skip ,$(LITTLE_ON_POSTGRES))

test-long: tools-build tools-test faulty ## the same tests with long budgets: more rounds, more random requests, a million versions
	KEEPER_LONG=1 $(CARGO) test --workspace --locked
	KEEPER_LONG=1 KEEPER_TEST_DATABASE=postgres $(CARGO) test -p keeper-api --test blackbox --locked

check: tools-build ## format, lints with warnings denied, documentation, fast tests
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" $(CARGO) doc --workspace --no-deps --locked --quiet
	$(CARGO) test --workspace --lib --bins --locked --quiet
	$(CARGO) test -p keeper-web-ui --lib --no-default-features --locked --quiet
	cd web-ui && npm run --silent check && npm run --silent lint && npm test --silent
	cd web-ui && npm run --silent build && npm run --silent size

bench: tools-build ## measure, for example: make bench ONLY=small,zip
	$(CARGO) build --release --locked -p keeper-api
	tests/bench/tools.sh
	python3 tests/bench/run.py --only "$(ONLY)"

generate: tools-build ## write what is generated from the code: api/openapi.json, docs/errors.md, the web UI's types
	$(CARGO) run --quiet --locked -p keeper-api -- openapi > target/openapi.json
	$(CARGO) run --quiet --locked -p keeper-api -- errors > target/errors.md
	mv target/openapi.json api/openapi.json
	mv target/errors.md docs/errors.md
	cd web-ui && npm run --silent gen >/dev/null

tools-build:
	@tests/tools/build.sh
	@tests/tools/node.sh "$(NODE)"

tools-test:
	@tests/tools/test.sh "$(VENV)"
