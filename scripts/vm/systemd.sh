#!/bin/bash
# Runs as root in the virtual machine of scripts/test-systemd.sh, once at each boot. The last line is "N passed, N failed".
set -uo pipefail
cd /root
passed=0 failed=0
work=/var/tmp/test
mkdir -p "$work"
chmod 1777 "$work"

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
        journalctl -b -o cat -u media_proxy | tail -n 15 | sed 's/^/    media_proxy: /'
    fi
}

as() { setpriv --reuid "$1" --regid "$1" --init-groups --reset-env "${@:2}"; }
is() { [ "$1" = "$2" ] || { echo "found '$1', expected '$2'"; return 1; }; }
logged() { journalctl -b -o cat -u "$1" | grep -F "$2"; }
not() { ! "$@"; }

# within SECONDS COMMAND...
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

# configuration NAME CONNECTION: of a small video at ten frames a second.
configuration() {
    cat >"$work/$1.json" <<JSON
{ "connection": { $2 }, "options": { "waitForReceivers": 1, "endOfStream": "wait" },
  "payload": { "video": { "width": 64, "height": 36, "fps": 10, "pixelFormat": "uyvy422" } } }
JSON
}

# receive NAME FRAMES, send NAME FRAMES: a number and a checksum for each frame, in files.
receive() {
    as alice recver_app --client "$work/client.json" --json "$work/$1-in.json" --number "$2" --timeout 20000 --checksum --stats-json "$work/$1.stats" >"$work/$1.in"
}
send() { as alice sender_app --client "$work/client.json" --json "$work/$1-out.json" --number "$2" --checksum >"$work/$1.out"; }

# carry NAME SENT RECEIVED [COMMAND...]: a stream, and something that happens meanwhile. What arrives has been sent.
carry() {
    local name=$1 sent=$2 received=$3 receiver sender status=0
    shift 3
    rm -f "$work/$name".{in,out,stats}
    receive "$name" "$received" & receiver=$!
    send "$name" "$sent" & sender=$!
    [ $# = 0 ] || { sleep 2; "$@" || status=1; }
    wait "$receiver" || status=2
    kill "$sender" 2>/dev/null
    wait "$sender"
    cut -d' ' -f2 "$work/$name.out" | sort -u >"$work/known"
    cut -d' ' -f2 "$work/$name.in" | sort -u | comm -13 "$work/known" - >"$work/foreign"
    is "$(wc -l <"$work/$name.in") frames, $(wc -l <"$work/foreign") that were not sent" "$received frames, 0 that were not sent" || status=3
    return $status
}

missed_nothing() { grep -q '"missed": *0\b' "$work/$1.stats" || { cat "$work/$1.stats"; return 1; }; }

is_active() { within 20 systemctl -q is-active media_proxy; }
restart_and_kill() { systemctl restart media_proxy && sleep 2 && systemctl kill -s KILL media_proxy && sleep 0.5 && is_active; }
refused() {
    as bob recver_app --json "$work/local-in.json" --number 1 --timeout 1000 2>&1 | tee "$work/refusal"
    grep -qi 'permission denied' "$work/refusal"
}

first() {
    # What docs/media-proxy.md tells to do after the installation.
    check 'users and directories' sh -c 'systemd-sysusers && systemd-tmpfiles --create'
    check 'settings of the kernel' /lib/systemd/systemd-sysctl
    check 'devices' sh -c 'udevadm control --reload && udevadm trigger -s ptp && udevadm settle'
    check 'enable and start' systemctl enable --now media_proxy mesh-agent
    useradd -m -G mcm alice
    useradd -m bob
    runs
    check 'the PTP clock is readable for the proxy, and not for all' is "$(stat -c '%U %G %a' /dev/ptp0)" 'root mcm-ptp 640'
    check 'the clock is read as the proxy' as mcm test -r /dev/ptp0

    check 'a restart and a crash of the proxy under a stream' carry local 100 100 restart_and_kill
    check 'nothing was missed' missed_nothing local
    check 'a restart and a crash of the proxy under a ST 2110 stream' carry network 400 60 restart_and_kill

    echo 'MEDIA_PROXY_OPTIONS=--grpc 8011 --metrics 8013' >/etc/default/media_proxy
    echo 'MESH_AGENT_OPTIONS=--c 50061' >/etc/default/mesh-agent
    check 'options are read from /etc/default/media_proxy' sh -c 'systemctl restart media_proxy && mcm list -s 127.0.0.1:8011'
    rm /etc/default/*
    echo 'MEDIA_PROXY_OPTIONS=--no-such-option' >/etc/default/media_proxy
    check 'a mistake in the options is told' not systemctl restart media_proxy
    check 'and not tried again' is "$(sleep 1; systemctl show -P NRestarts media_proxy) $(systemctl is-failed media_proxy)" '0 failed'
    echo 'MEDIA_PROXY_OPTIONS=--ptp-clock /dev/ptp0' >/etc/default/media_proxy
    systemctl restart media_proxy
    check 'the proxy may read the PTP clock' sh -c 'sleep 1; journalctl -b -o cat -u media_proxy -n 20 | grep /dev/ptp0; ! journalctl -b -o cat -u media_proxy | grep "Permission denied"'
    rm /etc/default/media_proxy

    # An upgrade is an installation over the old one, and a restart.
    cp /usr/bin/media_proxy "$work/new" && mv "$work/new" /usr/bin/media_proxy
    check 'an upgrade' carry local 60 60 sh -c 'systemctl daemon-reload && systemctl restart media_proxy'
    check 'nothing was missed by it' missed_nothing local
    # As it was installed, for the second boot.
    rm -f /etc/default/media_proxy /etc/default/mesh-agent
}

second() {
    runs
}

# What is true after every start.
runs() {
    # One of its ends is the interface of streams.
    ip link add cable type veth peer name other
    ip link set cable up
    ip link set other up
    ip address add 10.8.0.1/24 dev cable
    ip route add 239.0.0.0/8 dev cable
    local end group='"ipAddr": "239.1.1.1", "port": 20000, "interfaceIpAddr": "10.8.0.1", "transport": "st2110-20"'
    # An emulated machine takes its time.
    echo '{ "apiDefaultTimeoutMicroseconds": 20000000 }' >"$work/client.json"
    for end in in out; do
        configuration "local-$end" '"multipointGroup": { "urn": "studio" }'
    done
    configuration network-out "\"st2110\": { $group }"
    # With a source filter packets come from the network, of this host too.
    configuration network-in "\"st2110\": { $group, \"multicastSourceIpAddr\": \"10.8.0.1\" }"
    for unit in media_proxy mesh-agent; do
        check "$unit runs as mcm" is "$(systemctl is-active $unit) $(systemctl show -P NRestarts $unit) $(ps -C $unit -o user=)" 'active 0 mcm'
    done
    check 'the run directory' is "$(stat -c '%U %G %a' /run/mcm)" 'mcm mcm 750'
    check 'the socket' is "$(stat -c '%U %G %a' /run/mcm/media_proxy.sock)" 'mcm mcm 660'
    check 'a member of the group mcm sends and receives' carry local 30 30
    check 'somebody else is refused, and told why' refused
    check 'a ST 2110 stream at the address of an interface' carry network 100 20
    # Emulated, they may need more than 90 % of a CPU, and then give it up again.
    check 'its threads have real-time priority' not logged media_proxy 'no real-time priority'
    check 'its buffers are as large as they should be' not logged media_proxy 'buffer of'
    check 'the state of the kernel clock can be read' not logged media_proxy 'adjtimex'
}

phase=$(cat /mnt/vm/phase)
uname -r
systemctl --version | head -n 1
"$phase"
journalctl -b -o short-monotonic -u media_proxy -u mesh-agent --no-pager >"/mnt/vm/journal-$phase"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
