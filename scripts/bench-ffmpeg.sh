#!/usr/bin/env bash
# Measures FFmpeg with the mesh beside FFmpeg without it, in one run: 1080p yuv422p10le, as fast as it goes.
#
# Speed: two FFmpegs with the mesh in between, against two with a pipe of raw video in between. The second one throws the
# frames away.
# CPU: that of the receiving FFmpeg, against one that reads from lavfi's nullsrc, which in some releases copies its frames.
#
# FRAMES and ROUNDS may be set. Each round measures everything once; medians are printed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/proxy.sh

frames=${FRAMES:-1500} rounds=${ROUNDS:-5}
size=1920x1080 format=yuv422p10le
built=$(realpath -m "${CARGO_TARGET_DIR:-target}")/release

"${CARGO:-cargo}" build --release --quiet -p mcm-ffmpeg-plugin -p mcm_dp -p media-proxy

work=$(mktemp -d)
sender=
trap '[ -z "$sender" ] || kill "$sender" 2>/dev/null || true; stop_proxy; rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/lib"
cp "$built/libmcm_avdevice.so" "$work/lib/"
cp "$built/libmcm_dp.so" "$work/lib/libmcm_dp.so.1"
sed 's|@bin_to_lib@|../lib|' ffmpeg-plugin/wrapper/mcm-ffmpeg.in >"$work/bin/mcm-ffmpeg"
chmod +x "$work/bin/mcm-ffmpeg"
start_proxy "$built/media_proxy" "$work"

options=(-hide_banner -nostdin -nostats)
# The same picture again and again is the quickest to make. FFmpeg copies it once before it is sent, on either way.
source=(-f lavfi -i "color=size=$size,format=$format" -frames:v "$frames")
sink=(-fps_mode passthrough -f null -)

mesh() {
    "$work/bin/mcm-ffmpeg" "${options[@]}" -v error "${source[@]}" \
        -f mcm -wait_receivers 1 -stall_timeout 60000 bench &
    sender=$!
    "$work/bin/mcm-ffmpeg" "${options[@]}" -benchmark -f mcm -video_size "$size" -pixel_format "$format" -i bench \
        "${sink[@]}" 2>"$work/mesh"
    wait "$sender"
    sender=
}

pipe() {
    ffmpeg "${options[@]}" -v error "${source[@]}" -f rawvideo - |
        ffmpeg "${options[@]}" -benchmark -f rawvideo -video_size "$size" -pixel_format "$format" -i - \
            "${sink[@]}" 2>"$work/pipe"
}

nullsrc() {
    ffmpeg "${options[@]}" -benchmark -f lavfi -i "nullsrc=size=$size,format=$format" -frames:v "$frames" \
        "${sink[@]}" 2>"$work/nullsrc"
}

# result FILE: frames per second and CPU seconds, from FFmpeg's own measurement, which leaves out the start.
result() {
    local counted
    counted=$(tr '\r' '\n' <"$1" | sed -n 's/^frame= *\([0-9]*\).*/\1/p' | tail -n 1)
    if [ "$counted" != "$frames" ]; then
        echo "found ${counted:-no} frames, needed $frames:" >&2
        cat "$1" >&2
        return 1
    fi
    sed -n 's/^bench: utime=\([0-9.]*\)s stime=\([0-9.]*\)s rtime=\([0-9.]*\)s.*/\1 \2 \3/p' "$1" |
        awk -v frames="$frames" '{ print frames / ($3 > 0 ? $3 : 0.001), $1 + $2 }'
}

median() { sort -g | awk '{ value[NR] = $1 } END { print (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2 }'; }

for ((round = 0; round < rounds; round++)); do
    for kind in mesh pipe nullsrc; do
        "$kind"
        result "$work/$kind" >>"$work/$kind.results"
    done
done

for kind in mesh pipe nullsrc; do
    fps=$(cut -d ' ' -f 1 "$work/$kind.results" | median)
    cpu=$(cut -d ' ' -f 2 "$work/$kind.results" | median)
    printf '%s %s %s\n' "$kind" "$fps" "$cpu"
done | awk -v frames="$frames" -v rounds="$rounds" -v what="$size $format" '
    { fps[$1] = $2; cpu[$1] = $3 }
    function row(name, kind) { printf "%-22s %8.0f frames/s %8.0f us of CPU per frame, receiving side\n", name, fps[kind], cpu[kind] / frames * 1e6 }
    function ratio(a, b) { return b > 0 ? sprintf("%.2f", a / b) : "unknown" }
    END {
        printf "%s, %d frames, median of %d rounds\n", what, frames, rounds
        row("ffmpeg > mesh > ffmpeg", "mesh")
        row("ffmpeg | ffmpeg", "pipe")
        row("ffmpeg < nullsrc", "nullsrc")
        printf "frames per second, mesh to pipe:   %s\n", ratio(fps["mesh"], fps["pipe"])
        printf "receiving CPU, mesh to nullsrc:    %s\n", ratio(cpu["mesh"], cpu["nullsrc"])
        printf "receiving CPU, mesh to pipe:       %s\n", ratio(cpu["mesh"], cpu["pipe"])
    }'
