#!/bin/bash
# gguf_tokenizer.sh - GGUF files whose tokenizer is not what it should be.
source "$(dirname "$0")/../tap.sh"

# renamed FILE OLD NEW COPY: the file with a metadata key or value of the same length.
renamed() { python3 -c 'import sys; b = open(sys.argv[1], "rb").read(); o, n = sys.argv[2].encode(), sys.argv[3].encode()
assert b.count(o) == 1 and len(o) == len(n); open(sys.argv[4], "wb").write(b.replace(o, n))' "$@"; }

fine=tests/cases/tiny-llama/fine.gguf
echo 3 4 5 >"$work/prompt.ids"
run() { "$ITHACA" run -m "$1" --ids "$work/prompt.ids" -n 1 --temp 0; }

expect "a file that names its pre-tokenizer" 0 run $fine
same "nothing is noted" 0 "$(grep -c pre-tokenizer "$err")"
renamed $fine tokenizer.ggml.pre tokenizer.ggml.prx "$work/no-pre.gguf"
expect "a file that does not" 0 run "$work/no-pre.gguf"
matches "is noted" "$err" 'note: .*pre-tokenizer \(tokenizer\.ggml\.pre\): "default" is taken'
"$ITHACA" pack -m "$work/no-pre.gguf" -o "$work/no-pre.ith" -q >/dev/null 2>&1
expect "a pack of it" 0 run "$work/no-pre.ith"
matches "too" "$err" 'note: .*pre-tokenizer'

# ---- Files made here ----

# vocab NAME PYTHON...: $work/NAME.gguf without tensors; `kv` are its keys: those of a byte-level
# vocabulary of the 256 bytes, "th" and "the", with <s> (258) and </s> (259), changed by Python
vocab() {
    python3 - "$work/$1.gguf" "${@:2}" <<'END'
import struct, sys
printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
others = [b for b in range(256) if b not in printable]
letter = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
kv = {"general.architecture": "llama", "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2",
      "tokenizer.ggml.tokens": [letter[b] for b in range(256)] + ["th", "the", "<s>", "</s>"],
      "tokenizer.ggml.token_type": [1] * 258 + [3, 3],
      "tokenizer.ggml.merges": ["t h", "th e"],
      "tokenizer.ggml.bos_token_id": 258, "tokenizer.ggml.eos_token_id": 259}

def token(text, type):
    kv["tokenizer.ggml.tokens"].append(text)
    kv["tokenizer.ggml.token_type"].append(type)

for change in sys.argv[2:]:
    exec(change)
string = lambda s: (lambda b: struct.pack("<Q", len(b)) + b)(s if type(s) is bytes else s.encode())

def value(v):
    if type(v) in (str, bytes):
        return 8, string(v)
    if type(v) is bool:
        return 7, bytes([v])
    if type(v) is float:
        return 6, struct.pack("<f", v)
    if type(v) is list:
        kind = value(v[0])[0] if v else 8
        return 9, struct.pack("<IQ", kind, len(v)) + b"".join(value(x)[1] for x in v)
    return 5, struct.pack("<i", v)

out = struct.pack("<IIQQ", 0x46554747, 3, 0, len(kv))
for key, v in kv.items():
    kind, data = value(v)
    out += string(key) + struct.pack("<I", kind) + data
open(sys.argv[1], "wb").write(out + bytes(-len(out) % 32))
END
}
ids() { or_fail "$ITHACA" tokenize "$work/$1.gguf" "${@:2}" 2>"$err"; }
refused() { # NAME REGEX
    expect "$1: refused" 1 "$ITHACA" tokenize "$work/$1.gguf" -p the
    matches "$1: named" "$err" "$2"
    same "$1: in one line" 1 "$(wc -l <"$err")"
}

vocab sound
same "a vocabulary made here" "257 32 257" "$(ids sound -p 'the the')"
vocab no-merges 'del kv["tokenizer.ggml.merges"]'
refused no-merges 'tokenizer.ggml.merges is missing'
vocab empty-merges 'kv["tokenizer.ggml.merges"] = []'
refused empty-merges 'tokenizer.ggml.merges is missing'
vocab twice 'token("<s>", 4)'
refused twice 'two added tokens are "<s>"'
vocab control-twice 'token("<|a|>", 3); token("<|a|>", 3)'
refused control-twice 'two added tokens are "<\|a\|>"'
vocab long 'token("a" * 65536, 4)'
refused long 'id 260 has 65536 bytes'
vocab not-utf8 'token(b"<\xe9>", 3)'
refused not-utf8 'id 260 is not UTF-8'
vocab cut 'token(b"\xe2\x82", 4)'
refused cut 'id 260 is not UTF-8'
vocab bad-merge 'kv["tokenizer.ggml.merges"].append("th x")'
refused bad-merge 'merge 2 .*not in the vocabulary'
vocab byte-control 'kv["tokenizer.ggml.token_type"][97] = 3'
refused byte-control 'single byte 0x61'
vocab short-types 'kv["tokenizer.ggml.token_type"].pop()'
refused short-types 'token_type has 259 items for 260 tokens'
vocab klingon 'kv["tokenizer.ggml.pre"] = "klingon"'
refused klingon 'pre-tokenizer "klingon" is not supported'
vocab t5 'kv["tokenizer.ggml.model"] = "t5"'
refused t5 'tokenizer is "t5"'

# ---- SentencePiece's ----

# scored NAME PYTHON...: a vocabulary of SentencePiece's kind; the score of the n-th piece is -n
scored() {
    local name=$1
    shift
    vocab "$name" 'kv |= {"tokenizer.ggml.model": "llama", "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2}
pieces = ["▁", "t", "h", "e", "a", "n", "th", "he", "the", "▁the", "▁t", "an", "▁a"]
kv["tokenizer.ggml.tokens"] = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + pieces
kv["tokenizer.ggml.token_type"] = [2, 3, 3] + [6] * 256 + [1] * len(pieces)
kv["tokenizer.ggml.scores"] = [0.0] * 259 + [float(-n) for n in range(len(pieces))]
del kv["tokenizer.ggml.merges"], kv["tokenizer.ggml.pre"]' "$@"
}

scored spm
same "by score: ▁the, and an before ▁a" "268 259 270" "$(ids spm -p 'the an')"
same "what is no piece becomes bytes" "259 198 172 13 266" "$(ids spm -p $'\xc3\xa9\nhe')"
same "spaces are pieces" "259 259 271" "$(ids spm -p '  a')"
same "markers begin words again" "268 2 271" "$(ids spm --parse-special -p 'the</s>a')"
same "texts come back" $'the \xc3\xa9\n  an' "$(ids spm --decode -p "$(ids spm -p $'the \xc3\xa9\n  an')")"
scored spm-plain 'kv["tokenizer.ggml.add_space_prefix"] = False'
same "no space before texts" "267 271" "$(ids spm-plain -p 'the a')"
scored spm-tie 'kv["tokenizer.ggml.scores"] = [0.0] * 272' 'kv["tokenizer.ggml.tokens"][267:269] = ["tt", "hh"]' \
    'kv["tokenizer.ggml.add_space_prefix"] = False'
same "of equal scores the leftmost first" "265 262" "$(ids spm-tie -p 'the')"
scored spm-unknown 'kv["tokenizer.ggml.token_type"] = [1 if t == 6 else t for t in kv["tokenizer.ggml.token_type"]]' \
    'kv["tokenizer.ggml.tokens"][3:259] = [f"<x{b}>" for b in range(256)]'
same "without bytes an unknown token" "259 0 266" "$(ids spm-unknown -p 'éàhe')"
scored spm-user 'token("<|user|>", 4)' 'kv["tokenizer.ggml.scores"].append(0.0)'
same "user-defined tokens are always found" "271 272 271" "$(ids spm-user -p 'a<|user|>a')"
scored no-scores 'del kv["tokenizer.ggml.scores"]'
refused no-scores 'tokenizer.ggml.scores is missing'
scored few-scores 'kv["tokenizer.ggml.scores"].pop()'
refused few-scores 'scores has 271 items for 272 tokens'
scored nan-score 'kv["tokenizer.ggml.scores"][265] = float("nan")'
refused nan-score 'token 265 has .*score'
scored long-piece 'kv["tokenizer.ggml.tokens"][265] = "x" * 300'
refused long-piece 'token 265 has 300 bytes'
scored bad-unk 'kv["tokenizer.ggml.unknown_token_id"] = 5000'
refused bad-unk 'unknown_token_id is 5000'

vocab gemma4 'kv |= {"tokenizer.ggml.model": "gemma4", "tokenizer.ggml.tokens": ["<unk>"] + [f"<0x{b:02X}>" for b in range(256)]
  + ["▁", "t", "h", "\n", "th", "▁th", "\n\n"], "tokenizer.ggml.token_type": [2] + [6] * 256 + [1] * 7,
  "tokenizer.ggml.merges": ["t h", "▁ th", "\n \n"], "tokenizer.ggml.bos_token_id": -1, "tokenizer.ggml.eos_token_id": -1}' \
    'del kv["tokenizer.ggml.pre"]'
same "gemma4: merges of characters" "261 262 263 102" "$(ids gemma4 -p $'th th\n\ne')"
