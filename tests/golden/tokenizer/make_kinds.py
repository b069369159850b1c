#!/usr/bin/env python3
"""Makes the golden ids of every kind of tokenizer, with Hugging Face's `tokenizers` and `sentencepiece`.

    python tests/golden/tokenizer/make_kinds.py

needs: tokenizers 0.23, sentencepiece, protobuf, and the zstd program; golden.json.zst of make.py, for its strings. Run from
the repository root. Writes

    tests/golden/tokenizer/kinds.json.zst      a list of kinds
    tests/golden/tokenizer/spm.model           a model of SentencePiece (BPE with byte fallback), and
    tests/golden/tokenizer/spm-plain.model     one without bytes and without a space before the text

Vocabularies are small and trained here on the strings themselves, which are of more than 100 scripts. A kind has

    name        for messages
    pre         the name of its pre-tokenizer in GGUF; absent: it is none of those
    tokenizer   tokenizer.json, the strings' ids in which are expected
    special     hashes of the ids, special tokens being found in the text
    plain       hashes of the ids, special tokens being text
    decoded     hashes of what the ids of `special` are decoded to

One hash stands for 8 strings: FNV-1a, 32 bits, of the ids as int32, each string's followed by -1, or of the bytes, each
string's followed by one byte 0xff. The kinds "spm" and "spm-plain" have `model`, a file's name, for `tokenizer`.
Run tests/golden/chat/make_chat_golden.py afterwards: its ids are of these kinds.
"""

import json
import pathlib
import subprocess
import tempfile

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).resolve().parent
BLOCK = 8
MARK = "\u2581"

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN35 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
          r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|"
          r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
KIMI = "|".join([
    r"""[\p{Han}]+""",
    r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+"""
    r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
    r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*"""
    r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
    r"""\p{N}{1,3}""", r""" ?[^\s\p{L}\p{N}]+[\r\n]*""", r"""\s*[\r\n]+""", r"""\s+(?!\S)""", r"""\s+"""])
DEEPSEEK3 = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"
             r"\s*[\r\n]+|\s+(?!\S)|\s+")
SPARK = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|"
         r"\s+(?!\S)|\s+")
KANA_HAN = "[一-龥\u3040-ゟ゠-ヿ]+"
DEEPSEEK_WORD = (
    r"\s?"
    "[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376"
    "\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f"
    "\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77"
    "\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d"
    "\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4"
    "\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139"
    "\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d"
    "\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a"
    "\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2"
    "\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943]+")
DEEPSEEK_CJK = "[一-龥\u0800-一가-\ud7ff]+"
BLOOM = r" ?[^(\s|.,!?…。，、।۔،)]+"
SPACES = "|".join(rf"\s{{{n}}}(?!\S)" for n in (512, 256, 128, 64, 32, 16, 8, 4)) + r"|\s{1,2}(?!\S)|\s{1}"

# Names in GGUF (one of each family), patterns, NFC, ignore_merges
FAMILIES = {
    "gpt-2": ([GPT2],),
    "smollm": ([r"\p{N}", GPT2],),
    "qwen2": ([QWEN2], True),
    "stablelm2": ([QWEN2],),
    "qwen35": ([QWEN35], True),
    "llama-bpe": ([LLAMA3], False, True),
    "smaug-bpe": ([LLAMA3],),
    "gpt-4o": ([O200K],),
    "minimax-m2": ([O200K],),
    "granite-embed-multi-97m": ([O200K], False, True),
    "tekken": ([TEKKEN], False, True),
    "glm4": ([LLAMA3], False, True),
    "kimi-k2": ([KIMI],),
    "deepseek-v3": ([r"\p{N}{1,3}", KANA_HAN, DEEPSEEK3],),
    "deepseek-llm": ([r"[\r\n]", DEEPSEEK_WORD, r"\s?[!-/:-~！-／：-～‘-‟\u3000-。]+", r"\s+$", DEEPSEEK_CJK, r"\p{N}+"],),
    "deepseek-coder": ([r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", DEEPSEEK_CJK, r"\p{N}"],),
    "deepseek-r1-qwen": ([QWEN2], True),
    "spark2_5": ([r"\p{N}{1,3}", KANA_HAN, SPARK, r"\p{N}"],),
    "youtu": (["[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|" + KANA_HAN, O200K.replace(r"\p{N}{1,3}", r"\p{N}")], False, True),
    "falcon": ([r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"],),
    "bloom": ([BLOOM],),
    "viking": ([BLOOM, r"\p{N}"],),
    "jais-2": ([LLAMA3.replace(r"|\s+(?!\S)|\s+", "|" + SPACES)],),
    "chameleon": (["<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", r"([\t\n]|    |  )", r"\p{N}",
                   r"[\p{P}!-/:-@\[-`{-~]", GPT2],),
    "tiny_aya": ([r"\d{1,3}(?=(?:\d{3})*\b)", O200K],),
    "superbpe": ([r"\p{N}+", r"(?=(\d{3})+(?!\d))"],),
    "bailingmoe": ([r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"],),
    "seed-coder": ([CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}" "\r\n" r"]+|\s*[" "\r\n" r"]+|\s+(?!\S)|\s+"],),
    "ufakzeka": ([QWEN2.removeprefix(CONTRACTIONS + "|")],),
    "laguna": ([r"[^\n]+|[\n]+", QWEN2],),
    "exaone-moe": ([CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|"
                    r"\s+(?!\S)|\s+"],),
    "minicpm5": ([r"\p{N}{1,3}", LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}+")], False, True),
    "default": ([r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],),
}

MARKERS = [("<s>", True), ("</s>", True), ("<|im_start|>", True), ("<think>", False)]


def unpacked(path):
    return json.loads(subprocess.run(["zstd", "-dc", path], stdout=subprocess.PIPE, check=True).stdout)


def byte_level(patterns, nfc=False, ignore_merges=False):
    tok = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if nfc:
        tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns]
        + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    return tok


def trained(tok, strings, size, alphabet, first=()):
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=alphabet, special_tokens=list(first),
                                  limit_alphabet=300, min_frequency=2, max_token_length=24)
    tok.train_from_iterator(strings, trainer)
    return tok


def with_markers(tok):
    for text, special in MARKERS:
        add = tok.add_special_tokens if special else tok.add_tokens
        add([AddedToken(text, normalized=False, special=special)])
    return tok


def chars(strings, normalizer, pre, decoder, bytes_too=True, fuse=True, unk=True, size=900, plain_unk=True):
    """A vocabulary of characters: trained with <unk> and the bytes as special tokens, which they are not in the end."""
    tok = Tokenizer(models.BPE(unk_token="<unk>" if unk else None, byte_fallback=bytes_too, fuse_unk=fuse))
    if normalizer:
        tok.normalizer = normalizer
    if pre:
        tok.pre_tokenizer = pre
    tok.decoder = decoder
    first = (["<unk>"] if unk else []) + ([f"<0x{b:02X}>" for b in range(256)] if bytes_too else [])
    tok = trained(tok, strings, size, [], first)
    data = json.loads(tok.to_str())
    data["added_tokens"] = [a for a in data["added_tokens"] if a["content"] == "<unk>"]
    return with_markers(Tokenizer.from_str(json.dumps(data)))


def llama_decoder(strip=1):
    steps = [decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence(steps + ([decoders.Strip(" ", strip, 0)] if strip else []))


def other_kinds(strings):
    p, n = pre_tokenizers, normalizers
    legacy = n.Sequence([n.Prepend(MARK), n.Replace(" ", MARK)])
    spaces = n.Replace(" ", MARK)
    yield "llama2", None, chars(strings, legacy, None, llama_decoder())
    yield "metaspace first", None, chars(strings, None, p.Metaspace(MARK, "first", False), llama_decoder())
    yield "metaspace always, split", None, chars(strings, None, p.Metaspace(MARK, "always", True), decoders.Metaspace(MARK, "always", True))
    yield "metaspace never", None, chars(strings, None, p.Metaspace(MARK, "never", True), decoders.Metaspace(MARK, "never", True))
    yield "gemma", "gemma4", chars(strings, spaces, p.Split(" ", "merged_with_previous"), llama_decoder(0))
    yield "no bytes, one unknown", None, chars(strings, legacy, None, llama_decoder(), bytes_too=False)
    yield "no bytes, many unknown", None, chars(strings, legacy, None, llama_decoder(), bytes_too=False, fuse=False)
    yield "no bytes, none unknown", None, chars(strings, legacy, None, llama_decoder(), bytes_too=False, unk=False)
    fuse = decoders.Sequence([decoders.Fuse()])
    for name, normalizer, pre in [
            ("NFKC, lower case", n.Sequence([n.NFKC(), n.Lowercase()]), p.Whitespace()),
            ("NFD, strip", n.Sequence([n.NFD(), n.Strip()]), p.WhitespaceSplit()),
            ("NFKD, strip left", n.Sequence([n.NFKD(), n.Strip(True, False)]), p.BertPreTokenizer()),
            ("replace by pattern", n.Replace(Regex(r"\s+|\p{N}{2}"), "_"), p.Punctuation("merged_with_next")),
            ("punctuation", None, p.Sequence([p.CharDelimiterSplit("e"), p.Punctuation("contiguous"), p.Digits(True)])),
            ("digits", n.Strip(False, True), p.Sequence([p.Digits(False), p.Split("a", "removed"), p.Split(Regex("[b-d]+"), "contiguous", True)]))]:
        yield name, None, chars(strings, normalizer, pre, fuse)
    tok = with_markers(trained(byte_level([GPT2]), strings, 700, p.ByteLevel.alphabet()))
    tok.pre_tokenizer = p.ByteLevel(add_prefix_space=True, use_regex=True)
    tok.normalizer = n.Sequence([n.Lowercase(), n.NFC()])
    yield "byte level, prefix space, lower case", None, tok
    tok = with_markers(trained(byte_level([r"[\p{L}&&[^\p{Latin}\p{Cyrillic}]]+|\w+\b|[^\w\s]|\s+"]), strings, 700, p.ByteLevel.alphabet()))
    yield "classes inside classes", None, tok


def fnv(data):
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def hashes(parts):
    return [fnv(b"".join(parts[i:i + BLOCK])) for i in range(0, len(parts), BLOCK)]


def id_bytes(ids):
    return b"".join(int(i).to_bytes(4, "little", signed=True) for i in ids + [-1])


def golden(name, pre, tok, strings):
    kind = {"name": name, "tokenizer": json.loads(tok.to_str())}
    if pre:
        kind["pre"] = pre
    tok = Tokenizer.from_str(tok.to_str())
    ids = {}
    for mode, special in (("special", True), ("plain", False)):
        tok.encode_special_tokens = not special
        ids[mode] = [tok.encode(s, add_special_tokens=False).ids for s in strings]
        kind[mode] = hashes([id_bytes(i) for i in ids[mode]])
    decoded = [tok.decode(i, skip_special_tokens=False) for i in ids["special"]]
    kind["decoded"] = hashes([d.encode() + b"\xff" for d in decoded])
    same = sum(d == s for d, s in zip(decoded, strings))
    print(f"{name}: {tok.get_vocab_size()} tokens, {sum(map(len, ids['special']))} ids, {same} of {len(strings)} texts come back")
    return kind


def sentencepiece_kind(name, strings, size, **options):
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder) / "text"
        sentences = (HERE / "sentences.txt").read_text(encoding="utf-8")
        text.write_text(sentences + "".join(s + "\n" for s in strings if s.isascii() and s.isprintable() and len(s) < 200))
        sentencepiece.SentencePieceTrainer.train(
            input=text, model_prefix=folder + "/m", model_type="bpe", vocab_size=size, character_coverage=0.98,
            normalization_rule_name="identity", remove_extra_whitespaces=False, num_threads=1, minloglevel=2,
            max_sentence_length=100000, **options)
        data = (pathlib.Path(folder) / "m.model").read_bytes()
    (HERE / f"{name}.model").write_bytes(data)
    model = sentencepiece.SentencePieceProcessor(model_proto=data)
    ids = [model.encode(s) for s in strings]
    print(f"{name}: {model.get_piece_size()} tokens, {sum(map(len, ids))} ids, {len(data)} bytes")
    kind = {"name": name, "model": f"{name}.model", "plain": hashes([id_bytes(i) for i in ids])}
    if options["byte_fallback"]:  # an unknown token is decoded to U+2047, to its text by tokenizers
        kind["decoded"] = hashes([model.decode(i).encode() + b"\xff" for i in ids])
    return kind


def main():
    strings = unpacked(HERE / "golden.json.zst")["strings"]
    kinds = []
    for name, family in FAMILIES.items():
        tok = with_markers(trained(byte_level(*family), strings, 700, pre_tokenizers.ByteLevel.alphabet()))
        kinds.append(golden(name, name, tok, strings))
    kinds += [golden(name, pre, tok, strings) for name, pre, tok in other_kinds(strings)]
    kinds.append(sentencepiece_kind("spm", strings, 1600, byte_fallback=True))
    kinds.append(sentencepiece_kind("spm-plain", strings, 1300, byte_fallback=False, add_dummy_prefix=False, user_defined_symbols=["<think>"]))
    data = json.dumps(kinds, ensure_ascii=False, separators=(",", ":")).encode()
    (HERE / "kinds.json.zst").write_bytes(subprocess.run(
        ["zstd", "-q", "-19", "--long=24", "-c", f"--stream-size={len(data)}"], input=data, stdout=subprocess.PIPE, check=True).stdout)
    print(len(kinds), "kinds,", len(data), "->", (HERE / "kinds.json.zst").stat().st_size, "bytes")


main()
