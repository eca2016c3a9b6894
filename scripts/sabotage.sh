#!/usr/bin/env bash
# Breaks one check at a time, in a copy of the tree, and sees that the story which guards it fails.
#
#   scripts/sabotage.sh          every patch in tests/sabotage
#   scripts/sabotage.sh some 3   three of them, chosen by the commit, so that each gets its turn
#   scripts/sabotage.sh check    only that every patch still applies
#
# A patch says above its diff what it breaks, and the story: `Story: ` and the arguments of
# `cargo test`. A patch that does not compile proves nothing and counts as not caught.
# KOZENI_SABOTAGE_TARGET is the folder for the copy and for what is built from it.
set -euo pipefail
cd "$(dirname "$0")/.."

patches_min=25
story_seconds=600
root=$PWD
work=${KOZENI_SABOTAGE_TARGET:-$root/target/sabotage}
tree=$work/tree
log=$work/log

fail() {
    printf 'sabotage: %s\n' "$*" >&2
    exit 1
}

# Also in a checkout that belongs to somebody else, as in a container.
git() {
    command git -c safe.directory='*' "$@"
}

patches=(tests/sabotage/*.patch)

check() {
    local patch stories test
    [ "${#patches[@]}" -ge "$patches_min" ] ||
        fail "${#patches[@]} patches; there were $patches_min at least"
    for patch in "${patches[@]}"; do
        stories=$(grep -c '^Story: .' "$patch" || true)
        [ "$stories" -eq 1 ] || fail "$patch names $stories stories instead of one"
        for test in $(sed -n 's/^Story: .* -- //p' "$patch"); do
            git grep -qE --untracked "(fn|mod) ${test##*::}" -- '*.rs' ||
                fail "$patch: there is no test $test any more"
        done
        git apply --check "$patch" || fail "$patch does not apply any more: write it anew"
    done
}

# The files of a patch, one per line.
patched_files() {
    sed -n 's|^+++ b/||p' "$@" | sort -u
}

# A copy of what git tracks or would track, with its times, so that cargo knows it again. Only what
# an earlier run may have built in its broken form is new.
copy_tree() {
    rm -rf "$tree"
    trap 'rm -rf "$tree"' EXIT
    mkdir -p "$tree"
    git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
        # Deleted files are listed until the deletion is committed.
        if [ -e "$file" ]; then printf '%s\0' "$file"; fi
    done | xargs -0 cp -p --parents -t "$tree"
    if [ -e "$work/broken" ]; then
        (cd "$tree" && sort -u "$work/broken" | xargs touch --no-create)
    fi
    # A repository of its own, in which `git apply` changes nothing but the copy.
    git -C "$tree" init --quiet
}

# What was built for the tests serves the copy, too: libraries are the same wherever they stand.
seed_target() {
    local built=${CARGO_TARGET_DIR:-$root/target}/debug
    if [ -d "$work/target" ] || [ ! -d "$built/.fingerprint" ]; then return; fi
    mkdir -p "$work/target/debug"
    cp -a "$built/.fingerprint" "$built/build" "$work/target/debug/"
    (cd "$built" && find deps -type f -name '*.*' -print0 |
        xargs -0 cp -a --parents -t "$work/target/debug")
}

# Quick to build rather than quick to run; the libraries stay as they are.
in_copy() {
    (
        cd "$tree"
        export CARGO_TARGET_DIR=$work/target
        export CARGO_PROFILE_DEV_OPT_LEVEL=0 CARGO_PROFILE_DEV_DEBUG=0
        exec "$@"
    ) >"$log" 2>&1 </dev/null
}

# Runs a story in the copy: passed, failed, or in words what else happened.
run_story() {
    local words build=() word status=0
    read -r -a words <<<"$1"
    for word in "${words[@]}"; do
        [ "$word" != -- ] || break
        build+=("$word")
    done
    if ! in_copy cargo test --locked --no-run "${build[@]}"; then
        echo "does not compile"
        return
    fi
    in_copy timeout "$story_seconds" cargo test --locked "${words[@]}" || status=$?
    if [ "$status" -eq 124 ]; then
        echo "does not end"
    elif [ "$status" -ne 0 ] && grep -q '^error: test failed' "$log"; then
        echo "failed"
    elif [ "$status" -eq 0 ] && grep -Eq '^test result: ok\. [1-9]' "$log"; then
        echo "passed"
    elif [ "$status" -eq 0 ]; then
        echo "has no test"
    else
        echo "ended with $status"
    fi
}

# Git renews the times of what it writes; touching is for clocks that are too coarse for cargo.
apply() {
    local patch=$root/$1
    shift
    git -C "$tree" apply "$@" "$patch"
    patched_files "$patch" | tee -a "$work/broken" | (cd "$tree" && xargs touch)
}

# Tries the patches whose stories pass as long as nothing is broken.
try_patches() {
    local patch story outcome caught=0
    for patch in "$@"; do
        story=$(sed -n 's/^Story: //p' "$patch")
        if [ "$unbroken" = verify ] && [ -z "${passes[$story]:-}" ]; then
            outcome=$(run_story "$story")
            if [ "$outcome" != passed ]; then
                cat "$log" >&2
                fail "without any patch, story \"$story\" $outcome"
            fi
            passes[$story]=yes
        fi
        apply "$patch"
        outcome=$(run_story "$story")
        apply "$patch" --reverse
        if [ "$outcome" = failed ]; then
            caught=$((caught + 1))
            printf 'caught      %s\n' "$(basename "$patch" .patch)"
        else
            printf 'NOT CAUGHT  %s: the story %s: %s\n' \
                "$(basename "$patch" .patch)" "$outcome" "$story"
            tail -n 15 "$log" | sed 's/^/    /' >&2
        fi
    done
    printf '{"patches":%d,"caught":%d}\n' "$#" "$caught"
    [ "$caught" -eq "$#" ]
}

# So many patches, in an order that depends on the commit alone.
choose() {
    local commit patch
    commit=$(git rev-parse --verify --quiet HEAD || echo "no commit")
    for patch in "${patches[@]}"; do
        printf '%s %s\n' "$(printf '%s %s' "$commit" "$patch" | sha256sum | cut -c 1-16)" "$patch"
    done | sort | awk -v count="$1" 'NR <= count { print $2 }'
}

declare -A passes=()
mode=${1:-all}
case $mode in
    all) unbroken=verify chosen=("${patches[@]}") ;;
    some)
        [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "some: how many?"
        unbroken=trust
        mapfile -t chosen < <(choose "$2")
        ;;
    check) ;;
    *) fail "all, some COUNT, or check" ;;
esac

check
if [ "$mode" = check ]; then
    printf '{"patches":%d}\n' "${#patches[@]}"
    exit 0
fi
copy_tree
seed_target
try_patches "${chosen[@]}"
