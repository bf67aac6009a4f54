#!/usr/bin/env bash
# scripts/cargo-tests.sh and scripts/steps.sh with a cargo that plays back outputs: what is run again, kept and counted.
set -euo pipefail
cd "$(dirname "$0")/.."

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
export CARGO=$place/cargo CARGO_TARGET_DIR=$place/target
unset MCM_TEST_SEED

# The first call plays "first"; a second run of a test passes if a file "passes" is there. The calls are noted.
cat >"$CARGO" <<'END'
#!/usr/bin/env bash
here=$(dirname "$0")
echo "$MCM_TEST_SEED $PROPTEST_RNG_SEED $*" >>"$here/calls"
case "$*" in
*--exact*)
    if [ -e "$here/passes" ]; then
        echo 'test result: ok. 1 passed; 0 failed; 0 ignored'
    else
        echo 'test result: FAILED. 0 passed; 1 failed; 0 ignored'
        exit 101
    fi
    ;;
*)
    cat "$here/first"
    ! grep -q '^error' "$here/first"
    ;;
esac
END
chmod +x "$CARGO"

# The output of a program of cargo's tests in which these tests fail, beside one that passes.
program() {
    local arguments=$1 name
    shift
    printf '     Running tests/x.rs (target/debug/deps/x-1)\n\nrunning %d tests\n' $(($# + 1))
    printf 'what the proxy said\n'
    if [ $# = 0 ]; then
        printf 'test result: ok. 1 passed; 0 failed; 0 ignored\n'
        return
    fi
    printf '\nfailures:\n\n'
    for name; do printf -- '---- %s stdout ----\npanicked\n\n' "$name"; done
    printf '\nfailures:\n'
    printf '    %s\n' "$@"
    printf '\ntest result: FAILED. 1 passed; %d failed; 0 ignored\n\nerror: test failed, to rerun pass `%s`\n' $# "$arguments"
}

# run CASE: plays its standard input back; the result is in $said.
run() {
    case_name=$1
    cat >"$place/first"
    rm -rf "$place/calls" "$CARGO_TARGET_DIR"
    said=$(scripts/cargo-tests.sh --workspace) && state=0 || state=$?
}

# ends STATUS LINE...: the run ended so.
ends() {
    local status=$1 expected
    shift
    expected=$(printf '%s\n' "$@")
    if [ "$state" != "$status" ] || [ "$(tail -n $# <<<"$said")" != "$expected" ]; then
        printf '%s: status %s, expected %s and\n%s\nfound\n%s\n' "$case_name" "$state" "$status" "$expected" "$said"
        exit 1
    fi
}

network='-p mcm-tests --test st2110_network'

run 'all pass' < <(program '-p a --lib')
ends 0 'retried: 0' '1 passed, 0 failed'

run 'a test that has no second chance' < <(program '-p a --lib'; program '-p a --test b' one)
ends 1 'retried: 0' '2 passed, 1 failed'
[ "$(wc -l <"$place/calls")" = 1 ]
grep -q 'what the proxy said' "$CARGO_TARGET_DIR"/test-failures/a-test-b.*.log
[ "$(ls "$CARGO_TARGET_DIR/test-failures" | wc -l)" = 1 ]

run 'a second run that fails' < <(program "$network" one)
ends 1 "retried: 1 ($(echo "$CARGO_TARGET_DIR"/test-failures/mcm-tests-test-st2110_network.*.log))" '1 passed, 1 failed'

touch "$place/passes"
run 'a second run that passes' < <(program "$network" 'module::one')
file=$(echo "$CARGO_TARGET_DIR"/test-failures/mcm-tests-test-st2110_network.*.log)
ends 0 "retried: 1 ($file)" '2 passed, 0 failed'
grep -q 'module::one stdout' "$file"
grep -q "test $network -- --exact module::one --include-ignored" "$place/calls"
# The seed is that of the first run, of all kinds of tests, and is told.
seed=$(cut -d ' ' -f 1 "$place/calls" | uniq)
[ "$(cut -d ' ' -f 2 "$place/calls" | uniq)" = "$seed" ]
grep -qx "MCM_TEST_SEED=$seed" <<<"$said"

run 'no more than two' < <(program "$network" one two three)
ends 1 "retried: 2 ($(echo "$CARGO_TARGET_DIR"/test-failures/*.log))" '3 passed, 1 failed'

run 'a program that dies' < <(
    printf '     Running tests/x.rs (target/debug/deps/x-1)\nrunning 2 tests\n'
    printf 'error: test failed, to rerun pass `%s`\n' "$network"
)
ends 1 'retried: 0' '0 passed, 1 failed'

run 'a build that fails' <<<'error: could not compile `a`'
ends 1 'retried: 0' '0 passed, 1 failed'

# The script that adds steps up hands the count on.
case_name='steps'
program "$network" one >"$place/first"
said=$(
    . scripts/steps.sh
    step 'tests' scripts/cargo-tests.sh --workspace
    step 'another' true
    finish
) && state=0 || state=$?
ends 0 "retried: 1 ($(echo "$CARGO_TARGET_DIR"/test-failures/*.log))" '3 passed, 0 failed'

# Each program with a second chance is there, and has a reason.
while IFS=$'\t' read -r arguments reason; do
    case $arguments in '#'* | '') continue ;; esac
    read -r _ package _ test <<<"$arguments"
    [ -n "$reason" ] || { echo "real-time-tests.txt: $arguments: no reason"; exit 1; }
    manifest=$(grep -lx "name = \"$package\"" -- */Cargo.toml crates/*/Cargo.toml)
    directory=$(dirname "$manifest")/tests
    [ -e "$directory/$test.rs" ] || [ -e "$directory/$test/main.rs" ] ||
        { echo "real-time-tests.txt: $arguments: no such program"; exit 1; }
done <scripts/real-time-tests.txt
