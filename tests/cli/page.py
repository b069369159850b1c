"""page.py - the page of `ithaca serve` in Chromium, before a server whose answers are written here, and before a real one.

    page.py CHROMEDRIVER CHROMIUM FOLDER URL KEY_URL DOCUMENT PASSKEY

Prints TAP lines. FOLDER is for what the browser keeps. The server at URL has a model that finds the PASSKEY in the text
DOCUMENT, whose question is its last line; the one at KEY_URL wants the key "sesame" and takes bodies up to 4 KiB.
"""
import http.server, json, pathlib, sys, threading, urllib.request
from webdriver import Browser

driver, chromium, folder, real, locked, document, passkey = sys.argv[1:]
folder = pathlib.Path(folder)
with urllib.request.urlopen(real + "/") as reply:
    page, policy = reply.read(), reply.headers["Content-Security-Policy"]


def check(name, fine, *got):
    print("".join(f"# {g}\n" for g in got if not fine) + ("ok" if fine else "not ok"), "page:", name, flush=True)


# ---- A server whose answers are written here ----

class Gate(threading.Event):
    """In a list of parts: nothing more is sent until it is set."""


def chunk(text, **more):
    return "data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None, **more}]}) + "\n\n"


def answer(*texts, usage=(7, 3)):
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    use = {"choices": [], "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1]}}
    return [*[t if isinstance(t, Gate) or t.startswith(":") else chunk(t) for t in texts],
            *[f"data: {json.dumps(x)}\n\n" for x in (end, use)], "data: [DONE]\n\n"]


class Server(http.server.ThreadingHTTPServer):
    """Answers the next request with the next of `script`: a list of parts, or (status, headers, body)."""
    daemon_threads = True

    def __init__(self):
        self.script, self.bodies, self.left, self.models = [], [], threading.Event(), 200
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def reply(self, status, headers, body):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/":
            self.reply(200, {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}, page)
        elif self.server.models == 200:
            self.reply(200, {}, b'{"data": [{"id": "scripted", "max_model_len": 8192}]}')
        else:
            self.reply(self.server.models, {}, b'{"error": {"message": "the model is not loaded"}}')

    def do_POST(self):
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        parts = self.server.script.pop(0)
        if isinstance(parts, tuple):
            return self.reply(*parts)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            for part in parts:
                if isinstance(part, Gate):
                    while not part.wait(0.02):
                        self.wfile.write(b": \n\n")
                else:
                    self.wfile.write(part.encode())
        except OSError:
            self.server.left.set()


server = Server()
b = Browser(driver, chromium, folder)
TEXT = "document.querySelector('.message:last-child > .text').innerText.trim()"
DONE = "document.querySelector('.message:last-child .again')"


def shown(css):
    return b.js("return [...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility()).map((e) => e.innerText)", css)


def sent():
    """The messages of the last request, as (role, content)."""
    return [(m["role"], m["content"]) for m in server.bodies[-1]["messages"]]


def say(text, *script):
    """Sends a message by keys, and waits until it is answered."""
    server.script += script
    b.js("document.getElementById('prompt').focus()")
    b.write(text)
    b.press("enter")
    return b.until(DONE) and b.js(f"return {TEXT}")


def errors(allowed=()):
    """Errors of the console, but for those that hold one of these."""
    return [l for l in b.log() if l.startswith("SEVERE") and not any(a in l for a in allowed)]


def hold(condition):
    """The page as it is when a condition has become true; for the report."""
    return [] if b.until(condition) else [b.js("return document.querySelector('main').innerText")]


# ---- Streaming, by keys alone ----

def streams():
    b.size(1200, 800)
    b.go(server.url)
    check("names the model", b.until("document.getElementById('model').textContent === 'scripted'"))
    check("the message field has the focus", b.js("return document.activeElement.id") == "prompt")
    gate = Gate()
    server.script.append(answer("One **bold** word", gate, ".\n\nAnd more.", usage=(7, 30)))
    b.write("Hello,")
    b.press("shift", "enter")
    b.write("you")
    b.press("enter")
    check("streams", b.until(f"{TEXT} === 'One bold word'") and b.js("return document.getElementById('stop').checkVisibility()"))
    check("the request", sent() == [("user", "Hello,\nyou")] and server.bodies[-1]["stream"] is True and
          "temperature" not in server.bodies[-1], server.bodies[-1])
    gate.set()
    check("is complete", b.until(DONE) and b.js(f"return {TEXT}") == "One bold word.\n\nAnd more.")
    check("tokens and speed", "7 prompt tokens" in shown(".stats")[0] and "30 tokens," in shown(".stats")[0] and
          shown(".stats")[0].endswith(" tokens/s"), shown(".stats"))
    check("is read out", b.js("return document.getElementById('spoken').textContent") == "One bold word.And more.",
          b.js("return document.getElementById('spoken').textContent"))
    check("the second message", say("Again", answer("Yes")) == "Yes" and sent() ==
          [("user", "Hello,\nyou"), ("assistant", "One **bold** word.\n\nAnd more."), ("user", "Again")], sent())
    before = b.js("return document.getElementById('messages').innerText")
    b.reload()
    check("is kept after a reload", b.until(DONE) and b.js("return document.getElementById('messages').innerText") == before)
    check("without errors", errors() == [])


def stops():
    gate = Gate()
    server.left.clear()
    server.script.append(answer("Partial", gate, "never"))
    b.write("Stop this")
    b.press("enter")
    b.until(f"{TEXT} === 'Partial'")
    b.press("escape")
    check("Esc stops", not hold(DONE) and b.js(f"return {TEXT}") == "Partial" and "Stopped." in shown(".message:last-child .work"))
    check("a stopped request is left", server.left.wait(600))
    gate.set()
    check("the focus stays", b.js("return document.activeElement.id") == "prompt")
    b.press("tab")
    b.press("tab")
    check("Tab leads to Send", b.js("return document.activeElement.id") == "send")


def edits():
    server.script.append(answer("Edited"))
    b.js("document.querySelectorAll('.edit')[1].focus()")
    b.press("enter")
    check("the editor has the focus and the text", b.js("return document.activeElement.value") == "Again")
    b.press("control", "a")
    b.write("Anew")
    b.press("enter")
    check("an edited message replaces what follows", not hold(f"{DONE} && {TEXT} === 'Edited'") and sent()[2:] == [("user", "Anew")] and
          len(shown(".message")) == 4, sent(), shown(".message"))
    b.js("document.querySelectorAll('.edit')[0].focus()")
    b.press("enter")
    b.write("not this")
    b.press("escape")
    check("Esc leaves an edit, its button has the focus", "not this" not in b.js("return document.body.innerText") and
          b.js("return document.activeElement.className").endswith("edit"))
    server.script.append(answer("Regenerated"))
    b.js("document.querySelector('.again').focus()")
    b.press("enter")
    check("regenerates", not hold(f"{DONE} && {TEXT} === 'Regenerated'") and sent()[2:] == [("user", "Anew")], sent())


# ---- What models write ----

HOSTILE = """# Title <img src=x onerror=alert(1)>

<script>alert(1)</script> [bad](javascript:alert(1)) [good](https://example.org/a_(b) "t") ![pixel](https://example.org/p.png)
https://example.org/x, snake_case_word, 2 * 3 * 4, ~~gone~~ `a <b> | c` and <br> a break

1. one
   - nested
     more of it
2. two

- [x] task

| a | b \\| c |
|:--|--:|
| 1 | `x` |

```html
<p onclick="alert(1)">copy me</p>
  indented

```

> quoted
> > twice

***both*** __strong__ _em_ **open
"""


def renders():
    check("Markdown comes", say("Markdown", answer(*[HOSTILE[i:i + 7] for i in range(0, len(HOSTILE), 7)])) is not False)
    last = ".message:last-child .text"
    got = b.js(f"""const t = document.querySelector('{last}'), all = (s) => [...t.querySelectorAll(s)];
        return {{bad: all('img,script,iframe,object,[onclick],[onerror],[style]').length, links: all('a').map((a) => a.getAttribute('href')),
        code: all('pre code').map((c) => c.textContent), head: all('h3').map((h) => h.textContent), nested: all('ol > li > ul > li').map((l) => l.textContent),
        cells: all('th,td').map((c) => c.textContent), right: all('td')[1].className, quote: all('blockquote blockquote').length,
        strong: all('strong').map((s) => s.textContent), em: all('em').map((s) => s.textContent), del: all('del').map((s) => s.textContent),
        inline: all('p code').map((c) => c.textContent), items: all('ol > li').length, task: all('li.task').map((l) => l.textContent)}}""")
    want = {"bad": 0, "links": ["https://example.org/a_(b)", "https://example.org/p.png", "https://example.org/x"],
            "code": ['<p onclick="alert(1)">copy me</p>\n  indented\n'], "head": ["Title <img src=x onerror=alert(1)>"],
            "nested": ["nested\nmore of it"], "cells": ["a", "b | c", "1", "x"], "right": "right", "quote": 1, "strong": ["both", "strong"],
            "em": ["both", "em"], "del": ["gone"], "inline": ["a <b> | c"], "items": 2, "task": ["\u2611 task"]}
    for name in want:
        check(f"Markdown: {name}", got[name] == want[name], got[name])
    b.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite"])
    b.click(f"{last} .code button")
    check("copies code", not hold(f"document.querySelector('{last} .code button').textContent === 'Copied'") and
          b.js("return navigator.clipboard.readText()") == want["code"][0])
    odd = ">" * 4000 + " deep\n\n" + "- " * 3000 + "x\n\n" + "*a " * 9000 + "\n\n" + "`" * 900 + "[" * 4000 + "\n\n|" + "a|" * 900
    long = 100000
    odd += "\n\n# a" + " " * long + "x\n\n# " + "#" * long + "x\n\n~~~" + " " * long + "`\n~~~\n\n" + "~" * long + "`"
    check("odd texts", say("Odd", answer(odd)) is not False)
    b.size(400, 800)
    check("400 pixels: nothing is wider", b.js("return document.documentElement.scrollWidth") == 400 and
          b.js("return document.getElementById('scroll').scrollWidth <= document.getElementById('scroll').clientWidth"))
    b.size(1200, 800)
    check("a thought", say("Think", answer("<think>\nFirst", " this.\n</think>\n\n", "Then that.")) == "Then that." and
          b.js("return document.querySelector('.message:last-child details .text').textContent") == "First this.")
    check("a thought is not sent again", say("Next", answer("ok")) == "ok" and sent()[-2] == ("assistant", "Then that."), sent()[-2:])
    check("a thought whose beginning was in the prompt", say("Think on", answer("First this.\n</thi", "nk>\n\nThen that.")) == "Then that." and
          b.js("return document.querySelector('.message:last-child details .text').textContent") == "First this.")
    mention = "A thought ends with </think>, as here."
    check("an answer that speaks of thoughts is no thought", say("How?", answer(mention[:-9], mention[-9:])) == mention and
          shown(".message:last-child details") == [], b.js(f"return {TEXT}"))
    check("without errors", errors() == [])


# ---- Documents ----

def drop(name, data):
    b.js("""const t = new DataTransfer(); t.items.add(new File([Uint8Array.from(atob(arguments[1]), (c) => c.charCodeAt(0))], arguments[0]));
        for (const type of ['dragenter', 'dragover', 'drop'])
            document.querySelector('main').dispatchEvent(new DragEvent(type, {dataTransfer: t, bubbles: true, cancelable: true}));""",
         name, __import__("base64").b64encode(data).decode())


def reads_documents():
    b.js("document.getElementById('new').focus()")
    b.press("enter")
    check("a new conversation is empty", shown(".message") == [] and b.js("return document.activeElement.id") == "prompt")
    drop("a.pdf", b"%PDF-1.4\n\xff\xfe\0")
    check("what is no text is refused by name", not hold("document.getElementById('notice').innerText.includes('a.pdf is no text file')"))
    drop("utf16.txt", "Zwölf".encode("utf-16"))
    b.until("document.querySelectorAll('#files li').length === 1")
    (folder / "by button.txt").write_text("From a file.\n")
    b.type("#file", str(folder / "by button.txt"))
    check("documents are attached", not hold("document.querySelectorAll('#files li').length === 2"))
    gates = Gate(), Gate()
    server.script.append(answer(": 4096 of 90000 prompt tokens\n\n", gates[0], ": 8192 of 90000 prompt tokens\n\n", gates[1], "Read."))
    b.write("What?")
    b.press("enter")
    bar = "document.querySelector('progress')"
    check("progress", not hold(f"{bar} && {bar}.value === 4096 && {bar}.max === 90000") and "4,096 of 90,000 tokens" in shown(".work")[0])
    gates[0].set()
    check("time left", not hold(f"{bar}.value === 8192 && /tokens\\/s, about .* left/.test(document.querySelector('.work').innerText)"), shown(".work"))
    gates[1].set()
    check("documents stand before the question", not hold(DONE) and sent() == [("user", '<document name="utf16.txt">\nZwölf\n</document>\n\n'
          '<document name="by button.txt">\nFrom a file.\n\n</document>\n\nWhat?')], sent())
    b.reload()
    check("documents are kept after a reload", b.until(DONE) and shown(".message .chip b") == ["utf16.txt", "by button.txt"])
    server.script.append(answer("Same"))
    b.click(".again")
    check("and sent again", not hold(f"{DONE} && {TEXT} === 'Same'") and server.bodies[-1]["messages"] == server.bodies[-2]["messages"])
    b.click("#new")
    drop("huge.txt", b"0123456789abcdef" * 400000)
    b.until("document.querySelectorAll('#files li').length === 1")
    check("a document beyond what the browser keeps is answered", say("Huge", answer("Fine")) == "Fine")
    check("and it is said that it is not kept", "larger than what the browser can keep" in shown("#notice")[0], shown("#notice"))
    b.reload()
    b.until(DONE)
    check("after a reload it is shown as lost", shown(".message .chip.lost b") == ["huge.txt"] and
          "no longer in this browser" in shown(".message .chip")[0], shown(".message .chip"))
    requests = len(server.bodies)
    b.click(".again")
    check("and nothing is asked without it", not hold("document.querySelector('.failure')") and len(server.bodies) == requests and
          "huge.txt is no longer in this browser" in shown(".message:last-child .failure")[0], shown(".message:last-child .failure"))
    drop("huge.txt", b"0123456789abcdef" * 400000)
    check("attached again, it is there", not hold("!document.querySelector('.chip.lost')") and shown("#files li") == [])
    server.script.append(answer("Whole"))
    b.click(".again")
    check("and asked with", not hold(f"{DONE} && {TEXT} === 'Whole'") and sent() ==
          [("user", '<document name="huge.txt">\n' + "0123456789abcdef" * 400000 + "\n</document>\n\nHuge")], str(sent())[:200])
    b.click("#list .current .tools button:nth-child(3)")
    b.click("#ask-yes")
    check("what is deleted is said no more", not hold("document.getElementById('notice').hidden"), shown("#notice"))
    reads_slowly()
    check("without errors", errors() == [])


def reads_slowly():
    """A document that is being read, while the user goes on."""
    b.click("#new")
    b.js("document.getElementById('prompt').focus()")
    b.write("kept")
    b.click("#new")
    check("a new conversation beside one without messages loses nothing", b.js("return document.getElementById('prompt').value") == "kept")
    b.js("window.wait = new Promise((go) => { window.go = go }); const read = File.prototype.arrayBuffer || Blob.prototype.arrayBuffer;"
         "File.prototype.arrayBuffer = function () { return window.wait.then(() => read.call(this)) }")
    drop("slow.txt", b"slowly")
    b.press("enter")
    check("a message waits for its document, and says so", "still being read" in shown("#notice")[0] and shown(".message") == [], shown("#notice"))
    b.click("#list li:last-child .pick")
    b.js("window.go()")
    b.until("document.getElementById('notice').hidden")
    check("a document stays with its conversation", shown("#files li") == [])
    b.click("#new")
    check("and is there", shown("#files li b") == ["slow.txt"] and b.js("return document.getElementById('prompt').value") == "kept", shown("#files li"))
    b.click("#files button")
    b.js("document.getElementById('prompt').value = ''")


# ---- Faults ----

def told(name, text, *script):
    say(name, *script)
    got = shown(".message:last-child .failure")
    check(f"{name}: said so", len(got) == 1 and text in got[0], got)


def survives():
    b.click("#new")
    error = b'{"error": {"message": "too many requests wait"}}'
    told("503", "too many requests wait", (503, {"Retry-After": "1"}, error))
    server.script.append(answer("After 503"))
    b.js("document.querySelector('.again').focus()")
    b.press("enter")
    check("Try again", not hold(f"{DONE} && {TEXT} === 'After 503'") and sent() == [("user", "503")], sent())
    told("429", "Try again in 9 s", (429, {"Retry-After": "9"}, b""))
    told("413", "longer than this server accepts", (413, {}, b"<html>"))
    told("400", "temperature: no", (400, {}, b'{"error": {"message": "temperature: no"}}'))
    told("a cut", "The connection was lost", [chunk("Half an")])
    check("a cut: what came stays", b.js(f"return {TEXT}") == "Half an")
    told("an error in a stream", "out of memory", [chunk("Half"), 'data: {"error": {"message": "out of memory"}}\n\n', "data: [DONE]\n\n"])
    server.left.clear()
    gate = Gate()
    told("no JSON", "no JSON", ["data: {\n\n", gate])
    check("no JSON: the request is left", server.left.wait(60))
    gate.set()
    check("users' messages become one", say("last", answer("ok")) == "ok" and [r for r, _ in sent()] ==
          ["user", "assistant", "user", "assistant", "user", "assistant", "user", "assistant"][:len(sent())] and
          sent()[-1][1].endswith("no JSON\n\nlast"), sent())
    server.models = 503
    b.reload()
    check("a model that is being loaded: said so", not hold("document.getElementById('notice').innerText.includes('not ready')"))
    server.models = 200
    check("and found when it is there", not hold("document.getElementById('model').textContent === 'scripted' && document.getElementById('notice').hidden"))
    check("no other errors", errors(["Failed to load resource", "net::ERR"]) == [])


# ---- Conversations and settings ----

def keeps():
    b.js("localStorage.clear()")
    b.go(server.url)
    gate = Gate()
    server.script.append(answer("Slow", gate, " end"))
    b.write("first")
    b.press("enter")
    b.until(f"{TEXT} === 'Slow'")
    b.click("#new")
    check("a second beside a first", say("second", answer("Quick")) == "Quick")
    gate.set()
    check("the first goes on meanwhile", not hold("!document.querySelector('#list .busy')"))
    b.click("#list li:nth-child(2) .pick")
    check("and is there", b.js(f"return {TEXT}") == "Slow end" and [t.split("\n")[0] for t in shown("#list .pick")] == ["second", "first"])
    b.click("#list .current .tools button:nth-child(1)")
    b.press("control", "a")
    b.write("A new name")
    b.press("enter")
    check("renames", not hold("document.getElementById('title').textContent === 'A new name'"))
    b.click("#list .current .tools button:nth-child(2)")
    saved = folder / "downloads" / "A-new-name.md"
    for _ in range(3000):
        if saved.exists() and saved.stat().st_size > 0:
            break
        threading.Event().wait(0.02)
    check("exports", saved.exists() and saved.read_text() == "# A new name\n\n## You\n\nfirst\n\n## Assistant\n\nSlow end\n",
          saved.exists() and saved.read_text())
    b.click("#list .current .tools button:nth-child(3)")
    check("asks before it deletes", b.js("return document.activeElement.id") == "ask-no")
    b.press("tab")
    b.press("enter")
    check("deletes", not hold("document.querySelectorAll('#list li').length === 1") and
          b.js("return Object.keys(localStorage).filter((k) => k.startsWith('ithaca.chat')).length") == 1)
    b.js("document.getElementById('settings-open').focus()")
    b.press("enter")
    b.write("Be brief.")
    for text in ("0.5", "0.9", "40", "0.05", "1.1", "99", "7"):
        b.press("tab")
        b.write(text)
    b.js("document.getElementById('thinking').value = 'off'; document.getElementById('stops').value = 'END\\nSTOP'")
    b.press("escape")
    check("settings: the focus comes back", not hold("document.activeElement.id === 'prompt'"))
    say("with settings", answer("ok"))
    got = {k: v for k, v in server.bodies[-1].items() if k not in ("model", "stream", "stream_options", "messages")}
    check("settings reach the request", sent()[0] == ("system", "Be brief.") and got == {"temperature": 0.5, "top_p": 0.9, "top_k": 40,
          "min_p": 0.05, "repetition_penalty": 1.1, "max_tokens": 99, "seed": 7, "stop": ["END", "STOP"],
          "chat_template_kwargs": {"enable_thinking": False}}, got)
    b.reload()
    b.until(DONE)
    check("settings are kept", say("and again", answer("ok")) == "ok" and server.bodies[-1]["seed"] == 7)
    b.click("#settings-open")
    b.js("document.getElementById('theme').value = 'dark'; document.getElementById('theme').dispatchEvent(new Event('change'))")
    dark = b.js("return getComputedStyle(document.body).backgroundColor")
    b.press("escape")
    b.reload()
    check("a theme is kept", b.until(DONE) and b.js("return getComputedStyle(document.body).backgroundColor") == dark != "rgb(255, 255, 255)", dark)
    check("without errors", errors() == [])


# ---- What is kept is not what was written, and several tabs ----

def distrusts():
    good = {"id": "good", "title": "Good", "named": True, "updated": 1, "settings": {}, "messages": []}
    bad = [5, {"settings": None}, {"messages": [None]}, {"messages": [{"role": "user", "text": "a", "files": [None]}]}, {"messages": [{"role": "user", "text": 5, "files": []}]},
           {"messages": [{"role": "assistant", "text": "a", "thought": 5, "state": "done"}]}, {"messages": [{"role": "assistant", "text": "a", "thought": "", "state": "new"}]},
           {"messages": [{"role": "tool", "text": "a"}]}, {"title": 5}, {"settings": {"stops": 5}}, {"id": "other"}, {"updated": None}]
    b.js("localStorage.clear(); for (const [i, t] of arguments[0].entries()) localStorage.setItem(`ithaca.chat.${i}`, t);"
         "localStorage.setItem('ithaca.chat.good', arguments[1]); localStorage.setItem('ithaca.document.lonely', 'text');"
         "localStorage.setItem('ithaca.preset', '\"x\"')",
         ["{"] + [json.dumps({**good, "id": str(i + 1), **x} if isinstance(x, dict) else x) for i, x in enumerate(bad)], json.dumps(good))
    b.reload()
    check("what is kept, but no conversation, is passed over", not hold("document.getElementById('model').textContent === 'scripted'") and
          [t.split("\n")[0] for t in shown("#list .pick")] == ["Good"], shown("#list .pick"))
    check("and counted", f"{len(bad) + 1} of the conversations" in "".join(shown("#notice")), shown("#notice"))
    check("and no document is given up meanwhile", b.js("return localStorage.getItem('ithaca.document.lonely')") == "text")
    b.click("#settings-open")
    b.click("#delete-all")
    b.click("#ask-yes")
    check("all can be deleted", not hold("document.getElementById('notice').hidden") and
          b.js("return Object.keys(localStorage).filter((k) => /^ithaca.(chat|document)/.test(k))") == [])
    check("without errors", errors() == [])


def shares():
    first, gate = b.tab(), Gate()
    b.click("#new")
    say("one", answer("First"))
    server.script.append(answer("Grow", gate, "ing"))
    b.write("two")
    b.press("enter")
    b.until(f"{TEXT} === 'Grow'")
    b.new_tab()
    b.go(server.url)
    second = b.tab()
    check("two tabs: one is at an answer", not hold(f"{TEXT} === 'Grow' && document.querySelector('.message:last-child .work').textContent === "
          "'Being answered in another tab.'") and b.js("return document.getElementById('send').disabled"))
    requests = len(server.bodies)
    b.js("document.getElementById('prompt').focus()")
    b.write("three")
    b.press("enter")
    check("two tabs: the other sends nothing", "Another tab" in "".join(shown("#notice")) and len(server.bodies) == requests, shown("#notice"))
    b.to_tab(first)
    gate.set()
    b.until(DONE)
    b.to_tab(second)
    check("two tabs: the other has the answer", not hold(f"{DONE} && {TEXT} === 'Growing'"))
    b.js("document.querySelectorAll('.edit')[0].click(); document.activeElement.value = 'being written'; document.querySelector('#list li').id = 'before'")
    b.to_tab(first)
    say("four", answer("Fourth"))
    b.click("#list .current .tools button:nth-child(1)")
    b.to_tab(second)
    check("two tabs: what is being edited stays", not hold("!document.getElementById('before')") and
          b.js("return document.activeElement.value") == "being written")
    b.press("escape")
    check("two tabs: and then all is there", not hold(f"{TEXT} === 'Fourth'"))
    say("five", answer("Fifth"))
    b.to_tab(first)
    b.js("document.getElementById('ask-text').value = 'Renamed'")
    b.click("#ask-yes")
    check("two tabs: a new name loses no message", not hold("document.getElementById('title').textContent === 'Renamed'") and
          not hold(f"{TEXT} === 'Fifth'") and b.js("return Object.keys(localStorage).filter((k) => k.startsWith('ithaca.chat.'))"
          ".map((k) => JSON.parse(localStorage.getItem(k))).find((chat) => chat.title === 'Renamed').messages.length") == 8)
    check("two tabs: without errors", errors() == [])
    b.to_tab(second)
    b.close_tab(first)


# ---- Names, narrow windows, the policy ----

def is_accessible():
    b.click("#settings-open")
    unnamed = []
    for css in ("main", "#side", "#settings"):
        b.js("document.getElementById('settings').close()") if css == "main" else None
        b.js("document.getElementById('settings').showModal()") if css == "#settings" else None
        for e in b._call("POST", "/elements", {"using": "css selector", "value": f"{css} :is(button, input, select, textarea, progress, dialog, nav)"}):
            e = next(iter(e.values()))
            if b.js("return arguments[0].checkVisibility()", {"element-6066-11e4-a52e-4f735466cecf": e}) and \
                    not b._call("GET", f"/element/{e}/computedlabel"):
                unnamed.append(b._call("GET", f"/element/{e}/property/outerHTML"))
    b.press("escape")
    check("every control has a name", unnamed == [], *unnamed)
    check("live regions", b.js("return [document.getElementById('status').role, document.getElementById('spoken').ariaLive, "
                               "document.getElementById('notice').role]") == ["status", "polite", "alert"])
    b.size(400, 800)
    check("400 pixels: conversations are away", b.js("return !document.getElementById('new').checkVisibility({visibilityProperty: true})"))
    b.js("document.getElementById('side-open').focus()")
    b.press("enter")
    check("400 pixels: a button shows them", b.js("return document.getElementById('new').checkVisibility({visibilityProperty: true}) && "
                                                  "document.activeElement.id") == "side-close")
    b.press("escape")
    check("400 pixels: Esc hides them", b.js("return !document.getElementById('side').classList.contains('open') && document.activeElement.id") == "side-open")
    b.size(1200, 800)
    check("no errors before the policy is tried", errors() == [])
    b.js("try { document.body.innerHTML += '<p>' } catch { window.refused = true }")
    b.js("const s = document.createElement('script'); try { s.textContent = 'window.ran = true' } catch {} document.body.append(s)")
    b.js("return fetch('http://127.0.0.1:1/').catch(() => 0)")
    found = " ".join(errors())
    check("the policy holds, and would be seen", b.js("return window.refused && !window.ran") and "connect-src" in found and "Trusted" in found, found)


# ---- A real server ----

def answers():
    with urllib.request.urlopen(real + "/") as reply:
        h = reply.headers
        again = urllib.request.Request(real + "/", headers={"If-None-Match": h["ETag"]})
    want = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache", "Content-Type": "text/html; charset=utf-8"}
    check("headers", all(h[n] == v for n, v in want.items()) and all(p in policy for p in
          ("default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'")) and "unsafe" not in policy, h)
    try:
        check("304", urllib.request.urlopen(again).status == 304)
    except urllib.error.HTTPError as e:
        check("304", e.code == 304, e.code)
    b.go(real + "/")
    b.until("document.getElementById('model').textContent")
    text, question = pathlib.Path(document).read_text().rsplit("\n\n", 1)
    drop("haystack.txt", text.encode())
    b.until("document.querySelectorAll('#files li').length === 1")
    got = say(question.strip())
    check("a real answer from a document", isinstance(got, str) and passkey in got, got)
    b.reload()
    check("is kept", b.until(DONE) and b.js(f"return {TEXT}") == got)
    check("a real server: without errors", errors() == [])
    b.go(locked + "/")
    check("a key is asked for", not hold("document.activeElement.id === 'key'"))
    for asked in (2, 3):
        b.press("escape")
        b.until("!document.getElementById('settings').open")
        b.until(f"performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/v1/models')).length >= {asked}")
        if asked == 2:
            b.click("#settings-open")
    check("a key is asked for once: without one the page can be used", b.js("return !document.getElementById('settings').open") and
          "API key" in "".join(shown("#notice")), shown("#notice"))
    b.click("#settings-open")
    b.js("document.getElementById('key').focus()")
    b.write("wrong")
    b.press("enter")
    check("a wrong key: asked again", not hold("document.getElementById('settings').open && document.getElementById('notice').innerText.includes('API key')"))
    b.js("document.getElementById('key').select()")
    b.write("sesame")
    b.press("enter")
    check("the key", not hold("document.getElementById('model').textContent && document.getElementById('notice').hidden"))
    b.js("document.getElementById('settings-open').focus()")
    say("Hello")
    check("the key: an answer", shown(".message:last-child .failure") == [])
    b.reload()
    check("the key is kept in its tab alone", b.until("document.getElementById('model').textContent") and
          "sesame" not in b.js("return JSON.stringify({...localStorage})"))
    drop("long.txt", b"a long text " * 700)
    b.until("document.querySelectorAll('#files li').length === 1")
    say("Long")
    check("413: said so", "longer than this server accepts" in "".join(shown(".message:last-child .failure")), shown(".message:last-child"))
    check("a real server: no other errors", errors(["Failed to load resource", "net::ERR"]) == [])


try:
    for part in (streams, stops, edits, renders, reads_documents, survives, keeps, distrusts, shares, is_accessible, answers):
        part()
finally:
    b.close()
