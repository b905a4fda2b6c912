#!/usr/bin/env bash
# Builds the library with the oldest Rust that Cargo.toml promises: `bash ci/msrv.sh`.
#
# That is the compiler of Debian 13, unpacked with the libraries that it needs in a folder that goes away again (some
# 110 MB to fetch). Needs cargo, cc, curl, xz and dpkg on x86_64, not root. A clippy of today finds what the standard
# library did not have then (`incompatible_msrv`); what the language did not have, only a compiler of that time finds.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never LC_ALL=C

mirror=http://deb.debian.org/debian
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
curl -sSfL "$mirror/dists/trixie/main/binary-amd64/Packages.xz" | xz -d >"$scratch/packages"

packages=(rustc libstd-rust-1.85 libstd-rust-dev libllvm19 libc6 libgcc-s1 'libstdc++6' zlib1g libzstd1 libxml2 libedit2
    libffi8 libtinfo6 libbsd0 libmd0 liblzma5 libicu76)
for package in "${packages[@]}"; do
    path=$(awk -v name="$package" '$1 == "Package:" { here = $2 == name } here && $1 == "Filename:" { print $2; exit }' "$scratch/packages")
    [ -n "$path" ] || { echo "$package is not in Debian 13"; exit 1; }
    curl -sSfL -o "$scratch/package.deb" "$mirror/$path"
    dpkg -x "$scratch/package.deb" "$scratch/root"
done

libraries=$scratch/root/usr/lib/x86_64-linux-gnu
printf '#!/bin/sh\nexec %s --library-path %s %s --sysroot %s "$@"\n' "$libraries/ld-linux-x86-64.so.2" "$libraries" \
    "$scratch/root/usr/bin/rustc" "$scratch/root/usr" >"$scratch/rustc"
chmod +x "$scratch/rustc"

promised=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
case $("$scratch/rustc" --version) in
    "rustc $promised."*) ;;
    *) echo "Cargo.toml promises $promised, and this is $("$scratch/rustc" --version)"; exit 1 ;;
esac
for features in "" "--no-default-features" "--all-features"; do
    # shellcheck disable=SC2086 # Nothing is one argument less.
    RUSTC=$scratch/rustc CARGO_TARGET_DIR=$scratch/target cargo check --locked --lib --quiet $features
    echo "Rust $promised builds the library ${features:-with its default features}"
done
