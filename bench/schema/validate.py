#!/usr/bin/env python3
"""validate.py - checks benchmark documents and price files: the schema, and what it cannot say.

    bench/schema/validate.py FILE...

One line for each fault, with the file and the place in it; exit status 1 if there is one. Needs the
package jsonschema (Debian: python3-jsonschema).
"""

import json
import math
import os
import statistics
import sys

import jsonschema

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH, PRICES = "ithaca-bench/1", "ithaca-prices/1"
ANSWERS = ("perplexity", "needle")
FILES = {BENCH: "bench-1.json", PRICES: "prices-1.json"}


def near(a, b):
    return math.isclose(a, b, rel_tol=1e-5)


def by_schema(document, schema):
    for fault in jsonschema.Draft202012Validator(schema).iter_errors(document):
        yield "/".join(str(p) for p in fault.absolute_path) or "the document", fault.message[:200]


def references(document):
    """Every run names an engine, a machine and a model; every result names a run."""
    for name, run in document["runs"].items():
        for key, table in (("engine", "engines"), ("machine", "machines"), ("model", "models")):
            if run[key] not in document[table]:
                yield f"runs/{name}/{key}", f"'{run[key]}' is not in {table}"
    for i, result in enumerate(document["results"]):
        if result["run"] not in document["runs"]:
            yield f"results/{i}/run", f"'{result['run']}' is not in runs"


def spreads(result):
    for key in ("seconds", "ttft_seconds"):
        spread = result.get(key)
        if spread is None:
            continue
        values = spread["values"]
        for name, right in (("median", statistics.median(values)), ("min", min(values)),
                            ("max", max(values))):
            if not near(spread[name], right):
                yield f"{key}/{name}", f"{spread[name]:g}, but its values say {right:g}"


def answers(result):
    """What is not timed."""
    perplexity, needle = result.get("perplexity"), result.get("needle")
    if perplexity and not near(perplexity["value"], math.exp(min(perplexity["mean_nll"], 700))):
        yield "perplexity/value", f"{perplexity['value']:g} is not exp(mean_nll)"
    if needle and needle["right"] > needle["asked"]:
        yield "needle/right", f"{needle['right']} of {needle['asked']}"
    if needle and needle["position"] > 1:
        yield "needle/position", f"{needle['position']:g} is above 1"


def figures(document):
    """Medians are those of their values, and rates those of the medians."""
    for i, result in enumerate(document["results"]):
        if result["status"] != "measured":
            continue
        yield from ((f"results/{i}/{place}", message) for place, message in answers(result))
        if result["phase"] in ANSWERS:
            continue
        for place, message in spreads(result):
            yield f"results/{i}/{place}", message
        tokens = 1 if result["phase"] == "decode" else result["tokens"]
        rate = tokens * result["batch"] / result["seconds"]["median"]
        if not near(result["tokens_per_second"], rate):
            yield (f"results/{i}/tokens_per_second",
                   f"{result['tokens_per_second']:g}, but its seconds say {rate:g}")


def prices(document):
    """Offers are told apart by their names, and none is dearer at least than at most."""
    names = [offer["name"] for offer in document["offers"]]
    for i, offer in enumerate(document["offers"]):
        if offer["name"] in names[:i]:
            yield f"offers/{i}/name", f"'{offer['name']}' is there twice"
        if offer["per_hour"]["low"] > offer["per_hour"]["high"]:
            yield f"offers/{i}/per_hour", "low is above high"


def faults(path, schemas):
    try:
        with open(path, encoding="utf-8") as f:
            document = json.load(f)
    except (OSError, ValueError) as e:
        return [("the file", str(e))]
    name = document.get("schema") if isinstance(document, dict) else None
    if name == PRICES:
        return list(by_schema(document, schemas[PRICES])) or list(prices(document))
    found = list(by_schema(document, schemas[BENCH]))
    return found or [*references(document), *figures(document)]


def read_schema(file):
    with open(os.path.join(HERE, file), encoding="utf-8") as f:
        schema = json.load(f)
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def main():
    if len(sys.argv) < 2:
        print("usage: validate.py FILE...", file=sys.stderr)
        return 2
    schemas = {name: read_schema(file) for name, file in FILES.items()}
    wrong = False
    for path in sys.argv[1:]:
        for place, message in faults(path, schemas):
            print(f"{path}: {place}: {message}")
            wrong = True
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
