#!/bin/bash
# tools.sh - tools in requests, to a server and in a batch: a model that must call does so, in the form of its template, with arguments
# that are valid; streamed it says the same; what cannot be kept is refused by name.
. tests/tap.sh
. tests/served.sh

# form NAME CALL: a model in $work/NAME whose template writes calls so
form() {
    mkdir "$work/$1"
    cp $NEEDLE/{config.json,tokenizer.json,tokenizer_config.json,generation_config.json} "$work/$1"
    ln -s "$PWD/$NEEDLE/model.safetensors" "$work/$1"
    printf '%s' "{% for t in tools or [] %}{{ t | tojson }}{% endfor %}{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content or '' }}{% for c in m.tool_calls %}$2{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}" >"$work/$1/chat_template.jinja"
}
call='{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}'
form hermes "
<tool_call>
$call
</tool_call>"
form llama "${call/arguments\"/parameters\"}"
form mistral "[TOOL_CALLS][$call]"
form harmony 'to=functions.{{ c.function.name }}: {{ c.function.arguments | tojson }}'
tags() { printf '{%% for k, v in c.function.arguments.items() %%}%s{%% endfor %%}' "$1"; }
value='{{ v if v is string else v | tojson }}'
form coder "
<tool_call>
<function={{ c.function.name }}>
$(tags "<parameter={{ k }}>
$value
</parameter>
")</function>
</tool_call>"
form glm "
<tool_call>{{ c.function.name }}
$(tags "<arg_key>{{ k }}</arg_key>
<arg_value>$value</arg_value>
")</tool_call>"
form minimax "
<minimax:tool_call>
<invoke name=\"{{ c.function.name }}\">
$(tags "<parameter name=\"{{ k }}\">$value</parameter>
")</invoke>
</minimax:tool_call>"
# These take arguments as a text: what is no text, they refuse
form deepseek "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>{{ c.function.name + '
\`\`\`json
' + c.function.arguments }}
\`\`\`<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
form kimi "<|tool_calls_section_begin|><|tool_call_begin|>{{ c.id }}<|tool_call_argument_begin|>{{ c.function.arguments if c.function.arguments is string else c.function.arguments | tojson }}<|tool_call_end|><|tool_calls_section_end|>"
form args '[TOOL_CALLS]{{ c.function.name }}[ARGS]{{ c.function.arguments | tojson }}'
form other '<function={{ c.function.name }}>'

cat >"$work/tools.py" <<'PY'
import json
def tool(name, /, **properties):
    return {"type": "function", "function": {"name": name, "description": "Looks a passkey up.", "strict": True, "parameters": {
        "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}}}
number = {"type": "integer", "minimum": 1, "maximum": 999}
tools = [tool("find", key=number), tool("find.name", name={"enum": ["Gerald", "\u00e9 <|im_end|>"]}, keys={"$ref": "#/$defs/k"})]
tools[1]["function"]["parameters"]["$defs"] = {"k": {"type": "array", "items": number, "maxItems": 2}}
body = {"messages": [{"role": "user", "content": "What is the passkey of Gerald?"}], "tools": tools, "temperature": 1.2, "seed": 3,
        "max_tokens": 120, "parallel_tool_calls": False}
named = dict(body, tool_choice={"type": "function", "function": {"name": "find"}})
other = dict(body, tool_choice={"type": "function", "function": {"name": "find.name"}})

def valid(call):
    """Has the call the form of OpenAI's, and arguments that fit?"""
    arguments = json.loads(call["function"]["arguments"])
    fits = lambda k: isinstance(k, int) and 1 <= k <= 999
    if call["function"]["name"] == "find":
        fine = list(arguments) == ["key"] and fits(arguments["key"])
    else:
        fine = list(arguments) == ["name", "keys"] and arguments["name"] in ("Gerald", "\u00e9 <|im_end|>") and \
            len(arguments["keys"]) <= 2 and all(map(fits, arguments["keys"]))
    own = call["id"] == f"functions.{call['function']['name']}:0"
    return fine and set(call) == {"id", "type", "function"} and call["type"] == "function" and (own or len(call["id"]) == 9 and call["id"].isalnum())

def called(choice):
    """The names of the functions that a choice calls; a text if something is wrong with it."""
    m = choice["message"]
    if choice["finish_reason"] != "tool_calls" or m["content"] is not None or not all(map(valid, m["tool_calls"])):
        return str(choice)
    return [c["function"]["name"] for c in m["tool_calls"]]
PY

cat >"$work/asks.py" <<'PY'
import sys
from client import *
from tools import *
url, form = sys.argv[1:]
names_one = form in ("harmony", "deepseek", "kimi", "args")
path = "/v1/chat/completions"

def streamed(body):
    """The choice that a stream makes."""
    message, calls, finish = {"role": None, "content": None}, [], None
    for chunk in ask(url, path, dict(body, stream=True)):
        d, finish = chunk["choices"][0]["delta"], chunk["choices"][0]["finish_reason"]
        message["role"] = d.get("role", message["role"])
        if d.get("content") is not None:
            message["content"] = (message["content"] or "") + d["content"]
        for c in d.get("tool_calls", []):
            if c["index"] == len(calls):
                calls.append(dict(c, function=dict(c["function"])))
            else:
                assert set(c) == {"index", "function"} and set(c["function"]) == {"arguments"}, c
                calls[c["index"]]["function"]["arguments"] += c["function"]["arguments"]
    for i, c in enumerate(calls):
        assert c.pop("index") == i
    if calls:
        message["tool_calls"] = calls
    return {"message": message, "finish_reason": finish}

def strip(choice):
    """What does not depend on the answer's id."""
    m = choice["message"]
    return m["role"], m["content"], choice["finish_reason"], [c["function"] for c in m.get("tool_calls", [])]

for name, b, want in [("named", named, ["find"]), ("the other", other, ["find.name"]), ("one tool", dict(body, tools=tools[:1], tool_choice="required"), ["find"])]:
    one = ask(url, path, b)["choices"][0]
    check(name, called(one) == want, one)
    again = streamed(b)
    check(f"{name}, streamed", strip(again) == strip(one) and called(again) == want, again, one)
if not names_one:
    required = ask(url, path, dict(body, tool_choice="required", n=4))["choices"]
    check("required", all(called(c) in (["find"], ["find.name"]) for c in required), required)
    check("ids differ", len({c["message"]["tool_calls"][0]["id"] for c in required}) == 4, required)
else:
    status, _, reply = request(url, "POST", path, json.dumps(dict(body, tool_choice="required")))
    check("required among several is refused", status == 400 and reply["error"]["param"] == "tools" and "name one" in reply["error"]["message"], reply)
told = [{"role": "assistant", "content": None, "tool_calls": [{"id": "abcdefghi", "type": "function", "function": {"name": "find", "arguments": a}}]}
        for a in ('{"key":7}', {"key": 7})]
if form != "kimi": # whose markers would have to be tokens, as those around messages are
    counts = [ask(url, "/tokenize", dict(body, messages=body["messages"] + [t]))["count"] for t in told]
    check("earlier calls: arguments as a text are those of an object", counts[0] == counts[1], counts)
if form not in ("hermes", "llama", "mistral", "harmony"):
    sys.exit() # what follows has nothing of the form
if form in ("hermes", "mistral"):
    many = [c for s in range(3) for c in [ask(url, path, dict(named, parallel_tool_calls=True, seed=s, max_tokens=200))["choices"][0]]]
    check("several calls", all(set(c["function"]["name"] for c in m["message"]["tool_calls"]) == {"find"} and
          all(map(valid, m["message"]["tool_calls"][:-1])) for m in many) and max(len(m["message"]["tool_calls"]) for m in many) > 1, many)
short = ask(url, path, dict(named, max_tokens=3))["choices"][0]
check("an answer that is cut", short["finish_reason"] == "length", short)
auto = ask(url, path, body)["choices"][0]
check("as the model likes: it says something", auto["message"]["content"] and "tool_calls" not in auto["message"] and
      auto["finish_reason"] in ("stop", "length"), auto)
check("as the model likes: streamed", strip(streamed(body)) == strip(auto), auto)
plain = {k: v for k, v in body.items() if k not in ("tools", "parallel_tool_calls")}
none, bare = (ask(url, path, b) for b in (dict(body, tool_choice="none"), plain))
check("none: as without tools", none["choices"] == bare["choices"] and none["usage"] == bare["usage"], none, bare)
with_tools, must, without = (ask(url, "/tokenize", b)["count"] for b in (body, named, plain))
check("tools are in the prompt, and so is the beginning of a call, where there is a marker", with_tools > without and
      (must == with_tools if form == "llama" else must > with_tools), with_tools, must, without)
for param, change in [("tools", {"tools": {}}), ("tools", {"tools": [{}]}), ("tools", {"tools": [tools[0], tools[0]]}),
                      ("tools", {"tools": [{"type": "custom", "custom": {"name": "x"}}]}), ("tools", {"tools": [tool("a b")]}),
                      ("tools", {"tools": [tool("x" * 65)]}), ("tools", {"tools": tools * 65}), ("tool_choice", {"tool_choice": "always"}),
                      ("tool_choice", {"tool_choice": {"type": "function", "function": {"name": "lose"}}}),
                      ("tool_choice", {"tool_choice": "required", "tools": []}), ("tool_choice", {"tool_choice": {"type": "allowed_tools"}}),
                      ("tool_choice", {"tool_choice": "required", "ignore_eos": True}), ("parallel_tool_calls", {"parallel_tool_calls": 1}),
                      ("response_format", {"response_format": {"type": "json_object"}}),
                      ("tools", {"tool_choice": "required", "tools": [tool("find", a={"not": {}})]})]:
    status, _, reply = request(url, "POST", path, json.dumps(dict(body, **change)))
    check(f"refused: {param} {str(change)[:60]}", status == 400 and reply["error"]["param"] == param, reply)
check("a schema is refused by its place", "find#/properties/a: not is not supported" in reply["error"]["message"], reply)
PY

for name in hermes llama mistral harmony coder glm minimax deepseek kimi args; do
    model=$work/$name
    start
    client "$url" "$name" <"$work/asks.py" | sed -E "s/^(not )?ok /&$name: /"
    stop "$name: asked to stop"
done

# ---- A form that is not known ----
model=$work/other
start
client "$url" <<'PY'
import sys
from client import *
from tools import *
status, _, reply = request(sys.argv[1], "POST", "/v1/chat/completions", json.dumps(body))
check("another form is refused", status == 400 and reply["error"]["param"] == "tools" and "is not supported" in reply["error"]["message"], reply)
PY
stop "another form: asked to stop"

# ---- A batch says the same ----
cd "$work" || exit
python3 - >"$work/lines" <<'PY'
import json
from tools import *
for i, b in enumerate([named, other, dict(body, tool_choice="required"), body, dict(body, tools=[{}])]):
    print(json.dumps({"custom_id": f"c{i}", "body": b}))
PY
cd "$OLDPWD" || exit
for flight in 1 4; do
    expect "batch, $flight in flight" 0 "$ITHACA" batch "$work/hermes" -i "$work/lines" -o "$work/answers$flight" --in-flight $flight --threads 1 --ctx 4096 -q --ordered
done
same "batch: the same beside others" "$(cat "$work/answers1")" "$(cat "$work/answers4")"
client "$work" <<'PY'
import sys
from client import *
from tools import *
lines = [json.loads(l)["response"] for l in open(sys.argv[1] + "/answers1")]
choices = [l["body"]["choices"][0] for l in lines[:4]]
check("batch: calls", called(choices[0]) == ["find"] and called(choices[1]) == ["find.name"] and
      called(choices[2]) in (["find"], ["find.name"]), choices)
check("batch: as the model likes", choices[3]["message"]["content"] and "tool_calls" not in choices[3]["message"], choices[3])
check("batch: refused", lines[4]["status_code"] == 400 and lines[4]["body"]["error"]["param"] == "body.tools", lines[4])
PY
