#!/bin/bash
# tokenizer_files.sh - the forms in which folders hold a vocabulary: tokenizer.model, and vocab.json
# with merges.txt; and packs of such folders. Ids of tokenizer.model are those of SentencePiece.
source "$(dirname "$0")/../tap.sh"

golden=tests/golden/tokenizer
ids() { or_fail "$ITHACA" tokenize "$work/$1" "${@:2}" 2>"$err"; }
refused() { # NAME REGEX
    expect "$1: refused" 1 "$ITHACA" tokenize "$work/$1" -p the
    matches "$1: named" "$err" "$2"
    same "$1: in one line" 1 "$(wc -l <"$err")"
}

# ---- tokenizer.model ----

# spm NAME FILE: a folder with this model alone
spm() { mkdir -p "$work/$1" && cp "$2" "$work/$1/tokenizer.model"; }

# patched NAME PYTHON: spm.model changed by Python: `fields` is a list of [number, bytes] of the
# model's fields, `spec(n)` those of field n with their numbers or bytes
patched() {
    mkdir -p "$work/$1"
    python3 - "$golden/spm.model" "$work/$1/tokenizer.model" "$2" <<'END'
import sys
raw = open(sys.argv[1], "rb").read()

def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at

def parse(data):
    out, at = [], 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 5:
            value, at = data[at:at + 4], at + 4
        else:
            n, at = varint(data, at)
            value, at = data[at:at + n], at + n
        out.append([key, value])
    return out

def number(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])

def write(fields):
    return b"".join(number(k) + (number(v) if k & 7 == 0 else v if k & 7 == 5 else number(len(v)) + v)
                    for k, v in fields)

fields = parse(raw)

def change(field, key, value):
    """sets a varint of a message, or bytes"""
    for item in fields:
        if item[0] >> 3 == field:
            inner = [i for i in parse(item[1]) if i[0] >> 3 != key]
            inner.append([key << 3 | (2 if type(value) is bytes else 0), value])
            item[1] = write(inner)

exec(sys.argv[3])
open(sys.argv[2], "wb").write(write(fields))
END
}

spm spm $golden/spm.model
same "tokenizer.model" "278 443 471 259 661 282 347 691 13" "$(ids spm -p $'The rain  came.\n')"
same "its text comes back" "The rain  came. 雨" "$(ids spm --decode -p "$(ids spm -p 'The rain  came. 雨')")"
same "its markers are tokens on request" "1 2" "$(ids spm --parse-special -p '<s></s>')"
echo '{"add_bos_token": true, "bos_token": "<s>", "added_tokens_decoder": {"1600": {"content": "<|new|>", "special": true}}}' \
    >"$work/spm/tokenizer_config.json"
same "tokenizer_config.json adds to it" "1600 2" "$(ids spm --parse-special -p '<|new|></s>')"
spm added $golden/spm.model
echo '{"<|b|>": 1601, "<|a|>": 1600, "<s>": 1}' >"$work/added/added_tokens.json"
echo '{"eos_token": "</s>", "additional_special_tokens": ["<|a|>"]}' >"$work/added/special_tokens_map.json"
same "added_tokens.json adds to it" "1600 1601" "$(ids added --parse-special -p '<|a|><|b|>')"
same "what the others name is special" "1601" "$(ids added -p '<|a|><|b|>' | grep -o '16[0-9]*$')"
echo '[]' >"$work/added/added_tokens.json"
refused added 'added_tokens.json: the file should be an object'
echo '{"x": -1}' >"$work/added/added_tokens.json"
refused added 'every id should be a whole number'
spm plain $golden/spm-plain.model
same "a model without a space before texts" "<think>a b" "$(ids plain --decode -p "$(ids plain -p '<think>a b')")"
patched as-is ''
same "rewritten it is the same" "$(ids spm -p "The rain")" "$(ids as-is -p "The rain")"
patched unigram 'change(2, 3, 1)'
refused unigram 'a Unigram model is not supported'
patched words 'change(2, 3, 3)'
refused words 'a model of words is not supported'
patched rules 'change(3, 2, b"rules")'
refused rules 'precompiled_charsmap'
patched blanks 'change(3, 4, 1)'
refused blanks 'remove_extra_whitespaces'
patched suffix 'change(2, 24, 1)'
refused suffix 'treat_whitespace_as_suffix'
patched bare 'fields = [f for f in fields if f[0] >> 3 == 1]'
refused bare 'no trainer_spec'
patched none 'fields = [f for f in fields if f[0] >> 3 != 1]'
refused none '0 tokens'
mkdir "$work/cut" "$work/tiktoken" "$work/empty"
head -c 5000 $golden/spm.model >"$work/cut/tokenizer.model"
refused cut 'is not a model of SentencePiece'
printf 'IQ== 0\nIg== 1\n' >"$work/tiktoken/tokenizer.model"
refused tiktoken 'a file of tiktoken is not supported'
expect "a folder without any: refused" 1 "$ITHACA" tokenize "$work/empty" -p the
matches "and said" "$err" 'without tokenizer.json or tokenizer.model'

# ---- vocab.json and merges.txt ----

# old NAME CLASS: the needle model's vocabulary in the old form, with its weights
old() {
    mkdir -p "$work/$1"
    for file in config.json generation_config.json model.safetensors; do
        ln -sf "$PWD/$NEEDLE/$file" "$work/$1/$file"
    done
    python3 - $NEEDLE "$work/$1" "$2" <<'END'
import json, sys
model, folder, name = sys.argv[1:]
t = json.load(open(model + "/tokenizer.json"))
config = json.load(open(model + "/tokenizer_config.json"))
merges = [m if type(m) is str else " ".join(m) for m in t["model"]["merges"]]
json.dump(t["model"]["vocab"], open(folder + "/vocab.json", "w"))
open(folder + "/merges.txt", "w").write("\n".join(["#version: 0.2"] + merges + [""]))
config["tokenizer_class"] = name
config["added_tokens_decoder"] = {str(a.pop("id")): a for a in t["added_tokens"]}
json.dump(config, open(folder + "/tokenizer_config.json", "w"))
END
}

text=$'The rain\xc3\xa9 it\xe2\x80\x99s 12345 e\xcc\x81  \n<|im_end|>'
old qwen2 Qwen2TokenizerFast
same "vocab.json and merges.txt" "$(or_fail "$ITHACA" tokenize $NEEDLE -p "$text")" "$(ids qwen2 -p "$text")"
same "with markers" "$(or_fail "$ITHACA" tokenize $NEEDLE --parse-special -p "$text")" "$(ids qwen2 --parse-special -p "$text")"
old gpt2 GPT2Tokenizer
same "of the class GPT2Tokenizer" "$(ids qwen2 -p 'rain came')" "$(ids gpt2 -p 'rain came')"
old bert BertTokenizer
refused bert 'tokenizer_class "BertTokenizer" is not supported'
old bad Qwen2Tokenizer
echo 'a b c' >>"$work/bad/merges.txt"
refused bad 'expected two tokens with one space'

# ---- Packs ----

expect "a pack of the old form" 0 "$ITHACA" pack "$work/qwen2" -o "$work/old.ith" -q
same "has its tokenizer" "$(ids qwen2 --parse-special -p "$text")" "$(ids old.ith --parse-special -p "$text")"
expect "a pack of the pack" 0 "$ITHACA" pack "$work/old.ith" -o "$work/again.ith" -q
same "too" "$(ids qwen2 -p "$text")" "$(ids again.ith -p "$text")"
old spm-model Qwen2Tokenizer
rm "$work/spm-model"/*.txt "$work/spm-model"/vocab.json "$work/spm-model/tokenizer_config.json"
cp $golden/spm.model "$work/spm-model/tokenizer.model"
expect "a pack of tokenizer.model" 0 "$ITHACA" pack "$work/spm-model" -o "$work/spm.ith" -q
same "has its tokenizer" "$(ids spm-model -p "$text")" "$(ids spm.ith -p "$text")"
cp $NEEDLE/tokenizer.json "$work/spm-model"
same "tokenizer.json comes first" "$(or_fail "$ITHACA" tokenize $NEEDLE -p "$text")" "$(ids spm-model -p "$text")"
