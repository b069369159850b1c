# served.sh - sourced by shell tests of the server, after tap.sh.
#
#   start OPTION...   a server of $model; its address is $url, its process $server, its stderr $work/log. With on=(COMMAND...) behind that
#   stop NAME         it ends by SIGTERM, with status 0; behind mpirun, which passes that on to no rank alone, by SIGUSR1
#   post PATH         posts standard input, leaves the response in $out, prints the status
#   code ARGUMENT...  the same by curl's arguments
#   client ARGUMENT...  runs a Python program, standard input, that uses
#   counter NAME      a sample of /metrics, labels and all
#   comes_to NAME N   waits until the counter does
#   client.py         what a client can see of a completion; PYTHONPATH finds it
# shellcheck shell=bash
model=$NEEDLE
on=()

start() {
    : >"$work/log" # that of the server before has another address
    "${on[@]}" "$ITHACA" serve "$model" --threads 1 --ctx 8192 --port 0 -q "$@" 2>"$work/log" &
    server=$!
    until url=$(grep -o 'http://[0-9.:]*' "$work/log") || ! kill -0 $server 2>/dev/null; do sleep 0.02; done
    until [[ $(code "$url/health") == 200 ]] || ! kill -0 $server 2>/dev/null; do sleep 0.02; done
}

stop() {
    if ((${#on[@]})); then kill -USR1 "$server"; else kill -TERM "$server"; fi
    wait "$server"
    same "$1" 0 $?
}

code() { curl -s --max-time 600 -o "$out" -w '%{http_code}' "$@"; }
post() { code "$url$1" -H 'Content-Type: application/json' --data-binary @-; }

client() { python3 - "$@" || not_ok "the client's program has ended with an error"; }

cat >"$work/client.py" <<'PY'
"""client.py - what a client can see of a completion."""
import http.client, json, socket, sys, threading, time, urllib.request

def ask(url, path, body):
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as reply:
        if not body.get("stream"):
            return json.load(reply)
        lines = [l[6:].strip() for l in reply.read().decode().split("\n") if l.startswith("data: ")]
    assert lines[-1] == "[DONE]", lines[-1]
    return [json.loads(l) for l in lines[:-1]]

def text(url, path, body):
    """Of each choice: text and finish_reason."""
    reply = ask(url, path, body)
    if not body.get("stream"):
        return [(c["message"]["content"] if "message" in c else c["text"], c["finish_reason"]) for c in reply["choices"]]
    found = {}
    for chunk in reply:
        for c in chunk["choices"]:
            old = found.get(c["index"], ("", None))
            assert old[1] is None
            found[c["index"]] = (old[0] + (c["delta"]["content"] if "delta" in c else c["text"]), c["finish_reason"])
    return [found[i] for i in sorted(found)]

def together(jobs):
    """Calls all at the same time."""
    results = [None] * len(jobs)
    def run(i):
        results[i] = text(*jobs[i])
    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(jobs))]
    [t.start() for t in threads]
    [t.join() for t in threads]
    return results

def request(url, method, path, body=None, headers={}):
    """Status, headers, JSON or None."""
    c = http.client.HTTPConnection(url[7:], timeout=600)
    c.request(method, path, body, headers)
    r = c.getresponse()
    data = r.read()
    return r.status, r.headers, json.loads(data) if data and r.headers["Content-Type"] == "application/json" else None

def half(url, text="", window=None):
    """A connection on which this has been sent; that takes few bytes that it does not read."""
    host, port = url[7:].split(":")
    s = socket.socket()
    if window:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    s.settimeout(600)
    s.connect((host, int(port)))
    s.sendall(text.encode() if isinstance(text, str) else text)
    return s

def post_of(path, body, more=""):
    """The bytes of a request."""
    text = body if isinstance(body, str) else json.dumps(body)
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{more}Content-Length: {len(text.encode())}\r\n\r\n{text}"

def until(s, what, data=b""):
    """Reads until this has come; all that has."""
    while what not in data:
        more = s.recv(65536)
        if not more:
            break
        data += more
    return data

def status_of(s):
    return int((until(s, b"\r\n").split() + [b"", b"0"])[1])

def is_closed(s):
    """Waits until the other side closes; nothing comes before."""
    try:
        return s.recv(1) == b""
    except socket.timeout:
        return False
    except OSError:
        return True

def counter(url, name):
    with urllib.request.urlopen(url + "/metrics", timeout=600) as reply:
        return sum(float(l.rsplit(" ", 1)[1]) for l in reply.read().decode().split("\n") if l.startswith(name + " "))

def comes_to(url, name, n):
    """Waits until a counter is `n`, or as `n` says."""
    for _ in range(20000):
        now = counter(url, name)
        if n(now) if callable(n) else now == n:
            return True
        time.sleep(0.02)
    print("#", name, "is", now)
    return False

def check(name, fine, *seen):
    if not fine:
        print("#", *seen)
    print("ok" if fine else "not ok", name)
PY
export PYTHONPATH=$work

# counter NAME: a sample of /metrics, labels and all; 0 if there is none. With key=KEY behind one
counter() { curl -s ${key:+-H "Authorization: Bearer $key"} "$url/metrics" | awk -v name="$1" '$1 == name {n = $2} END {print n + 0}'; }

# comes_to NAME N: waits for it, which takes moments
comes_to() {
    local tries=0 n
    until n=$(counter "$1") && [[ $n == "$2" ]] || ((++tries > 20000)) || ! kill -0 "$server" 2>/dev/null; do sleep 0.02; done
    same "$1 comes to $2" "$2" "$n"
}
