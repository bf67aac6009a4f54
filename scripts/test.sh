#!/usr/bin/env bash
# All tests. The last line is "N passed, N failed" (and ", N skipped" if any); the status says whether all is well.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/steps.sh

cargo=${CARGO:-cargo}
target=${CARGO_TARGET_DIR:-$PWD/target}

step 'format' "$cargo" fmt --all --check
step 'clippy' "$cargo" clippy --workspace --all-targets -- -D warnings
step 'documentation' env RUSTDOCFLAGS='-D warnings' "$cargo" doc --workspace --no-deps
step 'build' "$cargo" build --workspace
step 'runner of the tests' scripts/test-runner.sh
step 'tests' scripts/cargo-tests.sh --workspace
step 'header is up to date' "$cargo" run -q -p gen-headers -- --check
step 'licences and sources of dependencies' "$cargo" run -q -p supply-chain -- --check
step 'header compiles' scripts/test-header.sh
# The ring's protocol under all orders of memory operations. Another configuration, so another directory.
step 'model of the ring' env RUSTFLAGS='--cfg loom' CARGO_TARGET_DIR="$target/loom" \
    "$cargo" test -p mcm-shm --release --test loom
step 'C tests, ten thousand connections' scripts/test-c.sh plain
step 'C tests, AddressSanitizer' scripts/test-c.sh asan
step 'C tests, Valgrind' scripts/test-c.sh valgrind
step 'C examples' scripts/test-examples.sh
step 'documents' scripts/test-docs.sh
step 'installation' scripts/test-install.sh
finish
