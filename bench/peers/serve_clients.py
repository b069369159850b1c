#!/usr/bin/env python3
"""serve_clients.py - clients of a server with OpenAI's interface, whichever it is, and what they measure.

    serve_clients.py URL NAME many CLIENTS PROMPT TOKENS    at once, each with a prompt of its own
    serve_clients.py URL NAME beside PROMPT TOKENS          one that is answered, alone and beside a long prompt
    serve_clients.py URL NAME schema CLIENTS TOKENS         answers as JSON of a schema, and the same without one

Prints a line of JSON. Prompts are token ids, drawn from a fixed seed, no two alike: nothing can be shared or read from a
cache. Answers are greedy and do not end before TOKENS. Python's standard library is enough.
"""
import http.client, json, random, statistics, sys, threading, time, urllib.parse

url, name, what, *numbers = sys.argv[1:]
numbers = [int(n) for n in numbers]
address = urllib.parse.urlsplit(url).netloc
SCHEMA = {"type": "object", "properties": {
    "name": {"type": "string", "maxLength": 40}, "age": {"type": "integer", "minimum": 0, "maximum": 150},
    "tags": {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "minItems": 1, "maxItems": 4},
    "address": {"type": "object", "properties": {"street": {"type": "string", "maxLength": 40}, "number": {"type": "integer"}},
                "required": ["street", "number"], "additionalProperties": False}},
    "required": ["name", "age", "tags", "address"], "additionalProperties": False}


class Answer:
    """When the events of a stream came, its text, and how many tokens the server has counted."""

    def __init__(self, path, body):
        self.times, self.text, self.usage = [], "", None
        connection = http.client.HTTPConnection(address, timeout=3600)
        self.begun = time.monotonic()
        connection.request("POST", path, json.dumps(dict(body, stream=True, stream_options={"include_usage": True}, model="any")),
                           {"Content-Type": "application/json"})
        reply = connection.getresponse()
        if reply.status != 200:
            raise SystemExit(f"{name}: status {reply.status}: {reply.read()[:300]}")
        for line in reply:
            if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
                continue
            event = json.loads(line[6:])
            if "error" in event:
                raise SystemExit(f"{name}: {event['error']}")
            self.usage = event.get("usage") or self.usage
            for choice in event.get("choices", []):
                piece = choice.get("text") or (choice.get("delta") or {}).get("content") or ""
                if piece:
                    self.times.append(time.monotonic())
                    self.text += piece
        self.ended = time.monotonic()
        connection.close()


def prompt(seed, n):
    draw = random.Random(seed)
    return [draw.randrange(1000, 40000) for _ in range(n)]


def completion(seed, n, tokens):
    return "/v1/completions", {"prompt": prompt(seed, n), "max_tokens": tokens, "temperature": 0, "ignore_eos": True}


def at_once(requests):
    answers = [None] * len(requests)

    def run(i):
        answers[i] = Answer(*requests[i])
    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(requests))]
    [t.start() for t in threads]
    [t.join() for t in threads]
    if None in answers:
        raise SystemExit(f"{name}: a client has no answer")
    return answers


def wall(answers):
    return max(a.ended for a in answers) - min(a.begun for a in answers)


def many(clients, n, tokens):
    answers = at_once([completion(i, n, tokens) for i in range(clients)])
    first = sorted(a.times[0] - a.begun for a in answers if a.times)
    read, said = (sum(a.usage[key] for a in answers) for key in ("prompt_tokens", "completion_tokens"))
    return {"clients": clients, "prompt": n, "tokens": tokens, "prompt_tokens": read, "answer_tokens": said,
            "tokens_per_second": (read + said) / wall(answers), "first_token_seconds": statistics.median(first),
            "last_first_token_seconds": first[-1]}


def gaps(times):
    return sorted(b - a for a, b in zip(times, times[1:]))


def beside(n, tokens):
    alone = Answer(*completion("alone", 64, tokens))
    both = [None, None]

    def answered():
        both[0] = Answer(*completion("beside", 64, 8 * tokens))

    def long():
        time.sleep(1)
        both[1] = Answer(*completion("long", n, 1))
    threads = [threading.Thread(target=t) for t in (answered, long)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    a, other = both
    during = gaps([t for t in a.times if other.begun <= t <= other.times[0]]) if other.times else []
    quiet = gaps(alone.times)
    if not quiet or not during:
        raise SystemExit(f"{name}: no answer beside the long prompt: give it more tokens")
    of = lambda g: {"median": statistics.median(g), "p95": g[int(0.95 * (len(g) - 1))], "most": g[-1], "tokens": len(g)}
    return {"prompt": n, "alone": of(quiet), "beside": of(during), "prefill_seconds": other.times[0] - other.begun,
            "ratio": statistics.median(during) / statistics.median(quiet)}


def schema(clients, tokens):
    chat = {"messages": [{"role": "user", "content": "Invent a person."}], "max_tokens": tokens, "temperature": 1}
    form = {"response_format": {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA}}}
    rates = []
    for more in (form, {"ignore_eos": True}):
        answers = at_once([("/v1/chat/completions", dict(chat, seed=i, **more)) for i in range(clients)])
        rates.append(sum(a.usage["completion_tokens"] for a in answers) / wall(answers))
        if more is form:
            whole = 0
            for a in answers:
                try:
                    json.loads(a.text)
                    whole += 1
                except ValueError:
                    pass
    return {"clients": clients, "tokens_per_second": rates[0], "without_schema": rates[1], "whole": whole}


measured = {"many": many, "beside": beside, "schema": schema}[what](*numbers)
print(json.dumps({"engine": name, "what": what, **{k: round(v, 4) if isinstance(v, float) else v for k, v in measured.items()}}))
