# hub.sh - sourced after tests/tap.sh by tests that need a hub: a local server (server.py).
#
#   start_hub [CERTIFICATE KEY]   starts the server over the repositories in $hub/root; sets $endpoint
#                                 and $elsewhere, the port that large files come from
#   fault LINE...                 what goes wrong from now on, see server.py
#   requests                      the server's log since the last call of new_log
#   cached NAME                   the folder of ORG/NAME in the cache
# shellcheck shell=bash
# shellcheck disable=SC2154 # $work is tap.sh's
hub=$work/hub
mkdir -p "$hub/root" "$hub/state"
unset HF_TOKEN HUGGING_FACE_HUB_TOKEN HF_TOKEN_PATH HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_HUB_OFFLINE TRANSFORMERS_OFFLINE
unset HF_HUB_DISABLE_IMPLICIT_TOKEN HF_HUB_DOWNLOAD_TIMEOUT SSL_CERT_FILE CURL_CA_BUNDLE
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
export HF_HOME=$work/hf

server=
stop_hub() { [[ -z $server ]] || kill "$server" 2>/dev/null; }
trap 'stop_hub; rm -rf "$work"' EXIT

start_hub() {
    stop_hub
    rm -f "$hub/state/port"
    env python3 -S "$(dirname "${BASH_SOURCE[0]}")/server.py" "$hub/root" "$hub/state" "$@" 2>"$hub/state/errors" &
    server=$!
    holding "$hub/state/port" "$server"
    endpoint=http${1:+s}://127.0.0.1:$(cat "$hub/state/port")
    export HF_ENDPOINT=$endpoint
}

# Renamed into place, and never the same time stamp twice: the server looks at that.
fault() {
    printf '%s\n' "$@" >"$hub/state/faults.new"
    until [[ ! -e $hub/state/faults || $hub/state/faults.new -nt $hub/state/faults ]]; do
        touch "$hub/state/faults.new"
    done
    mv "$hub/state/faults.new" "$hub/state/faults"
}

new_log() { : >"$hub/state/log"; }
requests() { cat "$hub/state/log"; }
cached() { echo "${HF_HUB_CACHE:-$HF_HOME/hub}/models--${1/\//--}"; }
