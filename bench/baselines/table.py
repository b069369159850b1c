#!/usr/bin/env python3
"""table.py - the tables of README.md, from the JSON files beside it.

    bench/baselines/table.py [--write]

Without --write it changes nothing: exit status 1 if README.md is not what the files say.
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, "README.md")
MARKS = "<!-- {} -->", "<!-- end of {} -->"
MODES = {"compiled": "compiled", "eager": "eager", "generate-static": "`generate`, static cache"}


def read(*names):
    """{(model, phase, mode, context): {repeat: (result, run)}} of all files."""
    found = {}
    for name in names:
        with open(os.path.join(HERE, "h200", name), encoding="utf-8") as f:
            document = json.load(f)
        for result in document["results"]:
            run = document["runs"][result["run"]]
            at = result["tokens"] if result["phase"] == "prefill" else result["depth"]
            key = run["model"], result["phase"], result["mode"], at
            found.setdefault(key, {})[run["repeat"]] = result, run
    return {k: v for k, v in found.items() if all(r["status"] == "measured" for r, _ in v.values())}


def number(x):
    """Four significant digits, or all digits before the point."""
    return f"{x:,.0f}" if x >= 1000 else f"{x:.4g}"


def joules(result):
    energy = result.get("energy")
    return f"{energy['joules'] / energy['tokens']:.2g}" if energy else "–"


def pair(a, b):
    """The columns of one phase: run 1, run 2, their ratio, share of the ceiling, energy."""
    (one, _), (two, _) = a, b
    return [number(one["tokens_per_second"]), number(two["tokens_per_second"]),
            f"{two['tokens_per_second'] / one['tokens_per_second']:.2f}",
            f"{100 * one['of_ceiling']:.0f}%", joules(one)]


def one_gpu():
    rows = ["| Shape | Way | Context | Prefill 1 | Prefill 2 | Ratio | Ceiling | J/token "
            "| Decode 1 | Decode 2 | Ratio | Ceiling | J/token | Peak GiB |",
            "|---|---|--:|" + "--:|" * 11]
    found = read("run1.json", "run2.json")
    keys = dict.fromkeys((model, mode, at) for model, _, mode, at in found)
    shapes = list(dict.fromkeys(k[0] for k in keys))
    for model, mode, at in sorted(keys, key=lambda k: (shapes.index(k[0]), *k[1:])):
        columns, peak = [], 0
        for phase in ("prefill", "decode"):
            runs = found.get((model, phase, mode, at))
            columns += pair(runs[1], runs[2]) if runs else ["–"] * 5
            for result, _ in (runs or {}).values():
                peak = max(peak, result["memory"]["peak"])
        rows.append(f"| {model} | {MODES[mode]} | {at:,} | {' | '.join(columns)} "
                    f"| {peak / 2**30:.1f} |")
    return rows


def two_gpus():
    rows = ["| Shape | Context | Prefill 1 | Prefill 2 | Ratio | Of one GPU, compiled "
            "| Sent by each GPU | Time to first token |", "|---|--:|--:|--:|--:|--:|--:|--:|"]
    alone = read("run1.json", "run2.json")
    for (model, phase, _, at), runs in sorted(read("ulysses.json").items()):
        (one, _), (two, _) = runs[1], runs[2]
        base = alone[model, phase, "compiled", at][1][0]["tokens_per_second"]
        rate = one["tokens_per_second"]
        rows.append(f"| {model} | {at:,} | {number(rate)} | {number(two['tokens_per_second'])} "
                    f"| {two['tokens_per_second'] / rate:.2f} | {rate / base:.2f} × "
                    f"| {one['wire_bytes_per_rank'] / 2**30:.2f} GiB "
                    f"| {one['ttft_seconds']['median']:.2f} s |")
    return rows


def fill(text, name, rows):
    begin, end = (mark.format(name) for mark in MARKS)
    before, rest = text.split(begin)
    return f"{before}{begin}\n" + "\n".join(rows) + f"\n{end}{rest.split(end)[1]}"


def main():
    with open(PAGE, encoding="utf-8") as f:
        old = f.read()
    new = fill(fill(old, "one GPU", one_gpu()), "two GPUs", two_gpus())
    if new == old:
        return 0
    if "--write" in sys.argv[1:]:
        with open(PAGE, "w", encoding="utf-8") as f:
            f.write(new)
        return 0
    print("README.md is not what the files say: bench/baselines/table.py --write")
    return 1


if __name__ == "__main__":
    sys.exit(main())
