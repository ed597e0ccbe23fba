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
	@echo 'make bench          build, then measure all there is on this host, also HAProxy, NGINX and nftables (as root)'
	@echo 'make bench-check    does a packet cost more than in BASE=HEAD? Measures both builds in turn (as root)'
	@echo 'make test           run every test (as root: they make network namespaces and load BPF programs)'
	@echo 'make test-kernels   run those of the data plane on Linux 6.1 and 6.12, in QEMU'
	@echo 'make check          formatting, lints, documentation, licences and sources of dependencies, scripts'
	@echo 'make deb            build a Debian package; scripts/test-deb tries it'
	@echo 'make fuzz           try inputs nobody thought of: TARGET=parse, forward or configuration, for SECONDS=60'
	@echo 'make clean          remove what was built'

.PHONY: setup setup-test
setup:
	@scripts/setup

setup-test:
	@scripts/setup --test

.PHONY: build
build: setup
	cargo build --release --locked --package lightpath

.PHONY: deb
deb: build setup-deb
	rm -rf $(output)/release/manual
	$(output)/release/lightpath manual $(output)/release/manual
	cargo deb --package lightpath --no-build --locked --output $(output)/debian/

.PHONY: setup-deb
setup-deb:
	@cargo deb --version >/dev/null 2>&1 || cargo install cargo-deb --version 3.8.0 --locked

.PHONY: demo
demo: build
	$(output)/release/lightpath demo

# The results of one run, as a page for a browser and for `lightpath bench --from`, which writes them as docs/benchmarks.md.
.PHONY: bench
bench: build setup-bench
	$(output)/release/lightpath bench all --html bench/report.html --keep bench/report.json

.PHONY: setup-bench
setup-bench:
	@scripts/setup --bench

BASE ?= HEAD

.PHONY: bench-check
bench-check: setup
	scripts/bench-check $(BASE)

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
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTC_BOOTSTRAP=aya_ebpf,lightpath_ebpf,lightpath_capture_ebpf,lightpath_spread_ebpf $(strip $(bpf_clippy)) --locked --package lightpath-ebpf --target bpfel-unknown-none -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps
	cargo deny --locked check licenses bans sources
	shellcheck scripts/setup scripts/test-deb scripts/test-kernels scripts/bench-check scripts/kernels/* contrib/debian/* .ci/run

TARGET ?= forward
SECONDS ?= 60
inputs = fuzz/corpus/$(TARGET) fuzz/seeds/$(TARGET)
# Without a sanitizer stable Rust will do, and this code, which has no `unsafe`, needs none.
run_fuzz = cargo fuzz run --sanitizer none $(TARGET)
# How libFuzzer names an input.
hash := ????????????????????????????????????????

.PHONY: fuzz
fuzz: setup-fuzz
	mkdir -p fuzz/found/$(TARGET)
	$(run_fuzz) fuzz/found/$(TARGET) $(inputs) -- -max_total_time=$(SECONDS) -max_len=4096 \
		$(if $(filter configuration,$(TARGET)),-dict=fuzz/seeds/configuration.dict)

# Of all inputs there are, keeps a few small ones that reach code that the seeds do not. Those that somebody named stay too.
.PHONY: fuzz-corpus
fuzz-corpus: setup-fuzz
	rm -rf fuzz/kept
	cp -r fuzz/seeds/$(TARGET) fuzz/kept
	mkdir -p fuzz/found/$(TARGET)
	$(run_fuzz) fuzz/kept fuzz/corpus/$(TARGET) fuzz/found/$(TARGET) -- -set_cover_merge=1 -use_counters=0 -max_len=4096
	find fuzz/corpus/$(TARGET) -name '$(hash)' -delete
	find fuzz/kept -name '$(hash)' -printf '%s %p\n' | sort -n | head -n 150 | cut -d ' ' -f 2 | \
		xargs mv -t fuzz/corpus/$(TARGET)
	rm -r fuzz/kept

.PHONY: setup-fuzz
setup-fuzz:
	@cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --version 0.13.2 --locked
	cargo run --quiet --locked --package lightpath-testkit --example fuzz-seeds fuzz/seeds

.PHONY: clean
clean:
	cargo clean
