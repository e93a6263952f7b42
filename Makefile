# `make help` lists what there is. Everything works from a fresh clone on Debian 12 and 13.
SHELL := /bin/bash
CARGO ?= cargo
OUT ?= out
BIN = $(or $(CARGO_TARGET_DIR),target)/release
export CARGO_TERM_PROGRESS_WHEN ?= never

.DEFAULT_GOAL := help
.PHONY: help setup setup-vm build image demo test quick lint test-vm test-offline bench

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | expand -t 16

setup: # What building needs, through apt
	@tools/setup

setup-vm: # What images and their boots need, too
	@tools/setup vm

build: setup ## All binaries, into target/release
	$(CARGO) build --release --workspace --bins --exclude esos-init --exclude esos-scst-cli --locked
	@tools/build-static

image: build setup-vm ## The default image, into out/
	$(BIN)/esos-image build --out $(OUT)

demo: image ## Build the default image, boot it, show `esos status` of the booted box
	$(BIN)/esos-image run $(OUT)/esos.img --firmware bios --bus usb --timeout 900 --exec 'esos status'

test: setup ## Everything that CI runs: checks, tests, one image, a boot for each firmware
	@tools/setup vm || echo "make: going on without it; what needs it will be skipped"
	@tools/test

quick: setup ## Format and tests alone
	@tools/test quick

lint: setup ## Format, clippy, documentation, each crate alone, a consumer outside
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --all-features --locked
	tools/crates-alone
	tools/consumer

test-vm: build setup-vm ## Every virtual-machine test (an hour or more without KVM)
	ESOS_VM=all $(CARGO) test -p esos-tests -p esos-agent -p esos-cluster -p esos-drbd --locked --no-fail-fast -- --show-output

test-offline: export CARGO_NET_OFFLINE = true
test-offline: build ## What works without any network: unshare -n make test-offline
	ESOS_VM=offline $(CARGO) test --locked --offline --no-fail-fast -p esos-bootimg -p esos-tests -- --show-output

bench: build ## Benchmarks: ratios to the peer in the same run
	$(CARGO) bench --workspace --locked
