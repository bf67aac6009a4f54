#!/usr/bin/env bash
# Runs the commands that the documents print, from a fresh installation: tests/documents. Needs root, for hosts that are network namespaces.
# BUILD_TYPE is Debug unless it is given. The last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(id -u)" = 0 ] || { echo "hosts are network namespaces, which need root"; exit 77; }
for program in ffmpeg python3 ip unshare nsenter curl; do
    command -v "$program" >/dev/null || { echo "$program is not installed"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake -S . -B "$work/build" -DCMAKE_BUILD_TYPE="${BUILD_TYPE:-Debug}" -DCMAKE_INSTALL_PREFIX="$work/prefix" >/dev/null
cmake --build "$work/build" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
cmake --install "$work/build" >/dev/null
unshare --net --mount --propagation private sh -c 'mount -t tmpfs none /run && exec "$@"' - \
    python3 -B tests/documents/main.py "$work/prefix" "$@"
