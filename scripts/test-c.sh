#!/usr/bin/env bash
# The C tests against a media proxy of their own: scripts/test-c.sh asan|valgrind|plain
set -euo pipefail
cd "$(dirname "$0")/.."

mode=${1:-plain}
target=${CARGO_TARGET_DIR:-$PWD/target}
out=$target/debug
work=$(mktemp -d)
. scripts/proxy.sh
trap 'stop_proxy; rm -rf "$work"' EXIT

flags=(-std=c11 -D_GNU_SOURCE -g -Wall -Wextra -Wpedantic -Werror -Iinclude)
runner=()
loops=500
case $mode in
plain) loops=10000 ;;
asan)
    flags+=(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
    ;;
valgrind)
    command -v valgrind >/dev/null || { echo 'valgrind is not installed' >&2; exit 77; }
    runner=(valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect
        --errors-for-leak-kinds=definite,indirect --fair-sched=yes)
    loops=20
    ;;
*)
    echo 'usage: scripts/test-c.sh asan|valgrind|plain' >&2
    exit 2
    ;;
esac

"${CARGO:-cargo}" build -q -p mcm_dp -p media-proxy

# Programs look for the soname, which cargo's file does not have as its name.
ln -s "$out/libmcm_dp.so" "$work/libmcm_dp.so.1"
for test in argument_test api_test; do
    cc "${flags[@]}" "tests/c/$test.c" -o "$work/$test" "$work/libmcm_dp.so.1" -Wl,-rpath,"$work" -pthread
done

start_proxy "$out/media_proxy" "$work"

failed=0 passed=0
for test in argument_test api_test; do
    status=0
    LOOPS=$loops timeout 600 "${runner[@]}" "$work/$test" >"$work/$test.log" 2>&1 || status=$?
    cat "$work/$test.log"
    read -r p f < <(awk '/^[0-9]+ passed, [0-9]+ failed$/ { p = $1; f = $3 } END { print p + 0, f + 0 }' "$work/$test.log")
    # A sanitizer's finding, a crash or a hang counts as one more failure.
    if [ "$status" != 0 ] && [ "$f" = 0 ]; then
        echo "$test: status $status"
        f=1
    fi
    passed=$((passed + p)) failed=$((failed + f))
done
if ! proxy_lives; then
    echo 'media_proxy did not survive:'
    cat "$proxy_log"
    failed=$((failed + 1))
fi
[ "$failed" = 0 ] || tail -n 40 "$proxy_log"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
