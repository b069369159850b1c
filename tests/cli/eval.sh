#!/bin/bash
# eval.sh - perplexity by types of weights and of keys and values, needles by length and position:
# the figures are those of `score`, the same on two ranks, and what `compare` shows of them.
source "$(dirname "$0")/../tap.sh"

haystack --tokens 700 --depth 0.5 --seed 5 --answer "$work/answer" >"$work/text"

# ---- Perplexity ----

perplexity() { "$ITHACA" eval perplexity -m $NEEDLE -f "$work/text" --window 128 --quiet "$@"; }
expect "perplexity of four ways" 0 perplexity -t 1 --quants w8,bf16 --kvs q8,f32 -o "$work/doc.json" --json
cp "$out" "$work/printed.json"
same "what is printed is the document" "$(field "$work/printed.json" "sorted(j['runs']), len(j['results'])")" \
    "$(field "$work/doc.json" "sorted(j['runs']), len(j['results'])")"
P="[r['perplexity'] for r in j['results']]"
same "each way is a run" "['bf16 f32', 'bf16 q8', 'w8 f32', 'w8 q8']" \
    "$(field "$work/doc.json" "sorted(j['models'][r['model']]['weight_type'] + ' ' + j['models'][r['model']]['kv_type'] for r in j['runs'].values())")"
same "second halves of whole windows count" "{0} True" \
    "$(field "$work/doc.json" "f\"{ {p['counted'] % 63 for p in $P} } {all(abs(p['value'] / __import__('math').exp(p['mean_nll']) - 1) < 1e-6 for p in $P)}\"")"
for way in "w8 q8" "bf16 f32"; do
    read -r quant kv <<<"$way"
    "$ITHACA" score -m $NEEDLE -f "$work/text" --window 128 --quant $quant --kv $kv -t 1 --json --quiet >"$work/score"
    same "$way: score says the same" "$(field "$work/score" "f\"{j['perplexity']:.8g} {len(j['nll'])}\"")" \
        "$(field "$work/doc.json" "[f\"{r['perplexity']['value']:.8g} {r['perplexity']['counted']}\" for r in j['results'] if j['models'][j['runs'][r['run']]['model']]['weight_type'] == '$quant' and j['models'][j['runs'][r['run']]['model']]['kv_type'] == '$kv'][0]")"
done
expect "on two ranks" 0 scripts/on_ranks.sh 2 "$ITHACA" eval perplexity -m $NEEDLE -f "$work/text" --window 128 -t 1 --quiet --json
same "the same perplexity" \
    "$(field "$work/printed.json" "[r['perplexity'] for r in j['results'] if ' w8, q8 ' in ' ' + j['runs'][r['run']]['model'] + ' ']")" \
    "$(field "$out" "$P")"
expect "again" 0 perplexity -t 1 --kvs f32 -o "$work/doc.json"
same "one result takes the place of its like" 4 "$(field "$work/doc.json" "len(j['results'])")"
matches "a table" "$out" '^w8 +f32 +[0-9]+ +[0-9.]+ +0\.000%$'

# ---- Needles ----

needle() { "$ITHACA" eval needle $NEEDLE --repetitions 2 --quiet "$@"; }
expect "needles" 0 needle -t 1 --lengths 256,512 --positions 0,0.5,1 -o "$work/doc.json"
cp "$out" "$work/table"
matches "a table of lengths and positions" "$work/table" '^right of 2 +passkey at +0 +0\.5 +1$'
same "this model finds all of them" "2" \
    "$(grep -cE '^ +(256|512) tokens +2 +2 +2$' "$work/table")"
same "they are in the document" "[(256, 0.0), (256, 0.5), (256, 1.0), (512, 0.0), (512, 0.5), (512, 1.0)]" \
    "$(field "$work/doc.json" "[(r['tokens'], r['needle']['position']) for r in j['results'] if r['phase'] == 'needle' and r['needle']['right'] == 2]")"
expect "on two ranks" 0 scripts/on_ranks.sh 2 "$ITHACA" eval needle $NEEDLE --repetitions 2 --lengths 256 --positions 1 -t 1 --quiet
matches "the same" "$out" '^ +256 tokens +2$'
expect "random weights of that shape" 1 "$ITHACA" eval needle synthetic:$NEEDLE/config.json:q8_0 --lengths 256 --quiet
matches "have no tokenizer" "$err" 'has no tokenizer'

# ---- The report ----

command python3 -c 'import jsonschema' 2>/dev/null &&
    expect "the document keeps to the schema" 0 command python3 bench/schema/validate.py "$work/doc.json"
expect "a report" 0 "$ITHACA" compare "$work/doc.json" -o "$work/report"
least=$(field "$work/doc.json" "min(r['perplexity']['value'] for r in j['results'] if 'perplexity' in r)")
same "it has each perplexity, and how far it is above the least" "" "$(python3 - "$work" "$least" <<'PY'
import json
import sys

work, least = sys.argv[1], float(sys.argv[2])
document = json.load(open(f"{work}/doc.json"))
report = open(f"{work}/report/report.md").read()
page = open(f"{work}/report/index.html").read()
for r in document["results"]:
    model = document["models"][document["runs"][r["run"]]["model"]]
    row = f"| needle-qwen3 | Ithaca | {model['weight_type']} | {model['kv_type']} | "
    if r["phase"] == "perplexity":
        p = r["perplexity"]
        row += (f"text | {r['tokens']} | {p['counted']} | {p['value']:.4f} | "
                f"{100 * (p['value'] / least - 1):.2f}% |")
    else:
        n = r["needle"]
        row += f"{r['tokens']} | {n['position']:g} | {n['asked']} | {n['right']} |"
        cell = f"<title>{r['tokens']} tokens, at {n['position']:g}: {n['right']} of {n['asked']}"
        if page.count(cell) != 1:
            print("no cell", cell)
    if row not in report:
        print("no row", row)
PY
)"
matches "a heat map of its own" "$work/report/index.html" '<figcaption>Passkeys found: needle-qwen3, w8 weights, q8 cache</figcaption>'

# ---- Refusals ----

spoiled() { # NAME TEXT EXPRESSION: a document that is changed so is refused
    python3 -c "
import json
j = json.load(open('$work/doc.json'))
p = next(r for r in j['results'] if r['phase'] == 'perplexity')
n = next(r for r in j['results'] if r['phase'] == 'needle')
$3
json.dump(j, open('$work/bad.json', 'w'))"
    expect "refused: $1" 1 "$ITHACA" compare "$work/bad.json" -o "$work/none"
    matches "refused: $1: by name" "$err" "bad.json: .*$2"
}
spoiled "a perplexity of another mean" perplexity/value "p['perplexity']['value'] *= 2"
spoiled "no perplexity" '"perplexity" is missing' "del p['perplexity']"
spoiled "more right than asked" right "n['needle']['right'] = 3"
spoiled "a position behind the end" needle/position "n['needle']['position'] = 1.5"
spoiled "a needle as a perplexity" '"perplexity" is missing' "n['phase'] = 'perplexity'"
spoiled "a needle of a decode" '"seconds" is missing' "n['phase'] = 'decode'"
expect "refused: an unknown type" 2 perplexity --quants w8,w5
matches "which is named" "$err" '--quants: .*"w5"'
expect "refused: types and --exact" 2 perplexity --exact --kvs q8
expect "refused: lengths that fall" 2 needle --lengths 512,256
expect "refused: a position above 1" 2 needle --positions 0,2
expect "refused: a text that fills no window" 1 perplexity --window 4096
expect "refused: lengths without room for a question" 1 needle --lengths 64
matches "which are named" "$err" '64 tokens are too few'
