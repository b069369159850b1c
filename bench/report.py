#!/usr/bin/env python3
"""report.py - the table and the pictures of SPEED.md, from the documents in bench/results and
bench/baselines.

    bench/report.py REPORT [--write]

REPORT is the folder that `ithaca compare` wrote of these documents: the pictures are those of its
page. `make report` calls both. Without --write nothing is changed: exit status 1 if SPEED.md or a
picture is not what the documents say.
"""

import glob
import html
import json
import os
import re
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, "SPEED.md")
RESULTS = os.path.join(HERE, "results", "zen4-2")
BEGIN, END = "<!-- {} -->", "<!-- end of {} -->"

MODEL = "qwen3-0.6b"
PLOTS = {"Prefill": "prefill.svg", "Decode": "decode.svg"}
WIDTH, HEIGHT, LINE, MARKER = 640, 360, 20, 16

ENGINES = ("Ithaca", "llama.cpp", "ik_llama.cpp")
FILES = {"Q4_0": "q4_0", "Q4_K_M": "q4_k_m", "Q6_K": "q6_k", "IQ4_XS": "iq4_xs"}


# ---- The table ----

def best(document, engine, phase, depth, tokens):
    """Seconds of all repetitions of the engine's fastest way on all cores; None: not measured."""
    found = {}
    for result in document["results"]:
        run = document["runs"][result["run"]]
        place = run["placement"]
        if (document["engines"][run["engine"]]["name"] == engine and result["depth"] == depth
                and result["phase"] == phase and result["status"] == "measured"
                and (phase == "decode" or result["tokens"] == tokens)):
            key = place["ranks"] * place.get("threads", 1), place["ranks"], run["model"]
            found.setdefault(key, []).extend(result["seconds"]["values"])
    if not found:
        return None
    most = max(key[0] for key in found)
    return min((v for key, v in found.items() if key[0] == most), key=statistics.median)


def rate(seconds, tokens):
    if seconds is None:
        return None
    return tokens / statistics.median(seconds)


def number(x):
    return "–" if x is None else f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def rows():
    yield "| " + " | ".join(["Tokens per second", "", *ENGINES, "beside llama.cpp",
                             "beside ik_llama.cpp"]) + " |"
    yield "|---|---|" + "--:|" * (len(ENGINES) + 2)
    for label, file in FILES.items():
        if not os.path.exists(os.path.join(RESULTS, f"{file}.json")):
            continue
        with open(os.path.join(RESULTS, f"{file}.json"), encoding="utf-8") as f:
            document = json.load(f)
        for what, phase, depth, tokens in measured(document):
            rates = [rate(best(document, e, phase, depth, tokens), tokens) for e in ENGINES]
            beside = [f"**{rates[0] / r:.1f} ×**" if r else "–" for r in rates[1:]]
            yield (f"| {label} | {what} | {' | '.join(number(r) for r in rates)} | "
                   f"{' | '.join(beside)} |")


def measured(document):
    """(words, phase, depth, tokens) that Ithaca and another engine have."""
    keys = {}
    for result in document["results"]:
        engine = document["engines"][document["runs"][result["run"]]["engine"]]["name"]
        tokens = result["tokens"] if result["phase"] == "prefill" else 1
        keys.setdefault((result["phase"], result["depth"], tokens), set()).add(engine)
    for (phase, depth, tokens), engines in sorted(keys.items(), key=lambda k: (k[0][0] == "decode",
                                                                               *k[0][1:])):
        if "Ithaca" not in engines or len(engines) == 1:
            continue
        what = f"prefill of {tokens:,}" if phase == "prefill" else "decode"
        yield (what + (f" behind {depth:,}" if depth else ""), phase, depth, tokens)


# ---- The pictures ----

def style():
    """The colours of the page, as they are in src/cli/report.css."""
    with open(os.path.join(HERE, "..", "src", "cli", "report.css"), encoding="utf-8") as f:
        text = f.read()
    roots = re.findall(r":root \{(.*?)\}", text, re.S)
    variables = [" ".join(re.findall(r"--(?:ink|faint|soft|paper|curve-\d): [^;]+;", r))
                 for r in roots]
    return (f"svg {{ {variables[0]} font: 13px system-ui, sans-serif; }}\n"
            f"@media (prefers-color-scheme: dark) {{ svg {{ {variables[1]} }} }}\n"
            "text { fill: var(--soft); } .grid { stroke: var(--faint); stroke-width: 1; }")


def section(page):
    """The part of the page that is about MODEL."""
    parts = re.split(r'(?=<h2 id="model-)', page)
    for part in parts[1:]:
        if re.match(rf'<h2 id="model-\d+">{re.escape(MODEL)}</h2>', part):
            return part
    sys.exit(f"report.py: the report has no {MODEL}")


def legend(part, plot):
    """(marker, label) of the curves that the picture has."""
    drawn = set(html.unescape(t) for t in re.findall(r"<title>(.*?), [\d]+ tokens: ", plot))
    for marker, label in re.findall(r'<li><svg class="marker"[^>]*>(.*?)</svg>(.*?)</li>', part):
        if html.unescape(label) in drawn:
            yield marker, label


def picture(part, title):
    found = re.search(rf"<figcaption>{title}</figcaption>\n<svg[^>]*>(.*?)</svg>\n</figure>", part,
                      re.S)
    if not found:
        sys.exit(f"report.py: the report has no picture of {title}")
    plot, lines = found.group(1), []
    for i, (marker, label) in enumerate(legend(part, found.group(1))):
        y = HEIGHT + LINE * i + LINE // 2
        lines.append(f'<g transform="translate({MARKER} {y})">{marker}</g>'
                     f'<text x="{2 * MARKER}" y="{y + 4}">{label}</text>')
    height = HEIGHT + LINE * len(lines) + LINE // 2
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img">\n<style>\n{style()}\n</style>\n'
            f'<rect width="100%" height="100%" fill="var(--paper)"/>\n{plot}'
            + "\n".join(lines) + "\n</svg>\n")


# ---- Both ----

def fill(text, name, lines):
    begin, end = BEGIN.format(name), END.format(name)
    if text.count(begin) != 1 or text.count(end) != 1:
        sys.exit(f"report.py: SPEED.md has no place for the {name}")
    before, rest = text.split(begin)
    return f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{rest.split(end)[1]}"


def made(report):
    """{path: text} of all that is made."""
    with open(os.path.join(report, "index.html"), encoding="utf-8") as f:
        part = section(f.read())
    with open(PAGE, encoding="utf-8") as f:
        files = {PAGE: fill(f.read(), "table", list(rows()))}
    for title, name in PLOTS.items():
        files[os.path.join(HERE, "plots", name)] = picture(part, title)
    return files


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--write"]):
        sys.exit("usage: report.py REPORT [--write]")
    wrong = 0
    files = made(sys.argv[1])
    for path in glob.glob(os.path.join(glob.escape(HERE), "plots", "*")):
        if path not in files:
            print(f"{os.path.relpath(path)} is not made by report.py")
            wrong = 1
    for path, text in files.items():
        old = None
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                old = f.read()
        if old == text:
            continue
        if sys.argv[2:]:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        else:
            print(f"{os.path.relpath(path)} is not what the documents say: make report")
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main())
