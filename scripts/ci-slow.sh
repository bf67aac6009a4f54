#!/usr/bin/env bash
# Suites that are too slow for every run of build.sh test. The last line is "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/steps.sh

step 'fuzzing, briefly' scripts/fuzz.sh
step 'Documents: their commands, as printed' scripts/test-doc-commands.sh
step 'Prometheus: alerts' scripts/test-alerts.sh
step 'ST 2110: all large video from and to others' scripts/cargo-tests.sh -p mcm-tests --test st2110_peers -- --ignored --test-threads 1
step 'ST 2110: what any stream sends, simulated' scripts/cargo-tests.sh -p mcm-st2110-net --lib -- --ignored simulation
step 'Fleets: partition, loss of the store, every order of start, first frames' \
    scripts/cargo-tests.sh -p mcm-tests --test fleet --test fleet_partition --test fleet_first_frames --test survival -- --ignored --test-threads 1
step 'Fleets: on a machine with the firewall rules of Docker' scripts/test-firewall.sh
step 'ST 2110: video paced by the kernel' ./build.sh test-kernel-pacing
step 'systemd: the installed units' ./build.sh test-systemd
step 'Bridges over RDMA' ./build.sh test-verbs
# These get wheels and packages from PyPI and Debian.
step 'libfabric: its releases' ./build.sh test-libfabric-matrix
step 'FFmpeg: its releases' ./build.sh test-ffmpeg-matrix
step 'FFmpeg: real clips' ./build.sh test-ffmpeg-clips
finish
