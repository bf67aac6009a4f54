#!/usr/bin/env bash
# debian-ffmpeg-source.sh SUITE DIRECTORY CACHE: unpacks the source of FFmpeg of a suite of Debian into DIRECTORY, as Debian
# builds it, and prints where it is. Nothing is installed.
set -euo pipefail
suite=$1 root=$2 cache=$3
. "$(dirname "$0")/debian-apt.sh"

command -v dpkg-source >/dev/null || { echo 'dpkg-source is needed: install dpkg-dev' >&2; exit 1; }
debian_apt "$suite" "$cache"
mkdir -p "$cache/sources" "$root"
(cd "$cache/sources" && apt-get -qq --download-only source ffmpeg >&2)
newest=$(ls -t "$cache"/sources/ffmpeg_*.dsc | head -n 1)
rm -rf "$root/ffmpeg-$suite"
dpkg-source --no-check --extract "$newest" "$root/ffmpeg-$suite" >&2
echo "$root/ffmpeg-$suite"
