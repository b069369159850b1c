#!/usr/bin/env python3
"""Writes ids.json: conversations, and the token ids that Transformers' apply_chat_template makes of them.

    python3 tests/golden/chat/make_chat_golden.py

needs: transformers 5, zstandard. The texts hold no markers, but whatever else could tell whether text of the template and
of a message is tokenized together: line ends, blanks, digits and combining marks where they meet.
"""

import json
import pathlib
import tempfile

import zstandard
from transformers import AutoTokenizer

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent.parent / "models"
JINJA = {t["name"]: t["source"] for t in json.loads(zstandard.decompress(
    (HERE.parent / "jinja" / "golden.json.zst").read_bytes()))["templates"]}
TOOL = {"type": "function", "function": {"name": "weather", "description": "Weather of a \"place\"", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}}}
CALL = {"role": "assistant", "content": "", "tool_calls": [{"id": "call00001", "type": "function", "function": {
    "name": "weather", "arguments": {"city": "Zürich", "days": 2}}}]}


def m(role, content, **more):
    return {"role": role, "content": content, **more}


CHATS = [
    [m("user", "hi")],
    [m("system", "Be brief."), m("user", "\n\nWhat? "), m("assistant", " x\n"), m("user", " 12 345")],
    [m("user", "\u0301a e\u0301 \u1112\u1161\u11ab\u0327")],
    [m("user", "日本語、🙂\u3000 ß")],
    [m("user", "  two  blanks  ")],
    [m("user", "a\n\n\nb\t\r\nc\n")],
    [m("user", "'s 1"), m("assistant", "2's\n\n"), m("user", ">|<")],
    [m("user", "word wordy <b>bold</b>")],
]
MORE = [
    ([m("user", "q"), CALL, m("tool", "{\"t\": 20}", name="weather", tool_call_id="call00001")], {"tools": [TOOL]}),
    ([m("user", "q")], {"enable_thinking": False}),
    ([m("user", "q"), m("assistant", "a", reasoning_content="because\n")], {}),
]


def byte_letters():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}


def tiny(added, **more):
    """256 bytes and a few merges, some of them across the usual ends of a template's text."""
    letter = byte_letters()
    vocab = {letter[b]: b for b in range(256)}
    merges = ["Ċ h", "Ġ 1", "Ġ x", "> >", "h i", "e Ì", "eÌ ģ", "Ċ Ì", "1 2", "w o", "r d"]
    for merge in merges:
        vocab[merge.replace(" ", "")] = len(vocab)
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    tokens = []
    for i, (text, flags) in enumerate(added):
        tokens.append({"id": len(vocab) + i, "content": text, "special": False, "normalized": False, "single_word": False,
                       "lstrip": False, "rstrip": False, **flags})
    return {"version": "1.0", "added_tokens": tokens, "normalizer": None, "pre_tokenizer": level, "post_processor": None,
            "decoder": level, "model": {"type": "BPE", "vocab": vocab, "merges": merges}, **more}


SPECIAL = {"special": True}
TURNS = [("<start_of_turn>", SPECIAL), ("<end_of_turn>", SPECIAL), ("<bos>", SPECIAL), ("<eos>", SPECIAL)]
BLANKS = [("\n\n", {}), ("\n\n\n", {}), ("  ", {}), ("word", {"single_word": True}), ("<b>", {})]
IM = [("<|im_start|>", SPECIAL), ("<|im_end|>", SPECIAL)]


def unpacked(name):
    data = (MODELS / name / "tokenizer.json.zst").read_bytes()
    return json.loads(zstandard.ZstdDecompressor().decompress(data, max_output_size=1 << 26))


KINDS = ["llama2", "metaspace first", "metaspace always, split", "gemma", "gpt-4o", "tekken", "deepseek-v3", "kimi-k2", "NFKC, lower case",
         "NFD, strip", "byte level, prefix space, lower case"]


def kind(name):
    data = zstandard.ZstdDecompressor().decompress((HERE.parent / "tokenizer" / "kinds.json.zst").read_bytes(), max_output_size=1 << 26)
    return next(k["tokenizer"] for k in json.loads(data) if k.get("name") == name)


def models():
    """name: tokenizer.json (None: that of tests/models/NAME-tokenizer; a text: that kind in ../tokenizer/kinds.json.zst),
    tokenizer_config.json, names of templates."""
    qwen3 = json.loads((MODELS / "qwen3-tokenizer" / "tokenizer_config.json").read_text())
    plain = {"bos_token": "<bos>", "eos_token": "<eos>"}
    chat = {"eos_token": "<|im_end|>"}
    nfc = {"normalizer": {"type": "NFC"}}
    s = {"bos_token": "<s>", "eos_token": "</s>"}
    return {k: (k, s, ["llama2", "frame-zephyr", "frame-vicuna"]) for k in KINDS} | {
        "qwen3": (None, qwen3, ["own", "frame-hermes", "frame-qwen-parts", "frame-qwen-open", "frame-llama3"]),
        "smollm2": (None, {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"},
                    ["frame-chatml-default", "frame-chatml-trim", "frame-phi3"]),
        "turns": (tiny(TURNS + BLANKS, **nfc), plain, ["frame-gemma", "frame-zephyr", "llama2"]),
        "loose": (tiny([(t, {}) for t, _ in IM], **nfc), chat, ["frame-chatml", "frame-chatml-trim"]),
        "normalized": (tiny([(t, {"normalized": True}) for t, _ in IM] + [("<b>", {"normalized": True})], **nfc), chat,
                       ["frame-chatml", "frame-chatml-default"]),
        "greedy": (tiny([("<|im_start|>", SPECIAL | {"rstrip": True}), ("<|im_end|>", SPECIAL | {"lstrip": True, "rstrip": True})]),
                   chat, ["frame-chatml"]),
    }


def render(name, tokenizer, config, templates):
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        data = tokenizer or unpacked(name + "-tokenizer")
        data = kind(data) if isinstance(data, str) else data
        (folder / "tokenizer.json").write_text(json.dumps(data))
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **config}))
        tok = AutoTokenizer.from_pretrained(folder)
        for template in templates:
            own = template == "own"
            for messages, options in [(c, {}) for c in CHATS] + (MORE if own else []):
                try:
                    ids = tok.apply_chat_template(messages, chat_template=None if own else JINJA[template],
                                                  add_generation_prompt=True, return_dict=False, **options)
                except Exception as error:
                    print(name, template, error)
                    continue
                cases.append({"model": name, "template": None if own else template, "messages": messages,
                              "options": options, "ids": ids})
    return cases


def main():
    cases, tokenizers, templates = [], {}, {}
    for name, (tokenizer, config, names) in models().items():
        cases += render(name, tokenizer, config, names)
        tokenizers[name] = {"tokenizer": tokenizer, "config": config}
        templates |= {t: JINJA[t] for t in names if t != "own"}
    text = json.dumps({"models": tokenizers, "templates": templates, "cases": cases}, separators=(",", ":"))
    (HERE / "ids.json").write_text(text + "\n")
    print(len(cases), "cases,", len(text), "bytes")


main()
