#!/usr/bin/env bash
# Bridges over RDMA, with the kernel's software device (rdma_rxe) in virtual machines: Debian 12's kernel, which cannot register memory that is mapped for
# reading only, and Debian 13's, which can. Arguments: suites of Debian. BUILD_TYPE is Debug unless it is given. The last line is "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/steps.sh
. scripts/vm.sh

work=$vm_cache/verbs
[ $# -gt 0 ] || set -- bookworm trixie
profile=debug
[ "${BUILD_TYPE:-Debug}" = Debug ] || profile=release
programs=$(realpath -m "${CARGO_TARGET_DIR:-target}")/$profile

build() {
    cmake -S . -B "$work/build" -DCMAKE_BUILD_TYPE="${BUILD_TYPE:-Debug}" >/dev/null && cmake --build "$work/build" 2>&1
}

step 'build' build
for suite; do
    before=$failed
    step "Debian $suite: kernel" vm_kernel "$suite"
    [ "$failed" = "$before" ] || continue
    vm_work=$work/$suite
    step "Debian $suite: frames over verbs" vm_run 400 "$PWD/scripts/vm/verbs.sh" "$programs/media_proxy" "$programs/mesh-agent" "$work/build/bin"
done
finish
