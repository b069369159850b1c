#!/usr/bin/env python3
"""Makes the golden ids of the tokenizer tests with Hugging Face's `tokenizers`, and the vocabularies that the tests read.

    python tests/golden/tokenizer/make.py QWEN3_FOLDER SMOLLM2.gguf

needs: tokenizers, transformers, jinja2, gguf, and the zstd program. Run from the repository root. Writes

    tests/golden/tokenizer/golden.json.zst     strings, ids of both tokenizers with and without special tokens
    tests/golden/tokenizer/variants.json.zst   small tokenizers, one for each option, and their ids
    tests/golden/tokenizer/chat.json           conversations as apply_chat_template renders them
    tests/models/qwen3-tokenizer/              tokenizer.json.zst and tokenizer_config.json, as published
    tests/models/smollm2-tokenizer/            tokenizer.json.zst

SmolLM2's own tokenizer.json is not taken: an equal one is built here from the tokens, merges and types of the GGUF, with
Digits(individual_digits) and ByteLevel(use_regex) as pre-tokenizers and no normalizer, as llama.cpp's "smollm" stands for.
Everything is made from fixed seeds, so a second run gives the same files.
"""

import json
import pathlib
import random
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent.parent / "models"

RANGES = """0041-007a 00c0-017f 0180-024f 0250-02af 0370-03ff 0400-04ff 0500-052f 0531-0587 05d0-05ea 0620-064a 0660-0669
0671-06d3 0700-072f 0780-07b1 07c0-07ea 0900-097f 0980-09ff 0a00-0a7f 0a80-0aff 0b00-0b7f 0b80-0bff 0c00-0c7f 0c80-0cff
0d00-0d7f 0d80-0dff 0e01-0e5b 0e80-0edf 0f00-0fff 1000-109f 10a0-10ff 1100-11ff 1200-137f 13a0-13ff 1400-167f 1680-169f
16a0-16ff 1780-17ff 1800-18aa 1e00-1eff 1f00-1fff 2000-206f 2070-209c 20a0-20bf 2100-218b 2190-22ff 2460-24ff 2500-25ff
2600-27bf 2c00-2c7f 2c80-2cff 2d30-2d7f 3000-303f 3040-30ff 3100-312f 3130-318f 3200-33ff 3400-4dbf 4e00-9fff a000-a48c
a720-a7ff ab30-ab6f ac00-d7a3 e000-e0ff f900-faff fb00-fb4f fb50-fdff fe30-fe4f fe70-feff ff00-ffef 10330-1034a 10400-1044f
10900-1091f 12000-123ff 13000-1342e 1d400-1d7ff 1e900-1e943 1f300-1f5ff 1f600-1f64f 1f680-1f6ff 1f900-1f9ff 20000-2a6df 11f04-11f33 13460-13500 1d2c0-1d2d3 31350-323af"""

MARKS = [0x300, 0x301, 0x302, 0x303, 0x304, 0x306, 0x307, 0x308, 0x30A, 0x30B, 0x30C, 0x316, 0x323, 0x327, 0x328, 0x331,
         0x338, 0x345, 0x5B0, 0x5B4, 0x5BC, 0x64B, 0x651, 0x653, 0x654, 0x93C, 0x94D, 0x9BE, 0xBBE, 0xE38, 0xE48, 0x1DCE,
         0x20D7, 0x3099, 0x309A]

NEW = [0x1C89, 0xA7CB, 0xA7DC, 0x105C0, 0x10D40, 0x10D4A, 0x116D0, 0x11390, 0x11BF0, 0x11F02, 0x11F33, 0x11F50, 0x1342F, 0x13460, 0x143FA,
       0x16100, 0x16130, 0x16D40, 0x18CFF, 0x1CCF0, 0x1D2C0, 0x1D2D3, 0x1E030, 0x1E4D0, 0x1E4F0, 0x1E5FA, 0x2B739, 0x2EBF0, 0x31350, 0x323AF]

BLANKS = [" ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\r", "\u00a0", "\u0085", "\u2003", "\u2028", "\u3000", "\u200b",
          "\u180e", "\ufeff", "\x0b", "\x0c", "\x1c", "\x1f"]

EMOJI = ["😀", "👍🏽", "👩‍🚀", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇫🇷", "🇯🇵🇩🇪", "1️⃣", "❤️", "🧑🏿‍🤝‍🧑🏻", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🫠", "⌚", "☃️", "✨"]

MARKERS = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>", "<tool_call>", "<|fim_prefix|>",
           "<|vision_start|>", "<repo_name>", "<file_sep>", "<jupyter_code>", "<empty_output>", "<|im_start", "im_end|>",
           "<|im_<|im_end|>", "<<think>>", "< think>", "<|IM_END|>", "[INST]", "<s>"]

CODE = r'''
#include <stdio.h>
int main(void) { for (int i = 0; i < 10; ++i) printf("%d\t%s\n", i, "x'y"); return 0; }
	if (a->b[c] != NULL && *p++ == 0x1F'FFu) { /* comment */ goto fail; }
def fibonacci(n: int) -> list[int]:
    """Return the first n numbers."""
    a, b = 0, 1
        return [x**2 for x in range(n) if x % 2 == 0]  # squares
print(f"{value!r:>10.3f} {name=} {{braces}}")
const add = (a, b) => a + b; console.log(`sum: ${add(1, 2)}`);
<div class="row"><p>Hello&nbsp;world &amp; all</p></div><!-- end -->
SELECT id, COUNT(*) FROM users WHERE name LIKE '%O''Brien%' GROUP BY id HAVING COUNT(*) > 1;
fn main() -> Result<(), Box<dyn Error>> { let v: Vec<&'static str> = vec![]; Ok(()) }
\begin{equation} E = mc^2, \quad \int_0^\infty e^{-x^2}\,dx = \frac{\sqrt{\pi}}{2} \end{equation}
{"key": [1, 2.5e-10, true, null], "nested": {"a": "b\u00e9"}}
$ grep -rn 'foo' --include=*.c . | awk '{print $1}' | sort -u > /tmp/out.txt 2>&1
template <typename T, std::enable_if_t<std::is_same_v<T, int>, int> = 0> void f(T&&...) noexcept;
git commit -m "fix: don't crash (#1234)" && git push origin HEAD:refs/heads/main
https://example.com/path/to?query=1&other=%20x#frag user@example.org 192.168.0.1 fe80::1%eth0
0xDEADBEEF 0b1010 1_000_000 3.14159 -2.5E+10 1e-9 12345678901234567890 007 1,234,567.89 ½ ³ ٣ ४ Ⅻ
    mov rax, [rbx+8*rcx-0x10]   ; load
'''.split("\n")[1:]


def random_word(rng, lo, hi):
    return "".join(chr(rng.randint(lo, hi)) for _ in range(rng.randint(1, 8)))


def from_ranges(rng):
    for item in RANGES.split():
        lo, hi = (int(x, 16) for x in item.split("-"))
        for _ in range(8):
            yield " ".join(random_word(rng, lo, hi) for _ in range(rng.randint(1, 5)))


def combined(rng):
    bases = "aeiounAEIOUszcykdlrtgAÅøαωηιυΑеиуЕאבگایकनবরதനเかはカハウㄱ가각각각<=ſﬁ"
    for _ in range(250):
        text = ""
        for _ in range(rng.randint(1, 8)):
            text += rng.choice(bases) + "".join(chr(rng.choice(MARKS)) for _ in range(rng.choice([0, 1, 1, 1, 2, 3])))
            if rng.random() < 0.2:
                text += rng.choice(" .1")
        yield text
    yield from ["\u0301", " \u0301a", "e\u0301" * 40, "\u1100\u1161\u11a8\u1112\u1161\u11ab", "\u212b \u2126 \u212a \u2000\u2001",
                "\uf900\uf901\ufa2a", "\u0958\u095f\u09dc", "\u0344\u0343\u0340", "a\u0323\u0307 a\u0307\u0323", "\U0001d15e\U0001d1bb"]


def mixtures(rng, sentences):
    words = " ".join(sentences).split()
    for _ in range(350):
        parts = []
        for _ in range(rng.randint(1, 9)):
            parts.append(rng.choice([rng.choice(words), rng.choice(words), str(rng.randint(0, 10 ** rng.randint(1, 12))),
                                     rng.choice(EMOJI), rng.choice(",.;:!?'\"()[]{}*-_/\\#@&%$^+=~`|<>…—“”«»、。！"),
                                     rng.choice(["'s", "'T", "'re", "'VE", "'m", "'ll", "'d", "'\u017f", "\u2019s", "''", "'x"])]))
            parts.append(rng.choice(["", "", " ", rng.choice(BLANKS), rng.choice(BLANKS) * rng.randint(1, 5)]))
        yield "".join(parts)


def marked(rng, sentences):
    words = " ".join(sentences).split()
    for _ in range(200):
        parts = []
        for _ in range(rng.randint(1, 6)):
            parts.append(rng.choice([rng.choice(MARKERS), rng.choice(MARKERS), rng.choice(words), rng.choice(["", " ", "\n"])]))
        yield "".join(parts)


def all_strings():
    rng = random.Random(20240229)
    sentences = (HERE / "sentences.txt").read_text(encoding="utf-8").splitlines()
    strings = ["", " ", "a", "\n", "\x00", "a\x00b", "\ufffd", "\U0010ffff", "a" * 3000, " " * 3000, "ab " * 500, "\n" * 500, "の" * 1000,
               "1" * 500, "=" * 777, " \n" * 300, "\u0301" * 100]
    strings += sentences + [s.upper() for s in sentences[:20]] + ["".join(sentences[i : i + 6]) for i in range(0, 60, 6)]
    strings += [s[len(s) // 3 :].strip() + "\r\n" + s[: len(s) // 3] for s in sentences]
    # Symbols, then line ends and slashes: patterns differ in whether they belong together.
    strings += [s + e + t for s in ["=", " --", "//", "…", ")}"] for e in ["\n", "\r\n", "\n\n", "\r"] for t in ["/", "//x", "/\n/", "\n/usr", " /"]]
    strings += CODE + ["\n".join(CODE), "\r\n".join(CODE), "\t" + "\n\t\t".join(CODE)]
    strings += EMOJI + ["".join(rng.choice(EMOJI) for _ in range(5)) for _ in range(80)]
    strings += [str(rng.randint(0, 10 ** rng.randint(1, 25))) for _ in range(60)]
    strings += ["x" + b + "y" for b in BLANKS] + [b + c for b in BLANKS for c in BLANKS] + [b * 3 + "z" for b in BLANKS]
    strings += [chr(c) + " " + chr(c) * 2 for c in range(0x20)]
    # Letters and numbers of Unicode 15 and 16: how the text beside them is cut shows whether they count
    # as such.
    strings += [f"{chr(c)}[wX {chr(c)}{chr(c)}1 ={chr(c)}=" for c in NEW]
    strings += list(from_ranges(rng)) + list(combined(rng)) + list(mixtures(rng, sentences)) + list(marked(rng, sentences))
    return [s for s in strings if not any(0xD800 <= ord(c) < 0xE000 for c in s)]


def smollm2(path):
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    fields = GGUFReader(path).fields
    tokens, merges, types = (fields["tokenizer.ggml." + k].contents() for k in ("tokens", "merges", "token_type"))
    assert fields["tokenizer.ggml.pre"].contents() == "smollm"
    vocab = {t: i for i, t in enumerate(tokens)}
    tok = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(m.split(" ")) for m in merges]))
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                 pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tok.decoder = decoders.ByteLevel()
    tok.add_special_tokens([AddedToken(t, normalized=False, special=True) for t, k in zip(tokens, types) if k == 3])
    return tok, fields["tokenizer.chat_template"].contents()


def encode(tok, strings, special):
    tok.encode_special_tokens = not special
    return [tok.encode(s, add_special_tokens=False).ids for s in strings]


def compress(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(subprocess.run(["zstd", "-q", "-19", "-c", f"--stream-size={len(data)}"], input=data, stdout=subprocess.PIPE, check=True).stdout)
    print(path, len(data), "->", path.stat().st_size)


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


CONVERSATIONS = [
    [("user", "Hi")],
    [("system", "You are terse."), ("user", "What is 2+2?")],
    [("user", "Hi"), ("assistant", "Hello!"), ("user", "And now?")],
    [("system", "S"), ("user", "Hi"), ("assistant", "<think>\nA greeting.\n</think>\n\nHello!"), ("user", "Bye")],
    [("user", "a"), ("assistant", "<think>one</think>two"), ("user", "b"), ("assistant", "<think>\n\n</think>\n\nthree"), ("user", "c")],
    [("user", "Count"), ("assistant", "<think>\nstill thinking\n</think>\n\nOne,")],
    [("user", "Count"), ("assistant", "One,")],
    [("user", "Count"), ("assistant", "<think>\nx\n</think>\n\n"), ("assistant", "more"), ("assistant", "\n\nagain")],
    [("user", "x"), ("system", "a late system message"), ("user", "y")],
    [("assistant", "I begin. </think> odd </think>\n\n rest"), ("user", "  spaces  \n\n")],
    [("user", "q"), ("assistant", "<think>\np\n</think>\n\ncall"), ("user", "<tool_response>\n42\n</tool_response>")],
    [("user", "<tool_response>only"), ("assistant", "a<think>b</think>"), ("user", "")],
    [("system", ""), ("user", "Ünïcödé 你好 👋\r\n<|im_end|>"), ("assistant", "\n\nok\n"), ("user", "\u00a0 next \u3000")],
    [("assistant", "only me")],
    [("system", "only system")],
]


LLAMA3 = ("{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
          "message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
          "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
          "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}")


def render(template, conversation, **more):
    from transformers.utils.chat_template_utils import render_jinja_template

    messages = [{"role": r, "content": c} for r, c in conversation]
    return render_jinja_template(conversations=[messages], chat_template=template, add_generation_prompt=True,
                                 bos_token="<|begin_of_text|>", **more)[0][0]


def chats(qwen3_config, smollm2_template):
    plain = ("{%- for message in messages %}\n    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}\n"
             "{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n{%- endif %}")
    templates = {"qwen3": json.loads(qwen3_config)["chat_template"], "smollm2": smollm2_template, "chatml": plain,
                 "llama3": LLAMA3.replace("\n", "\\n")}
    cases = []
    for kind, template in templates.items():
        for conversation in CONVERSATIONS:
            for thinking in ["default", "on", "off"] if kind == "qwen3" else ["default"]:
                more = {} if thinking == "default" else {"enable_thinking": thinking == "on"}
                cases.append({"kind": kind, "thinking": thinking, "messages": conversation, "text": render(template, conversation, **more)})
    return {"templates": templates, "cases": cases}


def small(**changes):
    """A tokenizer of 256 bytes and a few merges, as tokenizer.json, with some parts changed."""
    from tokenizers.pre_tokenizers import ByteLevel

    tokens = sorted(ByteLevel.alphabet())
    merges = []
    for word in ["he", "ll", "llo", "hello", "Ġw", "Ġwo", "Ġwor", "ld", "Ġworld", "ĠĠ", "in", "ing", "Ã©", "11", "ab", "abc", "bc"]:
        right = next(i for i in range(1, len(word)) if (word[:i] in tokens) and (word[i:] in tokens))
        merges.append([word[:right], word[right:]])
        if word not in tokens:
            tokens.append(word)
    merges.append(["a", "bc"])
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    base = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
            "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": {t: i for i, t in enumerate(tokens)}, "merges": merges}}
    for key, value in changes.items():
        if key in base["model"]:
            base["model"][key] = value
        elif key == "added":
            base["added_tokens"] = [dict(id=len(tokens) + i, **dict(content="", single_word=False, lstrip=False, rstrip=False,
                                         normalized=False, special=False) | t) for i, t in enumerate(value)]
        else:
            base[key] = value
    return base


def variants():
    """Every supported option of tokenizer.json, alone, on strings that show its effect."""
    from tokenizers import Tokenizer

    def sequence(*parts):
        return {"type": "Sequence", "pretokenizers": list(parts)}

    def level(prefix=False, regex=False):
        return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}

    def split(pattern, behavior, invert=False):
        return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}

    template = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [len(small()["model"]["vocab"])], "tokens": ["<s>"]}}}
    added = [dict(content="<s>", special=True), dict(content="<L>", lstrip=True), dict(content="<R>", rstrip=True),
             dict(content="<LR>", lstrip=True, rstrip=True), dict(content="word", single_word=True), dict(content="wordy"),
             dict(content="éé", normalized=True), dict(content="ÀN", normalized=True, lstrip=True), dict(content="<s><L>", special=True),
             dict(content="<S>", special=True, rstrip=True, lstrip=True, normalized=True)]
    texts = ["hello world", "hello  world 1111 abc bc", "a <s> b", "x  <L>  y", "x  <R> \u3000 y <R>", " <LR>  <LR> <L> <R><LR>",
             "word wordy sword words word. _word word_ éword (word) wordé word\u0301 wordwordy", "é e\u0301 cafe\u0301 A\u0300N  ÀN \u00a0ÀN",
             "<s><s><L><s> <L>", "a <S> <S> b<S>", "--a-b--c-", "-", "1a22b", "a1-2-b", "  \n hello\t", "", "abcabc abbc aabc", "éé e\u0301e\u0301 É", "<s", "<L"]
    list_of = [small(), small(added=added), small(added=added, normalizer={"type": "NFC"}), small(ignore_merges=True), small(pre_tokenizer=level(True, True)),
               small(pre_tokenizer=level(True, True), added=added), small(pre_tokenizer=sequence(split({"String": "-"}, "Isolated"), level(True))),
               small(normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}]}), small(added=added[:1], post_processor=template),
               small(pre_tokenizer=sequence({"type": "Digits", "individual_digits": True}, level(False, True))),
               small(pre_tokenizer=sequence({"type": "Digits", "individual_digits": False}, level(False, True)))]
    for behavior in ["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"]:
        for pattern in [{"String": "-"}, {"Regex": "[a-c]+|\\s"}, {"Regex": "-|\\d"}, {"Regex": "(?i:HE)|x*"}]:
            for invert in [False, True]:
                list_of.append(small(pre_tokenizer=sequence(split(pattern, behavior, invert), level())))
    # Texts that the vocabulary has: spelled as there, or as it spells others; and ids that are not theirs.
    twice = [dict(content="hello"), dict(content="  "), dict(content="ing", normalized=True), dict(content="Ġworld"), dict(content="new"), dict(content="11", special=True)]
    again = ["hello", "hello hello  world\u0120world", "   ing  inging 111 new", "     ", "Ġ Ġworld  hell"]
    texts += again
    list_of += [small(added=twice), small(added=twice, ignore_merges=True), small(added=twice[::-1], normalizer={"type": "NFC"})]
    moved = small(added=[dict(content="moved"), dict(content="ing")])
    moved["added_tokens"][0]["id"] = 3
    list_of.append(moved)
    unk = small(unk_token="<unk>")
    del unk["model"]["vocab"]["Ã"]
    unk["model"]["merges"] = [m for m in unk["model"]["merges"] if "Ã" not in m]
    del unk["model"]["vocab"]["Ã©"]
    unk["model"]["vocab"] = {t: i for i, t in enumerate(list(unk["model"]["vocab"]) + ["<unk>"])}
    none = json.loads(json.dumps(unk))
    none["model"]["unk_token"] = None
    cases = []
    for tokenizer in list_of + [unk, none]:
        tok = Tokenizer.from_str(json.dumps(tokenizer))
        cases.append({"tokenizer": tokenizer, "strings": texts, "special": encode(tok, texts, True), "plain": encode(tok, texts, False)})
    return cases


def main():
    from tokenizers import Tokenizer

    qwen3_folder, gguf = pathlib.Path(sys.argv[1]), sys.argv[2]
    qwen3 = Tokenizer.from_file(str(qwen3_folder / "tokenizer.json"))
    config = (qwen3_folder / "tokenizer_config.json").read_bytes()
    smol, template = smollm2(gguf)
    strings = all_strings()
    golden = {"strings": strings}
    for name, tok in (("qwen3", qwen3), ("smollm2", smol)):
        golden[name] = encode(tok, strings, True)
        golden[name + "_plain"] = encode(tok, strings, False)
    print(len(strings), "strings")
    compress(HERE / "golden.json.zst", dump(golden))
    compress(HERE / "variants.json.zst", dump(variants()))
    (HERE / "chat.json").write_text(json.dumps(chats(config, template), ensure_ascii=True, indent=1) + "\n")
    compress(MODELS / "qwen3-tokenizer" / "tokenizer.json.zst", (qwen3_folder / "tokenizer.json").read_bytes())
    (MODELS / "qwen3-tokenizer" / "tokenizer_config.json").write_bytes(config)
    smol.encode_special_tokens = False
    compress(MODELS / "smollm2-tokenizer" / "tokenizer.json.zst", dump(json.loads(smol.to_str())))


main()
