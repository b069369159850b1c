#!/bin/bash
# serve_responses.sh - /v1/responses: what a chat says, as items of a response and as events; earlier items as messages; what is kept nowhere or not
# done is refused by name.
. tests/tap.sh
. tests/served.sh

# A model that thinks, and writes calls as Hermes does
mkdir "$work/speaks"
cp $NEEDLE/{config.json,tokenizer.json,tokenizer_config.json,generation_config.json} "$work/speaks"
ln -s "$PWD/$NEEDLE/model.safetensors" "$work/speaks"
printf '%s' "{% for t in tools or [] %}{{ t | tojson }}{% endfor %}{% for m in messages %}<|im_start|>{{ m.role }}
{{ (m.content or '').split('</think>')[-1] }}{% if m.reasoning_content %}({{ m.reasoning_content }}){% endif %}{% for c in m.tool_calls %}
<tool_call>
{\"name\": \"{{ c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if think %}<think>
{% endif %}{% endif %}" >"$work/speaks/chat_template.jinja"
model=$work/speaks
start
client "$url" <<'PY'
import sys
from client import *
url, path = sys.argv[1], "/v1/responses"
how = {"temperature": 1, "seed": 3, "ignore_eos": True}
question = [{"role": "user", "content": "What is the passkey of Gerald?"}]

def events(body):
    """Of a stream: [(event, data)]."""
    request = urllib.request.Request(url + path, json.dumps(dict(body, stream=True)).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as reply:
        blocks = [b.split("\n") for b in reply.read().decode().split("\n\n") if b and not b.startswith(":")]
    return [(b[0].removeprefix("event: "), json.loads(b[1].removeprefix("data: "))) for b in blocks]

def bare(response):
    """What does not depend on its ids and time."""
    r = json.loads(json.dumps(response))
    for item in r["output"]:
        del item["id"]
        item.pop("call_id", None)
    return {k: v for k, v in r.items() if k not in ("id", "created_at")}

def built(stream):
    """The items that the events make, which must come in order."""
    items, text = [], None
    assert [d["sequence_number"] for _, d in stream] == list(range(len(stream))) and all(e == d["type"] for e, d in stream)
    assert [e for e, _ in stream[:2]] == ["response.created", "response.in_progress"]
    for event, d in stream[2:-1]:
        kind = event.split(".")[-2:]
        if event == "response.output_item.added":
            assert d["output_index"] == len(items)
            text = ""
        elif kind[-1] == "delta":
            assert d["output_index"] == len(items) and len(d["delta"]) > 0
            text += d["delta"]
        elif kind[-1] == "done" and kind[0] in ("output_text", "reasoning_text", "function_call_arguments"):
            assert d.get("text", d.get("arguments")) == text
        elif event == "response.output_item.done":
            items.append(d["item"])
    return items

def same(name, body, chat, status="completed"):
    """A response, its stream, and the chat that says so."""
    r, m = ask(url, path, body), ask(url, "/v1/chat/completions", dict(chat, **{k: v for k, v in body.items() if k in how}))
    message = m["choices"][0]["message"]
    text = "".join(p["text"] for i in r["output"] if i["type"] == "message" for p in i["content"])
    thought = "".join(p["text"] for i in r["output"] if i["type"] == "reasoning" for p in i["content"])
    calls = [(i["name"], i["arguments"]) for i in r["output"] if i["type"] == "function_call"]
    check(f"{name}: as in a chat", text == (message["content"] or "") and thought == message.get("reasoning_content", "") and
          calls == [(c["function"]["name"], c["function"]["arguments"]) for c in message.get("tool_calls", [])], r, m)
    check(f"{name}: its form", r["object"] == "response" and r["status"] == status and r["id"].startswith("resp_") and r["error"] is None and
          r["usage"]["output_tokens"] == m["usage"]["completion_tokens"] and r["usage"]["input_tokens"] == m["usage"]["prompt_tokens"] and
          r["usage"]["output_tokens_details"] == m["usage"]["completion_tokens_details"], r)
    stream = events(body)
    end, last = stream[-1]
    check(f"{name}: streamed", end == f"response.{status}" and bare(last["response"]) == bare(r) and built(stream) == last["response"]["output"], stream[-1], r)
    return r

text = same("a text", dict(how, input=question[0]["content"], max_output_tokens=20), {"messages": question, "max_tokens": 20}, "incomplete")
check("cut: why", text["incomplete_details"] == {"reason": "max_output_tokens"}, text)
same("instructions", dict(how, input=question, instructions="Be brief.", max_output_tokens=5),
     {"messages": [{"role": "system", "content": "Be brief."}] + question, "max_tokens": 5}, "incomplete")
thought = same("a thought", dict(how, input=question, max_output_tokens=5, chat_template_kwargs={"think": True}),
               {"messages": question, "max_tokens": 5, "chat_template_kwargs": {"think": True}}, "incomplete")
check("a thought: an item", [i["type"] for i in thought["output"]] == ["reasoning"], thought)
schema = {"type": "object", "properties": {"key": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["key"]}
del how["ignore_eos"]
same("a format", dict(how, input=question, text={"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}}),
     {"messages": question, "response_format": {"type": "json_schema", "json_schema": {"schema": schema}}})
tool = {"name": "find", "description": "Finds.", "parameters": schema}
call = same("a call", dict(how, input=question, tools=[dict(tool, type="function", strict=True)], tool_choice={"type": "function", "name": "find"}),
            {"messages": question, "tools": [{"type": "function", "function": tool | {"strict": True}}],
             "tool_choice": {"type": "function", "function": {"name": "find"}}})
item = call["output"][0]
check("a call: an item", item["type"] == "function_call" and item["status"] == "completed" and set(item) == {"id", "type", "status", "call_id", "name", "arguments"}, call)
messages = question + [{"role": "assistant", "content": None, "reasoning_content": "Hm.", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "find", "arguments": '{"key":1}'}},
           {"id": "d", "type": "function", "function": {"name": "find", "arguments": '{"key":2}'}}]},
    {"role": "tool", "tool_call_id": "c", "content": "5"}, {"role": "tool", "tool_call_id": "d", "content": "6"}, {"role": "assistant", "content": "Five."}, {"role": "system", "content": "More."}]
items = [dict(question[0], content=[{"type": "input_text", "text": question[0]["content"]}]), {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]},
    {"type": "function_call", "call_id": "c", "name": "find", "arguments": '{"key":1}'}, {"type": "function_call", "call_id": "d", "name": "find", "arguments": '{"key":2}'},
    {"type": "function_call_output", "call_id": "c", "output": "5"}, {"type": "function_call_output", "call_id": "d", "output": [{"type": "input_text", "text": "6"}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Five.", "annotations": []}], "id": "msg_1", "status": "completed"}, {"role": "developer", "content": "More."}]
same("earlier items", dict(how, input=items, max_output_tokens=3, ignore_eos=True), {"messages": messages, "max_tokens": 3}, "incomplete")
for param, change in [("input", {}), ("input", {"input": []}), ("input", {"input": 5}), ("input", {"input": [{"role": "user"}]}), ("input", {"input": [{"type": "item_reference", "id": "x"}]}),
                      ("input", {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}), ("previous_response_id", {"previous_response_id": "resp_1"}),
                      ("conversation", {"conversation": "c"}), ("background", {"background": True}), ("include", {"include": ["message.output_text.logprobs"]}),
                      ("tools", {"tools": [{"type": "web_search"}]}), ("tools", {"tools": [{"type": "function", "name": "a b"}]}), ("text.format", {"text": {"format": {"type": "xml"}}}),
                      ("max_output_tokens", {"max_output_tokens": 0}), ("temperature", {"temperature": -1}), ("truncation", {"truncation": "auto"}),
                      ("tool_choice", {"tool_choice": "required"}), (None, {"reasoning": {"effort": "high"}}), ("dance", {"dance": 1}), ("messages", {"messages": question})]:
    body = change if param == "input" else dict(change, input="Hi")
    status, _, reply = request(url, "POST", path, json.dumps(body))
    check(f"refused: {param} {str(change)[:60]}", status == 400 and reply["error"]["param"] == param, reply)
for change in [{"store": True}, {"metadata": {"a": "b"}}, {"background": False}, {"truncation": "disabled"}, {"include": []}, {"instructions": None}, {"text": {"format": {"type": "text"}, "verbosity": "medium"}},
               {"reasoning": {"effort": None}}, {"tools": []}, {"parallel_tool_calls": True}, {"prompt_cache_key": "a"}, {"service_tier": "auto"}]:
    status, _, reply = request(url, "POST", path, json.dumps(dict(change, input="Hi", max_output_tokens=1)))
    check(f"accepted: {change}", status == 200 and reply["store"] is False, reply)
PY
stop "asked to stop"
