#!/usr/bin/env bash
# Cargo's tests: scripts/cargo-tests.sh ARGUMENTS-OF-CARGO-TEST. The last line is "N passed, N failed".
# The line before it counts second runs: "retried: N", with the files that have the first outputs.
#
# A test that fails has failed. Only the programs of scripts/real-time-tests.txt, which need a network
# that keeps time, may run a failed test once more, alone, and at most two tests in a run. The second run draws
# the same random data: MCM_TEST_SEED is the seed of all tests, and PROPTEST_RNG_SEED that of property tests.
# The output of a test program in which something failed is kept in test-failures in cargo's target directory.
#
# cargo-nextest would do the same, but it is one more program to build (minutes on a new machine), and does
# not run documentation tests.
set -uo pipefail
cd "$(dirname "$0")/.."

cargo=${CARGO:-cargo}
kept=${CARGO_TARGET_DIR:-target}/test-failures
most_retries=2
log=$(mktemp)
trap 'rm -f "$log" "$log".*' EXIT

if [ -z "${MCM_TEST_SEED:-}" ]; then
    MCM_TEST_SEED=$(od -An -N6 -tu8 /dev/urandom | tr -d ' ')
fi
export MCM_TEST_SEED PROPTEST_RNG_SEED=$MCM_TEST_SEED
echo "MCM_TEST_SEED=$MCM_TEST_SEED"

# Prints a line for each failure: the arguments that choose the test program, a tab, the name of the test (nothing if
# the program died). Keeps the output of each such program.
failures() {
    awk -v kept="$kept" -v seed="$MCM_TEST_SEED" '
        function file(program) {
            gsub(/^-p |--/, "", program)
            gsub(/[^a-zA-Z0-9_]+/, "-", program)
            return kept "/" program "." seed ".log"
        }
        /^     Running |^   Doc-tests / { names = finished = lines = 0 }
        { line[lines++] = $0 }
        /^failures:$/ { names = 0; listing = 1; next }
        /^test result: / { listing = 0; finished = 1 }
        listing && /^    [^ ]/ { name[names++] = substr($0, 5) }
        /^error: (test|doctest) failed, to rerun pass `/ {
            split($0, part, "`")
            output = file(part[2])
            system("mkdir -p '\''" kept "'\''")
            printf "" > output
            for (i = 0; i < lines; i++) print line[i] >> output
            close(output)
            if (!finished || !names) print part[2] "\t\t" output
            else for (i = 0; i < names; i++) print part[2] "\t" name[i] "\t" output
            names = lines = 0
        }' "$1"
}

needs_real_time() {
    cut -f 1 scripts/real-time-tests.txt | grep -qxF -e "$1"
}

status=0
"$cargo" test --no-fail-fast "$@" 2>&1 | tee "$log" | sed 's/^test result: /tests: /' || status=$?
read -r passed failed < <(awk '
    /^test result: / {
        for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i - 1); if ($i ~ /^failed/) f += $(i - 1) }
    }
    END { print p + 0, f + 0 }' "$log")

retried=0 outputs=
while IFS='|' read -r program name output; do
    if [ -z "$name" ]; then
        echo "FAILED: the test program $program died: $output"
        failed=$((failed + 1))
        continue
    fi
    if ! needs_real_time "$program" || [ "$retried" -ge "$most_retries" ]; then
        echo "FAILED: $name ($program): $output"
        continue
    fi
    retried=$((retried + 1))
    case "$outputs " in *" $output "*) ;; *) outputs="$outputs $output" ;; esac
    # shellcheck disable=SC2086 # The program is several arguments.
    if "$cargo" test $program -- --exact "$name" --include-ignored >"$log.again" 2>&1 &&
        grep -q '^test result: ok\. [1-9]' "$log.again"; then
        echo "RETRIED: $name ($program): $output"
        passed=$((passed + 1)) failed=$((failed - 1))
    else
        echo "FAILED TWICE: $name ($program): $output"
        sed 's/^test result: /tests: /' "$log.again"
    fi
done < <(failures "$log" | tr '\t' '|')
# A failure without a test, such as that of a build, counts too.
[ "$status" = 0 ] || [ $((retried + failed)) -gt 0 ] || failed=1
echo "retried: $retried${outputs:+ (${outputs# })}"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
