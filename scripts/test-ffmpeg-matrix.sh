#!/usr/bin/env bash
# Runs one build of the FFmpeg plugin with several releases of FFmpeg: those that wheels of PyAV bring along, where the
# devices are registered explicitly, and the program ffmpeg of newer Debian, where the plugin is preloaded. Each sends and
# receives frames through a media_proxy that is started here, and their checksums must be equal. Needs PyPI and Debian's
# packages. The last line is "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/steps.sh
. scripts/proxy.sh

cargo=${CARGO:-cargo}
target=${CARGO_TARGET_DIR:-$PWD/target}
work=$(mktemp -d)
trap 'stop_proxy; rm -rf "$work" "$steps_log"' EXIT

# FFmpeg, libavformat, PyAV.
releases='
6.1  60.16  12.3.0
7.0  61.1   13.1.0
7.1  61.7   15.1.0
8.0  62.3   16.1.0
8.1  62.12  18.1.0
'
formats=(yuv422p10le yuv420p uyvy422 rgb24)
size=320x180 rate=30000/1001 frames=60
source="testsrc2=size=$size:rate=$rate,trim=end_frame=$frames"
example=ffmpeg-plugin/examples/pyav_mesh.py

# make_venv DIRECTORY VERSION: a wheel only, because a build from source would use another FFmpeg.
make_venv() {
    python3 -m venv "$1" &&
        "$1/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "av==$2"
}

# python_frames PYTHON FORMAT CODEC FIRST: through the mesh, where FIRST is who begins, send or receive.
python_frames() {
    local python=$1 format=$2 codec=$3 first=$4 group=matrix-$SRANDOM
    local send=("$python" "$example" send "$group" "$source" --input-format lavfi --codec "$codec" --pixel-format "$format")
    local receive=("$python" "$example" receive "$group" --size "$size" --rate "$rate" --pixel-format "$format")
    through_mesh "$first" || return 1
    grep "^$frames frames, sha256 " "$work/send" && cmp "$work/send" "$work/receive"
}

# python_audio PYTHON CODEC FIRST: a sine, in packets that are none of the mesh's.
python_audio() {
    local python=$1 codec=$2 first=$3 group=matrix-$SRANDOM
    local send=("$python" ffmpeg-plugin/tests/pyav_audio.py send "$group" "$codec")
    local receive=("$python" ffmpeg-plugin/tests/pyav_audio.py receive "$group" "$codec")
    through_mesh "$first" || return 1
    grep '^59256 samples, sha256 ' "$work/send" && cmp "$work/send" "$work/receive"
}

# program_frames FORMAT: through the mesh, with the ffmpeg in $program.
program_frames() {
    local input=(-f lavfi -i "$source" -pix_fmt "$1") group=matrix-$SRANDOM
    local send=("${program[@]}" "${input[@]}" -f mcm -wait_receivers 1 "$group")
    local receive=("${program[@]}" -f mcm -video_size "$size" -frame_rate "$rate" -pixel_format "$1" -i "$group"
        -fps_mode passthrough -f hash -)
    through_mesh receive || return 1
    "${program[@]}" "${input[@]}" -f hash - >"$work/expected" && diff "$work/expected" "$work/receive"
}

# program_audio DEVICE CODEC [OPTIONS]: a sine, through the mesh. Its last packet is a short one.
program_audio() {
    local input=(-f lavfi -i sine=duration=1.2345:sample_rate=48000 -ac 2 -c:a "$2") group=matrix-$SRANDOM
    local send=("${program[@]}" "${input[@]}" -f "$1" -wait_receivers 1 "$group")
    # shellcheck disable=SC2206
    local receive=("${program[@]}" -f "$1" ${3:-} -channels 2 -i "$group" -c:a "$2" -f hash -)
    through_mesh receive || return 1
    "${program[@]}" "${input[@]}" -f hash - >"$work/expected" && diff "$work/expected" "$work/receive"
}

# through_mesh FIRST: runs the caller's commands `send` and `receive`, the second one when the first has opened its device.
# Their output goes to files of these names.
through_mesh() {
    local first=$1 pids=() status=0 pid
    : >"$work/log"
    if [ "$first" = send ]; then
        in_background send
        wait_for_connection "${pids[0]}" || status=1
        in_background receive
    else
        in_background receive
        wait_for_connection "${pids[0]}" || status=1
        in_background send
    fi
    for pid in "${pids[@]}"; do wait "$pid" || status=1; done
    [ "$status" = 0 ] || cat "$work/log"
    return "$status"
}

# in_background NAME: the command in the array of this name.
in_background() {
    local -n command=$1
    timeout 60 "${command[@]}" >"$work/$1" 2>>"$work/log" </dev/null &
    pids+=($!)
}

# wait_for_connection PID: until the program that timeout(1) of this process id runs has mapped memory of the mesh, that is
# until its device is open.
wait_for_connection() {
    local i child
    for ((i = 0; i < 600; i++)); do
        child=
        read -r child <"/proc/$1/task/$1/children" || [ -n "$child" ] || kill -0 "$1" || break
        child=${child%% *}
        ! grep -qs memfd: "/proc/${child:-none}/maps" || return 0
        sleep 0.05
    done 2>/dev/null
    echo 'the first of the two did not open its device'
    return 1
}

step 'build' "$cargo" build -p mcm_dp -p media-proxy -p mcm-ffmpeg-plugin
export MCM_AVDEVICE=$target/debug/libmcm_avdevice.so
# The plugin looks for libmcm_dp.so.1 in its own directory.
mkdir "$work/lib"
cp "$MCM_AVDEVICE" "$work/lib"
MCM_AVDEVICE=$work/lib/libmcm_avdevice.so
ln -s "$target/debug/libmcm_dp.so" "$work/lib/libmcm_dp.so.1"

start_proxy "$target/debug/media_proxy" "$work" || { failed=$((failed + 1)); finish; exit 1; }

while read -r ffmpeg avformat pyav; do
    [ -n "$ffmpeg" ] || continue
    venv=$work/venv-$ffmpeg
    before=$failed
    step "FFmpeg $ffmpeg: PyAV $pyav" make_venv "$venv" "$pyav"
    [ "$failed" = "$before" ] || continue
    step "FFmpeg $ffmpeg: registration" "$venv/bin/python" ffmpeg-plugin/tests/pyav_registration.py \
        "$MCM_AVDEVICE" "$avformat"
    for format in "${formats[@]}"; do
        step "FFmpeg $ffmpeg: $format" python_frames "$venv/bin/python" "$format" wrapped_avframe receive
    done
    step "FFmpeg $ffmpeg: raw frames, sender first" python_frames "$venv/bin/python" yuv422p10le rawvideo send
    for codec in pcm_s16be pcm_s24be; do
        step "FFmpeg $ffmpeg: audio, $codec" python_audio "$venv/bin/python" "$codec" receive
        step "FFmpeg $ffmpeg: audio, $codec, sender first" python_audio "$venv/bin/python" "$codec" send
    done
done <<<"$releases"

is_release() { "${program[@]}" -version | grep "^ffmpeg version $1"; }
lists_devices() { [ "$("${program[@]}" -devices | grep -c '^ DE mcm')" = 4 ]; }

# Newer Debian, with its own libc.
while read -r suite ffmpeg; do
    [ -n "$suite" ] || continue
    root=$work/$suite
    libraries=$root/usr/lib/x86_64-linux-gnu
    program=("$libraries/ld-linux-x86-64.so.2" --preload "$MCM_AVDEVICE"
        --library-path "$libraries:$libraries/blas:$libraries/lapack:$libraries/pulseaudio"
        "$root/usr/bin/ffmpeg" -hide_banner -nostdin -v warning)
    before=$failed
    step "Debian $suite: unpacking" scripts/debian-ffmpeg.sh "$suite" "$root" "$target/ffmpeg-matrix/$suite"
    [ "$failed" = "$before" ] || continue
    step "Debian $suite: is FFmpeg $ffmpeg" is_release "$ffmpeg"
    step "Debian $suite: lists the devices" lists_devices
    for format in "${formats[@]}"; do
        step "Debian $suite: $format" program_frames "$format"
    done
    step "Debian $suite: 16-bit audio" program_audio mcm_audio_pcm16 pcm_s16be
    step "Debian $suite: 24-bit audio" program_audio mcm_audio_pcm24 pcm_s24be
    step "Debian $suite: 8-bit audio" program_audio mcm_audio pcm_s8 '-sample_format pcm_s8'
    rm -rf "$root"
done <<'END'
trixie 7.1
sid 9.0
END

if ! proxy_lives; then
    echo 'media_proxy has ended:'
    cat "$proxy_log"
    failed=$((failed + 1))
fi
finish
