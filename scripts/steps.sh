# Functions for test scripts: run steps, time them, count what passed. To be sourced.
#
# A step is a command. If its output has cargo's "test result:" lines, or a last line "N passed, N failed", these are
# counted; otherwise the step itself counts as one test. Status 77 means that the step was skipped. Tests that cargo ignores are those of
# the slower suites, which run them by name.

passed=0 failed=0 skipped=0
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
        grep '^PASSED ONLY ALONE: ' "$steps_log" | sed 's/^/    /'
    fi
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

# Prints the line that ends the output, and returns whether all is well. In CI nothing may be skipped.
finish() {
    printf '%d passed, %d failed' "$passed" "$failed"
    [ "$skipped" = 0 ] || printf ', %d skipped' "$skipped"
    printf '\n'
    [ "$failed" = 0 ] && { [ "${CI:-}" != true ] || [ "$skipped" = 0 ]; }
}
