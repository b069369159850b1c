#!/bin/bash
# vocabulary.sh - tokenizers as people have them: what stands in other files than tokenizer.json,
# what is damaged, and what a text must not be able to do. The expected ids are those of Hugging
# Face's tokenizers 0.23 and Transformers 5.
source "$(dirname "$0")/../tap.sh"

# tiny FOLDER CHANGE...: tokenizer.json of the 256 bytes and "the" (256: "th"), changed by Python
# statements on `t`, the file, and `config`, that of tokenizer_config.json
tiny() {
    mkdir -p "$work/$1"
    python3 - "$work/$1" "${@:2}" <<'END'
import json, sys
printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
others = [b for b in range(256) if b not in printable]
letter = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
vocab = {letter[b]: b for b in range(256)} | {"th": 256, "the": 257}
byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
              "use_regex": True}
t = {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": byte_level,
     "post_processor": None, "decoder": byte_level,
     "model": {"type": "BPE", "vocab": vocab, "merges": ["t h", "th e"]}}
config = {}

def token(id, text, special=True):
    return {"id": id, "content": text, "special": special, "normalized": not special,
            "single_word": False, "lstrip": False, "rstrip": False}

for change in sys.argv[2:]:
    exec(change)
json.dump(t, open(sys.argv[1] + "/tokenizer.json", "w"))
json.dump(config, open(sys.argv[1] + "/tokenizer_config.json", "w"))
END
}
ids() { or_fail "$ITHACA" tokenize "$work/$1" "${@:2}" 2>"$err"; }

# needle FOLDER CHANGE...: the needle model with its tokenizer.json and tokenizer_config.json
# changed
needle() {
    mkdir -p "$work/$1"
    for file in config.json generation_config.json model.safetensors; do
        ln -sf "$PWD/$NEEDLE/$file" "$work/$1/$file"
    done
    python3 - "$NEEDLE" "$work/$1" "${@:2}" <<'END'
import json, sys
t = json.load(open(sys.argv[1] + "/tokenizer.json"))
config = json.load(open(sys.argv[1] + "/tokenizer_config.json"))
for change in sys.argv[3:]:
    exec(change)
json.dump(t, open(sys.argv[2] + "/tokenizer.json", "w"))
json.dump(config, open(sys.argv[2] + "/tokenizer_config.json", "w"))
END
}
tokens_of() { or_fail "$ITHACA" run "$work/$1" -n 0 --json "${@:2}" 2>"$err" >"$out" && field "$out" "j['prompt_tokens']"; }

# ---- Tokens that other files name ----

tiny decoder 't["added_tokens"] = [token(258, "<s>")]' \
    'config["added_tokens_decoder"] = {"260": token(260, "<b>"), "259": token(259, "<a>")}'
same "added_tokens_decoder adds tokens" "258 259 260 257" "$(ids decoder --parse-special -p '<s><a><b>the')"
tiny eos 'config["eos_token"] = "<end>"'
same "a special token that is only named gets the next id" "258" "$(ids eos --parse-special -p '<end>')"
tiny map
echo '{"eos_token": {"content": "<end>"}, "bos_token": "<s>"}' >"$work/map/special_tokens_map.json"
same "special_tokens_map.json too" "258 259" "$(ids map --parse-special -p '<s><end>')"
tiny hole 't["added_tokens"] = [token(258, "<s>"), token(400, "<hole>"), token(300, "<c>")]'
same "an id that leaves a hole becomes the next" "259 260" "$(ids hole --parse-special -p '<hole><c>')"
matches "which is noted" "$err" 'note: the added token "<hole>" has id 400 in the file; it gets 259'
[[ $(wc -l <"$err") == 1 ]] && ok "in one line" || not_ok "in one line"
tiny twice 't["added_tokens"] = [token(258, "<s>"), token(259, "<s>", False)]'
expect "an added token twice" 1 "$ITHACA" tokenize "$work/twice" -p x
matches "is named" "$err" 'two added tokens are "<s>"'
tiny long 't["added_tokens"] = [token(258, "a" * 65536)]'
expect "an added token of 64 KiB" 1 "$ITHACA" tokenize "$work/long" -p x
matches "is refused" "$err" "id 258 has 65536 bytes"

# ---- Patterns ----

tiny han 't["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern":
  {"Regex": r"\p{Han}+|\P{Han}+"}, "behavior": "Isolated"}, byte_level | {"use_regex": False}]}' \
    't["model"]["vocab"] |= {"ãĢ": 258, "å¥½ãĢĤ": 259, "å¥½": 260, "å¥": 261, "ãĢĤ": 262}' \
    't["model"]["merges"] = ["å ¥", "å¥ ½", "ã Ģ", "ãĢ Ĥ", "å¥½ ãĢĤ"]'
same "\\p{Han} is the script without its extensions" "260 262" "$(ids han -p '好。')"
tiny new 't["normalizer"] = {"type": "NFC"}' 't["pre_tokenizer"] = {"type": "Sequence",
  "pretokenizers": [{"type": "Split", "pattern": {"Regex": r"[\p{Lu}\p{Lo}\p{M}]+|[^\p{Lu}\p{Lo}\p{M}]+"},
  "behavior": "Isolated"}, byte_level | {"use_regex": False}]}' \
    't["model"]["vocab"] |= {"ĦĊ": 258}' 't["model"]["merges"] += ["Ħ Ċ"]'
python3 -c 'import sys; sys.stdout.buffer.write("\U00011f04\n|\u09be\u09fe\u09bc".encode())' >"$work/new.txt"
same "letters of Unicode 15 are letters, marks of Unicode 11 stay in their order" \
    "240 145 188 132 10 124 224 166 190 224 167 190 224 166 188" "$(ids new -f "$work/new.txt")"
matches "version says so" <("$ITHACA" version) "unicode +16.0"

# ---- The beginning of a text ----

start='t["post_processor"] = {"type": "TemplateProcessing", "single": [{"SpecialToken":
  {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
  "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [next(a["id"]
  for a in t["added_tokens"] if a["content"] == "<|endoftext|>")], "tokens": ["<|endoftext|>"]}}}'
needle plain
needle bos "$start"
printf 'The rain came from the north.' >"$work/text.txt"
scored() { or_fail "$ITHACA" score "$work/$1" --json -q "${@:2}" 2>"$err" >"$out" && field "$out" "j['tokens']"; }
n=$(tokens_of plain --raw -f "$work/text.txt")
same "run --raw begins with bos" $((n + 1)) "$(tokens_of bos --raw -f "$work/text.txt")"
same "score does" $(($(scored plain -f "$work/text.txt") + 1)) "$(scored bos -f "$work/text.txt")"
windows() { or_fail "$ITHACA" score "$@" --window 8 --json -q 2>"$err" >"$out" && field "$out" "len(j['nll']), j['nll']"; }
for i in 1 2 3 4; do cat "$work/text.txt"; done >"$work/long.txt"
or_fail "$ITHACA" tokenize "$work/bos" -f "$work/long.txt" --json >"$out"
bos_id=$(or_fail "$ITHACA" tokenize "$work/bos" --parse-special -p '<|endoftext|>')
ids=$(field "$out" "' '.join(str(i if k % 8 else $bos_id) for k, i in enumerate([$bos_id] + j['ids']))")
echo "$ids" >"$work/windows.ids"
same "each window of score begins with bos" "$(windows "$work/bos" --ids "$work/windows.ids")" "$(windows "$work/bos" -f "$work/long.txt")"
same "a text that brings it has it once" $((n + 1)) "$(tokens_of bos --raw -p "<|endoftext|>$(cat "$work/text.txt")")"
same "a template has none" "$(tokens_of plain -p hi)" "$(tokens_of bos -p hi)"
needle config 'config |= {"bos_token": "<|endoftext|>", "add_bos_token": True}'
same "add_bos_token does the same" $((n + 1)) "$(tokens_of config --raw -f "$work/text.txt")"

needle both 'config |= {"bos_token": "<|endoftext|>", "add_bos_token": True, "eos_token": "<|im_end|>", "add_eos_token": True}'
same "a prompt is left open" $((n + 1)) "$(tokens_of both --raw -f "$work/text.txt")"
same "score ends the text" $((n + 2)) "$(scored both -f "$work/text.txt")"
needle after "$start" 't["post_processor"]["single"].append({"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}})'
same "TemplateProcessing too" $((n + 2)) "$(scored after -f "$work/text.txt")"

# ---- Markers ----

needle loose 'for a in t["added_tokens"]: a["special"] = False'
same "markers that are not special are text" "$(tokens_of plain -p 'bye<|im_end|>')" "$(tokens_of loose -p 'bye<|im_end|>')"
matches "and are noted" "$err" "note: the text contains markers"
needle pieces 't["added_tokens"] = [a for a in t["added_tokens"] if a["content"] != "<|im_end|>"]' \
    't["model"]["vocab"].pop("<|im_end|>", None)' 'config.clear()' \
    'config["chat_template"] = json.load(open(sys.argv[1] + "/tokenizer_config.json"))["chat_template"]'
expect "a template whose marker is no token" 1 "$ITHACA" run "$work/pieces" -p hi -n 0
matches "names the marker" "$err" "marker <\\|im_end\\|> of the model's chat template is not one token"
expect "without the template it runs" 0 "$ITHACA" run "$work/pieces" --raw -p hi -n 0

# ---- Without a tokenizer, and texts that are none ----

needle without
rm "$work/without"/tokenizer*.json
for how in "-p hi" "--raw -p hi" "-f $work/text.txt"; do
    # shellcheck disable=SC2086
    expect "run $how without a tokenizer" 1 "$ITHACA" run "$work/without" $how -n 0
    matches "says so" "$err" "no tokenizer.*--ids"
done
printf 'caf\xe9' >"$work/latin1.txt"
printf 'a\0b' >"$work/nul.txt"
for how in "run $NEEDLE -n 0 -f" "run $NEEDLE -n 0 --raw -f" "score $NEEDLE -f" "tokenize $NEEDLE -f"; do
    # shellcheck disable=SC2086
    expect "${how/$NEEDLE/} Latin 1" 1 "$ITHACA" $how "$work/latin1.txt"
    matches "is not UTF-8" "$err" "latin1.txt is not UTF-8: byte 0xe9 at offset 3"
    # shellcheck disable=SC2086
    expect "${how/$NEEDLE/} a NUL byte" 1 "$ITHACA" $how "$work/nul.txt"
    matches "is named" "$err" "nul.txt holds a NUL byte at offset 1"
done
expect "-p too" 1 "$ITHACA" run $NEEDLE -n 0 -p $'caf\xe9'
matches "is not UTF-8" "$err" "-p is not UTF-8"
expect "--stop too" 2 "$ITHACA" run $NEEDLE -n 0 -p hi --stop $'caf\xe9'
matches "is not UTF-8" "$err" "--stop is not UTF-8"
printf 'The rain' | iconv -t UTF-16 >"$work/utf16.txt"
expect "UTF-16" 1 "$ITHACA" tokenize $NEEDLE -f "$work/utf16.txt"
matches "how to convert it is said" "$err" "iconv -f UTF-16 -t UTF-8"

# ---- Normal form ----

tiny nfc 't["normalizer"] = {"type": "NFC"}'
python3 -c 'print("a" + "\u0301\u0323" * 20000, end="")' >"$work/marks.txt"
python3 -c 'import unicodedata; print(unicodedata.normalize("NFC", "a" + "\u0301\u0323" * 20000), end="")' >"$work/nfc.txt"
same "a long run of combining marks is ordered" "$(ids nfc -f "$work/nfc.txt" | md5sum)" "$(ids nfc -f "$work/marks.txt" | md5sum)"
tiny bytes
same "as Python orders it" "$(ids bytes -f "$work/nfc.txt" | md5sum)" "$(ids nfc -f "$work/marks.txt" | md5sum)"
