# shellcheck shell=bash disable=SC2034 # what it sets is for scripts/test-kernels
# Debian's kernels, and QEMU where this machine has none: packages unpacked below the build directory, not installed.
#
# QEMU would bring thirty packages that nothing else here needs, and Debian refuses to install it beside another version's
# tools.

# Kept from run to run, until this file changes; `cargo clean` removes it.
unpacked=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")/kernels
readonly unpacked
# What a kernel needs to see the files of this machine, and to keep changes to them in its memory.
readonly early_modules=(virtio_pci 9pnet_virtio 9p overlay)
lists_are_fresh=false

# Sets `qemu`, a command, and `busybox`, a program without libraries.
set_up_tools() {
    local tools=$unpacked/tools packages libraries
    [[ $(dpkg --print-architecture 2>/dev/null) == amd64 ]] ||
        fail "it needs Debian on x86-64, where kernels and QEMU come from"
    if ! is_current "$tools"; then
        refresh_lists
        # QEMU and what it needs, of which nothing is missing where it is installed.
        packages=$(echo busybox-static && apt-get install --simulate --no-install-recommends qemu-system-x86 |
            awk '$1 == "Inst" { print $2 }')
        mapfile -t packages <<<"$packages"
        unpack "$tools.new" "${packages[@]}"
        rm -rf "$tools"
        mv "$tools.new" "$tools"
    fi
    busybox=$tools/bin/busybox
    qemu=(qemu-system-x86_64)
    if [[ -e $tools/usr/bin/qemu-system-x86_64 ]]; then
        libraries=$tools/usr/lib/x86_64-linux-gnu
        qemu=(env LD_LIBRARY_PATH="$libraries:$tools/lib/x86_64-linux-gnu" QEMU_MODULE_DIR="$libraries/qemu"
            "$tools/usr/bin/qemu-system-x86_64" -L "$tools/usr/share/qemu" -L "$tools/usr/share/seabios")
    fi
}

# Sets `release`, the newest of the series, and `kernel`, a directory with its `vmlinux`, `modules` and `early`, the
# beginning of an initramfs.
set_up_kernel() { # SERIES
    release=$(newest_release "$1")
    kernel=$unpacked/$release
    if [[ -z $release ]] || ! is_current "$kernel/vmlinux"; then
        refresh_lists
        release=$(newest_release "$1")
        [[ -n $release ]] || fail "apt knows no Linux $1; Debian 12 has 6.1 and, among its security updates, 6.12"
        kernel=$unpacked/$release
        is_current "$kernel/vmlinux" || unpack_kernel
    fi
}

is_current() { [[ $1 -nt scripts/kernels/packages.sh ]]; }

# The newest release that apt knows of a series, but not those for clouds or real time.
newest_release() { # SERIES
    apt-cache search --names-only "^linux-image-${1//./\\.}\\.[0-9]+(-[0-9]+|\\+deb[0-9]+)-amd64\$" |
        sed 's/^linux-image-\([^ ]*\) .*/\1/' | sort --version-sort | tail --lines 1
}

unpack_kernel() {
    local new=$kernel.new name
    unpack "$new" "linux-image-$release"
    unpack_vmlinux "$new/boot/vmlinuz-$release" >"$new/vmlinux"
    # Busybox could load them as they are, but reads each of them twice then.
    find "$new/lib/modules" -name '*.ko.xz' -print0 | xargs --null --no-run-if-empty xz --decompress
    "$busybox" depmod -b "$new" "$release"

    mkdir -p "$new/early/bin" "$new/early/lib/modules/$release"
    cp "$busybox" "$new/early/bin"
    (
        cd "$new/lib/modules/$release" || exit
        for name in "${early_modules[@]}"; do
            # A line of it is a module's file, a colon, and the files of those it needs. One that is built in has none.
            sed -n "s|^\(.*/$name\.ko[^:]*\):|\1|p" modules.dep
        done | tr ' ' '\n' | sed '/^$/d' | sort --unique |
            xargs cp --parents --target-directory="$new/early/lib/modules/$release"
    )
    "$busybox" depmod -b "$new/early" "$release"
    printf '%s\n' "${early_modules[@]}" >"$new/early/needed"
    mv "$new/lib/modules" "$new/modules"
    rm -rf "$kernel"
    mv "$new" "$kernel"
}

# The kernel in a bzImage, where its header says (the kernel's Documentation/arch/x86/boot.rst).
unpack_vmlinux() { # BZIMAGE
    local sectors offset length
    sectors=$(number 1 0x1f1 "$1") offset=$(number 4 0x248 "$1")
    # Less the length of what was compressed, which follows and which the decompressors do not expect.
    length=$(($(number 4 0x24c "$1") - 4))
    head --bytes=$(((sectors + 1) * 512 + offset + length)) "$1" | tail --bytes="$length" >"$1.payload"
    case $(od --address-radix=n --format=x1 --read-bytes=4 "$1.payload") in
        ' fd 37 7a 58') xz --decompress --stdout --format=xz <"$1.payload" ;;
        ' 28 b5 2f fd') zstd --decompress --stdout --quiet <"$1.payload" ;;
        *) fail "$1 is compressed by something else than xz or zstd" ;;
    esac
    rm "$1.payload"
}

number() { # BYTES OFFSET FILE
    od --address-radix=n --format="u$1" --read-bytes="$1" --skip-bytes="$2" "$3"
}

# Downloads packages, and unpacks them into a new directory.
unpack() { # DIRECTORY PACKAGE...
    local directory=$1 deb
    say "downloading ${*:2}"
    rm -rf "$directory"
    mkdir -p "$directory"
    (
        cd "$directory" || exit
        # Root's downloads are otherwise made by a user who may not write here.
        apt-get -o APT::Sandbox::User=root --quiet --quiet download "${@:2}"
        for deb in *.deb; do
            dpkg-deb --extract "$deb" .
            rm "$deb"
        done
    )
}

refresh_lists() {
    if ((EUID == 0)) && ! $lists_are_fresh; then
        apt-get --quiet --quiet update
        lists_are_fresh=true
    fi
}
