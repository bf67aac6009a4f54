#!/usr/bin/env bash
# Measures the exchange of frames, beside floors measured in the same run. Arguments are those of `mcm bench`.
set -euo pipefail
cd "$(dirname "$0")/.."

# FFmpeg is measured by a script of its own, as it is made of other programs.
if [ "${1:-}" = ffmpeg ]; then
    [ $# = 1 ] || { echo 'bench ffmpeg takes no options; FRAMES and ROUNDS may be set in the environment' >&2; exit 2; }
    command -v ffmpeg >/dev/null || { echo 'ffmpeg is not installed' >&2; exit 1; }
    exec scripts/bench-ffmpeg.sh
fi
exec "${CARGO:-cargo}" run --release --quiet -p mcm-cli -- bench "$@"
