# Names for the commands that people and CI run. What they do stands in tools/, bench/ and Cargo.toml.
.DEFAULT_GOAL := help
.PHONY: help setup demo test acceptance format-check lint bench-setup bench compare clean

target  := $(or $(CARGO_TARGET_DIR),target)
release := $(target)/release

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name does; do printf '  %-14s%s\n' "$$name" "$$does"; done

setup: ## install what building and testing need (apt)
	@tools/setup test

demo: ## build layerbuild, and with it an image that goes to a registry of its own
	@tools/setup demo
	cargo build --locked --release
	@tools/demo $(abspath $(release))

test: ## run every test, with a Docker engine
	@tools/setup test
	tools/with-docker cargo test --locked --workspace

acceptance: ## run the heavier proofs: the tests marked as ignored, optimised
	@tools/setup acceptance
	tools/with-docker cargo test --locked --release --workspace -- --ignored

format-check: ## say which files are not formatted
	cargo fmt --all --check

lint: format-check ## format, clippy and documentation, warnings denied
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps

bench-setup: ## install what the comparison with other builders needs (apt)
	@tools/setup bench

bench: ## run our own benchmarks
	cargo bench --locked --workspace

compare: bench-setup ## build the same six images with other builders, side by side (half an hour; see bench/README.md)
	cargo build --locked --release
	LB=$(abspath $(release))/layerbuild bench/compare

clean: ## remove what was built and downloaded; the cache folder of layerbuild stays
	cargo clean
