"""render.py - the environment in which Transformers renders chat templates, on jinja2 alone.

Restated from what transformers 5.24 documents of apply_chat_template: an immutable sandbox with trim_blocks and
lstrip_blocks, loop controls, {% generation %}, raise_exception, strftime_now, json.dumps as tojson.
"""

import copy
import datetime
import json
import warnings

import jinja2
import jinja2.ext
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

warnings.simplefilter("ignore")

NOW = datetime.datetime(2025, 7, 1, 12)  # test_jinja.c has the same


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_text"), [], [], body).set_lineno(line)

    def _text(self, caller):
        return caller()


def refuse(message):
    raise jinja2.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = refuse
    env.globals["strftime_now"] = lambda form: NOW.strftime(form)
    return env


ENV = environment()


def render(source, variables):
    """The text, or None where Python raises an error."""
    try:
        return ENV.from_string(source).render(**copy.deepcopy(variables))
    except Exception:
        return None
