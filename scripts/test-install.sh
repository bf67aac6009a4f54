#!/usr/bin/env bash
# Installs into a temporary directory, looks at what is there, and links C and C++ programs against it, by pkg-config
# and by find_package, with the shared and with the static library. BUILD_TYPE is Debug unless it is given.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=/opt/mesh
root=$work/dest$prefix
passed=0 failed=0

check() {
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $name"
        sed 's/^/    /' "$work/log"
    fi
}

cmake -S . -B "$work/build" -DCMAKE_BUILD_TYPE="${BUILD_TYPE:-Debug}" -DCMAKE_INSTALL_PREFIX="$prefix" >/dev/null
cmake --build "$work/build" 2>&1
DESTDIR=$work/dest cmake --install "$work/build" >/dev/null

lib=$root/$(sed -n 's/^CMAKE_INSTALL_LIBDIR:PATH=//p' "$work/build/CMakeCache.txt")
so=$lib/libmcm_dp.so

for file in bin/media_proxy bin/mcm bin/sender_app bin/recver_app include/mesh_dp.h \
    bin/mcm-ffmpeg bin/mcm-ffprobe bin/mcm-ffplay bin/mcm-mpv \
    share/man/man1/media_proxy.1 share/man/man1/mcm.1 share/man/man1/mcm-graph.1 share/man/man1/mesh-agent.1 share/man/man3/mesh_dp.3 \
    share/man/man1/mcm-ffmpeg.1 share/man/man1/mcm-mpv.1 share/man/man1/recver_app.1 \
    share/doc/MCM/README.md share/doc/MCM/THIRD-PARTY.md share/doc/MCM/docs/sdk.md share/doc/MCM/examples/simple_sender.c \
    share/doc/MCM/examples/config/video_small.json share/mcm/observability/alerts.yml \
    share/mcm/observability/grafana-dashboard.json share/bash-completion/completions/mcm \
    share/bash-completion/completions/media_proxy share/zsh/site-functions/_mcm share/fish/vendor_completions.d/mesh-agent.fish \
    lib/systemd/system/media_proxy.service lib/systemd/system/mesh-agent.service lib/sysusers.d/mcm.conf lib/tmpfiles.d/mcm.conf lib/sysctl.d/60-mcm.conf lib/udev/rules.d/60-mcm.rules; do
    check "$file is installed" test -f "$root/$file"
done
check 'the static library is installed' test -f "$lib/libmcm_dp.a"
check 'nothing lies outside the prefix' test "$(cd "$work/dest" && echo *):$(cd "$work/dest/opt" && echo *)" = opt:mesh
check 'libmcm_dp.so leads to the soname' test "$(readlink "$so")" = libmcm_dp.so.1
check 'the soname leads to the file' test -f "$lib/$(readlink "$lib/libmcm_dp.so.1")"
check 'the wrapper finds the plugin' test "$("$root/bin/mcm-ffmpeg" -hide_banner -devices | grep -c ' DE mcm')" = 4
check 'the soname is recorded' grep -q 'SONAME.*\[libmcm_dp\.so\.1\]' <(readelf -d "$so")
check 'the unit names the installed program' grep -qx "ExecStart=$prefix/bin/media_proxy .MEDIA_PROXY_OPTIONS" \
    "$root/lib/systemd/system/media_proxy.service"

check 'the header of the FFmpeg plugin is installed' test -f "$root/include/mcm_avdevice.h"
check 'the FFmpeg plugin exports its two functions, and nothing else' test \
    "$(nm -D --defined-only "$lib/libmcm_avdevice.so" | awk '{ print $3 }' | sort | tr '\n' ' ')" = \
    'avpriv_register_devices mcm_avdevice_register '

# Exported is what the header declares, and nothing else.
nm -D --defined-only "$so" | awk '{ print $3 }' | sort >"$work/exported"
sed -n 's/^.*[ *]\(mesh_[a-z0-9_]*\)(.*/\1/p' "$root/include/mesh_dp.h" | grep -v '^ \*' | sort -u >"$work/declared"
check 'only mesh_* and mcm_* are exported' test -z "$(grep -v '^mesh_\|^mcm_' "$work/exported")"
check 'the header declares functions' test "$(wc -l <"$work/declared")" -ge 19
check 'what is declared is exported' test -z "$(comm -13 "$work/exported" "$work/declared")"

export PKG_CONFIG_PATH=$lib/pkgconfig LD_LIBRARY_PATH=$lib
check 'pkg-config knows the API' pkg-config --exact-version=25.09 libmcm_dp
check 'pkg-config: what existing programs ask for' pkg-config 'libmcm_dp >= 24.00' 'libmcm_dp >= 25.03'
check 'pkg-config knows the library' test "$(pkg-config --variable=library_version libmcm_dp)" = "$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)"
for name in 25.03.0-g3927024 25.09.rc1-0-g81e563b 24.06.c660e83; do
    check "programs of the original find libmcm_dp.so.$name" test "$(readlink "$lib/libmcm_dp.so.$name")" = libmcm_dp.so.1
done
warnings=(-Wall -Wextra -Wpedantic -Werror)
cp tests/install/program.c "$work/program.cpp"

# links NAME COMPILER STANDARD SOURCE FLAGS...: compiles, runs, and looks whether the shared library is needed.
links() {
    local name=$1 compiler=$2 standard=$3 source=$4 program=$work/$1
    shift 4
    "$compiler" "-std=$standard" "${warnings[@]}" "$source" "$@" -o "$program" && "$program"
}

check 'C, pkg-config, shared' links c_shared cc c11 tests/install/program.c $(pkg-config --cflags --libs libmcm_dp)
check 'C++, pkg-config, shared' links cxx_shared c++ c++17 "$work/program.cpp" $(pkg-config --cflags --libs libmcm_dp)
# The linker warns that getaddrinfo() of a static C library needs its shared one at run time.
check 'C, pkg-config, static' links c_static cc c11 tests/install/program.c -static $(pkg-config --static --cflags --libs libmcm_dp)
check 'C++, pkg-config, static' links cxx_static c++ c++17 "$work/program.cpp" -static \
    $(pkg-config --static --cflags --libs libmcm_dp)

consumer() {
    cmake -S tests/install -B "$work/consumer" -DCMAKE_PREFIX_PATH="$root" && cmake --build "$work/consumer"
}
check 'find_package(MCM)' consumer
for program in c_mcm_dp cxx_mcm_dp c_mcm_dp_static cxx_mcm_dp_static; do
    check "$program runs" "$work/consumer/$program"
done
needs() { readelf -d "$1" | grep -q 'NEEDED.*\[libmcm_dp\.so\.1\]'; }
needs_not() { ! needs "$1"; }
for program in c_shared cxx_shared consumer/c_mcm_dp consumer/cxx_mcm_dp; do
    check "$program needs the soname" needs "$work/$program"
done
for program in c_static cxx_static consumer/c_mcm_dp_static consumer/cxx_mcm_dp_static; do
    check "$program stands alone" needs_not "$work/$program"
done

# The installed programs find their library without help.
unset LD_LIBRARY_PATH
for program in sender_app recver_app media_proxy mcm; do
    check "$program --help" "$root/bin/$program" --help
done

if command -v systemd-analyze >/dev/null; then
    sed "s|^ExecStart=.*|ExecStart=/bin/true|" "$root/lib/systemd/system/media_proxy.service" >"$work/media_proxy.service"
    check 'the unit is well formed' systemd-analyze verify --man=no "$work/media_proxy.service"
fi
if command -v man >/dev/null; then
    # Pages that only lead to another one are left out.
    for page in $(cd "$root/share/man" && grep -L '^\.so ' man?/*); do
        check "$page has no mistakes" test -z "$(MANROFFSEQ='' man --warnings -E UTF-8 -l -Tutf8 -Z "$root/share/man/$page" 2>&1 >/dev/null)"
    done
fi

# completes PROGRAM WANTED WORD...: whether the last of the words may be WANTED.
completes() {
    bash -c '. "$1"; COMP_WORDS=("$2" "${@:4}"); COMP_CWORD=$(($# - 3)); words=${#COMP_WORDS[@]}
        "_${2//-/__}" "$2" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[words - 2]}"
        printf "%s\n" "${COMPREPLY[@]}" | grep -qx -- "$3"' - "$root/share/bash-completion/completions/$1" "$@"
}
check 'the completion knows the commands' completes mcm analyze an
check 'the completion knows options' completes mcm --server list --ser
check 'the completion knows values' completes mcm recv st2110 r
check 'the completion knows the daemon' completes media_proxy --rdma_ip --rdma
check 'the completion knows the agent' completes mesh-agent --cors-origin --co

check 'uninstalling works' env DESTDIR="$work/dest" cmake --build "$work/build" --target uninstall
check 'uninstalling leaves no file' test -z "$(find "$work/dest" ! -type d)"
DESTDIR=$work/other cmake --install "$work/build" --prefix /usr >/dev/null
check 'another prefix is the only place of that installation' test "$(cd "$work/other" && echo *)" = usr
for unit in media_proxy mesh-agent; do
    check "$unit.service names the program of another prefix" grep -q "^ExecStart=/usr/bin/$unit " "$work/other/usr/lib/systemd/system/$unit.service"
done
check 'uninstalling leaves no directory of ours' test -z "$(find "$work/dest" -name MCM -o -name mcm -o -name examples)"

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
