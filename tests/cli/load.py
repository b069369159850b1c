"""load.py - clients of a server who ask, leave, stall, do not read and send rubbish, all at the same time.

    load.py URL ROUNDS SEED MEMORY PID...

ROUNDS requests of each of 6 clients, all of whose choices follow from SEED. What is asked has been asked alone before: the answers
are the same. The processes PID are the server's; MEMORY 1: what they have in memory stays as it is. Prints TAP lines.
client.py comes from served.sh.
"""
import collections, json, random, socket, struct, sys, threading
from client import check, comes_to, half, post_of, until

url, rounds, seed, memory, pids = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1", sys.argv[5:]
CLIENTS, QUARTERS = 6, 4
TEXT, CHAT = "/v1/completions", "/v1/chat/completions"
wrong, counts, lock = [], collections.Counter(), threading.Lock()


def words(rng, n):
    return " ".join("".join(rng.choice("abcdefgh .,") for _ in range(rng.randint(1, 7))) for _ in range(n))


def questions():
    """(path, body) of requests whose answers are known once they were asked alone."""
    rng = random.Random(seed)
    system, asked = words(rng, 120), []
    for i in range(6):
        asked.append((TEXT, {"prompt": (system if i % 2 else "") + words(rng, 10 + 40 * i), "max_tokens": 4 + 5 * i, "ignore_eos": True, "temperature": i % 3 / 2, "seed": i}))
    asked.append((TEXT, {"prompt": [words(rng, 5), words(rng, 90)], "n": 2, "max_tokens": 6, "temperature": 1, "seed": 5, "logprobs": 3}))
    asked.append((TEXT, {"prompt": words(rng, 20), "max_tokens": 0, "echo": True, "logprobs": 1}))
    asked.append((TEXT, {"prompt": words(rng, 8), "max_tokens": 40, "temperature": 1, "seed": 9, "stop": ["a", "e"]}))
    for schema in ({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x", "y"]}}, "required": ["a", "b"], "additionalProperties": False},
                   {"type": "array", "items": {"type": "boolean"}, "maxItems": 3}):
        asked.append((CHAT, {"messages": [{"role": "user", "content": words(rng, 12)}], "max_tokens": 60, "temperature": 1, "seed": 3,
                             "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}}))
    asked.append((CHAT, {"messages": [{"role": "system", "content": system}, {"role": "user", "content": words(rng, 30)}], "max_tokens": 12, "temperature": 0.7, "seed": 1}))
    return asked


def more(s, data):
    got = s.recv(65536)
    if not got:
        raise OSError("the connection ends in the middle of a response")
    return data + got


def respond(s):
    """Status and body of a whole response, which may come in chunks."""
    head, _, rest = until(s, b"\r\n\r\n").partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if fields.get(b"transfer-encoding") != b"chunked":
        while len(rest) < int(fields[b"content-length"]):
            rest = more(s, rest)
        return int(head.split()[1]), rest
    body = b""
    while True:
        line, _, rest = until(s, b"\r\n", rest).partition(b"\r\n")
        n = int(line, 16)
        while len(rest) < n + 2:
            rest = more(s, rest)
        body, rest = body + rest[:n], rest[n + 2:]
        if n == 0:
            return int(head.split()[1]), body


def ask(path, body):
    """Of each choice: text, finish_reason, and log probabilities; or the status, if the server has too much to do."""
    s = half(url, post_of(path, body))
    s.settimeout(600)
    status, got = respond(s)
    s.close()
    if status != 200:
        return status
    if not body.get("stream"):
        return [(c["message"]["content"] if path == CHAT else c["text"], c["finish_reason"],
                 (c["logprobs"] or {}).get("token_logprobs")) for c in json.loads(got)["choices"]]
    events = [line[6:] for line in got.decode().split("\n") if line.startswith("data: ")]
    found = collections.defaultdict(lambda: ["", None, None])
    for event in events[:-1]:
        for c in json.loads(event).get("choices", ()):
            one = found[c["index"]]
            one[0] += (c["delta"].get("content") or "") if path == CHAT else c["text"]
            one[1] = c["finish_reason"] or one[1]
            if c.get("logprobs"):
                one[2] = (one[2] or []) + c["logprobs"]["token_logprobs"]
    return [tuple(found[i]) for i in sorted(found)] if events and events[-1] == "[DONE]" else "no end"


# ---- What clients do; each returns what was wrong, or nothing ----

def asks(rng):
    i = rng.randrange(len(asked))
    path, body = asked[i]
    for _ in range(200):
        got = ask(path, dict(body, stream=True) if rng.random() < 0.5 else body)
        if got != 503:
            break
        counts["overloaded"] += 1
    return got != known[i] and f"question {i}: {got} and not {known[i]}"


def leaves(rng):
    path, body = rng.choice(asked)
    s = half(url, post_of(path, dict(body, max_tokens=3000, ignore_eos=True, stream=rng.random() < 0.5)))
    s.settimeout(rng.random() / 5)
    try:
        s.recv(rng.choice((1, 100, 4000)))
    except socket.timeout:
        pass
    if rng.random() < 0.5: # without a word
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def stalls(rng):
    text = post_of(*rng.choice(asked))
    return ("held", half(url, text[:rng.randrange(len(text))]))


def reads_not(rng):
    path, body = rng.choice(asked)
    return ("held", half(url, post_of(path, dict(body, max_tokens=300, ignore_eos=True, stream=True)), window=4096))


def rubbish(rng):
    path, body = rng.choice(asked)
    text = bytearray(json.dumps(body).encode())
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text) + 1)
        kind = rng.randrange(5)
        if kind == 0 and text:
            text[at % len(text)] = rng.randrange(256)
        elif kind == 1:
            del text[at:at + rng.randint(1, 20)]
        elif kind == 2:
            text[at:at] = rng.choice((b"1e999", b"\\ud800", b"\0", b"[" * 200, b'"seed":-1,', b"99999999999999999999", b"null", b'"n":128,', b"\xff\xfe"))
        elif kind == 3:
            text[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 60)))
        else:
            text += text[at:at + 200]
    path = rng.choice((path, path, TEXT, CHAT, "/tokenize", "/detokenize", "/v1/models/" + "%41" * 40, "/" + "x" * 300))
    s = half(url, f"{rng.choice(('POST', 'POST', 'POST', 'GET', 'PUT'))} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(text)}\r\n\r\n".encode() + bytes(text))
    s.settimeout(600)
    status = int((until(s, b"\r\n").split() + [b"", b"0"])[1])
    s.close()
    return status not in (200, 400, 404, 405, 413, 503) and f"rubbish: status {status} for {bytes(text)[:300]}"


def noise(rng):
    """What is no HTTP: it is answered with 400 or with nothing."""
    s = half(url, bytes(rng.randrange(256) for _ in range(rng.randint(1, 200))) + b"\r\n\r\n")
    s.settimeout(600)
    s.shutdown(socket.SHUT_WR)
    try:
        got = until(s, b"\r\n")
    except OSError:
        got = b""
    s.close()
    return got != b"" and not got.startswith(b"HTTP/1.") and f"noise: {got[:80]}"


def client(number, n):
    rng, held = random.Random(f"{seed} {number}"), []
    for _ in range(n):
        do = rng.choices((asks, leaves, stalls, reads_not, rubbish, noise), (8, 3, 1, 1, 3, 1))[0]
        try:
            got = do(rng)
        except Exception as e: # of a connection: the server has closed it
            got = f"{do.__name__}: {e!r}"
        with lock:
            counts[do.__name__] += 1
        if isinstance(got, tuple):
            held.append(got[1])
            if len(held) > 3:
                held.pop(0).close()
        elif got:
            with lock:
                wrong.append(got)
    [s.close() for s in held]


def in_memory():
    """MiB of all ranks."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    return total >> 10


asked = questions()
known = [ask(*q) for q in asked]
check("load: every question has an answer", all(isinstance(k, list) for k in known), known)
for i, (path, body) in enumerate(asked):
    if "response_format" in body and known[i][0][1] == "stop":
        json.loads(known[i][0][0])
used = []
for quarter in range(QUARTERS):
    threads = [threading.Thread(target=client, args=(CLIENTS * quarter + i, rounds // QUARTERS)) for i in range(CLIENTS)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    check(f"load {quarter + 1}: afterwards nothing is left", comes_to(url, "ithaca_prompts_in_flight", 0) and comes_to(url, "ithaca_requests_in_flight", 1) and
          comes_to(url, 'ithaca_prompts_waiting{for="sessions"}', 0) and comes_to(url, 'ithaca_prompts_waiting{for="memory"}', 0))
    used.append(in_memory())
print("#", dict(counts), "MiB", used)
check("load: all is answered as it should be", wrong == [], len(wrong), *wrong[:5])
check("load: the answers are those from before", [ask(*q) for q in asked] == known)
check("load: memory stays as it is", not memory or used[3] <= used[1] + 12, used)
