#!/usr/bin/env bash
# One second of 1080p59.94 video, sent by FFmpeg for ten seconds to three receivers at once through the mesh: see
# scripts/demo.py.
# Expects what ./build.sh demo builds and installs before; BUILD_DIR is where CMake has built it.
set -euo pipefail
cd "$(dirname "$0")/.."

BUILD_DIR=${BUILD_DIR:-build}
cache=$BUILD_DIR/CMakeCache.txt
[ -f "$cache" ] || { echo "$cache is not there: run ./build.sh demo" >&2; exit 1; }
for program in ffmpeg python3; do
    command -v "$program" >/dev/null || { echo "$program is not installed: run ./build.sh demo" >&2; exit 1; }
done

cargo_out=$(sed -n 's/^CARGO_TARGET_DIR:PATH=//p' "$cache")/release
! grep -q '^CMAKE_BUILD_TYPE:[A-Z]*=Debug$' "$cache" || cargo_out=${cargo_out%release}debug
exec python3 scripts/demo.py --bin "$BUILD_DIR/bin" --media-proxy "$cargo_out/media_proxy" --out "$BUILD_DIR/demo" \
    --ffmpeg "$BUILD_DIR/mcm-ffmpeg" --plugin "$cargo_out/libmcm_avdevice.so" --library "$cargo_out/libmcm_dp.so"
