#!/usr/bin/env bash
# Cargo's tests: scripts/cargo-tests.sh ARGUMENTS-OF-CARGO-TEST. The last line is "N passed, N failed".
#
# Many of these tests run whole hosts with real-time streams, and machines of continuous integration have noisy neighbours. So a test
# that fails is run once more, alone. If it passes then, it counts as passed, and a line "PASSED ONLY ALONE" names it: a reason to look
# at it, for a test that often needs this is wrong. A test program that dies as a whole is not run again.
set -uo pipefail
cd "$(dirname "$0")/.."

cargo=${CARGO:-cargo}
log=$(mktemp)
trap 'rm -f "$log" "$log".*' EXIT

# Prints what failed: the arguments that choose the test program, a tab, the name of the test (nothing if the program died).
failures() {
    awk '
        /^failures:$/ { names = 0; listing = 1; next }
        /^test result: / { listing = 0; finished = 1 }
        /^     Running |^   Doc-tests / { names = 0; finished = 0 }
        listing && /^    [^ ]/ { name[names++] = substr($0, 5) }
        /^error: (test|doctest) failed, to rerun pass `/ {
            split($0, part, "`")
            if (!finished || !names) print part[2] "\t"
            else for (i = 0; i < names; i++) print part[2] "\t" name[i]
            names = 0
        }' "$1"
}

status=0
"$cargo" test --no-fail-fast "$@" 2>&1 | tee "$log" | sed 's/^test result: /tests: /' || status=$?
read -r passed failed < <(awk '
    /^test result: / {
        for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i - 1); if ($i ~ /^failed/) f += $(i - 1) }
    }
    END { print p + 0, f + 0 }' "$log")

died=0
while IFS=$'\t' read -r program name; do
    if [ -z "$name" ]; then
        echo "FAILED: the test program $program died"
        died=$((died + 1))
        continue
    fi
    # Doc tests are chosen by a part of their name, and not by all of it with its line.
    exact=(--exact) chosen=${name%% - *}
    case $program in *--doc*) exact=() ;; *) chosen=$name ;; esac
    # shellcheck disable=SC2086 # The program is several arguments.
    if "$cargo" test $program -- "${exact[@]}" "$chosen" --include-ignored >"$log.again" 2>&1 &&
        grep -q '^test result: ok\. [1-9]' "$log.again"; then
        echo "PASSED ONLY ALONE: $name ($program)"
        passed=$((passed + 1)) failed=$((failed - 1))
    else
        echo "FAILED TWICE: $name ($program)"
        sed 's/^test result: /tests: /' "$log.again"
    fi
done < <(failures "$log")
failed=$((failed + died))
# A build that fails has no tests.
[ "$status" = 0 ] || [ $((passed + failed)) -gt 0 ] || failed=1
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
