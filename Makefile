# Thin names for commands; `make help` lists them. What a target does is the command on its line.

SHELL := /bin/bash
.DEFAULT_GOAL := help
NEXTEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo yes)
ifeq ($(NEXTEST),yes)
  RUN := cargo nextest run --locked
else
  RUN := cargo test --locked
endif

.PHONY: help all build run test test-unit test-integration test-transport test-mcp test-stdio \
  test-service test-coverage deps lint docs migrate migrate-down up down logs watch clean

help: ## these lines
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

all: build test ## build and test

build: ## release build of the hub and the spokes
	cargo build --release --locked --bins

run: ## the hub alone, development settings
	cargo run --locked --bin waygate -- serve --env development

deps: ## servers and clients the tests need
	deploy/scripts/test-deps.sh

test: deps ## every test, documentation examples first
	cargo build --workspace --bins --locked
	cargo test --workspace --doc --locked --quiet
	$(RUN) --workspace

test-unit: ## tests beside the code
	$(RUN) --workspace --lib

test-integration: deps ## stores, services, whole installations
	cargo build --workspace --bins --locked
	$(RUN) --workspace --test '*'

test-transport: deps ## every transport of the hub
	$(RUN) --workspace transport

test-mcp: deps ## Streamable HTTP
	$(RUN) --workspace mcp

test-stdio: deps ## MCP on stdin and stdout
	$(RUN) --workspace stdio

test-service: deps ## one spoke: S=01_linux_cli_mcp
	@test -n "$(S)" || { echo "usage: make test-service S=NN_name_mcp" >&2; exit 2; }
	$(RUN) -p spoke_$(S) --test service_$(S)

test-coverage: deps ## total and report, with cargo-llvm-cov
	@cargo llvm-cov --version >/dev/null 2>&1 || { echo "install it first: cargo install cargo-llvm-cov --locked" >&2; exit 1; }
	cargo llvm-cov --workspace --locked --html

lint: ## clippy, format, dependency rules
	cargo lint
	cargo fmt --all --check
	@cargo deny --version >/dev/null 2>&1 || { echo "install it first: cargo install cargo-deny --locked" >&2; exit 1; }
	cargo deny --config .deny.toml --all-features check bans licenses sources

docs: ## documentation of the code
	RUSTDOCFLAGS="-D warnings" cargo docs

migrate: ## bring the store up to date
	cargo run --locked --bin waygate -- migrate up

migrate-down: ## take the last change of the store back; asks
	cargo run --locked --bin waygate -- migrate down

up: ## containers: build and start
	docker compose up --build -d

down: ## containers: stop and remove
	docker compose down

logs: ## containers: follow the log of S=00_master_mcp
	docker compose logs -f $(S)

watch: ## rebuild on change
	@cargo watch --version >/dev/null 2>&1 || { echo "install it first: cargo install cargo-watch --locked" >&2; exit 1; }
	cargo watch -x 'check --workspace --all-targets'

clean: ## remove build output only
	cargo clean
