#!/usr/bin/env python3
"""Writes golden.json.zst: chat templates, conversations, and what Python's jinja2 renders of them.

    python3 tests/golden/jinja/make_jinja_golden.py

needs: jinja2 3.1.6, and the zstd program. The templates are written for this test. They have the shapes of real ones: the markers of the
families, their ways with systems, tools, thoughts and parts, and each way of writing that the language allows.
"""

import json
import pathlib
import subprocess

from render import render

HERE = pathlib.Path(__file__).resolve().parent

TOOL = {"type": "function", "function": {"name": "get_weather", "description": "Weather of a \"place\" <now>", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "description": "Où?"}, "days": {"type": "integer",
    "enum": [1, 2.5, None, True]}, "tags": {"type": "array", "items": {"type": "string"}}}, "required": ["city"]}}}
TOOL2 = {"type": "function", "function": {"name": "stop", "description": "", "parameters": {"type": "object", "properties": {}}}}
CALL = {"role": "assistant", "content": "", "tool_calls": [{"id": "call00001", "type": "function", "function": {
    "name": "get_weather", "arguments": {"city": "Zürich", "days": 2, "tags": ["a", "b"], "x": {"y": None}}}}]}
CALL_TEXT = {"role": "assistant", "content": None, "tool_calls": [{"id": "call00002", "type": "function", "function": {
    "name": "stop", "arguments": "{\"now\": true}"}}, {"id": "call00003", "type": "function", "function": {"name": "stop", "arguments": "{}"}}]}


def m(role, content, **more):
    return {"role": role, "content": content, **more}


S = lambda text, **more: m("system", text, **more)  # noqa: E731
U = lambda text, **more: m("user", text, **more)  # noqa: E731
A = lambda text, **more: m("assistant", text, **more)  # noqa: E731

CHATS = {
    "one": [U("hi")],
    "system": [S("  Be brief.\n"), U("What is 2+2?")],
    "turns": [S("Be kind."), U(" a "), A("b\n"), U("\nc"), A("d"), U("e <|im_end|> {{ x }}")],
    "empty": [U(""), A(""), U("")],
    "parts": [S([{"type": "text", "text": "Look."}]), U([{"type": "text", "text": "one "}, {"type": "image"}, {"type": "text", "text": "two"}])],
    "think": [U("q"), A("<think>\nhm\n\n</think>\n\nan answer"), U("more"), A("x", reasoning_content="deep\n"), U("end")],
    "tools": [S("Use tools."), U("Weather?"), CALL, m("tool", "{\"t\": 20}", name="get_weather", tool_call_id="call00001"), m("tool", "second", name="stop", tool_call_id="x"), A("20 °C"), U("Bye")],
    "texts": [U("go"), CALL_TEXT, m("tool", [{"type": "text", "text": "part"}], tool_call_id="call00002")],
    "last": [U("start"), A("I go on")],
    "odd": [A("first"), U("then"), m("developer", "dev"), m("narrator", "?")],
    "none": [],
    "unicode": [U("日本語 ß Ünï 🙂\u2028\u00a0 tab\t\"quote\" \\ back"), A(" \u3000é "), U("</s>")],
}
OPTIONS = [{}, {"add_generation_prompt": True}, {"add_generation_prompt": True, "tools": [TOOL, TOOL2], "enable_thinking": False},
           {"add_generation_prompt": True, "enable_thinking": True, "tools": None, "documents": [{"title": "T", "text": "body"}]}]
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": None}

# ---- A frame of turns with the manners of a family --------------------------------------------------------------------

TEXT = {
    "plain": ("", "message.content"),
    "index": ("", "message['content']"),
    "trim": ("", "message['content'] | trim"),
    "strip": ("", "(message.content or '').strip()"),
    "parts": ("""{%- macro text(c) -%}
{%- if c is string -%}{{ c }}{%- elif c is iterable and c is not mapping -%}
{%- for p in c -%}{%- if p.type == 'text' -%}{{ p.text }}{%- elif 'image' in p.type or 'image' in p -%}<image>{%- endif -%}{%- endfor -%}
{%- elif c is none or c is undefined -%}{%- else -%}{{ raise_exception('Unexpected content: ' ~ c) }}{%- endif -%}
{%- endmacro -%}
""", "text(message.content)"),
}

SYSTEM = {
    "none": "",
    "default": "{% if messages[0]['role'] != 'system' %}{{ OPEN('system') }}You are a helpful assistant{{ CLOSE }}{% endif %}",
    "refuse": "{% for m in messages if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endfor %}",
    "date": "{{ OPEN('system') }}Today is {{ strftime_now('%d %b %Y') }}.{{ CLOSE }}",
    "namespace": """{%- set ns = namespace(system='', seen=false) -%}
{%- for m in messages -%}{%- if m.role == 'system' and not ns.seen -%}{%- set ns.system = m.content -%}{%- set ns.seen = true -%}{%- endif -%}{%- endfor -%}
{%- if ns.system -%}{{ '[SYS]' ~ ns.system ~ '[/SYS]' }}{%- endif -%}
""",
}

TOOLS = {
    "none": "",
    "json": "{% if tools %}\n{{- '# Tools\\n<tools>' }}\n{%- for tool in tools %}\n{{- '\\n' }}\n{{- tool | tojson }}\n{%- endfor %}\n{{- '\\n</tools>\\n' }}\n{% endif %}",
    "indent": "{%- if tools is defined and tools is not none and tools|length > 0 %}{{ '[TOOLS]' + (tools | tojson(indent=4)) + '[/TOOLS]' }}{% endif -%}",
    "list": """{%- if tools -%}
Functions:
{% for t in tools | map(attribute='function') | list %}
{{ loop.index }}. {{ t.name }}({% for n, p in t.parameters.properties.items() %}{{ n }}: {{ p.type }}{{ '' if n in t.parameters.get('required', []) else '?' }}{% if not loop.last %}, {% endif %}{% endfor %}) - {{ t.description | default('no words', true) }}
{% endfor %}
{%- endif -%}
""",
    "typescript": """{%- macro kind(p) -%}
{%- if p.type == 'array' -%}{{ kind(p['items']) if p['items'] else 'any' }}[]
{%- elif p.enum -%}{{ p.enum | map('tojson') | join(' | ') }}
{%- elif p.type in ['integer', 'number'] -%}number
{%- elif p.type == 'object' -%}{{ '{' }}{% for k, v in (p.properties or {}) | dictsort %}{{ k }}{% if k not in (p.required or []) %}?{% endif %}: {{ kind(v) }}; {% endfor %}{{ '}' }}
{%- else -%}{{ p.type | d('any') }}{%- endif -%}
{%- endmacro -%}
{%- for tool in tools or [] -%}
{%- set f = tool.function -%}
{{ "// " ~ f.description ~ "\\ntype " ~ f.name ~ " = (_: " ~ kind(f.parameters) ~ ") => any;\\n" }}
{%- endfor -%}
""",
}

CALLS = {
    "none": "",
    "hermes": """{%- if message.tool_calls -%}{%- for c in message.tool_calls -%}{%- set c = c.function if c.function else c -%}
<tool_call>
{"name": "{{ c.name }}", "arguments": {% if c.arguments is string %}{{ c.arguments }}{% else %}{{ c.arguments | tojson }}{% endif %}}
</tool_call>{%- endfor -%}{%- endif -%}""",
    "xml": """{%- for c in message.tool_calls or [] %}
{{- '\\n<function=' + c.function.name + '>\\n' }}
{%- if c.function.arguments is mapping %}{%- for k, v in c.function.arguments | items %}
{{- '<parameter=' + k + '>\\n' }}{{- v | tojson | safe if v is mapping or (v is sequence and v is not string) else v | string }}{{- '\\n</parameter>\\n' }}
{%- endfor %}{%- endif %}
{{- '</function>' }}
{%- endfor %}""",
    "ids": """{%- if message.get('tool_calls') is not none and message.tool_calls is defined -%}[TOOL_CALLS][
{%- for c in message.tool_calls -%}{%- set out = c.function | tojson -%}{{ out[:-1] }}, "id": "{{ c.id[-9:] }}"}{% if loop.last %}]{% else %}, {% endif %}{%- endfor -%}{%- endif -%}""",
}

THINK = {
    "none": ("", ""),
    "drop": ("{% if message.role == 'assistant' and content is string and '</think>' in content %}{% set content = content.split('</think>')[-1].lstrip('\\n') %}{% endif %}",
             "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"),
    "keep": ("""{%- if message.role == 'assistant' -%}{%- set reasoning = '' -%}
{%- if message.reasoning_content is string -%}{%- set reasoning = message.reasoning_content -%}
{%- elif '</think>' in content -%}{%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') -%}{%- set content = content.split('</think>')[-1].lstrip('\\n') -%}{%- endif -%}
{%- if reasoning and loop.index0 > messages | length - 4 -%}{%- set content = '<think>\\n' ~ reasoning.strip() ~ '\\n</think>\\n' ~ content -%}{%- endif -%}{%- endif -%}""",
             "{{ '<think>\\n' if enable_thinking | default(true) else '<think></think>' }}"),
}

# name, opening, closing, roles renamed, text, system, tools, calls, thinking, first
FRAMES = [
    ("chatml", "<|im_start|>{}\n", "<|im_end|>\n", {}, "plain", "none", "none", "none", "none", ""),
    ("chatml-default", "<|im_start|>{}\n", "<|im_end|>\n", {}, "index", "default", "none", "none", "none", ""),
    ("chatml-trim", "<|im_start|>{}\n", "<|im_end|>\n", {}, "trim", "none", "none", "none", "none", "{{ bos_token }}"),
    ("hermes", "<|im_start|>{}\n", "<|im_end|>\n", {}, "strip", "default", "json", "hermes", "none", ""),
    ("qwen", "<|im_start|>{}\n", "<|im_end|>\n", {"tool": "user"}, "strip", "none", "json", "hermes", "drop", ""),
    ("qwen-parts", "<|im_start|>{}\n", "<|im_end|>\n", {"tool": "user"}, "parts", "none", "json", "hermes", "keep", ""),
    ("coder", "<|im_start|>{}\n", "<|im_end|>\n", {"tool": "user"}, "parts", "default", "list", "xml", "none", ""),
    ("qwen-open", "<|im_start|>{}\n", "<|im_end|>\n", {}, "parts", "none", "json", "xml", "keep", ""),
    ("llama3", "<|start_header_id|>{}<|end_header_id|>\n\n", "<|eot_id|>", {"tool": "ipython"}, "trim", "none", "none", "none", "none", "{{ bos_token }}"),
    ("llama3-tools", "<|start_header_id|>{}<|end_header_id|>\n\n", "<|eot_id|>", {"tool": "ipython"}, "parts", "date", "indent", "hermes", "none", "{{- bos_token }}"),
    ("llama4", "<|header_start|>{}<|header_end|>\n\n", "<|eot|>", {"tool": "ipython"}, "parts", "none", "indent", "hermes", "none", "{{ bos_token }}"),
    ("gemma", "<start_of_turn>{}\n", "<end_of_turn>\n", {"assistant": "model"}, "trim", "refuse", "none", "none", "none", "{{ bos_token }}"),
    ("gemma-parts", "<start_of_turn>{}\n", "<end_of_turn>\n", {"assistant": "model", "system": "user"}, "parts", "namespace", "none", "none", "none", "{{ bos_token }}"),
    ("gemma4", "<|turn>{}\n", "<turn|>\n", {"assistant": "model"}, "parts", "none", "typescript", "none", "keep", "{{ bos_token }}"),
    ("phi3", "<|{}|>\n", "<|end|>\n", {}, "plain", "none", "none", "none", "none", ""),
    ("phi4", "<|im_start|>{}<|im_sep|>", "<|im_end|>", {}, "index", "none", "none", "none", "none", ""),
    ("phi4-mini", "<|{}|>", "<|end|>", {}, "parts", "none", "indent", "none", "none", ""),
    ("zephyr", "<|{}|>\n", "{{ eos_token }}\n", {}, "plain", "none", "none", "none", "none", ""),
    ("glm4", "<|{}|>\n", "", {"tool": "observation"}, "parts", "none", "indent", "none", "none", "[gMASK]<sop>"),
    ("glm45", "<|{}|>", "", {"tool": "observation"}, "parts", "none", "json", "xml", "keep", "[gMASK]<sop>\n"),
    ("granite", "<|start_of_role|>{}<|end_of_role|>", "<|end_of_text|>\n", {"tool": "tool_response"}, "plain", "date", "indent", "none", "none", ""),
    ("granite-tools", "<|start_of_role|>{}<|end_of_role|>", "<|end_of_text|>\n", {}, "parts", "date", "json", "hermes", "none", ""),
    ("deepseek", "<|{}|>", "", {"user": "User", "assistant": "Assistant", "tool": "tool_output"}, "strip", "namespace", "list", "ids", "drop", "{{ bos_token }}"),
    ("deepseek-v31", "<|{}|>", "", {"user": "User", "assistant": "Assistant"}, "parts", "namespace", "list", "ids", "keep", "{{ bos_token }}"),
    ("kimi", "<|im_{0}|>{0}<|im_middle|>", "<|im_end|>", {}, "parts", "default", "json", "ids", "none", ""),
    ("minimax", "]~b]{}\n", "[e~[\n", {"assistant": "ai"}, "parts", "default", "json", "xml", "keep", "]~!b["),
    ("gpt-oss", "<|start|>{}<|message|>", "<|end|>", {"system": "developer"}, "parts", "date", "typescript", "none", "none", ""),
    ("command-r", "<|START_OF_TURN_TOKEN|><|{}_TOKEN|>", "<|END_OF_TURN_TOKEN|>", {"user": "USER", "assistant": "CHATBOT", "system": "SYSTEM"}, "strip", "none", "list", "none", "none", "{{ bos_token }}"),
    ("nemotron", "<SPECIAL_11>{}\n", "\n", {"user": "User", "assistant": "Assistant", "system": "System"}, "strip", "namespace", "json", "hermes", "keep", ""),
    ("olmo", "<|{}|>\n", "\n", {}, "plain", "none", "none", "none", "none", "{{ eos_token }}"),
    ("olmo3", "<|im_start|>{}\n", "<|im_end|>\n", {"tool": "environment"}, "strip", "default", "indent", "ids", "none", ""),
    ("smollm3", "<|im_start|>{}\n", "<|im_end|>\n", {"tool": "user"}, "strip", "date", "typescript", "hermes", "keep", ""),
    ("seed", "{{ bos_token }}{}\n", "{{ eos_token }}", {}, "parts", "none", "typescript", "xml", "keep", ""),
    ("exaone", "[|{}|]", "[|endofturn|]\n", {}, "plain", "default", "none", "none", "none", ""),
    ("lfm2", "<|im_start|>{}\n", "<|im_end|>\n", {}, "parts", "none", "indent", "ids", "drop", "{{- bos_token -}}"),
    ("falcon", "{}: ", "\n\n", {"user": "User", "assistant": "Falcon", "system": "System"}, "plain", "none", "none", "none", "none", ""),
    ("vicuna", "{}: ", " ", {"user": "USER", "assistant": "ASSISTANT", "system": "SYSTEM"}, "trim", "default", "none", "none", "none", ""),
    ("yi", "<|im_start|>{}\n", "<|im_end|>\n", {}, "index", "namespace", "none", "none", "none", ""),
    ("ernie", "<|im_start|>{}\n", "<|im_end|>\n\n", {}, "parts", "namespace", "indent", "ids", "drop", ""),
    ("hunyuan", "<|hy_{}|>", "<|hy_eos|>", {}, "strip", "none", "typescript", "xml", "drop", "{{ bos_token }}"),
]


def frame(name, opening, closing, roles, text, system, tools, calls, think, first):
    before, value = TEXT[text]
    drop, prompt = THINK[think]
    open_text = opening.replace("{0}", "{}")
    head = f"{{%- set names = {json.dumps(roles)} -%}}\n"
    role = "names.get(r, r)"
    parts = open_text.replace("{{ bos_token }}", "\0").split("{}")
    say = " ~ ".join(f" ~ {role} ~ ".join([json.dumps(p) for p in parts]).split(" ~ \x00"))
    say = say.replace(json.dumps("\0"), "bos_token").replace("\\u0000", "")
    macro = "{%- macro OPEN(r) -%}{{ " + say + " }}{%- endmacro -%}\n"
    close = "eos_token ~ " + json.dumps(closing.replace("{{ eos_token }}", "")) if "eos_token" in closing else json.dumps(closing)
    return (
        first + head + macro + f"{{%- set CLOSE = {close} -%}}\n" + before + SYSTEM[system] + TOOLS[tools]
        + "{%- for message in messages -%}\n{%- set content = " + value + " -%}\n" + drop
        + "{{ OPEN(message.role) }}{% if message.role == 'assistant' %}{% generation %}{{ content }}" + CALLS[calls]
        + "{{ CLOSE }}{% endgeneration %}{% else %}{{ content }}{{ CLOSE }}{% endif %}\n"
        + "{%- endfor -%}\n{%- if add_generation_prompt -%}{{ OPEN('assistant') }}" + prompt + "{%- endif -%}\n"
    )


# ---- Templates of shapes that no frame has ----------------------------------------------------------------------------

SINGLE = {
    "llama2": """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}""",
    "mistral-last": """{%- set ns = namespace(last=-1) -%}
{%- for m in messages if m.role == 'user' -%}{%- set ns.last = ns.last + 1 -%}{%- endfor -%}
{{- bos_token }}
{%- set users = namespace(n=-1) -%}
{%- for m in messages %}
    {%- if m.role == 'user' %}
        {%- set users.n = users.n + 1 %}
        {%- if tools and users.n == ns.last %}
            {{- '[AVAILABLE_TOOLS] [' }}
            {%- for t in tools %}{{- t | tojson }}{{- ', ' if not loop.last }}{%- endfor %}
            {{- '][/AVAILABLE_TOOLS]' }}
        {%- endif %}
        {{- '[INST]' ~ m.content ~ '[/INST]' }}
    {%- elif m.role == 'tool' %}
        {{- '[TOOL_RESULTS]{"content": ' ~ m.content | tojson ~ '}[/TOOL_RESULTS]' }}
    {%- elif m.content %}
        {{- ' ' ~ m.content ~ eos_token }}
    {%- else %}{%- continue %}{%- endif %}
{%- endfor %}
""",
    "query-backwards": """{%- set ns = namespace(multi=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
{{ loop.index0 }}{{ '>' if loop.index0 > ns.last else '=' if loop.index0 == ns.last else '<' }}{{ message.role }}
{% endfor %}
""",
    "tool-groups": """{%- for message in messages %}
    {%- if message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}{{- message.content }}{{- '\\n</tool_response>' }}
        {%- if loop.last or (loop.nextitem.role != "tool") %}{{- '<|im_end|>\\n' }}{%- endif %}
    {%- else %}{{ '[' ~ (loop.previtem.role if loop.previtem is defined else 'none') ~ ']' ~ message.role }}
    {%- endif %}
{%- endfor %}""",
    "alternate": """{%- set expected = namespace(user=true) -%}
{%- for m in messages -%}
{%- if m.role not in ['system', 'tool'] and not m.tool_calls -%}
{%- if (m['role'] == 'user') != expected.user -%}{{- raise_exception('roles must alternate: ' + m.role) -}}{%- endif -%}
{%- set expected.user = not expected.user -%}{%- endif -%}
{{ m.role[0] | upper }}{{ ':' }}{% endfor %}""",
    "break": "{% for m in messages %}{% if m.role == 'assistant' %}{% break %}{% endif %}{{ m.content }};{% else %}nobody{% endfor %}.",
    "whitespace": """  {% if true %}
  a
  {%- if false %} b {% endif +%}
  {{ messages | length }}
{# a comment
 of two lines #}
\t{%+ if true %} c {% endif %}
{{- 'd' -}}
{% endif %}

{% raw %}{{ not }} {% this %}{% endraw %}
  {% raw -%}
   x
  {%- endraw %}

end
""",
    "filters": """{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list | length }}
{{ messages | rejectattr('role', 'in', ['user', 'system']) | map(attribute='role') | unique | join('/') }}
{{ messages | map(attribute='role') | map('upper') | join(', ') }}
{{ messages | map(attribute='role') | sort | first | default('nobody') }}
{% for role, group in messages | groupby('role') %}{{ role }}={{ group | length }} {% endfor %}
{{ messages | map(attribute='missing', default='?') | join }}
{{ (messages | last).role | title if messages else 'empty' }}""",
    "printing": """{{ messages }}
{{ [1, 2.0, 1e16, 1e-5, 0.1 + 0.2, none, true, 'a\\'b', "q\\"", (1,), {}] }}
{{ {'a': [none, {'b': false}], 1: 'x'} }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 1_000 }}
{{ range(3) | list }} {{ range(5, 0, -2) | list }} {{ 'abc'[::-1] }} {{ [1, 2, 3][-2:] }} {{ undefined_name }}|""",
    "call-block": """{% macro box(title, width=3) %}[{{ title }}:{{ '=' * width }}{{ caller(title | length) }}]{% endmacro %}
{% for m in messages %}{% call(n) box(m.role, width=loop.index) %}{{ n }}{{ m.content }}{% endcall %}{% endfor %}""",
    "varargs": """{% macro f(a, b='B') %}{{ a }}{{ b }}{{ varargs | join('+') }}{{ kwargs | tojson }}{% endmacro %}
{{ f(1) }}{{ f(1, 2, 3, 4) }}{{ f(1, z=messages | length) }}{{ f(*[7, 8, 9], **{'k': 'v'}) }}""",
    "filter-block": "{% filter trim | upper %}  {% for m in messages %}{{ m.content }} {% endfor %}\n{% endfilter %}!",
    "set-block": "{% set body | replace('a', 'A') %}{% for m in messages %}<{{ m.role }}>{% endfor %}{% endset %}{{ body }}{{ body | length }}",
    "with": "{% with a = messages | length, b = 2 %}{{ a * b }}{% set c = a %}{% endwith %}{{ c is defined }}{{ a is defined }}",
    "hidden": "{% for m in messages %}[{{ bos_token }}{{ eos_token }}{{ pad_token is defined }}{{ tools is defined }}{{ m.role if range is defined }}]{% endfor %}"
              "{% set bos_token = 'b' %}{% if messages %}{% set eos_token = 'e' %}{% else %}{% set eos_token = 'n' %}{% endif %}{{ tools is defined }}"
              "{% set tools = 1 %}{% macro range() %}r{% endmacro %}{{ range() }}{% for m in messages %}{{ bos_token }}{{ eos_token }}{% endfor %}",
    "hidden inside": "{% for m in messages %}{% for k in [1, 2] %}{{ bos_token }}{{ eos_token }}{{ x }}{% endfor %}{% set bos_token = m.role %}"
                     "{% set (eos_token, x) = ('e', m.role) %}{% for k in [1, 2] %}{{ bos_token }}{{ x }}{% endfor %}{% endfor %}{{ bos_token }}{{ x }}",
    "hidden in bodies": "{% macro f(a, b=1) %}{% filter upper %}{{ bos_token }}{{ b }}{{ a }}{% endfilter %}{% set bos_token = a %}{% set a = 2 %}{{ bos_token }}{{ a }}{% endmacro %}"
                        "{{ f('x') }}{% with y = 1 %}{% for k in [1] %}{{ y }}{{ eos_token }}{{ z }}{% endfor %}{% set eos_token = 'E' %}{% set y = 2 %}{{ y }}{% endwith %}"
                        "{% set v %}{% for k in [1] %}{{ messages is defined }}{{ w }}{% endfor %}{% set w = 3 %}{{ w }}{% endset %}{{ v }}{% set z = 1 %}"
                        "{% macro g() %}{{ caller() }}{% endmacro %}{% call g() %}{% for k in [1] %}{{ documents is defined }}{% endfor %}{% set documents = 1 %}{% endcall %}",
    "scope": "{% set x = 'outer' %}{% for m in messages %}{{ x }}{% set x = m.role %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 'if' %}{% endif %}{{ x }}",
    "recursive": """{% set tree = [{'n': 'a', 'c': [{'n': 'b', 'c': []}, {'n': 'd', 'c': [{'n': 'e'}]}]}] %}{% for t in tree recursive %}{{ t.n }}{{ loop.depth }}{% if t.c %}({{ loop(t.c) }}){% endif %}{% endfor %}""",
    "json": """{% for m in messages %}{{ m | tojson }}{{ m | tojson(indent=2) }}{{ m | tojson(separators=(',', ':'), sort_keys=true) }}{{ m.content | tojson(ensure_ascii=true) }}{% endfor %}{{ tools | tojson(indent='\\t') }}""",
    "formats": """{% for m in messages %}{{ '%-10s|%3d|%.1f' % (m.role, loop.index, loop.index / 3) }}{{ '{:>10}{!r}'.format(m.role, m.role) }}{{ '{0}-{n}'.format(1, n='x') }}{{ "%s: %s" | format('a', m.role) }}
{% endfor %}""",
    "strings": """{% for m in messages if m.content is string %}{% set c = m.content %}{{ [c.split(), c.split(' ', 1), c.rsplit(' ', 1), c.splitlines(), c.partition('a')] }}{{ c.find('e') }}{{ c.count('a') }}{{ c.title() }}{{ c | capitalize }}{{ c.replace('\\n', '\\\\n') }}{{ c | indent(2, true) }}{{ c | e }}{{ c[1:-1] }}{{ c[-3:] }}
{% endfor %}""",
    "safe": """{% for m in messages %}{{ '<b>' + (m.role | safe) }}{{ '<' ~ (m.role | safe) }}{% endfor %}""",
    "cycle": """{% set j = joiner('; ') %}{% set c = cycler('odd', 'even') %}{% for m in messages %}{{ j() }}{{ loop.cycle('a', 'b') }}{{ c.next() }}{{ loop.changed(m.role) }}{{ loop.revindex }}{% endfor %}""",
    "iterators": """{% set it = messages | selectattr('role', 'equalto', 'user') %}{% if it %}true{% endif %}{% for m in it %}{{ m.role }}{% endfor %}{% for m in it %}again{% endfor %}{% set l = messages | map(attribute='role') | list %}{{ l[-1:] }}""",
    "unpack": """{% set a, b = 1, 'two' %}{{ a ~ b }}{% for k, v in {'x': 1, 'y': [2]}.items() %}{{ k }}{{ v }}{% endfor %}{% for (i, (j, k)) in [(1, (2, 3))] %}{{ i + j + k }}{% endfor %}""",
    "dicts": """{% set d = dict({'a': 1}, b=2) %}{{ d }}{{ d.get('c', 'none') }}{{ d.keys() | list }}{{ dict(d, **{'a': 9}) }}{% set ns = namespace(list=[]) %}{% for m in messages %}{% set ns.list = ns.list + [m.role] %}{% endfor %}{{ ns.list }}""",
    "append": "{% set l = [] %}{% for m in messages %}{% set _ = l.append(m) %}{% endfor %}{{ l | length }}",
    "sorted": "{{ dict(q=1, b=2, zz=3, a=4, z=5, c=6, aa=7, y=8) | tojson(sort_keys=true) }}{{ {3: 1, 1: 2, 2: 3} | tojson(sort_keys=true) }}"
              "{{ (-9223372036854775807 - 1) % -1 }}{{ 7 % -1 }}{{ (-9223372036854775807 - 1) % 7 }}{{ 9223372036854775807 // -1 }}",
    "errors": "{{ messages[5].content.upper() }}",
    "compare": "{{ 1 < 2 < 3 }}{{ 1 == 1.0 }}{{ 'a' < 'b' }}{{ [1, 2] < [1, 3] }}{{ true == 1 }}{{ none == false }}{{ 'x' in {'x': 1} }}{{ messages | length is divisibleby 2 }}{{ messages is sequence }}{{ bos_token is string and eos_token is not none }}{{ pad_token is none }}",
}


def main():
    templates = {"frame-" + f[0]: frame(*f) for f in FRAMES} | SINGLE
    variables = {}
    for chat, messages in CHATS.items():
        for i, options in enumerate(OPTIONS):
            if i in (1, 3) and chat in ("unicode", "empty", "odd", "none"):
                continue
            variables[f"{chat}-{i}"] = {"messages": messages, **TOKENS, **options}
    out = []
    for name, source in templates.items():
        cases = [{"vars": v, "expected": render(source, variables[v])} for v in variables]
        good = sum(c["expected"] is not None for c in cases)
        if good == 0 and name != "append":
            print("always an error:", name)
        out.append({"name": name, "source": source, "cases": cases})
    text = json.dumps({"vars": variables, "templates": out}, ensure_ascii=False, separators=(",", ":"))
    data = text.encode() + b"\n"
    (HERE / "golden.json.zst").write_bytes(subprocess.run(
        ["zstd", "-q", "-19", "-c", f"--stream-size={len(data)}"], input=data, stdout=subprocess.PIPE, check=True).stdout)
    print(len(out), "templates,", sum(len(t["cases"]) for t in out), "cases,",
          sum(c["expected"] is None for t in out for c in t["cases"]), "errors,", len(text), "characters")


main()
