#!/usr/bin/env bash
# The installed units under Debian's systemd and kernel: in a virtual machine whose disk has a minimal Debian, and what cmake --install puts there.
# Arguments: suites of Debian. BUILD_TYPE is Debug unless it is given. The last line is "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/steps.sh
. scripts/vm.sh

work=$vm_cache/systemd
vm_work=$work/shared
[ $# -gt 0 ] || set -- bookworm trixie

build() {
    cmake -S . -B "$work/build" -DCMAKE_BUILD_TYPE="${BUILD_TYPE:-Debug}" >/dev/null && cmake --build "$work/build" 2>&1
}

# A root file system of a suite, and an image of it.
debian() (
    set -e
    rm -rf "$work/root" "$work/image"
    mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Retries "3"' \
        --keyring=/usr/share/keyrings/debian-archive-keyring.gpg --include=systemd-sysv,udev,kmod,procps,iproute2 \
        "$1" "$work/root" http://deb.debian.org/debian
    DESTDIR=$work/root cmake --install "$work/build" --prefix /usr >/dev/null
    cp scripts/vm/systemd.sh "$work/root/root/test"
    cat >"$work/root/etc/systemd/system/test.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c '/root/test >/mnt/vm/output 2>&1; echo $? >/mnt/vm/status'
ExecStopPost=systemctl --no-block poweroff
[Install]
WantedBy=default.target
UNIT
    systemctl --quiet --root "$work/root" enable test.service
    mkfs.ext4 -q -d "$work/root" "$work/image" 1500M
)

# One start of the machine, until it powers off. What runs in it is scripts/vm/systemd.sh.
boot() {
    local status=0
    rm -f "$vm_work/status"
    vm_boot 300 "$work/image" -device e1000e || status=$?
    cat "$vm_work/output" || true
    [ ! -s "$vm_work/status" ] || return "$(cat "$vm_work/status")"
    tail -n 40 "$vm_work/console"
    echo "the machine ended without a result: $status"
    return 1
}

rm -rf "$work/shared"
mkdir -p "$vm_work"
step 'build' build
for suite; do
    before=$failed
    step "Debian $suite: kernel" vm_kernel "$suite"
    step "Debian $suite: root file system" debian "$suite"
    [ "$failed" = "$before" ] || continue
    for phase in first second; do
        echo "$phase" >"$vm_work/phase"
        step "Debian $suite: $phase boot" boot
    done
    rm -rf "$work/root" "$work/image"
done
finish
