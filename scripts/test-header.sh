#!/usr/bin/env bash
# Compiles the public headers and the layout assertions as C11 and C++17 with every compiler that is there.
set -euo pipefail
cd "$(dirname "$0")/.."

warnings=(-Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only)
compiled=0
for compiler in gcc clang; do
    command -v "$compiler" >/dev/null || continue
    "$compiler" -x c -std=c11 "${warnings[@]}" tests/c/header.c
    "$compiler" -x c++ -std=c++17 "${warnings[@]}" tests/c/header.c
    "$compiler" -x c -std=c11 "${warnings[@]}" include/mcm_avdevice.h
    "$compiler" -x c++ -std=c++17 "${warnings[@]}" include/mcm_avdevice.h
    compiled=$((compiled + 4))
done
for function in $(sed -n 's/^.*[ *]\(mesh_[a-z0-9_]*\)(.*/\1/p' include/mesh_dp.h | grep -v '^ \*' | sort -u); do
    grep -q "$function(" packaging/man/mesh_dp.3 || { echo "mesh_dp(3) lacks $function()" >&2; exit 1; }
done
[ "$compiled" -gt 0 ] || { echo 'neither gcc nor clang found' >&2; exit 1; }
printf '%d passed, 0 failed\n' "$compiled"
