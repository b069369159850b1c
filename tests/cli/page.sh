#!/bin/bash
# page.sh - the page of serve in Chromium: it streams, stops, edits, keeps, reads documents, survives faults, and is used by
# keys alone. Where chromium and chromedriver are (make check-page installs them).
. tests/tap.sh

driver=$(command -v chromedriver) && chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo "ok page # SKIP no chromium or no chromedriver (make check-page)"
    exit 0
}

# start NAME OPTION...: a server, whose address is then in $NAME
servers=()
start() {
    local name=$1 url
    shift
    : >"$work/$name.log"
    "$ITHACA" serve $NEEDLE --threads 1 --ctx 16384 --port 0 -q "$@" 2>"$work/$name.log" &
    servers+=($!)
    until url=$(grep -o 'http://[0-9.:]*' "$work/$name.log") || ! kill -0 $! 2>/dev/null; do sleep 0.02; done
    until [[ $(curl -s -o "$out" -w '%{http_code}' "$url/health") == 200 ]] || ! kill -0 $! 2>/dev/null; do sleep 0.02; done
    printf -v "$name" %s "$url"
}

echo sesame >"$work/key"
start real
start locked --api-key-file "$work/key" --max-body 4KiB
python3 $NEEDLE/make_haystack.py --tokens 8000 --depth 0.4 --seed 3 --answer "$work/answer" >"$work/haystack"
export PYTHONDONTWRITEBYTECODE=1
mkdir "$work/browser"
# shellcheck disable=SC2154 # start sets them
or_fail python3 tests/cli/page.py "$driver" "$chromium" "$work/browser" "$real" "$locked" "$work/haystack" "$(grep -o '[0-9]\{5,6\}' "$work/answer")"
for server in "${servers[@]}"; do
    kill -TERM "$server"
    wait "$server"
    same "a server ends" 0 $?
done
