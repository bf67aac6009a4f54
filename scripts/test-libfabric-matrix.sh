#!/usr/bin/env bash
# Bridges between hosts with another release of libfabric than this machine's, got from Debian into the target directory, and with
# both in one fleet. The last line is "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/steps.sh

cargo=${CARGO:-cargo}
work=$(realpath -m "${CARGO_TARGET_DIR:-target}")/libfabric-matrix

# unpack SUITE ROOT: libfabric of a suite of Debian with all libraries down to libc. Nothing is installed.
unpack() (
    set -e
    . scripts/debian-apt.sh
    debian_apt "$1" "$work/$1-cache"
    apt-get -qq --yes --download-only install libfabric1
    apt-get -qq autoclean
    rm -rf "$2"
    mkdir -p "$2"
    for package in "$work/$1-cache"/archives/*.deb; do
        dpkg-deb --extract "$package" "$2"
    done
)

# is_release VERSION ROOT
is_release() {
    local file
    file=$(ls -d "$2"/usr/share/doc/libfabric1/changelog.Debian.gz) || return 1
    zcat "$file" | head -n 1 | grep -q "^libfabric ($1\." || { zcat "$file" | head -n 1; return 1; }
}

# mixed PROGRAM LOADER...: a media_proxy that runs with another libfabric on every second host of a test, which are network namespaces
# with names that end in the host's number.
mixed() {
    local program=$1 built
    shift
    built=$(realpath "${CARGO_TARGET_DIR:-target}")/debug/media_proxy
    cat >"$program" <<END
#!/bin/sh
case \$(ip netns identify) in
*-2 | *-4) exec $* $built "\$@" ;;
*) exec $built "\$@" ;;
esac
END
    chmod +x "$program"
}

step 'build' "$cargo" build --quiet -p media-proxy
while read -r suite release; do
    root=$work/$suite
    libraries=$root/usr/lib/x86_64-linux-gnu
    loader=("$libraries/ld-linux-x86-64.so.2" --library-path "$libraries")
    before=$failed
    step "Debian $suite: unpacking" unpack "$suite" "$root"
    [ "$failed" = "$before" ] || continue
    step "Debian $suite: is libfabric $release" is_release "$release" "$root"
    # With 2.1 a stranger's messages may wait for long until they are read, and so until they are counted. The stream is not hurt, and the
    # proxies' own test of strangers, below, is one of both releases.
    for test in endpoints bridges; do
        step "libfabric $release: $test" env CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="${loader[*]}" \
            scripts/cargo-tests.sh -p mcm-fabric --test "$test" -- --skip strangers_are_refused_and_counted
    done
    mixed "$work/media_proxy" "${loader[@]}"
    step "libfabric $release and this machine's: in one fleet" env MCM_MEDIA_PROXY="$work/media_proxy" \
        scripts/cargo-tests.sh -p mcm-tests --test fleet frames_reach_all_hosts_in_any_order_of_start
    step "libfabric $release and this machine's: ends and strangers" env MCM_MEDIA_PROXY="$work/media_proxy" \
        scripts/cargo-tests.sh -p mcm-tests --test fleet_links
    rm -rf "$root"
done <<'END'
trixie 2.1
END
finish
