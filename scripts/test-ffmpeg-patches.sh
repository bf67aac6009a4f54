#!/usr/bin/env bash
# Builds FFmpeg from the sources of two suites of Debian with each of the patches of ffmpeg-plugin/patches, as small as it can
# be, once with shared libraries and once without, and sends frames from one such program to another. Needs Debian's source
# packages and some minutes. An argument such as "bookworm hook" leaves the others out. The last line is "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/steps.sh
. scripts/proxy.sh

only=${1:-}
cargo=${CARGO:-cargo}
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
patches=$PWD/ffmpeg-plugin/patches
sources=$target/ffmpeg-matrix
work=$(mktemp -d)
trap 'stop_proxy; rm -rf "$work" "$steps_log"' EXIT

size=320x180 frames=25
input="testsrc2=size=$size:rate=25,trim=end_frame=$frames,format=yuv422p10le"

# unpack SUITE: its path goes to a file.
unpack() {
    scripts/debian-ffmpeg-source.sh "$1" "$work" "$sources/source-$1" >"$work/$1.path"
}

# build_ffmpeg SUITE PATCH LINKING: in a directory of its own.
build_ffmpeg() (
    local suite=$1 patch=$2 linking=$3 tree=$work/$1-$2
    local options=(--disable-everything --disable-autodetect --disable-doc --disable-programs --enable-ffmpeg --disable-x86asm
        --disable-optimizations --disable-stripping --disable-debug --enable-indev=lavfi --enable-filter='testsrc2,trim,format,scale'
        --enable-decoder='rawvideo,wrapped_avframe,v210,pcm_s16be,pcm_s24be,pcm_s8' --enable-encoder='rawvideo,wrapped_avframe'
        --enable-muxer='rawvideo,framemd5' --enable-demuxer=rawvideo --enable-protocol='file,pipe')
    [ "$linking" = static ] || options+=(--enable-shared --disable-static)
    if [ "$patch" = compiled-in ]; then
        options+=(--enable-libmcm --extra-cflags="-I$PWD/include" --extra-ldflags="-L$work/lib -Wl,-rpath-link,$work/lib")
    elif [ "$linking" = static ]; then
        options+=(--extra-ldexeflags=-rdynamic)
    fi
    rm -rf "$tree" && cp -r "$(cat "$work/$suite.path")" "$tree" && cd "$tree" &&
        patch -p1 <"$patches/$patch.patch" && ./configure "${options[@]}" && make -j"$(nproc)" ffmpeg
)

# program SUITE PATCH ARGUMENT...: what was built, with its libraries and those of the mesh.
program() {
    local tree=$work/$1-$2
    LD_LIBRARY_PATH=$work/lib:$tree/libavdevice:$tree/libavfilter:$tree/libavformat:$tree/libavcodec:$tree/libswresample:$tree/libswscale:$tree/libpostproc:$tree/libavutil \
        timeout 60 "$tree/ffmpeg" -hide_banner -nostdin -v warning "${@:3}"
}

lists_devices() { [ "$(program "$@" -devices | grep -c '^ DE mcm')" = 4 ]; }

# Without the library of the devices, the hook leaves FFmpeg as it is.
does_without() {
    local status=0
    mv "$work/lib/libmcm_avdevice.so" "$work/"
    program "$@" -devices | grep lavfi || status=1
    mv "$work/libmcm_avdevice.so" "$work/lib/"
    return "$status"
}

sends_and_receives() {
    local group=patched-$SRANDOM receiver status=0
    program "$@" -f mcm -i "$group" -f framemd5 "$work/got" -y &
    receiver=$!
    program "$@" -f lavfi -i "$input" -f mcm -wait_receivers 1 "$group" || status=1
    wait "$receiver" || status=1
    program "$@" -f lavfi -i "$input" -c:v rawvideo -f framemd5 "$work/sent" -y || status=1
    [ "$(grep -vc '^#' "$work/got")" = "$frames" ] || status=1
    diff <(sed 's/.*,//' "$work/sent" | grep -v '^#') <(sed 's/.*,//' "$work/got" | grep -v '^#') || status=1
    return "$status"
}

step 'build' "$cargo" build -p mcm_dp -p media-proxy -p mcm-ffmpeg-plugin
mkdir "$work/lib"
cp "$target/debug/libmcm_avdevice.so" "$work/lib/"
ln -s "$target/debug/libmcm_dp.so" "$work/lib/libmcm_dp.so.1"
start_proxy "$target/debug/media_proxy" "$work" || { failed=$((failed + 1)); finish; exit 1; }

while read -r suite patch linking; do
    [[ "$suite $patch" == "$only"* ]] || continue
    name="Debian $suite, $patch, $linking" before=$failed
    [ -e "$work/$suite.path" ] || step "Debian $suite: source" unpack "$suite"
    step "$name: build" build_ffmpeg "$suite" "$patch" "$linking"
    [ "$failed" = "$before" ] || continue
    step "$name: lists the devices" lists_devices "$suite" "$patch"
    [ "$patch" = compiled-in ] || step "$name: does without" does_without "$suite" "$patch"
    step "$name: sends and receives" sends_and_receives "$suite" "$patch"
    rm -rf "${work:?}/$suite-$patch"
done <<'END'
bookworm compiled-in static
bookworm hook shared
trixie compiled-in shared
trixie hook static
END

proxy_lives || { cat "$proxy_log"; failed=$((failed + 1)); }
finish
