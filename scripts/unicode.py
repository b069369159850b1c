#!/usr/bin/env python3
"""Writes src/text/unicode_tables.inc, the tables of src/text/unicode.c.

    python -m venv v && v/bin/pip install unicodedata2==16.0.0 fonttools tokenizers==0.23.3
    v/bin/python scripts/unicode.py

Categories come from the Unicode Character Database 16.0 (unicodedata2), scripts from Scripts.txt
(fonttools, whose later version is cut to the characters of 16.0). Hugging Face's `tokenizers` reads
\\p{...} by the same version, which the script checks for every category and script. Its normal
forms are of Unicode 9: the characters that differ, and its lower case, are asked of it.
"""
import sys
from pathlib import Path

import fontTools.unicodedata as names
import fontTools.unicodedata.Scripts as scripts
import unicodedata2 as ucd
from tokenizers import Regex, normalizers
from tokenizers.pre_tokenizers import Punctuation, Split

CATEGORIES = "Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cs".split()
OUT = Path(__file__).resolve().parent.parent / "src/text/unicode_tables.inc"
CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def matches(pattern):
    found = set()
    for at in range(0, len(CODES), 4096):
        part = CODES[at:at + 4096]
        pieces = Split(Regex(pattern), "removed", invert=True).pre_tokenize_str("".join(map(chr, part)))
        for _, (i, k) in pieces:
            found.update(part[i:k])
    return found


def runs(value):
    """first << 8 | value of each run of equal values"""
    out, last = [], None
    for code in range(0x110000):
        now = value(code)
        if now != last:
            out.append(code << 8 | now)
        last = now
    return out


def ranges(codes):
    out = []
    for code in sorted(codes):
        if out and out[-1][1] == code - 1:
            out[-1][1] = code
        else:
            out.append([code, code])
    return out


def table(name, kind, words, more=""):
    lines, line = [], "   "
    for word in words:
        if len(line) + len(word) + 2 > 100:
            lines.append(line)
            line = "   "
        line += f" {word},"
    lines.append(line)
    return f"static const {kind} {name}[]{more} = {{\n" + "\n".join(lines) + "\n};\n"


def inert():
    """Characters of later versions than the normal forms of `tokenizers` know, which would decompose or be reordered."""
    forms = {name: getattr(normalizers, name)() for name in ("NFC", "NFD", "NFKC", "NFKD")}
    out = set()
    for code in CODES:
        text = chr(code)
        if any(form.normalize_str(text) != ucd.normalize(name, text) for name, form in forms.items()):
            out.add(code)
        klass = ucd.combining(text)
        around = f"a{text}\u0334" if klass > 1 else f"a\u0345{text}" if klass == 1 else None
        if around and forms["NFD"].normalize_str(around) != ucd.normalize("NFD", around):
            out.add(code)
    return out


def lower():
    """first, last, step, what is added to each: of all characters but U+0130, which becomes two"""
    form, pairs = normalizers.Lowercase(), []
    for code in CODES:
        text = form.normalize_str(chr(code))
        if text == chr(code) or code == 0x130:
            continue
        assert len(text) == 1
        pairs.append((code, ord(text) - code))
    out = []
    for code, delta in pairs:
        if out and out[-1][3] == delta:
            first, last, step, _ = out[-1]
            if code - last == step or (first == last and code - last <= 2):
                out[-1] = [first, code, code - last, delta]
                continue
        out.append([code, code, 1, delta])
    return out


def punctuation():
    """What `tokenizers` takes for punctuation, which is of an older version: as a class of characters."""
    cut = Punctuation()
    found = [c for c in CODES if len(cut.pre_tokenize_str(f"a{chr(c)}a")) == 3]
    parts = [f"\\\\x{{{a:x}}}" + (f"-\\\\x{{{b:x}}}" if a < b else "") for a, b in ranges(found)]
    lines = [""]
    for part in ["["] + parts + ["]"]:
        if len(lines[-1]) + len(part) > 90:
            lines.append("")
        lines[-1] += part
    return "static const char punctuation[] =\n" + "\n".join(f'    "{line}"' for line in lines) + ";\n"


def main():
    assert ucd.unidata_version == "16.0.0", ucd.unidata_version
    category = [CATEGORIES.index(ucd.category(chr(c))) for c in range(0x110000)]
    by_category = {}
    for code in CODES:
        by_category.setdefault(category[code], set()).add(code)
    for index, name in enumerate(CATEGORIES):
        assert name == "Cs" or matches(rf"\p{{{name}}}") == by_category[index], name

    used, script = ["Zzzz"], []
    for code in range(0x110000):
        name = "Zzzz" if category[code] == 0 else names.script(chr(code))
        if name not in used:
            used.append(name)
        script.append(used.index(name))
    by_script = {}
    for code in CODES:
        by_script.setdefault(script[code], set()).add(code)
    for index, name in enumerate(used[1:], 1):
        for spelled in (name, scripts.NAMES[name]):
            assert matches(rf"\p{{{spelled}}}") == by_script[index], spelled

    hexes = lambda values: [hex(v) for v in values]
    pairs = lambda values: [f"{{0x{a:x}, 0x{b:x}}}" for a, b in values]
    OUT.write_text(
        "/* unicode_tables.inc - made by scripts/unicode.py; not to be edited. */\n\n"
        + "/* Unicode 16.0: first << 8 | category of each run of characters. */\n"
        + table("category_runs", "uint32_t", hexes(runs(category.__getitem__)))
        + "\n/* The same with scripts, by their index in script_names. */\n"
        + table("script_runs", "uint32_t", hexes(runs(script.__getitem__)))
        + "\n" + table("script_names", "char *const", [f'{{"{n}", "{scripts.NAMES.get(n, "Unknown")}"}}' for n in used], "[2]")
        + "\n/* Characters that normal forms of Unicode 9 do not know, though later ones decompose or reorder them. */\n"
        + table("inert", "ith_code_range", pairs(ranges(inert())))
        + "\n/* A class of characters: punctuation for Hugging Face's tokenizers. */\n" + punctuation()
        + "\n/* Lower case: first, last, step, and what is added to each. U+0130 is not among them. */\n"
        + table("lower_runs", "lower_run", [f"{{0x{a:x}, 0x{b:x}, {s}, {d}}}" for a, b, s, d in lower()]))
    print(OUT, OUT.stat().st_size, "bytes", file=sys.stderr)


main()
