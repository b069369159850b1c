#!/bin/bash
# serve_tokens.sh - /tokenize, /detokenize and /tokenizer_info say what the command does.
. tests/tap.sh
. tests/served.sh

start

printf 'The passkey of Ann is 5.<|im_end|>\n' >"$work/text"
"$ITHACA" tokenize $NEEDLE -f "$work/text" --parse-special --json >"$work/ids"
python3 -c 'import json, sys; print(json.dumps({"prompt": open(sys.argv[1]).read()}))' "$work/text" >"$work/prompt"
same "tokenize" 200 "$(code "$url/tokenize" -d @"$work/prompt")"
same "tokenize: as the command" "$(field "$work/ids" "(j['ids'], len(j['ids']), 8192)")" "$(field "$out" "(j['tokens'], j['count'], j['max_model_len'])")"
field "$out" "json.dumps({'tokens': j['tokens']})" >"$work/tokens"
same "detokenize" 200 "$(code "$url/detokenize" -d @"$work/tokens")"
same "detokenize: the text" "$(field "$work/prompt" "repr(j['prompt'])")" "$(field "$out" "repr(j['prompt'])")"
"$ITHACA" tokenize $NEEDLE -p 'Hi' --chat --json >"$work/ids"
same "tokenize: messages" 200 "$(code "$url/tokenize" -d '{"messages": [{"role": "user", "content": "Hi"}], "add_special_tokens": true}')"
same "tokenize: messages, as the command" "$(field "$work/ids" "j['ids']")" "$(field "$out" "j['tokens']")"
same "tokenize: nothing" "200 0" "$(code "$url/tokenize" -d '{"prompt": "", "add_special_tokens": false}') $(field "$out" "j['count']")"
same "tokenizer_info" 200 "$(code "$url/tokenizer_info")"
same "tokenizer_info: tokens" "(None, '<|im_end|>', 2048)" "$(field "$out" "(j['bos_token'], j['eos_token'], j['vocab_size'])")"
for bad in tokenize:'{"prompt": ["a", "b"]}' tokenize:'{"prompt": 1}' tokenize:'{}' tokenize:'[]' tokenize:'{' tokenize:'{"prompt": "a", "add_special_tokens": 1}' \
    tokenize:'{"prompt": "a", "dance": 1}' detokenize:'{"tokens": [-1]}' detokenize:'{"tokens": [2048]}' detokenize:'{"tokens": 1}' detokenize:'{}' \
    detokenize:'{"tokens": [1.5]}' detokenize:'[1]' detokenize:"$(printf '%0300d' 0 | tr 0 '[')"; do
    same "refused: $bad" 400 "$(code "$url/${bad%%:*}" -d "${bad#*:}")"
done
stop "SIGTERM"

echo sesame >"$work/key"
start --api-key-file "$work/key"
same "with a key: tokenizer_info needs it" 401 "$(code "$url/tokenizer_info")"
for path in tokenize detokenize; do same "with a key: $path needs it" 401 "$(code "$url/$path" -d '{}')"; done
stop "with a key: SIGTERM"
