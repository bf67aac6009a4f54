#!/usr/bin/env bash
# The fleet of the demo, and hosts of tests, on a machine whose packet filter forwards nothing, as Docker leaves it. That machine is a network
# namespace. BUILD_TYPE is Debug unless it is given. The last line is "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/steps.sh

work=$(mktemp -d)
machine=mcm-docker-$$
trap clean EXIT

clean() {
    for name in "$machine" "$machine-a" "$machine-b"; do
        ip netns delete "$name" 2>/dev/null
    done
    rm -rf "$work" "$steps_log"
}

on() { ip netns exec "$machine" "$@"; }

# Two neighbours on a bridge of the machine.
prepare() (
    set -e
    ip netns add "$machine"
    on nft -f - <<'RULES'
table ip filter {
    chain FORWARD { type filter hook forward priority filter; policy drop; }
}
RULES
    modprobe -q br_netfilter || true
    on sysctl -q net.bridge.bridge-nf-call-iptables=1
    on ip link add switch type bridge
    on ip link set switch up
    for side in a b; do
        ip netns add "$machine-$side"
        on ip link add "port-$side" type veth peer name eth0 netns "$machine-$side"
        on ip link set "port-$side" master switch up
        ip -n "$machine-$side" link set eth0 up
    done
    ip -n "$machine-a" address add 10.77.0.1/24 dev eth0
    ip -n "$machine-b" address add 10.77.0.2/24 dev eth0
)

# Status 3: a datagram from one neighbour to the other does not arrive within a second.
arrives() {
    python3 - "$@" <<'PROGRAM'
import ctypes
import os
import socket
import sys

def there(name):
    descriptor = os.open(f"/run/netns/{name}", os.O_RDONLY)
    assert ctypes.CDLL(None).setns(descriptor, 0) == 0
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver = there(sys.argv[2])
receiver.bind(("0.0.0.0", 5000))
receiver.settimeout(1)
sender = there(sys.argv[1])
sender.sendto(b"x", ("10.77.0.2", 5000))
try:
    receiver.recv(1)
except TimeoutError:
    sys.exit(3)
PROGRAM
}

filter_drops() {
    arrives "$machine-a" "$machine-b"
    [ $? = 3 ]
}

demo() {
    cmake -S . -B "$work/build" -DCMAKE_BUILD_TYPE="${BUILD_TYPE:-Debug}" >/dev/null && cmake --build "$work/build" 2>&1 || return
    BUILD_DIR=$work/build on scripts/demo-nodes.sh 2
}

step 'such a machine' prepare
step 'its packet filter drops what crosses a bridge' filter_drops
step 'the demo with two hosts' demo
step 'tests with hosts' on scripts/cargo-tests.sh -p mcm-tests --test fleet frames_reach_all_hosts_in_any_order_of_start
finish
