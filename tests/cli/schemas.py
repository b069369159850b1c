#!/usr/bin/env python3
"""schemas.py - random JSON schemas as requests of a batch, and their answers against jsonschema.

schemas.py requests N >IN.jsonl     N requests; the same N are the same requests
schemas.py alternatives N >IN.jsonl the same of oneOf with objects at random, of which some are refused
schemas.py check IN.jsonl OUT.jsonl every answer that is complete is valid; prints how many are

Strings and lists are short, so that a model that knows no JSON comes to an end.
"""
import json
import random
import sys

NAMES = ["a", "b", "name", "value", "\u00e4\u00f6", "with space", 'q"uote', "ab", "abc", "n\nl"]
PATTERNS = ["^[a-z]{3,8}$", "^x?[0-9]{1,3}$", "^(foo|bar){1,2}x?$", r"^\d{3}-\d{4}$", r"^\S\s\S$",
            r'^[^"\\]{0,3}$', "^(?:[A-Z][a-z]?)( [A-Z]){0,2}$", "^[\u4e00-\u9fff]{1,2}$", "^$",
            "^a|^b$|^cc?$"]
FORMATS = ["date", "time", "date-time", "uuid", "ipv4", "email", "hostname"]
VALUES = ["red", "bl\u00fc", 'a"b', 3, -1, 2.5, None, True, "", [1, "x"], {"k": 1}, "line\nend"]


def string(r):
    kind = r.random()
    if kind < 0.35:
        schema = {"type": "string", "pattern": r.choice(PATTERNS)}
        if schema["pattern"].startswith("^a|"):
            schema["maxLength"] = 4
        return schema
    if kind < 0.6:
        return {"type": "string", "format": r.choice(FORMATS)}
    low = r.randint(0, 3)
    return {"type": "string", "minLength": low, "maxLength": low + r.randint(0, 5)}


def number(r, kind, values):
    schema = {"type": kind}
    low = r.choice(values)
    schema[r.choice(["minimum", "exclusiveMinimum"])] = low
    schema[r.choice(["maximum", "exclusiveMaximum"])] = round(low + abs(r.choice(values)) + 2, 6)
    return schema


def properties(r, depth, refs, prefix=""):
    names = [prefix + name for name in r.sample(NAMES, r.randint(0, 4))]
    schema = {"type": "object", "properties": {n: any_schema(r, depth - 1, refs) for n in names}}
    if names:
        schema["required"] = r.sample(names, r.randint(0, len(names)))
    return schema


def array(r, depth, refs):
    schema = {"type": "array", "items": any_schema(r, depth - 1, refs), "maxItems": r.choice([1, 2, 10**9])}
    if r.random() < 0.3:
        schema["prefixItems"] = [any_schema(r, depth - 1, refs) for _ in range(r.randint(1, 2))]
    schema["minItems"] = r.randint(0, 1)
    return schema


def any_schema(r, depth, refs):
    kind = r.random() * (0.5 if depth <= 0 else 1)
    if kind < 0.15:
        return string(r)
    if kind < 0.25:
        return number(r, "integer", [0, 1, -1, 9, 99, 100, -250, 12345, 10**12, r.randint(-1000, 1000)])
    if kind < 0.35:
        return number(r, "number", [0, 0.5, -0.25, 1.75, 99.99, 1e-3, -7, r.randint(-999, 999) / 64])
    if kind < 0.45:
        return {"enum": r.sample(VALUES, r.randint(1, 5))}
    if kind < 0.5:
        return {"type": r.sample(["null", "boolean", "integer"], 2), "title": "T"}
    if kind < 0.7:
        schema = properties(r, depth, refs)
        if r.random() < 0.5:
            schema["additionalProperties"] = r.choice([False, {"type": "null"}])
        return schema
    if kind < 0.83:
        return array(r, depth, refs)
    if kind < 0.89:
        return {"anyOf": [any_schema(r, depth - 1, refs) for _ in range(r.randint(1, 3))]}
    if kind < 0.93 and refs:
        return {"$ref": "#/$defs/" + r.choice(refs)}
    if kind < 0.96:
        return {"allOf": [properties(r, depth - 1, refs), properties(r, depth - 1, refs, "z")]}
    kinds = [{"type": "object", "required": ["t"], "properties": {"t": {"const": t}, t: any_schema(r, depth - 1, refs)}}
             for t in ("u", "v")]
    return {"oneOf": [*kinds, {"type": "null"}]}


def schema_of(i):
    r = random.Random(i)
    refs = ["d"] if r.random() < 0.4 else []
    schema = any_schema(r, 3, refs)
    if refs:
        schema["$defs"] = {"d": any_schema(r, 1, [])}
    return schema


def alternatives_of(i):
    r = random.Random(i)
    names = ["a", "b", "c"]
    objects = []
    for _ in range(r.randint(2, 3)):
        schema = {"type": "object", "required": r.sample(names, r.randint(0, 3)),
                  "properties": {name: r.choice([{"type": "null"}, {"type": "boolean"}, {"const": i % 7}, {"enum": [True, 5]}])
                                 for name in r.sample(names, r.randint(0, 3))}}
        if r.random() < 0.5:
            schema["additionalProperties"] = r.choice([False, {"type": "boolean"}])
        objects.append(schema)
    return {"oneOf": objects}


def requests(n, schema_of):
    for i in range(n):
        schema = schema_of(i)
        body = {"messages": [{"role": "user", "content": f"Number {i}"}], "max_tokens": 80, "temperature": 1.5, "seed": i,
                "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}
        print(json.dumps({"custom_id": str(i), "body": body}))


def check(asked, answered):
    import jsonschema

    draft = jsonschema.Draft202012Validator
    formats = getattr(draft, "FORMAT_CHECKER", None) or jsonschema.draft202012_format_checker
    schemas, complete = {}, 0
    for line in open(asked, encoding="utf-8"):
        request = json.loads(line)
        schemas[request["custom_id"]] = request["body"]["response_format"]["json_schema"]["schema"]
    for line in open(answered, encoding="utf-8"):
        answer = json.loads(line)
        name, response = answer["custom_id"], answer["response"]
        if response["status_code"] != 200 and "may hold both" in response["body"]["error"]["message"]:
            continue
        if response["status_code"] != 200:
            print(f"{name}: {response['body']['error']['message']}: {json.dumps(schemas[name])}")
            continue
        choice = response["body"]["choices"][0]
        if choice["finish_reason"] != "stop":
            continue
        complete += 1
        text = choice["message"]["content"]
        try:
            value = json.loads(text)
        except ValueError as error:
            print(f"{name}: {text!r}: {error}")
            continue
        validator = draft(schemas[name], format_checker=formats)
        for fault in validator.iter_errors(value):
            print(f"{name}: {text!r}: {fault.message}: {json.dumps(schemas[name])}")
    print(complete)


if __name__ == "__main__":
    if sys.argv[1] == "check":
        check(sys.argv[2], sys.argv[3])
    else:
        requests(int(sys.argv[2]), schema_of if sys.argv[1] == "requests" else alternatives_of)
