#!/bin/bash
# bench_documents.sh - every benchmark document and price file that is shipped keeps to its schema,
# and one that is changed in any field does not.
source "$(dirname "$0")/../tap.sh"

python=
for candidate in /usr/bin/python3 "$(type -P python3)"; do # Debian's own first: an older jsonschema
    "$candidate" -c 'import jsonschema' 2>/dev/null && python=$candidate && break
done
if [[ -z $python ]]; then
    echo "ok bench documents # SKIP no jsonschema for Python (Debian: python3-jsonschema)"
    exit 0
fi
validate=("$python" bench/schema/validate.py)

mapfile -t files < <(find bench/baselines bench/results bench/prices.json -name '*.json' | sort)
same "documents are found" yes "$( ((${#files[@]} >= 5)) && echo yes)"
for file in "${files[@]}"; do
    expect "$file keeps to the schema" 0 "${validate[@]}" "$file"
    head -n 3 "$out" | note
done
expect "the tables say what the documents say" 0 "$python" bench/baselines/table.py
expect "no document" 2 "${validate[@]}"
expect "a document that is not there" 1 "${validate[@]}" "$work/none.json"
echo '{"schema": 1' >"$work/cut.json"
expect "a document that is cut off" 1 "${validate[@]}" "$work/cut.json"

# Documents with one thing changed each: all must be refused.
cat >"$work/change.py" <<'PY'
import copy
import json
import sys

source, folder = sys.argv[1:]
whole = json.load(open(source))
results = [r for r in whole["results"] if r["status"] == "measured" and r.get("energy")][:1]
assert results
whole["results"] = results
count = 0


def put(what, change):
    global count
    document = copy.deepcopy(whole)
    change(document)
    with open(f"{folder}/{count:03d} {what}.json", "w") as f:
        json.dump(document, f)
    count += 1


def first(table):
    return lambda d: next(iter(d[table].values()))


# Where the schema says which fields there are: objects of the document, by name.
objects = {
    "document": lambda d: d, "engine": first("engines"), "model": first("models"),
    "run": first("runs"), "machine": first("machines"),
    "host": lambda d: first("machines")(d)["host"], "gpu": lambda d: first("machines")(d)["gpus"][0],
    "placement": lambda d: first("runs")(d)["placement"],
    "ceilings": lambda d: first("runs")(d)["ceilings"],
    "result": lambda d: d["results"][0], "seconds": lambda d: d["results"][0]["seconds"],
    "memory": lambda d: d["results"][0]["memory"], "energy": lambda d: d["results"][0]["energy"],
}


def rename(get, key):
    def change(d):
        get(d)[key + "_"] = get(d).pop(key)
    return change


def retype(get, key):
    def change(d):
        get(d)[key] = [[True]]
    return change


for name, get in objects.items():
    for key in get(whole):
        put(f"{name} {key} renamed", rename(get, key))
        put(f"{name} {key} of another type", retype(get, key))


def set_to(path, value):
    def change(d):
        at = d
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
    return change


result = whole["results"][0]
put("later schema", set_to(["schema"], "ithaca-bench/2"))
put("time without a zone", set_to(["created"], "2026-11-30T15:30:09"))
put("unknown phase", set_to(["results", 0, "phase"], "training"))
put("failed without a reason", set_to(["results", 0, "status"], "failed"))
put("measured with a reason", set_to(["results", 0, "reason"], "none"))
put("negative depth", set_to(["results", 0, "depth"], -1))
put("no values", set_to(["results", 0, "seconds", "values"], []))
put("run that is not there", set_to(["results", 0, "run"], "none"))
put("engine that is not there", lambda d: first("runs")(d).update(engine="none"))
put("median of other values", set_to(["results", 0, "seconds", "median"],
                                     1.01 * result["seconds"]["median"]))
put("rate of another median", set_to(["results", 0, "tokens_per_second"],
                                     1.01 * result["tokens_per_second"]))
put("batch of another rate", set_to(["results", 0, "batch"], 2))
PY
expect "documents are changed" 0 "$python" "$work/change.py" bench/baselines/h200/run1.json "$work"
changed=("$work"/[0-9]*.json)
same "many are" yes "$( ((${#changed[@]} > 100)) && echo yes)"
"${validate[@]}" "${changed[@]}" >"$out" 2>"$err"
same "each is refused" "" "$(for file in "${changed[@]}"; do grep -qF "$file: " "$out" || echo "${file##*/}"; done)"

# The same of prices.
cat >"$work/change_prices.py" <<'PY'
import copy
import json
import sys

whole = json.load(open(sys.argv[1]))
whole["offers"] = whole["offers"][:2]
offer = whole["offers"][0]
changes = {
    "later schema": lambda d: d.update(schema="ithaca-prices/2"),
    "currency in words": lambda d: d.update(currency="dollars"),
    "no offers": lambda d: d.pop("offers"),
    "of a GPU and a node": lambda d: d["offers"][0].update(node="a node"),
    "of neither": lambda d: d["offers"][0].pop("gpu"),
    "date in words": lambda d: d["offers"][0].update(date="July 2026"),
    "unknown kind": lambda d: d["offers"][0].update(kind="bargain"),
    "for nothing": lambda d: d["offers"][0]["per_hour"].update(low=0),
    "low above high": lambda d: d["offers"][0]["per_hour"].update(low=99),
    "two of one name": lambda d: d["offers"][1].update(name=offer["name"]),
}
for key in offer:
    changes[f"{key} of another type"] = lambda d, key=key: d["offers"][0].update({key: [[True]]})
    changes[f"{key} renamed"] = lambda d, key=key: d["offers"][0].update(
        {key + "_": d["offers"][0].pop(key)})
for name, change in changes.items():
    document = copy.deepcopy(whole)
    change(document)
    with open(f"{sys.argv[2]}/price {name}.json", "w") as f:
        json.dump(document, f)
PY
expect "prices are changed" 0 "$python" "$work/change_prices.py" bench/prices.json "$work"
changed=("$work"/price\ *.json)
same "many are" yes "$( ((${#changed[@]} > 20)) && echo yes)"
"${validate[@]}" "${changed[@]}" >"$out" 2>"$err"
same "each is refused" "" "$(for file in "${changed[@]}"; do grep -qF "$file: " "$out" || echo "${file##*/}"; done)"

# What was measured here twice, and what others say, are told apart.
facts() { "$python" - "$@" <<'PY'
import json
import sys

for path in sys.argv[1:]:
    document = json.load(open(path))
    print({"published" in run for run in document["runs"].values()})
PY
}
same "published figures are marked" "{True}" "$(facts bench/baselines/published.json)"
same "our own are not" "{False} {False} {False}" "$(facts bench/baselines/h200/*.json | tr '\n' ' ' | sed 's/ $//')"

steady() { "$python" - <<'PY'
import sys

sys.path.insert(0, "bench/baselines")
import table

wrong, seen = [], 0
for key, runs in table.read("run1.json", "run2.json").items():
    model, phase, mode, at = key
    if not (phase == "prefill" and at >= 8192 or phase == "decode" and mode == "compiled"):
        continue
    ratio = runs[2][0]["tokens_per_second"] / runs[1][0]["tokens_per_second"]
    seen += 1
    wrong += [] if 0.9 <= ratio <= 1.1 else [(key, ratio)]
print(seen > 30, wrong)
PY
}
same "where the GPU sets the pace, two runs agree within 10%" "True []" "$(steady)"
