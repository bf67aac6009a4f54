#!/bin/bash
# Runs as root in the virtual machine of scripts/test-verbs.sh: a mesh agent and two proxies, linked by RDMA over a pair of veth. Arguments: where the
# programs are. The last line is "N passed, N failed".
set -uo pipefail
proxy=$1 agent=$2 apps=$3
passed=0 failed=0
work=$(mktemp -d)

check() {
    local name=$1 status=0
    shift
    "$@" >"$work/log" 2>&1 || status=$?
    if [ "$status" = 0 ]; then
        passed=$((passed + 1))
        echo "ok: $name"
    else
        failed=$((failed + 1))
        echo "failed ($status): $name"
        sed 's/^/    /' "$work/log"
        tail -n 12 "$work"/proxy?.log "$work"/agent.log | sed 's/^/    /'
    fi
}

is() { [ "$1" = "$2" ] || { echo "found '$1', expected '$2'"; return 1; }; }
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

device() {
    modprobe -a veth rdma_rxe ib_uverbs rdma_ucm &&
        ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up && ip address add 10.7.0.1/24 dev v0 &&
        rdma link add rxe0 type rxe netdev v0 && ibv_devinfo
}

# start_proxies: both are on this host, with ports and directories of their own.
start_proxies() {
    "$agent" >"$work/agent.log" 2>&1 &
    within 20 grep -q 'for REST' "$work/agent.log" || return
    for number in 1 2; do
        "$proxy" --run-dir "$work/run$number" -a 127.0.0.1:50051 -t 0 -g 0 -r 10.7.0.1 -p "9${number}00-9${number}99" \
            >"$work/proxy$number.log" 2>&1 &
        pids[number]=$!
        echo "{ \"apiConnectionString\": \"Unix=$work/run$number/media_proxy.sock\", \"apiDefaultTimeoutMicroseconds\": 20000000 }" \
            >"$work/client$number.json"
    done
    for number in 1 2; do
        within 20 grep -q 'registered as media proxy' "$work/proxy$number.log" || return
    done
}

# configuration NAME PROVIDER WIDTH HEIGHT RATE
configuration() {
    cat >"$work/$1.json" <<JSON
{ "connection": { "multipointGroup": { "urn": "$1" } },
  "options": { "waitForReceivers": 1, "endOfStream": "wait", "stallTimeoutMilliseconds": 20000, "rdma": { "provider": "$2" } },
  "payload": { "video": { "width": $3, "height": $4, "fps": $5, "pixelFormat": "yuv422p10le" } } }
JSON
}

# carry NAME FRAMES: from the first proxy to the second, which may take long until they are linked. Frames arrive one after another, with the
# checksums that they were sent with.
carry() {
    local name=$1 frames=$2 receiver sender status=0
    "$apps/recver_app" --client "$work/client2.json" --json "$work/$name.json" --number "$frames" --timeout 60000 --checksum \
        >"$work/$name.in" & receiver=$!
    "$apps/sender_app" --client "$work/client1.json" --json "$work/$name.json" --number 100000 --checksum >"$work/$name.out" & sender=$!
    wait "$receiver" || status=1
    kill "$sender"
    wait "$sender"
    is "$(wc -l <"$work/$name.in")" "$frames" || status=2
    # In the order of their numbers, without a gap, as one piece of what was sent.
    cmp "$work/$name.in" <(sed -n "/^$(head -n 1 "$work/$name.in")\$/,\$p" "$work/$name.out" | head -n "$frames") || status=3
    return $status
}

copied() { grep -c 'copied once' "$work/proxy1.log"; }
reads_foreign_memory() { [ "$(printf '%s\n' 6.2 "$(uname -r)" | sort -V | head -n 1)" = 6.2 ]; }
workers() { pgrep -P "$1" -f -- --bridge-worker; }

# A stream by another provider, while those of this one crash.
crash() {
    local background status=0 victim
    "$apps/sender_app" --client "$work/client1.json" --json "$work/crash.json" --number 600 >"$work/crash.out" 2>&1 & local sender=$!
    "$apps/recver_app" --client "$work/client2.json" --json "$work/crash.json" --number 600 --timeout 40000 --checksum >"$work/crash.in" \
        2>/dev/null & local receiver=$!
    within 40 test -s "$work/crash.in" || status=1
    carry beside 60 >"$work/beside.log" 2>&1 & background=$!
    within 40 test -s "$work/beside.in" || status=7
    for number in 1 2; do
        victim=$(workers "${pids[$number]}") && kill -KILL $victim || status=2
        local before=$(wc -l <"$work/crash.in")
        within 40 sh -c "[ \$(wc -l <'$work/crash.in') -gt $((before + 3)) ]" || status=3
    done
    kill "$sender" "$receiver"
    wait "$sender" "$receiver"
    wait "$background" || { cat "$work/beside.log"; status=4; }
    grep -h 'its process was ended by signal 9' "$work"/proxy?.log || status=5
    kill -0 "${pids[1]}" "${pids[2]}" || status=6
    return $status
}

check 'an RDMA device' device
check 'a fleet' start_proxies
configuration small verbs 640 360 5
check 'frames of 0.9 MB are exact' carry small 30
configuration large verbs 1920 1080 1
check 'frames of 8.3 MB are exact' carry large 6
if reads_foreign_memory; then
    check 'frames are not copied' is "$(copied)" 0
else
    check 'that frames are copied is said, once for each process' is "$(copied)" 2
fi
configuration crash verbs 320 180 5
configuration beside tcp 320 180 5
check 'a crash of the provider costs no other stream, and no proxy' crash
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
