# Virtual machines with Debian's kernels, for tests that need a kernel, a module or an init that this machine has not. Emulated by qemu
# (TCG), so that neither KVM nor a right is needed: slower than this machine, two to eight times. To be sourced.
#
#   vm_kernel bookworm                 gets the kernel, once; $vm_kernel is its directory
#   vm_run 120 SCRIPT [ARGUMENT]...    runs a script in a machine for at most 120 s; output and status are the script's
#   vm_boot 120 IMAGE [QEMU OPTION]... boots the init of a root file system, until it powers off; the console is in $vm_work/console
#
# In the machine, / is this machine's, by its paths; what is written there is lost at the end. /mnt/vm can be written to, and is $vm_work here. The
# only network is the loopback, and what the script makes. Options, as variables: vm_root, a directory that is / instead of
# this machine's; vm_memory in MB.

vm_home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
vm_cache=$(realpath -m "${CARGO_TARGET_DIR:-$vm_home/../target}")/vm

# vm_kernel SUITE: the kernel of a suite of Debian, with its modules, unpacked.
vm_kernel() {
    vm_kernel=$vm_cache/$1
    [ -e "$vm_kernel/initrd" ] && [ -n "$(find "$vm_kernel/initrd" -newer "$vm_home/vm/init")" ] && return 0
    rm -rf "$vm_kernel"
    mkdir -p "$vm_kernel"
    vm_make_kernel "$1" || { rm -rf "$vm_kernel"; return 1; }
}

vm_make_kernel() (
    set -euo pipefail
    . "$vm_home/debian-apt.sh"
    debian_apt "$1" "$vm_cache/$1-apt"
    cd "$vm_kernel"
    # The number of the kernel's interface is in the package's name. This package depends on the present one.
    package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: *\(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
    [ -n "$package" ] || { echo "vm: Debian $1 has no package linux-image-amd64" >&2; exit 1; }
    release=${package#linux-image-}
    echo "$release" >release
    apt-get -qq download "$package"
    dpkg-deb --extract "$package"_*.deb tree
    rm "$package"_*.deb
    [ -d tree/lib/modules ] || { mkdir -p tree/lib && ln -s ../usr/lib/modules tree/lib/modules; }
    depmod -b "$vm_kernel/tree" "$release"
    vm_uncompress "tree/boot/vmlinuz-$release" vmlinux
    ln -s "$(realpath "tree/lib/modules")" modules
    vm_make_initrd "$release"
)

# vm_uncompress VMLINUZ VMLINUX: the kernel proper out of the file that boot loaders know. qemu starts it directly, and an emulated
# processor would take seconds to unpack it.
vm_uncompress() {
    local magic program offset
    while read -r magic program; do
        for offset in $(LC_ALL=C grep -obUaP "$magic" "$1" | cut -d: -f1); do
            # More than the compressed kernel follows, so the programs complain.
            tail -c "+$((offset + 1))" "$1" | $program >"$2" 2>/dev/null || true
            [ "$(head -c 4 "$2" | tail -c 3)" != ELF ] || return 0
        done
    done <<'END_OF_LIST'
\xfd7zXZ\x00 xz -dc
\x28\xb5\x2f\xfd zstd -dcq
END_OF_LIST
    echo "vm: no kernel found in $1" >&2
    return 1
}

# The first file system: drivers for the disk and for shared directories, which are modules in Debian.
vm_make_initrd() {
    local module file name
    mkdir -p initial/{dev,proc,sys,new,lower,changes,modules}
    cp "$vm_home/vm/init" initial/init
    cp "$(command -v busybox)" initial/busybox
    chmod +x initial/init
    for module in virtio_pci virtio_blk 9pnet_virtio 9p overlay ext4; do
        modprobe -d "$vm_kernel/tree" -S "$1" --show-depends "$module"
    done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' >list
    while read -r file; do
        name=$(basename "$file")
        case $name in
        *.xz) xz -dc "$file" >"initial/modules/${name%.xz}" ;;
        *.zst) zstd -dcq "$file" >"initial/modules/${name%.zst}" ;;
        *) cp "$file" initial/modules ;;
        esac
        name=${name%.xz}
        echo "${name%.zst}" >>initial/modules/order
    done <list
    (cd initial && find . | cpio --quiet -o -H newc) >initrd
    rm -r initial list
}

# vm_start SECONDS APPEND [QEMU OPTION]...: starts the machine. Its console is the output. Status 124: it took too long.
vm_start() {
    local seconds=$1 append=$2 share=security_model=none,multidevs=remap
    shift 2
    [ -x "$vm_cache/tsc" ] || cc -O1 -o "$vm_cache/tsc" "$vm_home/vm/tsc.c" || return
    # One thread for all of its processors: with several, kernels that rewrite their code have been seen to panic.
    timeout "$seconds" qemu-system-x86_64 -accel tcg,thread=single,tb-size=512 -cpu max -machine q35 -smp 2 -m "${vm_memory:-3000}" \
        -nodefaults -no-reboot -display none -serial stdio -kernel "$vm_kernel/vmlinux" -initrd "$vm_kernel/initrd" \
        -append "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable clocksource=tsc tsc_early_khz=$("$vm_cache/tsc") $append" \
        -virtfs "local,path=$(realpath "$vm_kernel/modules"),mount_tag=modules,readonly=on,$share" \
        -virtfs "local,path=$vm_work,mount_tag=vm,$share" "$@" </dev/null 2>&1 | tr -d '\r'
    return "${PIPESTATUS[0]}"
}

# A place for what a machine and this one tell each other.
vm_prepare() {
    vm_work=${vm_work:-$vm_cache/work.$$}
    mkdir -p "$vm_work"
}

# vm_boot SECONDS IMAGE [QEMU OPTION]...: changes to the image stay. Status 0: it powered off, or would have begun anew.
vm_boot() {
    local seconds=$1 image=$2
    shift 2
    vm_prepare
    vm_start "$seconds" 'vm.init=/sbin/init vm.disk=/dev/vda systemd.show_status=no' -drive "file=$image,format=raw,if=virtio,cache=unsafe" \
        "$@" >"$vm_work/console"
}

# vm_run SECONDS COMMAND [ARGUMENT]...
vm_run() {
    local seconds=$1 status attempt
    shift
    vm_prepare
    pwd >"$vm_work/directory"
    printf '#!/bin/sh\nexec %s\n' "$(printf '%q ' "$@")" >"$vm_work/job"
    cp "$vm_home/vm/run" "$vm_work/run"
    chmod +x "$vm_work/job" "$vm_work/run"
    for attempt in 1 2; do
        rm -f "$vm_work/status"
        status=0
        vm_start "$seconds" "vm.init=/mnt/vm/run" \
            -virtfs "local,path=${vm_root:-/},mount_tag=root,readonly=on,security_model=none,multidevs=remap" >"$vm_work/console" ||
            status=$?
        awk '/^vm: down$/ { up = 0 } up; /^vm: up$/ { up = 1 }' "$vm_work/console"
        [ ! -s "$vm_work/status" ] || return "$(cat "$vm_work/status")"
        [ "$status" != 124 ] || { tail -n 20 "$vm_work/console"; echo "vm: not ended after $seconds s" >&2; return 124; }
        tail -n 40 "$vm_work/console"
        echo "vm: the machine ended without a status (attempt $attempt)" >&2
    done
    return 125
}
