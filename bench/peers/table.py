#!/usr/bin/env python3
"""Prints medians and ratios from compare.sh's results.jsonl: table.py [--best] FILE

--best: each engine's best run instead of its median, for machines where other work slows down single runs.
"""
import json
import statistics
import sys

best = "--best" in sys.argv[1:-1]
typical = max if best else statistics.median
runs, loads = {}, []
for line in open(sys.argv[-1]):
    r = json.loads(line)
    runs.setdefault((r["what"], r["depth"]), {}).setdefault(r["engine"], []).append(r["tps"])
    loads.append(r["load"])


def cell(engines, name):
    """The highest figure of the engines with this prefix (a peer's cache types), with the runs' range."""
    found = None
    for engine, tps in engines.items():
        if engine.split()[0] == name and (found is None or typical(tps) > found[0]):
            found = typical(tps), min(tps), max(tps), engine[len(name) :].strip()
    return found


def show(c):
    return f"{c[0]:.1f} ({c[1]:.1f}-{c[2]:.1f}){' ' + c[3] if c[3] else ''}" if c else ""


names = ["llama.cpp", "ik_llama.cpp"]
names = [n for n in names if any(cell(e, n) for e in runs.values())]
print(f"| tok/s: {'best' if best else 'median'} (range) | Ithaca | " + " | ".join(f"{n} | ratio" for n in names) + " |")
print("|---" * (2 + 2 * len(names)) + "|")
for (what, depth), engines in sorted(runs.items(), key=lambda kv: (kv[0][0] != "prefill", kv[0][1])):
    ours = cell(engines, "ithaca")
    row = [f"{what} at {depth:,}", show(ours)]
    for name in names:
        theirs = cell(engines, name)
        row += [show(theirs), f"**{ours[0] / theirs[0]:.2f}x**" if ours and theirs else ""]
    print("| " + " | ".join(row) + " |")
print(f"\nload average after the runs: {min(loads):.1f} to {max(loads):.1f}; above the threads measured, others were at work too.")
