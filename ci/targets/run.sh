#!/usr/bin/env bash
# The law `same_input_same_bytes` on other processors: `bash ci/targets/run.sh [FOLDER]`.
#
# Builds the program for a 32-bit, a big-endian and a WebAssembly target, runs it, and compares what it prints with
# golden.txt and with the logs in tests/golden, byte for byte; then builds the library for a processor without an
# operating system. One line per target, and a target that cannot be had is a failure. Where a stream's hash differs,
# the program prints that stream in full if it is given its number, so that two targets can be compared.
#
# Needs cargo, cc, node and Debian for x86_64 with package lists (`apt-get update`), not root: about 260 MB of packages
# (a Rust compiler with its sources, linkers, an emulator) are unpacked in FOLDER, or else in one that goes away again.
set -euo pipefail
cd "$(dirname "$0")"
export LC_ALL=C CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0
unset RUSTFLAGS RUSTC_WRAPPER CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS

if [ $# -gt 0 ]; then
    mkdir -p "$1"
    scratch=$(cd "$1" && pwd)
else
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
fi
root=$scratch/root build=$scratch/build
mkdir -p "$scratch"/{bin,debs,logs,out} "$root"

# Packages ------------------------------------------------------------------------------------------------------------

# fetch PACKAGE...: downloads and unpacks those that are not there yet.
fetch() {
    local package missing=()
    for package; do
        [ -e "$scratch/debs/$package.there" ] || missing+=("$package")
    done
    if [ ${#missing[@]} -eq 0 ]; then return; fi
    (cd "$scratch/debs" && apt-get -qq -o APT::Sandbox::User=root download "${missing[@]}")
    for package in "${missing[@]}"; do
        dpkg -x "$(echo "$scratch/debs/${package}"_*.deb)" "$root"
        touch "$scratch/debs/$package.there"
    done
}

# dependency PACKAGE PATTERN: the package of that name, with its version in it, that PACKAGE depends on.
dependency() {
    apt-cache depends "$1" | grep -oE "$2\$" | sed -n 1p | grep . || { echo "$1 is not among Debian's packages here" >&2; return 1; }
}

# tool NAME: makes an unpacked program callable; prints its path.
tool() {
    local libraries
    libraries=$(echo "$root"/usr/lib/*-linux-gnu | tr ' ' ':')
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$libraries" "$root/usr/bin/$1" >"$scratch/bin/$1"
    chmod +x "$scratch/bin/$1"
    echo "$scratch/bin/$1"
}

# compiler: Debian's Rust with the sources of its standard library, from which it is built for each target.
compiler() {
    local std llvm
    std=$(dependency libstd-rust-web-dev 'libstd-rust-web-[0-9.]+')
    llvm=$(dependency "$std" 'libllvm[0-9]+')
    fetch rustc-web libstd-rust-web-dev rust-web-src "$std" "$llvm"
    # The bootstrap switch is what `-Z build-std` asks of a stable compiler.
    RUSTC=$(tool rustc) RUSTC_BOOTSTRAP=1
    export RUSTC RUSTC_BOOTSTRAP
    llvm_version=${llvm#libllvm}
}

# Targets -------------------------------------------------------------------------------------------------------------

# compare RUNNER...: what the program prints is what the logs say.
compare() {
    local what wrong=0
    for what in streams replays; do
        if [ $what = streams ]; then cat golden.txt; else cat ../../tests/golden/*.txt; fi >"$scratch/out/$what.want"
        "$@" "$what" >"$scratch/out/$what.is"
        if ! cmp "$scratch/out/$what.want" "$scratch/out/$what.is"; then
            diff "$scratch/out/$what.want" "$scratch/out/$what.is" | head -n 6 || true
            wrong=1
        fi
    done
    return $wrong
}

# native PROFILE: the compiler and the machine at hand.
native() {
    CARGO_TARGET_DIR=$build cargo build --locked --profile "$1"
    compare "$build/${1/#dev/debug}/plimsoll-targets"
}

# gnu TARGET ARCHITECTURE TRIPLET RUNNER...: a Linux program without shared libraries. ARCHITECTURE is Debian's name.
gnu() {
    local target=$1 architecture=$2 triplet=$3 gcc linker
    shift 3
    compiler
    gcc=$(dependency "gcc-$triplet" "gcc-[0-9]+-$triplet")
    fetch "$gcc" "binutils-$triplet" "libc6-dev-$architecture-cross" \
        "$(dependency "$gcc" "libgcc-[0-9]+-dev-$architecture-cross")"
    linker=$(tool "$triplet-$(echo "$gcc" | grep -oE '^gcc-[0-9]+')")
    RUSTFLAGS="-C linker=$linker -C target-feature=+crt-static -C relocation-model=static" CARGO_TARGET_DIR=$build \
        cargo build --locked --release -Z build-std=std,panic_abort --target "$target" --bin plimsoll-targets
    compare "$@" "$build/$target/release/plimsoll-targets"
}

# A 32-bit processor, with every check that a debug build makes.
i686() {
    export CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true
    gnu i686-unknown-linux-gnu i386 i686-linux-gnu
}

s390x() {
    fetch qemu-user-static
    gnu s390x-unknown-linux-gnu s390x s390x-linux-gnu "$root/usr/bin/qemu-s390x-static"
}

wasm32() {
    command -v node
    compiler
    fetch "lld-$llvm_version"
    RUSTFLAGS="-C linker=$(tool "wasm-ld-$llvm_version") -C linker-flavor=wasm-ld" CARGO_TARGET_DIR=$build \
        cargo rustc --locked --release -Z build-std=std,panic_abort --target wasm32-unknown-unknown --lib --crate-type cdylib
    compare node run.mjs "$build/wasm32-unknown-unknown/release/plimsoll_targets.wasm"
}

# The library alone, for a processor that has no std.
thumb() {
    compiler
    cd ../..
    CARGO_TARGET_DIR=$build cargo build --locked --release --no-default-features -Z build-std=core,alloc --target "$1"
    test -s "$build/$1/release/libplimsoll.rlib"
    # With std it must not build, or the build without proves nothing.
    if CARGO_TARGET_DIR=$build cargo check --locked --release -Z build-std=core,alloc --target "$1" 2>"$scratch/out/std"; then
        echo "the build with std succeeded, so the one without proves nothing"
        return 1
    fi
    grep E0463 "$scratch/out/std"
}

# -----------------------------------------------------------------------------------------------------------------------

failed=0
# target NAME SAYS COMMAND...: runs the command by itself and says in one line how it went.
target() {
    local name=$1 says=$2 begin=$SECONDS status=0
    shift 2
    set +e
    (set -e; "$@") >"$scratch/logs/$name" 2>&1
    status=$?
    set -e
    if [ $status -eq 0 ]; then
        echo "$name: $says ($((SECONDS - begin)) s)"
    else
        failed=$((failed + 1))
        echo "$name: FAILED after $((SECONDS - begin)) s; the end of its log:"
        tail -n 18 "$scratch/logs/$name" | sed 's/^/    /'
    fi
}

target x86_64-debug "64 bits, little-endian: the same bytes" native dev
target x86_64-release "64 bits, little-endian: the same bytes" native release
target i686 "32 bits, little-endian, with debug assertions and overflow checks: the same bytes" i686
target s390x "64 bits, big-endian, emulated: the same bytes" s390x
target wasm32 "32 bits, in node: the same bytes" wasm32
target thumbv7em "no std: the library builds" thumb thumbv7em-none-eabihf
target thumbv6m "no std, no atomic exchange: the library builds" thumb thumbv6m-none-eabi

if [ $failed -gt 0 ]; then
    echo "$failed targets failed"
    exit 1
fi
