#!/usr/bin/env bash
# Links the applet into a program without an allocator (card-sim/no-heap): for this machine, and for
# a Cortex-M4 where Rust's library for it is installed or can be. Then plants a `Vec` and sees the
# linking fail, so that a gate that lets everything through is noticed.
set -euo pipefail
cd "$(dirname "$0")/.."

board=thumbv7em-none-eabi
host=$(rustc -vV | sed -n 's/^host: //p')
output=$PWD/target/no-heap

# The same versions as everywhere else; cargo leaves out what is not needed here.
cp Cargo.lock card-sim/no-heap/Cargo.lock

link() {
    local target=$1
    shift
    cargo build --quiet --manifest-path card-sim/no-heap/Cargo.toml \
        --target "$target" --target-dir "$output" "$@"
}

# What the program still asks of others: C's memory functions, which every chip's library has.
check_symbols() {
    local foreign
    command -v nm >/dev/null || return 0
    foreign=$(nm --undefined-only "$1" | awk '{ print $NF }' | sed 's/@.*//' |
        grep -v -x -E 'mem(cpy|move|set|cmp)|bcmp|_DYNAMIC|__cxa_finalize' || true)
    if [ -n "$foreign" ]; then
        printf 'no-heap: the applet asks for more than memory functions:\n%s\n' "$foreign" >&2
        exit 1
    fi
}

check() {
    local target=$1 errors
    link "$target"
    check_symbols "$output/$target/debug/no-heap"
    if errors=$(link "$target" --features planted-heap 2>&1); then
        printf 'no-heap: %s: a planted Vec was linked: this gate sees nothing\n' "$target" >&2
        exit 1
    fi
    if ! grep -q 'no global memory allocator found' <<<"$errors"; then
        printf 'no-heap: %s: unexpected error with a planted Vec:\n%s\n' "$target" "$errors" >&2
        exit 1
    fi
    printf 'no-heap: %s: linked without an allocator; a planted Vec is refused\n' "$target"
}

board_available() {
    local installed
    command -v rustup >/dev/null || return 1
    installed=$(rustup target list --installed)
    grep -q -x "$board" <<<"$installed" && return
    timeout 120 rustup target add "$board" >/dev/null 2>&1
}

check "$host"
if board_available; then
    check "$board"
else
    printf 'no-heap: %s: not run, Rust has no library for it here\n' "$board"
fi
