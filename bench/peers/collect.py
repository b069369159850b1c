#!/usr/bin/env python3
"""collect.py - what compare.sh has kept, as one benchmark document of all engines.

    bench/peers/collect.py DIR [--name NAME] [--ik-commit COMMIT] > RESULTS.json

Each round of an engine is a run of its own ("repeat"), so that their spread is seen. Machine and
shape are those that Ithaca wrote in its own documents; llama_bench.py says what is refused. NAME is
what the model is called, if not what its file says.
"""

import argparse
import glob
import json
import os
import re
import sys

import llama_bench

TABLES = {"engines": "engine", "machines": "machine", "models": "model"}


def read_lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.startswith("{")]


def rounds(folder, pattern):
    """(round, file), ascending."""
    found = []
    for path in glob.glob(os.path.join(glob.escape(folder), pattern)):
        found.append((int(re.search(r"\.(\d+)\.jsonl?$", path).group(1)), path))
    return sorted(found)


def rename(table, name, entry):
    """The name under which the table has the entry, or can take it."""
    same = [n for n, other in table.items() if other == entry]
    tried, i = name, 1
    while not same and tried in table:
        i += 1
        tried = f"{name} #{i}"
    return same[0] if same else tried


def add(whole, part, repeat):
    names = {}
    for table in TABLES:
        for name, entry in part[table].items():
            names[table, name] = rename(whole[table], name, entry)
            whole[table][names[table, name]] = entry
    for name, run in part["runs"].items():
        named = {key: names[table, run[key]] for table, key in TABLES.items()}
        whole["runs"][f"{name}, {repeat}"] = {**run, **named, "repeat": repeat}
    whole["results"] += [{**r, "run": f"{r['run']}, {repeat}"} for r in part["results"]]


def ik_document(lines, like, commit):
    """Of llama-sweep-bench: a line for each depth."""
    model = dict(next(iter(like["models"].values())), kv_type="q8_0")
    engine = {"name": "ik_llama.cpp", "version": "not given", "commit": commit, "packages": {}}
    run = {"engine": "ik_llama.cpp", "machine": "here", "model": f"{model['source']} ik",
           "started": like["created"], "ceilings": {},
           "placement": {"ranks": 1, "devices": 0, "threads": lines[0]["n_threads"]}}
    results = []
    for line in lines:
        for phase, tokens, seconds in (("prefill", line["pp"], line["t_pp"]),
                                       ("decode", line["tg"], line["t_tg"] / line["tg"])):
            results.append({
                "run": "ik_llama.cpp", "phase": phase, "mode": "default", "depth": line["n_kv"],
                "tokens": tokens, "batch": 1, "status": "measured",
                "seconds": llama_bench.spread([seconds]), "memory": None, "energy": None,
                "tokens_per_second": (tokens if phase == "prefill" else 1) / seconds, "detail": {}})
    return {"engines": {"ik_llama.cpp": engine}, "models": {run["model"]: model},
            "machines": {"here": llama_bench.only(like, "machines")},
            "runs": {"ik_llama.cpp": run}, "results": results}


def named(document, name):
    """The document, with that name of the model in its runs."""
    for run in document["runs"].values():
        run["detail"] = {**run.get("detail", {}), "name": name}
    return document


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--name")
    parser.add_argument("--ik-commit")
    args = parser.parse_args()
    own = rounds(args.folder, "ithaca.*.json")
    if not own:
        sys.exit(f"collect.py: {args.folder} has no ithaca.1.json: is it what compare.sh kept?")
    with open(own[0][1], encoding="utf-8") as f:
        like = json.load(f)
    whole = {"schema": "ithaca-bench/1", "created": like["created"], "engines": {}, "machines": {},
             "models": {}, "runs": {}, "results": []}
    name = args.name or next(iter(like["runs"].values()))["detail"]["name"]
    for repeat, path in own:
        with open(path, encoding="utf-8") as f:
            add(whole, named(json.load(f), name), repeat)
    for repeat, path in rounds(args.folder, "llama.*.jsonl"):
        add(whole, named(llama_bench.convert(read_lines(path), like), name), repeat)
    for repeat, path in rounds(args.folder, "ik.*.jsonl"):
        add(whole, named(ik_document(read_lines(path), like, args.ik_commit), name), repeat)
    json.dump(whole, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
