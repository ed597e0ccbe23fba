# Every target first sets up what it needs and is quick when nothing has changed.

# Programs installed by cargo (bpf-linker, cargo-deny) before the system's.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
output := $(or $(CARGO_TARGET_DIR),target)

# As in crates/lightpath-dataplane/build.rs: Debian's toolchain for BPF where it is installed, else rustup's nightly.
bpf_clippy = $(if $(wildcard /usr/lib/rustlib/bpfel-unknown-none), \
	RUSTC=/usr/bin/rustc /usr/bin/cargo-clippy clippy, rustup run nightly cargo clippy -Zbuild-std=core)

.PHONY: help
help:
	@echo 'make build          build $(output)/release/lightpath'
	@echo 'make demo           build, then show a load balancer at work (as root)'
	@echo 'make bench          build, then measure what a packet costs on this host (as root)'
	@echo 'make test           run every test (as root: they make network namespaces and load BPF programs)'
	@echo 'make test-kernels   run those of the data plane on Linux 6.1 and 6.12, in QEMU'
	@echo 'make check          formatting, lints, documentation, licences and sources of dependencies, scripts'
	@echo 'make clean          remove what was built'

.PHONY: setup setup-test
setup:
	@scripts/setup

setup-test:
	@scripts/setup --test

.PHONY: build
build: setup
	cargo build --release --locked --package lightpath

.PHONY: demo
demo: build
	$(output)/release/lightpath demo

.PHONY: bench
bench: build
	$(output)/release/lightpath bench

.PHONY: test
test: need-root setup-test
	cargo test --locked

.PHONY: test-kernels
test-kernels: setup-test
	scripts/test-kernels

.PHONY: need-root
need-root:
	@test "$$(id -u)" = 0 || { echo 'make test: run as root, tests make network namespaces and load BPF programs'; exit 1; }

.PHONY: check
check: setup-test
	cargo fmt --all --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTC_BOOTSTRAP=aya_ebpf $(strip $(bpf_clippy)) --locked --package lightpath-ebpf --target bpfel-unknown-none -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps
	cargo deny --locked check licenses bans sources
	shellcheck scripts/setup scripts/test-kernels scripts/kernels/* .ci/run

.PHONY: clean
clean:
	cargo clean
