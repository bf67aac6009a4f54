#!/usr/bin/env bash
# Runs one build of the FFmpeg plugin with several releases of FFmpeg: those that wheels of PyAV bring along. Each registers
# the devices explicitly, then sends and receives frames through a media_proxy of its own, and their checksums must be
# equal. The last line is "N passed, N failed".
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
example=ffmpeg-plugin/examples/pyav_mesh.py

# make_venv DIRECTORY VERSION: a wheel only, because a build from source would use another FFmpeg.
make_venv() {
    python3 -m venv "$1" &&
        "$1/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "av==$2"
}

# same_frames PYTHON FORMAT CODEC FIRST: through the mesh, where FIRST is who begins, sender or receiver.
same_frames() {
    local python=$1 format=$2 codec=$3 first=$4 group=matrix-$SRANDOM order=(send receive) role pids=() status=0
    local source="testsrc2=size=$size:rate=$rate,trim=end_frame=$frames"
    local -A command=(
        [send]="send $group $source --input-format lavfi --codec $codec"
        [receive]="receive $group --size $size --rate $rate"
    )
    [ "$first" = sender ] || order=(receive send)
    for role in "${order[@]}"; do
        # shellcheck disable=SC2086 # The words of a command.
        timeout 60 "$python" "$example" ${command[$role]} --pixel-format "$format" >"$work/$role" 2>"$work/$role.log" &
        pids+=($!)
        [ "$role" = "${order[1]}" ] || wait_for_connection "$!" || status=1
    done
    for pid in "${pids[@]}"; do wait "$pid" || status=1; done
    if [ "$status" = 0 ] && grep -q "^$frames frames, sha256 " "$work/send" && cmp "$work/send" "$work/receive"; then
        return 0
    fi
    for role in "${order[@]}"; do
        echo "$role:"
        cat "$work/$role" "$work/$role.log"
    done
    return 1
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
export LD_LIBRARY_PATH=$work/lib
mkdir "$work/lib"
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
        step "FFmpeg $ffmpeg: $format" same_frames "$venv/bin/python" "$format" wrapped_avframe receiver
    done
    step "FFmpeg $ffmpeg: raw frames, sender first" same_frames "$venv/bin/python" yuv422p10le rawvideo sender
done <<<"$releases"

if ! proxy_lives; then
    echo 'media_proxy has ended:'
    cat "$proxy_log"
    failed=$((failed + 1))
fi
finish
