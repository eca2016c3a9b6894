#!/usr/bin/env bash
# Installs what Kozeni needs on Debian, and only what is missing.
#
#   scripts/setup.sh build     compiler, libpcsclite headers, Rust's formatter and linter
#   scripts/setup.sh reader    pcscd and a virtual reader, for tests and the demo without hardware
#   scripts/setup.sh           both
#   scripts/setup.sh interop   Python and OpenSSL, for `make interop` alone
#
# Nothing is configured, started or stopped: a pcscd that runs here already stays as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

build_packages=(gcc libc6-dev make pkg-config libpcsclite-dev git)
reader_packages=(pcscd pcsc-tools opensc iproute2 util-linux)
interop_packages=(python3 python3-venv openssl)

# The driver of the virtual reader is unpacked, not installed. Installed, it would become part of
# the user's own pcscd, which would from then on listen on port 35963 of every interface.
driver_package=vsmartcard-vpcd
driver_installed=/usr/lib/pcsc/drivers/serial/libifdvpcd.so
driver_unpacked=target/vpcd/libifdvpcd.so

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "neither root nor sudo here; as root: $*"
    fi
}

updated=no
update_once() {
    [ "$updated" = yes ] && return
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
    updated=yes
}

install_missing() {
    local package missing=()
    for package in "$@"; do
        installed "$package" || missing+=("$package")
    done
    [ "${#missing[@]}" -eq 0 ] && return
    say "installing ${missing[*]}"
    update_once
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${missing[@]}"
}

unpack_driver() {
    [ -e "$driver_installed" ] || [ -e "$driver_unpacked" ] && return
    say "unpacking $driver_package into target/vpcd"
    update_once
    local scratch
    scratch=$(mktemp -d)
    (cd "$scratch" && apt-get download -q "$driver_package" && dpkg-deb -x ./*.deb .)
    mkdir -p "$(dirname "$driver_unpacked")"
    cp -L "$scratch$driver_installed" "$driver_unpacked"
    rm -rf "$scratch"
}

by_hand() {
    local have=yes tool
    for tool in cc pkg-config git; do
        command -v "$tool" >/dev/null || have=no
    done
    pkg-config --exists libpcsclite 2>/dev/null || have=no
    say "this is not Debian (no apt-get); please install by hand:"
    say "  to build: a C compiler, make, pkg-config, git, the development files of libpcsclite"
    say "  for tests with a virtual reader, which are skipped without: pcscd (pcsc-lite),"
    say "  the vpcd driver of the project vsmartcard, pcsc-tools, opensc, iproute2, util-linux"
    say "  for make interop: Python 3 with its module venv, openssl"
    [ "$have" = yes ] || fail "something needed to build is missing"
}

check_rust() {
    if ! command -v cargo >/dev/null; then
        fail "cargo is missing: install Rust with rustup, as https://rustup.rs says, and try again"
    fi
    local component
    for component in clippy rustfmt; do
        cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 && continue
        command -v rustup >/dev/null || fail "Rust's $component is missing, and there is no rustup"
        rustup component add "$component"
    done
}

main() {
    local group groups=("$@")
    [ "${#groups[@]}" -gt 0 ] || groups=(build reader)
    for group in "${groups[@]}"; do
        case "$group" in
        build | reader | interop) ;;
        *) fail "unknown group $group: build, reader or interop" ;;
        esac
    done
    if ! command -v apt-get >/dev/null; then
        by_hand
        groups=("${groups[@]/reader/}")
        groups=("${groups[@]/interop/}")
    fi
    for group in "${groups[@]}"; do
        case "$group" in
        build)
            if command -v apt-get >/dev/null; then
                install_missing "${build_packages[@]}"
            fi
            check_rust
            ;;
        reader)
            install_missing "${reader_packages[@]}"
            unpack_driver
            ;;
        interop) install_missing "${interop_packages[@]}" ;;
        esac
    done
}

main "$@"
