# Functions for test scripts: run steps, time them, count what passed. To be sourced.
#
# A step is a command. If its output has cargo's "test result:" lines, or a last line "N passed, N failed", these are
# counted; otherwise the step itself counts as one test. A line "retried: N (FILES)" before the last one counts tests that
# passed in a second run only. Status 77 means that the step was skipped. Tests that cargo ignores are those of
# the slower suites, which run them by name.

passed=0 failed=0 skipped=0 retried=0 retried_files=
steps_log=$(mktemp)
trap 'rm -f "$steps_log"' EXIT

# step NAME COMMAND...
step() {
    local name=$1 status=0 started=$SECONDS p f s
    shift
    printf '==> %s\n' "$name"
    "$@" >"$steps_log" 2>&1 || status=$?
    read -r p f s < <(count "$steps_log")
    if [ "$status" = 77 ]; then
        s=$((s + 1))
    elif [ "$status" != 0 ]; then
        [ "$f" -gt 0 ] || f=1
    elif [ $((p + f + s)) = 0 ]; then
        p=1
    fi
    if [ "$status" != 0 ]; then
        sed 's/^/    /' "$steps_log"
    else
        grep -E '^(RETRIED: |MCM_TEST_SEED=)' "$steps_log" | sed 's/^/    /'
    fi
    count_retried "$steps_log"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '    %s: %d passed, %d failed, %d skipped, %d s\n' "$name" "$p" "$f" "$s" "$((SECONDS - started))"
}

# Adds up the counts in a step's output: passed, failed, skipped.
count() {
    awk '
        /^test result: / {
            for (i = 2; i <= NF; i++) {
                if ($i ~ /^passed/) p += $(i - 1)
                if ($i ~ /^failed/) f += $(i - 1)
            }
        }
        { last = $0 }
        END {
            if (last ~ /^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/) {
                n = split(last, word, /[ ,]+/)
                p += word[1]; f += word[3]; if (n >= 5) s += word[5]
            }
            print p + 0, f + 0, s + 0
        }' "$1"
}

# Adds what the line before a step's last line says of second runs.
count_retried() {
    local line files
    line=$(tail -n 2 "$1" | grep -m 1 -E '^retried: [1-9]') || return 0
    line=${line#retried: } files=${line#*(}
    retried=$((retried + ${line%% *}))
    retried_files="$retried_files ${files%)}"
}

# Prints the lines that end the output, and returns whether all is well. In CI nothing may be skipped.
finish() {
    printf 'retried: %d%s\n' "$retried" "${retried_files:+ (${retried_files# })}"
    printf '%d passed, %d failed' "$passed" "$failed"
    [ "$skipped" = 0 ] || printf ', %d skipped' "$skipped"
    printf '\n'
    [ "$failed" = 0 ] && { [ "${CI:-}" != true ] || [ "$skipped" = 0 ]; }
}
