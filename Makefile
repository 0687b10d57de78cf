# madezip. `make` alone lists what there is. Everything builds with the release profile, so that
# libtorch's bindings compile once.
CARGO  ?= cargo
PYTHON ?= python3
PREFIX ?= /usr/local
CORPUS ?=
ARGS   ?=

# Find libtorch or set it up (see .ci/libtorch.py), then run the rest of the line with it.
WITH_LIBTORCH = line=$$($(PYTHON) .ci/libtorch.py) && eval "$$line" &&
# Where cargo puts the program: CARGO_TARGET_DIR is cargo's own variable.
TARGET = $(or $(CARGO_TARGET_DIR),target)
MADEZIP = $(TARGET)/release/madezip

.PHONY: help build test test-avx512 test-threads demo bench bench-small bench-split check-overlap install fmt clippy doc need-corpus

help:
	@echo 'make build                  target/release/madezip; finds or fetches libtorch first'
	@echo 'make test                   the whole test suite'
	@echo 'make test-avx512            the AVX-512 kernel, its instructions in plain Rust (any x86-64 with AVX2)'
	@echo 'make test-threads           what threads share, under ThreadSanitizer (Rust nightly with rust-src)'
	@echo 'make demo                   compress real files, compare with other compressors'
	@echo 'make bench CORPUS=DIR       the same for every file of a folder (ARGS="-9 ...": options)'
	@echo 'make bench-small            104 small files that no model learned from, against brotli and others'
	@echo 'make bench-split CORPUS=DIR lines one by one, against zstd with dictionaries (TRAIN=1: train)'
	@echo 'make check-overlap CORPUS=DIR   prove that no training data occurs in a folder'
	@echo 'make install PREFIX=DIR     the program and its libraries (default /usr/local)'
	@echo 'make fmt clippy doc         format, lint with warnings denied, API documentation'

build:
	@$(WITH_LIBTORCH) $(CARGO) build --release

test:
	@$(PYTHON) -m unittest discover -s corpora
	@$(PYTHON) -m unittest discover -s .ci
	@$(WITH_LIBTORCH) $(CARGO) test --release

test-avx512:
	@RUSTFLAGS="--cfg avx512_in_software" CARGO_TARGET_DIR=$(TARGET)/avx512 $(CARGO) test --release \
	    --no-default-features --lib --test determinism --test golden_archives --test real_models

# ThreadSanitizer sees std's own synchronization only if std is built with it.
HOST = $$(rustc -vV | sed -n 's/^host: //p')
test-threads:
	@RUSTFLAGS="-Zsanitizer=thread" CARGO_TARGET_DIR=$(TARGET)/threads $(CARGO) +nightly test \
	    -Zbuild-std --target "$(HOST)" --release --no-default-features --lib -- --test-threads 1 \
	    aside:: turns:: pipeline:: parallel:: tiles:: thread

demo: build
	@$(PYTHON) corpora/fetch.py demo
	@$(PYTHON) benches/ratio.py $(MADEZIP) "$$($(PYTHON) corpora/fetch.py where)/demo"

bench: need-corpus build
	@$(PYTHON) benches/ratio.py $(MADEZIP) "$(CORPUS)" $(if $(ARGS),--args="$(ARGS)") $(if $(JSON),--json "$(JSON)")

bench-small: build
	@$(PYTHON) corpora/fetch.py heldout
	@$(PYTHON) benches/ratio.py --fast $(MADEZIP) "$$($(PYTHON) corpora/fetch.py where)/heldout" $(if $(JSON),--json "$(JSON)")

bench-split: need-corpus build
	@$(PYTHON) benches/split.py $(MADEZIP) "$(CORPUS)" $(if $(TRAIN),--train) $(if $(JSON),--json "$(JSON)")

check-overlap: need-corpus
	@$(PYTHON) corpora/fetch.py training
	@$(PYTHON) corpora/fetch.py more
	@$(PYTHON) corpora/fetch.py samples
	@$(CARGO) run -q --release --no-default-features --example overlap -- --against "$(CORPUS)" \
	    $(if $(REPORT),--report "$(REPORT)") "$$($(PYTHON) corpora/fetch.py where)/training" \
	    "$$($(PYTHON) corpora/fetch.py where)/more" \
	    "$$($(PYTHON) corpora/fetch.py where)/samples"

install: build
	@.ci/install.sh $(MADEZIP) "$(DESTDIR)$(PREFIX)"

fmt:
	@$(CARGO) fmt

clippy:
	@$(WITH_LIBTORCH) $(CARGO) clippy --release --all-targets -- -D warnings

doc:
	@$(WITH_LIBTORCH) $(CARGO) doc --no-deps

need-corpus:
	@test -n "$(CORPUS)" && test -d "$(CORPUS)" || { echo 'say which folder: make $(firstword $(MAKECMDGOALS)) CORPUS=DIR' >&2; exit 2; }
