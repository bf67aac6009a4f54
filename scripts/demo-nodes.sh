#!/usr/bin/env bash
# Video from one host to receivers on three, each host a network namespace with a media_proxy of its own: see
# scripts/demo_nodes.py. Called by ./build.sh demo --nodes 3, which builds first; BUILD_DIR is where CMake has built.
set -euo pipefail
cd "$(dirname "$0")/.."

BUILD_DIR=${BUILD_DIR:-build}
cache=$BUILD_DIR/CMakeCache.txt
[ -f "$cache" ] || { echo "$cache is not there: run ./build.sh demo --nodes 3" >&2; exit 1; }
for program in ffmpeg python3 ip unshare; do
    command -v "$program" >/dev/null || { echo "$program is not installed: run ./build.sh demo --nodes 3" >&2; exit 1; }
done
as_root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "hosts of this demo are network namespaces, which need root: run it as root, or install sudo" >&2; exit 1; }
    as_root=(sudo --)
fi

cargo_out=$(sed -n 's/^CARGO_TARGET_DIR:PATH=//p' "$cache")/release
! grep -q '^CMAKE_BUILD_TYPE:[A-Z]*=Debug$' "$cache" || cargo_out=${cargo_out%release}debug
# The network between the hosts is in a namespace too: packet filters of this machine, such as Docker's, do not see it, and servers of this
# machine keep their ports.
exec "${as_root[@]}" unshare --net python3 scripts/demo_nodes.py --bin "$BUILD_DIR/bin" --media-proxy "$cargo_out/media_proxy" \
    --mesh-agent "$cargo_out/mesh-agent" --nodes "$1"
