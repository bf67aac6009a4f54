#!/usr/bin/env bash
# Runs every fuzz target for a while: scripts/fuzz.sh [SECONDS-PER-TARGET] [TARGET...]. The last line is "N passed, N failed".
#
# Stable rustc is enough: the coverage pass of LLVM is switched on by plain code generation flags. What a target found lies
# in fuzz/artifacts/TARGET; running the program with that file as its argument repeats it.
set -uo pipefail
cd "$(dirname "$0")/.."

cargo=${CARGO:-cargo}
seconds=${1:-20}
shift || true
target_dir=${CARGO_TARGET_DIR:+$CARGO_TARGET_DIR/fuzz}
target_dir=${target_dir:-$PWD/fuzz/target}
# With a target named, build scripts and procedural macros are built without the flags.
host=$(rustc -vV | sed -n 's/^host: //p')
flags='--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares'

if [ $# = 0 ]; then
    for file in fuzz/fuzz_targets/*.rs; do
        set -- "$@" "$(basename "$file" .rs)"
    done
fi
passed=0 failed=0
if ! env RUSTFLAGS="$(echo $flags)" CARGO_TARGET_DIR="$target_dir" \
    "$cargo" build --release --manifest-path fuzz/Cargo.toml --target "$host"; then
    printf '0 passed, %d failed\n' "$#"
    exit 1
fi
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# One target. Its output and its status stay in files, since targets run beside each other.
fuzz() {
    local name=$1 arguments=("fuzz/corpus/$1")
    mkdir -p "fuzz/corpus/$name" "fuzz/artifacts/$name"
    [ -d "fuzz/seeds/$name" ] && arguments+=("fuzz/seeds/$name")
    [ -f "fuzz/seeds/$name.dict" ] && arguments+=("-dict=fuzz/seeds/$name.dict")
    "$target_dir/$host/release/$name" -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -verbosity=0 -len_control=0 \
        -print_final_stats=1 -artifact_prefix="fuzz/artifacts/$name/" "${arguments[@]}" >"$logs/$name" 2>&1 &&
        : >"$logs/$name.passed"
}

# One for each CPU.
for name in "$@"; do
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
    fuzz "$name" &
done
wait
for name in "$@"; do
    cat "$logs/$name"
    if [ -e "$logs/$name.passed" ]; then
        passed=$((passed + 1))
    else
        printf 'fuzz target %s failed\n' "$name"
        failed=$((failed + 1))
    fi
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
