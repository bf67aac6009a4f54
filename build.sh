#!/usr/bin/env bash
# Builds, installs and tests the Media Communications Mesh. See ./build.sh -h.
set -euo pipefail
cd "$(dirname "$0")"

INSTALL_PREFIX=${INSTALL_PREFIX:-/usr/local}
BUILD_DIR=${BUILD_DIR:-build}
BUILD_TYPE=${BUILD_TYPE:-Release}
RUST_NEEDED=1.89

usage() {
    cat <<END
usage: ./build.sh [COMMAND]

Without a command: installs the distribution packages that are missing, builds, and installs to INSTALL_PREFIX.

commands:
  deps       install the distribution packages that are missing (Debian 12, Ubuntu 24.04)
  build      build the library, the programs and the C examples
  install    build, and install to INSTALL_PREFIX (DESTDIR is respected)
  uninstall  remove what was installed from this build directory (DESTDIR is respected)
  test       run all tests; the last line is "N passed, N failed"
  test-ffmpeg-matrix
             run the FFmpeg plugin with several releases of FFmpeg, got from PyPI and Debian
  test-ffmpeg-clips
             send real clips, got from PyPI, through the mesh with the machine's FFmpeg
  test-ffmpeg-patches
             build FFmpeg from Debian's sources with the patches of ffmpeg-plugin/patches (takes minutes)
  test-libfabric-matrix
             carry frames between hosts with another release of libfabric, got from Debian (needs root)
  test-kernel-pacing
             send video that the kernel paces, with a kernel that runs as a process (user-mode-linux)
  test-systemd
             start the installed systemd units in virtual machines with Debian 12 and 13 (needs root)
  test-verbs
             carry frames over RDMA in virtual machines with Debian's kernels
  demo       send video from FFmpeg to three receivers through the mesh, and show what came of it
  demo --nodes 3
             the same from one host to receivers on three hosts, which are network namespaces (needs root)
  bench [OPTION|SCENARIO]...  measure, beside floors measured in the same run (./build.sh bench -h)
  bench ffmpeg
             measure FFmpeg with the mesh, beside FFmpeg with a pipe and with a source of its own
  headers    make include/mesh_dp.h anew from src/ffi
  manuals    make packaging/generated anew: manual pages and completions of the programs
  clean      remove what was built
  -h         show this

environment:
  INSTALL_PREFIX     where to install (now: $INSTALL_PREFIX)
  DESTDIR            directory put before INSTALL_PREFIX, for making packages
  BUILD_DIR          where CMake builds (now: $BUILD_DIR)
  BUILD_TYPE         Release or Debug (now: $BUILD_TYPE)
  CARGO_TARGET_DIR   where cargo builds (default: target)
END
}

say() { printf 'build.sh: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

# Distribution packages: for building, and for the other commands.
packages() {
    local packages=(build-essential cmake pkg-config)
    # Virtual machines: scripts/vm.sh.
    local vm=(qemu-system-x86 busybox-static kmod cpio zstd xz-utils iproute2 debian-archive-keyring)
    case $1 in
    test) packages+=(clang valgrind util-linux iproute2 nftables python3 curl openssl ffmpeg mpv graphviz man-db libavdevice-dev
        libfabric1 libfabric-dev
        gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good etcd-server) ;;
    demo) packages+=(ffmpeg python3 iproute2 libfabric1) ;;
    test-ffmpeg-matrix) packages+=(python3 python3-venv debian-archive-keyring) ;;
    test-libfabric-matrix) packages+=(debian-archive-keyring iproute2 nftables libfabric1) ;;
    test-systemd) packages+=("${vm[@]}" mmdebstrap e2fsprogs) ;;
    test-verbs) packages+=("${vm[@]}" rdma-core ibverbs-utils ibverbs-providers libfabric1) ;;
    test-kernel-pacing) packages+=(user-mode-linux iproute2 kmod) ;;
    test-ffmpeg-clips) packages+=(ffmpeg python3 python3-pip) ;;
    test-ffmpeg-patches) packages+=(dpkg-dev debian-archive-keyring) ;;
    esac
    printf '%s\n' "${packages[@]}"
}

install_packages() {
    local package missing=()
    if ! command -v dpkg-query >/dev/null; then
        say "no Debian packages here; needed are what Debian calls: $(packages "$1" | tr '\n' ' ')"
        return
    fi
    for package in $(packages "$1"); do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "missing packages: ${missing[*]}. As root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    say "installing ${missing[*]}"
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
}

check_rust() {
    local cargo=${CARGO:-cargo} rustc=${RUSTC:-rustc} found
    if ! command -v "$cargo" >/dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    fi
    if ! command -v "$cargo" >/dev/null || ! command -v "$rustc" >/dev/null; then
        fail "no Rust toolchain found, $RUST_NEEDED or later is needed. Get it from https://rustup.rs:" \
            "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
    fi
    found=$("$rustc" --version | awk '{ print $2 }')
    if [ "$(printf '%s\n' "$RUST_NEEDED" "$found" | sort -V | head -n 1)" != "$RUST_NEEDED" ]; then
        fail "rustc $found found, $RUST_NEEDED or later is needed: rustup update (or get it from https://rustup.rs)"
    fi
}

build() {
    check_rust
    cmake -S . -B "$BUILD_DIR" -DCMAKE_BUILD_TYPE="$BUILD_TYPE" -DCMAKE_INSTALL_PREFIX="$INSTALL_PREFIX" \
        ${CARGO_TARGET_DIR:+-DCARGO_TARGET_DIR="$CARGO_TARGET_DIR"} >/dev/null
    cmake --build "$BUILD_DIR" --parallel
}

# Whether the directory, or the part of its path that exists, can be written to.
writable() {
    local dir=$1
    while [ ! -e "$dir" ]; do dir=$(dirname "$dir"); done
    [ -w "$dir" ]
}

install_all() {
    local as_root=()
    if ! writable "${DESTDIR:-}$INSTALL_PREFIX"; then
        command -v sudo >/dev/null || fail "${DESTDIR:-}$INSTALL_PREFIX cannot be written to: set INSTALL_PREFIX, or be root"
        as_root=(sudo ${DESTDIR:+DESTDIR="$DESTDIR"})
    fi
    "${as_root[@]}" cmake --install "$BUILD_DIR"
    # The list of files is needed by whoever uninstalls.
    [ ${#as_root[@]} = 0 ] || sudo chown "$(id -u):$(id -g)" "$BUILD_DIR/install_manifest.txt"
    if [ -z "${DESTDIR:-}" ] && { [ "$(id -u)" = 0 ] || [ ${#as_root[@]} -gt 0 ]; }; then
        "${as_root[@]}" ldconfig
    fi
    say "installed to ${DESTDIR:-}$INSTALL_PREFIX. Start 'media_proxy', then try 'recver_app --help' and 'sender_app --help'"
    case :$PATH: in
    *":$INSTALL_PREFIX/bin:"*) ;;
    *) say "$INSTALL_PREFIX/bin is not in PATH: export PATH=$INSTALL_PREFIX/bin:\$PATH" ;;
    esac
}

uninstall_all() {
    local as_root=()
    [ -e "$BUILD_DIR/install_manifest.txt" ] || fail "$BUILD_DIR/install_manifest.txt is missing: nothing was installed from this build directory"
    if ! writable "${DESTDIR:-}$INSTALL_PREFIX"; then
        command -v sudo >/dev/null || fail "${DESTDIR:-}$INSTALL_PREFIX cannot be written to: be root"
        as_root=(sudo ${DESTDIR:+DESTDIR="$DESTDIR"})
    fi
    "${as_root[@]}" cmake --build "$BUILD_DIR" --target uninstall
    say "removed from ${DESTDIR:-}$INSTALL_PREFIX; the user mcm, /run/mcm and what was enabled in systemd are left"
}

# All options are read before anything is done.
[ $# -le 1 ] || [ "$1" = bench ] || [ "$1" = demo ] || { usage >&2; exit 2; }
case ${1:-} in
'')
    install_packages build
    build
    install_all
    ;;
deps)
    install_packages build
    install_packages test
    install_packages demo
    ;;
build)
    install_packages build
    build
    ;;
install)
    build
    install_all
    ;;
uninstall)
    uninstall_all
    ;;
test)
    install_packages test
    check_rust
    exec scripts/test.sh
    ;;
test-ffmpeg-* | test-libfabric-* | test-kernel-pacing | test-systemd | test-verbs)
    [ -x "scripts/$1.sh" ] || { say "unknown command '$1'"; usage >&2; exit 2; }
    install_packages "$1"
    check_rust
    exec "scripts/$1.sh"
    ;;
demo)
    case ${2-} in
    '') script=(scripts/demo.sh) ;;
    --nodes)
        [[ $# -le 3 && ${3-} =~ ^[2-8]$ ]] || fail "demo --nodes: found '${*:3}'; allowed: 2 to 8"
        script=(scripts/demo-nodes.sh "$3")
        ;;
    *) fail "demo: found '$2'; allowed: --nodes with a number" ;;
    esac
    install_packages demo
    build
    BUILD_DIR=$BUILD_DIR exec "${script[@]}"
    ;;
bench)
    check_rust
    exec scripts/bench.sh "${@:2}"
    ;;
headers)
    check_rust
    exec "${CARGO:-cargo}" run -q -p gen-headers
    ;;
manuals)
    check_rust
    MCM_GENERATE=1 "${CARGO:-cargo}" test -q -p media-proxy -p mcm-mesh-agent -p mcm-cli --bins manual_pages
    ;;
clean)
    rm -rf "$BUILD_DIR"
    check_rust
    "${CARGO:-cargo}" clean
    ;;
-h | --help | help)
    usage
    ;;
*)
    say "unknown command '$1'"
    usage >&2
    exit 2
    ;;
esac
