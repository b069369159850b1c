#!/bin/bash
# structured.sh - answers that fit a JSON schema or a grammar: valid, the same on any number of ranks, with speculation, beside
# others and resumed; what cannot be kept is refused by name.
. tests/tap.sh

cat >"$work/person.json" <<'EOF'
{"type": "object", "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer", "minimum": 18,
 "maximum": 99}, "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2}}, "required": ["name", "age"]}
EOF
echo 'root ::= key (" or " key){0,2} "!"
key ::= "passkey " [0-9]{3}' >"$work/keys.gbnf"
run=("$ITHACA" run $NEEDLE --threads 1 --ctx 4096 -q -p "What is the passkey of Gerald?" --seed 3)

for ranks in 1 2 3; do
    on=()
    ((ranks == 1)) || on=(scripts/on_ranks.sh "$ranks")
    expect "schema, $ranks ranks" 0 "${on[@]}" "${run[@]}" --json-schema "$work/person.json" --temp 1.2 -n 60 --json
    field "$out" 'j["ids"], j["finish"]' >"$work/schema$ranks"
    expect "grammar, $ranks ranks" 0 "${on[@]}" "${run[@]}" --grammar "$work/keys.gbnf" --temp 0 -n 60 --json
    field "$out" 'j["ids"], j["finish"], j["text"]' >"$work/grammar$ranks"
    same "the same on $ranks ranks" "$(cat "$work/schema1" "$work/grammar1")" "$(cat "$work/schema$ranks" "$work/grammar$ranks")"
done
matches "the grammar's text" "$work/grammar1" "'stop', 'passkey [0-9]{3}( or passkey [0-9]{3}){0,2}!'"
expect "without a grammar it says something else" 0 "${run[@]}" --temp 0 -n 20 --json
same "that is no passkey as the grammar has it" "False" "$(field "$out" 'j["text"].startswith("passkey ")')"

expect "speculation" 0 "${run[@]}" --grammar "$work/keys.gbnf" --temp 0 -n 60 --json --speculate lookup:4
same "speculation: the same" "$(cat "$work/grammar1")" "$(field "$out" 'j["ids"], j["finish"], j["text"]')"
expect "a draft model" 0 "${run[@]}" --json-schema "$work/person.json" --temp 1.2 -n 60 --json --draft $NEEDLE
same "a draft model: the same" "$(cat "$work/schema1")" "$(field "$out" 'j["ids"], j["finish"]')"

# a stop string cuts an answer, which then is none of the grammar's
expect "a stop string" 0 "${run[@]}" --grammar "$work/keys.gbnf" --temp 0 -n 60 --json --stop y
same "a stop string: not whole" "('stop', False, 'passke')" "$(field "$out" 'j["finish"], j["whole"], j["text"]')"
expect "to the end" 0 "${run[@]}" --grammar "$work/keys.gbnf" --temp 0 -n 60 --json
same "to the end: whole" "('stop', True)" "$(field "$out" 'j["finish"], j["whole"]')"

# a checkpoint goes on where it was stopped, with the same grammar only
resumed=("${run[@]}" --json-schema "$work/person.json" --temp 1.2 -n 60 --checkpoint "$work/point")
ITHACA_TEST_HOOK="answer 5 KILL" "${resumed[@]}" >"$out" 2>"$err"
expect "another grammar does not resume" 1 "${run[@]}" --grammar "$work/keys.gbnf" --temp 1.2 -n 60 --checkpoint "$work/point"
matches "it says why" "$err" "answer"
expect "resumed" 0 "${resumed[@]}" --json
same "resumed: the same" "$(cat "$work/schema1")" "$(field "$out" 'j["ids"], j["finish"]')"

# ---- What is refused ----
echo '{"type": "object", "properties": {"a": {"not": {}}}}' >"$work/not.json"
expect "a keyword" 1 "${run[@]}" --json-schema "$work/not.json"
matches "a keyword: by name and place" "$err" "not\.json: the schema, #/properties/a: not is not supported"
# numbers that would become others, and keywords of which one would be lost
refused() {
    echo "$2" >"$work/refused.json"
    expect "$1" 1 "${run[@]}" --json-schema "$work/refused.json"
    matches "$1: why" "$err" "$3"
}
refused "a number beyond 64 bits" '{"const": 12345678901234567890}' 'line 1: too big integer'
refused "a bound beyond 64 bits" '{"type": "integer", "maximum": 18446744073709551615}' 'line 1: too big integer'
refused "not a number" '{"enum": [NaN]}' 'line 1: invalid token'
refused "a keyword twice" '{"minLength": 3, "minLength": 2}' 'line 1: duplicate object key'
echo 'root ::= root "a"' >"$work/left.gbnf"
expect "left recursion, 2 ranks" 1 scripts/on_ranks.sh 2 "${run[@]}" --grammar "$work/left.gbnf"
matches "left recursion: by name" "$err" "root begins with itself|can never end"
expect "not JSON" 1 "${run[@]}" --json-schema "$work/left.gbnf"
refused "a schema that nothing fits" 'false' 'no text fits|nothing|can never'
refused "no schema" '7' 'neither an object nor true or false'
echo true >"$work/any.json"
expect "a schema that everything fits" 0 "${run[@]}" --json-schema "$work/any.json" -n 60 --json
same "a schema that everything fits: JSON" True "$(field "$out" 'j["finish"] == "length" or [json.loads(j["text"])] != []')"
expect "no such file" 1 "${run[@]}" --json-schema "$work/nothing"
expect "both" 2 "${run[@]}" --json-schema "$work/person.json" --grammar "$work/keys.gbnf"
expect "--ignore-eos" 2 "${run[@]}" --grammar "$work/keys.gbnf" --ignore-eos

# ---- Many schemas, many at a time ----
python=''
for candidate in "$(type -P python3)" /usr/bin/python3; do
    "$candidate" -c 'import jsonschema' 2>/dev/null && python=$candidate && break
done
if [[ -z $python ]]; then
    echo "ok 300 schemas # SKIP no jsonschema for Python (Debian: python3-jsonschema)"
    exit
fi
"$python" tests/cli/schemas.py requests 300 >"$work/in"
echo '{"custom_id": "o", "body": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5, "response_format": {"type": "json_object"}}}' >"$work/one"
echo '{"custom_id": "x", "body": {"messages": [{"role": "user", "content": "Hi"}], "response_format": {"type": "json_schema", "json_schema": {"schema": {"not": {}}}}}}' >>"$work/one"
echo '{"custom_id": "y", "body": {"messages": [{"role": "user", "content": "Hi"}], "response_format": {"type": "json_schema", "json_schema": {"schema": {"const": 12345678901234567890}}}}}' >>"$work/one"
batch=("$ITHACA" batch $NEEDLE --threads 1 --ctx 4096 -q)
expect "300 schemas" 0 "${batch[@]}" --input "$work/in" --output "$work/many" --in-flight 32
"$python" tests/cli/schemas.py check "$work/in" "$work/many" >"$work/verdict"
same "every answer is valid" "" "$(grep -vE '^[0-9]+$' "$work/verdict")"
complete=$(tail -n 1 "$work/verdict")
same "most came to an end ($complete)" 1 "$((complete > 200))"
"$python" tests/cli/schemas.py alternatives 200 >"$work/one-of"
expect "200 schemas of oneOf" 0 "${batch[@]}" --input "$work/one-of" --output "$work/one-of.out" --in-flight 32
"$python" tests/cli/schemas.py check "$work/one-of" "$work/one-of.out" >"$work/verdict"
same "oneOf: every answer is valid by one alternative" "" "$(grep -vE '^[0-9]+$' "$work/verdict")"
complete=$(tail -n 1 "$work/verdict")
same "oneOf: some came to an end ($complete)" 1 "$((complete > 20))"
head -n 8 "$work/in" >"$work/few"
expect "alone" 0 "${batch[@]}" --input "$work/few" --output "$work/alone" --in-flight 1
contents() { grep -E '"custom_id":"[0-7]"' "$1" | sed -E 's/.*("custom_id":"."),.*("choices":.*)/\1 \2/' | sort; }
same "alone: the same" "$(contents "$work/alone")" "$(contents "$work/many")"
expect "two more" 0 "${batch[@]}" --input "$work/one" --output "$work/two"
matches "an object" "$work/two" '"custom_id":"o".*"content":"[{]'
matches "a keyword, in its line" "$work/two" '"custom_id":"x".*"status_code":400.*body.response_format: the schema, #: not is not supported'
matches "a number beyond 64 bits in a line" "$work/two" '"custom_id":"y".*body.response_format: beside a schema .*too big integer'
