#!/usr/bin/env bash
# debian-ffmpeg.sh SUITE DIRECTORY CACHE: unpacks the program ffmpeg of a suite of Debian, with all libraries down to libc,
# into DIRECTORY. Nothing is installed: apt works with a configuration and state of its own in CACHE, where the packages
# stay for the next time.
set -euo pipefail
suite=$1 root=$2 cache=$3
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

for needed in apt-get dpkg-deb; do
    command -v "$needed" >/dev/null || { echo "$needed is needed to get FFmpeg of Debian $suite" >&2; exit 1; }
done
[ -e "$keyring" ] || { echo "there is no $keyring: install debian-archive-keyring" >&2; exit 1; }

mkdir -p "$root" "$cache"/{none,state/lists/partial,archives/partial}
# For this apt, no package is installed, so that it gets all of them.
: >"$cache/status"
echo "deb [arch=amd64 signed-by=$keyring] http://deb.debian.org/debian $suite main" >"$cache/sources.list"
cat >"$cache/apt.conf" <<END
APT::Architecture "amd64";
APT::Install-Recommends "false";
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::Cache "$cache";
Dir::Cache::archives "$cache/archives";
Dir::Etc::parts "$cache/none";
Dir::Etc::preferences "$cache/none/preferences";
Dir::Etc::preferencesparts "$cache/none";
Dir::Etc::sourcelist "$cache/sources.list";
Dir::Etc::sourceparts "$cache/none";
Dir::State "$cache/state";
Dir::State::status "$cache/status";
END
export APT_CONFIG=$cache/apt.conf
apt-get -qq update
# What it would install is downloaded and unpacked; packages of an earlier time may lie beside it.
apt-get -qq --yes --download-only install ffmpeg
apt-get -qq autoclean
for package in "$cache"/archives/*.deb; do
    dpkg-deb --extract "$package" "$root"
done
[ -x "$root/usr/bin/ffmpeg" ] || { echo "there is no ffmpeg in the packages of $suite" >&2; exit 1; }
