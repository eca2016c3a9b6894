# Everything a developer runs, by name. CI runs `.ci/run`, which uses these targets.
.DEFAULT_GOAL := help
.PHONY: help setup build test demo interop check-layers tidy transcripts power-cuts sabotage no-heap
.PHONY: clean

CARGO ?= cargo

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing (Debian packages, Rust components)
	@scripts/setup.sh build reader

build: ## build every program
	$(CARGO) build --workspace --locked

test: setup ## format check, lints without a warning, all tests
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path card-sim/no-heap/Cargo.toml --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --workspace --locked

demo: setup ## a purchase from card to receipt, by separate processes (ARGS=--json, --reader NAME, ...)
	@$(CARGO) build --locked -p kozeni -p card-sim -p e2e --bin kozeni --bin card-sim --bin demo
	@$(CARGO) run --quiet --locked -p e2e --bin demo -- $(ARGS)

interop: ## check the demo's evidence with other people's COSE and X.509
	@scripts/setup.sh interop
	@scripts/interop.sh

check-layers: ## who may import whom
	$(CARGO) test -p e2e --locked -- layers

tidy: ## sizes, names and other house rules
	$(CARGO) test -p e2e --locked -- tidy

transcripts: ## SELECT to DEBIT by transcript, in process and through pcscd
	$(CARGO) test -p e2e --locked -- transcripts --nocapture

power-cuts: ## every power cut, with many random lives of a card
	KOZENI_EXHAUSTIVE=1 PROPTEST_CASES=5000 $(CARGO) test -p e2e --locked -- power_cuts properties

sabotage: ## break every check on purpose; the story that guards it must fail
	@scripts/sabotage.sh all

no-heap: ## link the applet without an allocator
	@scripts/no-heap.sh

clean: ## remove everything that was built
	$(CARGO) clean
