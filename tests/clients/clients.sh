#!/bin/bash
# clients.sh - programs that speak OpenAI's interface, from PyPI, against `ithaca serve`: openai, LangChain,
# lm-evaluation-harness. Not a part of make check, because they are downloaded: make check-clients.
#
#   tests/clients/clients.sh     the venv is build/clients, or $ITHACA_CLIENTS; $ITHACA_CLIENTS_MODEL is scored too
. tests/tap.sh

venv=${ITHACA_CLIENTS:-build/clients}
if [[ ! -e $venv/installed ]]; then
    python3 -m venv "$venv" && "$venv/bin/pip" install -q -r tests/clients/requirements.txt && touch "$venv/installed" || exit 1
fi
export HF_DATASETS_OFFLINE=1 HF_HUB_OFFLINE=1 HF_HOME=$work/hf PYTHONDONTWRITEBYTECODE=1 TQDM_DISABLE=1
PATH=$PWD/$venv/bin:$PATH
[[ $venv == /* ]] && PATH=$venv/bin:$PATH

# start MODEL OPTION...: a server behind "${on[@]}"; its address is $url
on=()
start() {
    : >"$work/log" # that of the server before has another address
    "${on[@]}" "$ITHACA" serve "$@" --threads 1 --port 0 -q 2>"$work/log" &
    server=$!
    until url=$(grep -o 'http://[0-9.:]*' "$work/log") || ! kill -0 $server 2>/dev/null; do sleep 0.1; done
    until [[ $(curl -s -o "$out" -w '%{http_code}' "$url/health") == 200 ]] || ! kill -0 $server 2>/dev/null; do sleep 0.1; done
}
stop() {
    if ((${#on[@]})); then kill -USR1 $server; else kill -TERM $server; fi
    wait $server
}

# evaluate KIND ADDRESS TASKS OPTION...: what lm_eval finds is in $work/lm
evaluate() {
    local kind=$1 address=$2 tasks=$3
    shift 3
    rm -rf "$work/lm"
    lm_eval run --model "$kind" --model_args "base_url=$url$address,model=any,num_concurrent=4,max_length=2048" --include_path tests/clients/tasks \
        --tasks "$tasks" --log_samples --output_path "$work/lm" "$@" >"$out" 2>"$err" || { note <"$err"; not_ok "lm_eval $kind"; }
}
found() { printf '%s\n' "$work"/lm/*/"$1"_*; }

echo sesame >"$work/key"
start $NEEDLE --ctx 8192 --api-key-file "$work/key" --max-body 4MiB
or_fail python tests/clients/openai_client.py "$url" sesame
or_fail python tests/clients/langchain_client.py "$url" sesame
stop

start $NEEDLE --ctx 2048
evaluate local-completions /v1/completions ithaca_choice,ithaca_passkey
same "lm_eval: the right one is the most likely" 1.0 "$(field "$(found results)" "j['results']['ithaca_choice']['acc,none']")"
or_fail python tests/clients/scores.py "1 rank" "$(found samples_ithaca_choice)" "$ITHACA" $NEEDLE
head -n 1 "$(found samples_ithaca_passkey)" >"$work/first"
expect "run" 0 "$ITHACA" run $NEEDLE --raw -p "$(field "$work/first" "j['arguments']['gen_args_0']['arg_0']")" -n 24 --temp 0 --threads 1 --ctx 2048 --json -q
same "lm_eval: generates what run does" "$(field "$out" "j['text']")" "$(field "$work/first" "j['resps'][0][0]")"
evaluate local-chat-completions /v1/chat/completions ithaca_passkey --apply_chat_template
same "lm_eval: passkeys in conversations" 1.0 "$(field "$(found results)" "j['results']['ithaca_passkey']['exact_match,number']")"
stop

# scores NAME MODEL: the same log likelihoods
scores() {
    start "$2" --ctx 2048
    evaluate local-completions /v1/completions ithaca_choice
    or_fail python tests/clients/scores.py "$1" "$(found samples_ithaca_choice)" "$ITHACA" "$2"
    stop
}
for model in $NEEDLE ${ITHACA_CLIENTS_MODEL:-}; do
    for ranks in 1 2 3; do
        on=(scripts/on_ranks.sh $ranks)
        scores "$(basename "$model"), $ranks ranks" "$model"
    done
    on=(env ITHACA_SIMD=avx2)
    scores "$(basename "$model"), another instruction set" "$model"
done
