#!/usr/bin/env bash
# debian-ffmpeg.sh SUITE DIRECTORY CACHE: unpacks the program ffmpeg of a suite of Debian, with all libraries down to libc,
# into DIRECTORY. Nothing is installed: apt works with a configuration and state of its own in CACHE, where the packages
# stay for the next time.
set -euo pipefail
suite=$1 root=$2 cache=$3
. "$(dirname "$0")/debian-apt.sh"

debian_apt "$suite" "$cache"
mkdir -p "$root"
# What it would install is downloaded and unpacked; packages of an earlier time may lie beside it.
apt-get -qq --yes --download-only install ffmpeg
apt-get -qq autoclean
for package in "$cache"/archives/*.deb; do
    dpkg-deb --extract "$package" "$root"
done
[ -x "$root/usr/bin/ffmpeg" ] || { echo "there is no ffmpeg in the packages of $suite" >&2; exit 1; }
