#!/usr/bin/env bash
# Checks the evidence that `make demo` left with programs that are not ours: tests/interop says how.
# Their Python packages live in target/interop and nowhere else.
set -euo pipefail
cd "$(dirname "$0")/.."

bundle=target/demo/purchase.kozeni
root=target/demo/root.pem
wanted=tests/interop/requirements.txt
environment=target/interop/venv
# A copy of the list that was installed; another list, or half an installation, starts anew.
installed=$environment/installed.txt

if ! cmp -s "$wanted" "$installed"; then
    rm -rf "$environment"
    python3 -m venv "$environment"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$installed"
fi
if [ ! -e "$bundle" ] || [ ! -e "$root" ]; then
    make demo
fi
"$environment/bin/python" tests/interop/verify_bundle.py "$bundle" "$root"
