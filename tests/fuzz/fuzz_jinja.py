#!/usr/bin/env python3
"""Random templates and what jinja2 makes of them, for test_jinja.

    python3 tests/fuzz/fuzz_jinja.py SEED COUNT > build/cases.json
    ITHACA_JINJA_CASES=build/cases.json build/release/tests/unit/test_jinja

needs: jinja2. What the interpreter refuses as unsupported does not count as a difference.
"""

import json
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "golden" / "jinja"))
from render import render  # noqa: E402

VARS = {
    "s": "Hello, World", "e": "", "w": "  a b\n\nc\t", "u": "Äñ日本🙂x", "q": "it's \"q\"\\n", "i": 7, "z": 0, "m": -3,
    "f": 2.5, "g": 1e22, "t": True, "n": None, "l": [3, 1, 2], "ls": ["b", "A", "c"], "el": [],
    "d": {"a": 1, "b": [1, 2], "items": 5}, "ld": [{"r": "user", "c": "x"}, {"r": "tool", "c": "y"}, {"r": "user"}],
}
FILTERS = """upper lower title capitalize trim length count first last list string int float abs tojson tojson(indent=2)
join join(',') sort reverse reverse|list unique|list sum min max items|list dictsort default('D') default('D',true) e safe
replace('l','L') replace('a','') indent indent(2,true) round round(1) map('upper')|list map(attribute='r')|list
selectattr('c','defined')|list rejectattr('r','equalto','user')|list select('odd')|list reject('string')|list
map('string')|join batch(2)|list groupby('r') tojson(separators=(',',':')) tojson(ensure_ascii=true) select|list
sort(reverse=true) sort(attribute='r') round(0,'floor') int(5) float(1.5) center(20) format(1,2) attr('x') """.split()
TESTS = """defined undefined none string number mapping iterable sequence boolean true false integer float odd even
upper lower callable not@none not@defined in@l eq@7 ne@s gt@1 divisibleby@2 sameas@none""".replace("\n", " ").split()
METHODS = """split() split(',') split(',',1) rsplit(None,1) strip() lstrip() rstrip('d') upper() lower() title()
capitalize() startswith('H') endswith(('d','x')) find('o') rfind('o') count('l') replace('l','*',1) join(['a','b'])
items()|list keys()|list values()|list get('a') get('q','def') splitlines() partition(',') isdigit() isalpha() isupper()
islower() zfill(15) center(15,'*') ljust(14)|length index(1) format(1) swapcase() rpartition('o') removeprefix('He') isspace()
isalnum() istitle() nosuch append(1) items keys""".split()
OPS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", ">", "<=", ">=", "in", "not in", "and", "or"]
LITERALS = ["1", "0", "-2", "3.0", "0.1", "1e100", "'x'", "\"it's\"", "'%s|%d'", "'{}-{}'", "[1,'a',none]", "(1,)", "()",
            "{'k':1.5}", "none", "true", "false", "'é'", "1_000", "0x1f", "[[1],[2]]", "{}", "range(4)", "nosuch"]


def expression(r, depth):
    kind = r.randrange(13) if depth > 0 else r.randrange(2)
    sub = lambda: expression(r, depth - 1)  # noqa: E731
    if kind == 0:
        return r.choice(list(VARS))
    if kind == 1:
        return r.choice(LITERALS)
    if kind in (2, 3):
        return f"{sub()} {r.choice(OPS)} {sub()}"
    if kind in (4, 5):
        return f"({sub()})|{r.choice(FILTERS)}"
    if kind == 6:
        return f"({sub()}) is {r.choice(TESTS).replace('@', ' ')}"
    if kind in (7, 8):
        return f"({sub()}).{r.choice(METHODS)}"
    if kind == 9:
        parts = [r.choice(["", "1", "-1", "2", "-2", "5", "-9"]) for _ in range(3)]
        # Variables only: jinja2 computes slices of constants while it compiles, and by other rules.
        return f"{r.choice(list(VARS))}[{parts[0]}:{parts[1]}" + (f":{parts[2]}]" if r.random() < 0.5 else "]")
    if kind == 10:
        return f"({sub()})[{r.choice(['0', '-1', '9', chr(39) + 'a' + chr(39), chr(39) + 'items' + chr(39), 'i'])}]"
    if kind == 11:
        return f"({sub()} if {sub()} else {sub()})"
    return r.choice(["not {}", "-({})", "[{}, 1]", "{{'k': {}}}", "({})"]).format(sub())


def blank(r):
    return r.choice(["", " ", "\n", "\n  ", "  \n", "x\n", " y"])


def statement(r, depth):
    o, c = r.choice(["{%", "{%-", "{%+", "{%"]), r.choice(["%}", "-%}", "+%}", "%}"])
    tag = lambda t: blank(r) + f"{o} {t} {c}" + blank(r)  # noqa: E731
    body = lambda: block(r, depth - 1)  # noqa: E731
    kind = r.randrange(10) if depth > 0 else 0
    if kind <= 2:
        return blank(r) + r.choice(["{{", "{{-"]) + " " + expression(r, 2) + " " + r.choice(["}}", "-}}"]) + blank(r)
    if kind == 3:
        return tag(f"if {expression(r, 2)}") + body() + tag("else") + body() + tag("endif")
    if kind == 4:
        extra = r.choice(["", " if x", " if loop is defined"])
        return tag(f"for x in {r.choice(['l', 'ls', 'd', 'el', 'u', 'ld', 'range(3)', 'd.items()'])}{extra}") + body() + \
            "{{ loop.index }}{{ loop.last }}{{ x }}" + r.choice(["", "{% break %}", "{% if loop.first %}{% continue %}{% endif %}"]) + \
            "!" + tag("else") + body() + tag("endfor")
    if kind == 5:
        return tag(f"set {r.choice(['s', 'v', 'l', 'x'])} = {expression(r, 2)}")
    if kind == 6:
        return tag("set v") + body() + tag("endset") + "{{ v }}"
    if kind == 7:
        return tag("filter upper") + body() + tag("endfilter")
    if kind == 8:
        return tag("macro mm(a, b='B')") + "{{ a }}{{ b }}" + body() + tag("endmacro") + "{{ mm(" + expression(r, 1) + ") }}"
    return "{#" + r.choice(["", "-"]) + " c " + r.choice(["", "-"]) + "#}" + blank(r) + tag("generation") + body() + tag("endgeneration")


def block(r, depth):
    return "".join(statement(r, depth) for _ in range(r.randrange(1, 3)))


def main():
    r = random.Random(int(sys.argv[1]))
    out = []
    for i in range(int(sys.argv[2])):
        source = "{{ " + expression(r, 3) + " }}" if i % 2 else block(r, 3)
        expected = render(source, VARS)
        if expected is not None and (" at 0x" in expected or "<" in expected and "object" in expected or len(expected) > 10000):
            continue
        out.append({"name": str(i), "source": source, "cases": [{"vars": "v", "expected": expected}]})
    json.dump({"vars": {"v": VARS}, "templates": out}, sys.stdout)


main()
