#!/usr/bin/env python3
"""validate.py - checks benchmark documents: the schema, and what a schema cannot say.

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

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bench-1.json")


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


def figures(document):
    """Medians are those of their values, and rates those of the medians."""
    for i, result in enumerate(document["results"]):
        if result["status"] != "measured":
            continue
        for place, message in spreads(result):
            yield f"results/{i}/{place}", message
        tokens = 1 if result["phase"] == "decode" else result["tokens"]
        rate = tokens * result["batch"] / result["seconds"]["median"]
        if not near(result["tokens_per_second"], rate):
            yield (f"results/{i}/tokens_per_second",
                   f"{result['tokens_per_second']:g}, but its seconds say {rate:g}")


def faults(path, schema):
    try:
        with open(path, encoding="utf-8") as f:
            document = json.load(f)
    except (OSError, ValueError) as e:
        return [("the file", str(e))]
    found = list(by_schema(document, schema))
    return found or [*references(document), *figures(document)]


def main():
    if len(sys.argv) < 2:
        print("usage: validate.py FILE...", file=sys.stderr)
        return 2
    with open(SCHEMA, encoding="utf-8") as f:
        schema = json.load(f)
    jsonschema.Draft202012Validator.check_schema(schema)
    wrong = False
    for path in sys.argv[1:]:
        for place, message in faults(path, schema):
            print(f"{path}: {place}: {message}")
            wrong = True
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
