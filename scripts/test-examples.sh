#!/usr/bin/env bash
# The C examples, as their users run them, against a media proxy of their own.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-$PWD/target}
out=$target/debug
work=$(mktemp -d)
. scripts/proxy.sh
trap 'stop_proxy; rm -rf "$work"' EXIT
passed=0 failed=0

"${CARGO:-cargo}" build -q -p mcm_dp -p media-proxy
ln -s "$out/libmcm_dp.so" "$work/libmcm_dp.so.1"

# build PROGRAM COMPILER STANDARD SOURCE...
build() {
    local program=$1 compiler=$2 standard=$3
    shift 3
    "$compiler" "-std=$standard" -D_GNU_SOURCE -O2 -Wall -Wextra -Wpedantic -Werror -Iinclude "${@/#/c-examples/}" \
        -o "$work/$program" "$work/libmcm_dp.so.1" -Wl,-rpath,"$work" -pthread -lm
}
build simple_sender cc c11 simple_sender.c
build simple_receiver cc c11 simple_receiver.c
build poll_receiver cc c11 poll_receiver.c app.c
build sender_app cc c11 sender_app.c options.c app.c
build recver_app cc c11 recver_app.c options.c app.c
build frame_sums cc c11 frame_sums.c app.c
build raii c++ c++17 raii.cpp

start_proxy "$out/media_proxy" "$work"

check() {
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $name"
        sed 's/^/    /' "$work/log"
    fi
}

# Nothing here should take long; what hangs is a failure.
run() { timeout 60 "$@"; }

# both RECEIVER SENDER: runs the two at once; their output goes to files named like that.
both() {
    local receiver
    (run $1 >"$work/received" 2>"$work/receiver.err") &
    receiver=$!
    run $2 >"$work/sent" 2>"$work/sender.err" || { cat "$work/sender.err"; kill "$receiver"; return 1; }
    wait "$receiver" || { cat "$work/receiver.err"; return 1; }
}

messages() {
    both "$work/simple_receiver" "$work/simple_sender" && diff "$work/received" <(printf 'message %d\n' {1..10})
}
check 'simple_sender to simple_receiver' messages

raii() {
    both "$work/raii receive" "$work/raii send" &&
        diff "$work/received" <(for i in {1..10}; do printf '%d: message %d\n' $((i - 1)) "$i"; done)
}
check 'raii' raii

# Seven frames of 320x180 yuv420p and a bit, sent three times.
frame=$((320 * 180 * 3 / 2))
head -c $((7 * frame + 100)) /dev/urandom >"$work/video.raw"
head -c $((7 * frame)) "$work/video.raw" >"$work/whole.raw"
file() {
    local i
    both "$work/recver_app -j c-examples/config/video_small.json -o $work/copy.raw --checksum --latency --stats-json $work/stats.json" \
        "$work/sender_app -j c-examples/config/video_small.json -i $work/video.raw --loop 3 --fast --checksum" || return
    diff "$work/sent" "$work/received" || return
    cat "$work/whole.raw" "$work/whole.raw" "$work/whole.raw" | cmp - "$work/copy.raw" || return
    # The first round's checksums are those of the file.
    "$work/frame_sums" "$work/whole.raw" "$frame" | diff - <(head -n 7 "$work/received") || return
    grep -q '"frames": 21,' "$work/stats.json" && grep -q '"missed": 0,' "$work/stats.json" && grep -q '"p99":' "$work/stats.json"
}
check 'a file, three times, byte for byte' file

polled() {
    both "$work/poll_receiver c-examples/config/video_small.json" \
        "$work/sender_app -j c-examples/config/video_small.json -n 5 --fast" || return
    [ "$(wc -l <"$work/received")" = 5 ] && grep -q "frame 4, $frame bytes" "$work/received"
}
check 'poll_receiver' polled

# The rate of the configuration is kept: frame 10 of 25 a second is due after 400 ms. (Never a limit from above.)
paced() {
    local start end
    start=$(date +%s%N)
    both "$work/recver_app -j c-examples/config/video_small.json -n 11" \
        "$work/sender_app -j c-examples/config/video_small.json -n 11" || return
    end=$(date +%s%N)
    [ $((end - start)) -ge 400000000 ]
}
check 'pacing' paced

# Waits for a receiver that does not come, or for a source: Ctrl-C ends both cleanly.
interrupted() {
    local pid i
    "$@" >"$work/out" 2>&1 &
    pid=$!
    # Signals are caught once the program's second thread of its own is there; the proxy knows the connection then.
    for ((i = 0; i < 400; i++)); do
        ! grep -q '^SigBlk:.*0000000000004002$' "/proc/$pid/status" 2>/dev/null || break
        sleep 0.05
    done
    kill -INT "$pid"
    if ! timeout 30 tail --pid="$pid" -f /dev/null; then
        echo 'it goes on'
        kill -KILL "$pid"
        return 1
    fi
    wait "$pid" || { cat "$work/out"; return 1; }
    grep -q '0 frames' "$work/out"
}
check 'Ctrl-C ends recver_app' interrupted "$work/recver_app" -j c-examples/config/video_small.json
check 'Ctrl-C ends sender_app' interrupted "$work/sender_app" -j c-examples/config/video_small.json

legacy() {
    both "$work/recver_app --width 64 --height 32 --fps 59.94 --urn legacy --number 3 --timeout 20000" \
        "$work/sender_app --width=64 --height=32 --fps=59.94 --urn=legacy --number=300 --protocol=auto" || return
    grep -q '^receiver: 3 frames' "$work/receiver.err"
}
check 'flags of 24.09' legacy

# The command line of a Kubernetes Job of release 24.09 must not look like a success.
status() {
    local wanted=$1 found=0
    shift
    run "$@" >"$work/out" 2>&1 || found=$?
    [ "$found" = "$wanted" ] || { echo "status $found"; cat "$work/out"; return 1; }
}
check 'a command line of 24.09 is no success' status 2 "$work/sender_app" -w 1920 -h 1080 -f 30 -s 10.0.0.1 -p 10000 -t st20 -n 3000
check 'an unknown option' status 2 "$work/recver_app" --nothing
check 'a wrong number' status 2 "$work/recver_app" --number many
check 'a file that is not there' status 1 "$work/recver_app" -j /nonexistent.json
check 'no frame in time' status 1 "$work/recver_app" -j c-examples/config/video_small.json -t 300
check 'no receiver in time' status 1 "$work/sender_app" -j <(printf '{ "connection": { "multipointGroup": { "urn": "alone" } }, "maxPayloadSize": 8, "options": { "waitForReceivers": 1 } }') --timeout 300

versions() { "$work/$1" --version | grep -qx "$1 [0-9.]*, API 25\.09"; }
check 'sender_app --version' versions sender_app
check 'recver_app --version' versions recver_app

waits() {
    local pid i
    "$work/recver_app" -j c-examples/config/video_small.json 2>"$work/out" &
    pid=$!
    for ((i = 0; i < 400; i++)); do
        ! grep -q 'waiting since 2s' "$work/out" || break
        sleep 0.05
    done
    kill -INT "$pid"
    wait "$pid"
    [ "$(grep -c 'waiting since' "$work/out")" = 1 ] || { cat "$work/out"; return 1; }
}
check 'waiting is told, once' waits

# says TEXT COMMAND...: the command fails and says so.
says() {
    local text=$1
    shift
    if run "$@" >"$work/out" 2>&1; then
        echo 'succeeded'
        return 1
    fi
    grep -qe "$text" "$work/out" || { cat "$work/out"; return 1; }
}
check 'an unknown option' says 'help' "$work/sender_app" --nonsense
check 'an option of the other role' says 'latency' "$work/sender_app" --latency
check 'no number' says '--number: "many"' "$work/recver_app" -n many
check 'an option that cannot work yet' says '--ip: .*not supported' "$work/sender_app" --ip 10.0.0.1
check 'a missing file' says 'No such file' "$work/sender_app" -j "$work/nowhere.json"
check 'a bad configuration' says 'bufferQueueCapacity' "$work/sender_app" -j <(echo '{ "connection": { "multipointGroup": { "urn": "x" } }, "bufferQueueCapacity": 1000 }')
check 'an input without a whole frame' says 'one frame has' "$work/sender_app" -j c-examples/config/video_small.json -i "$work/log"
check 'nothing comes' says 'no frame for 50 ms' "$work/recver_app" -j c-examples/config/video_small.json --timeout 50

check 'media_proxy lives' proxy_lives
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
