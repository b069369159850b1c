#!/usr/bin/env python3
"""schemas.py - are answers valid by their JSON schema? Ithaca beside llama.cpp's converter.

    bench/peers/schemas.py DIR/bin/llama-grammar [N [TOKENS]]

The schemas are the N (300) random ones of tests/cli/schemas.py. Ithaca answers each with `ithaca
batch`. llama.cpp's converter makes a grammar in GBNF of each, and Ithaca answers with that
(`ithaca run --grammar`), so that model, seed, temperature and the limit of TOKENS (300) are the
same. An answer that has come to its end is checked by Python's jsonschema, formats included.
"""
import importlib.util
import json
import os
import subprocess
import sys
import tempfile

import jsonschema

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
ITHACA = os.environ.get("ITHACA", os.path.join(ROOT, "build/release/ithaca"))
MODEL = os.path.join(ROOT, "tests/models/needle-qwen3")


def make_schemas(n):
    spec = importlib.util.spec_from_file_location("schemas", os.path.join(ROOT, "tests/cli/schemas.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [module.schema_of(i) for i in range(n)]


def by_ithaca(schemas, tokens, folder):
    """Pairs of an answer, None if it was cut, and an error."""
    requests, answers = os.path.join(folder, "in"), os.path.join(folder, "out")
    with open(requests, "w", encoding="utf-8") as out:
        for i, schema in enumerate(schemas):
            body = {"messages": [{"role": "user", "content": f"Number {i}"}], "max_tokens": tokens, "temperature": 1.5,
                    "seed": i, "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}
            print(json.dumps({"custom_id": str(i), "body": body}), file=out)
    subprocess.run([ITHACA, "batch", MODEL, "--threads", "1", "--ctx", "4096", "-q", "--input", requests, "--output",
                    answers, "--in-flight", "32"], check=True)
    result = [None] * len(schemas)
    for line in open(answers, encoding="utf-8"):
        answer = json.loads(line)
        body = answer["response"]["body"]
        if answer["response"]["status_code"] != 200:
            result[int(answer["custom_id"])] = (None, body["error"]["message"])
            continue
        choice = body["choices"][0]
        text = choice["message"]["content"] if choice["finish_reason"] == "stop" else None
        result[int(answer["custom_id"])] = (text, None)
    return result


def by_llama(schemas, tokens, folder, converter):
    lines = "".join(json.dumps(schema) + "\n" for schema in schemas)
    made = subprocess.run([converter], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    result = []
    for i, line in enumerate(map(json.loads, made)):
        if "error" in line:
            result.append((None, line["error"]))
            continue
        path = os.path.join(folder, "grammar")
        with open(path, "w", encoding="utf-8") as out:
            out.write(line["grammar"])
        run = subprocess.run([ITHACA, "run", MODEL, "--threads", "1", "--ctx", "4096", "-q", "-p", f"Number {i}", "--seed",
                              str(i), "--temp", "1.5", "-n", str(tokens), "--grammar", path, "--json"],
                             capture_output=True, text=True, check=False)
        if run.returncode != 0:
            result.append((None, "Ithaca reads the grammar: " + run.stderr.strip()))
            continue
        answer = json.loads(run.stdout)
        result.append((answer["text"] if answer["finish"] == "stop" else None, None))
    return result


def fault_of(schema, text):
    draft = jsonschema.Draft202012Validator
    try:
        value = json.loads(text)
    except ValueError as error:
        return f"no JSON: {error}"
    for fault in draft(schema, format_checker=draft.FORMAT_CHECKER).iter_errors(value):
        return f"{fault.validator}: {fault.message}"
    return None


def report(name, schemas, answers):
    refused = ended = 0
    faults = []
    for i, (schema, (text, error)) in enumerate(zip(schemas, answers)):
        refused += error is not None
        if error is not None:
            print(f"# {name}, {i}: refused: {error[:150]}")
        if text is None:
            continue
        ended += 1
        fault = fault_of(schema, text)
        if fault is not None:
            faults.append(fault)
            print(f"# {name}, {i}: {text[:80]!r}: {fault[:150]}")
    print(f"{name}: {len(schemas)} schemas, {refused} refused, {ended} answers came to an end, {ended - len(faults)} of them "
          f"are valid, {len(faults)} are not")


def main():
    converter, n, tokens = sys.argv[1], int((sys.argv + [300] * 2)[2]), int((sys.argv + [300] * 3)[3])
    schemas = make_schemas(n)
    with tempfile.TemporaryDirectory() as folder:
        report("Ithaca", schemas, by_ithaca(schemas, tokens, folder))
        report("llama.cpp's converter", schemas, by_llama(schemas, tokens, folder, converter))


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    main()
