"""webdriver.py - a browser, by the WebDriver protocol (https://www.w3.org/TR/webdriver2/) of a
chromedriver that is started for it. Standard library only."""
import base64, json, re, subprocess, time, urllib.error, urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # how the protocol marks an element
KEYS = dict(enter="\ue007", shift="\ue008", escape="\ue00c", tab="\ue004", null="\ue000", space=" ", end="\ue010", home="\ue011",
            control="\ue009")


class Browser:
    def __init__(self, driver, binary, profile):
        self.process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        port = None
        while not port:
            line = self.process.stdout.readline()
            if not line:
                raise OSError("chromedriver has ended")
            port = re.search(r"successfully on port (\d+)", line)
        self.url = f"http://127.0.0.1:{port[1]}"
        options = {"binary": binary, "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                                              f"--user-data-dir={profile}", "--window-size=1200,800"],
                   "prefs": {"download.default_directory": str(profile) + "/downloads"}}
        want = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}
        self.url += "/session/" + self._call("POST", "/session", {"capabilities": want})["sessionId"]

    def _call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=600) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as e:
            raise RuntimeError(json.load(e)["value"]["message"]) from None

    def close(self):
        try:
            self._call("DELETE", "")
        finally:
            self.process.terminate()
            self.process.wait()

    def go(self, url):
        self._call("POST", "/url", {"url": url})

    def tab(self):
        """The handle of the tab that is driven."""
        return self._call("GET", "/window")

    def new_tab(self):
        """Drives a new tab."""
        self.to_tab(self._call("POST", "/window/new", {"type": "tab"})["handle"])

    def to_tab(self, handle):
        self._call("POST", "/window", {"handle": handle})

    def close_tab(self, to):
        """Closes the tab that is driven, and drives another."""
        self._call("DELETE", "/window")
        self.to_tab(to)

    def reload(self):
        self._call("POST", "/refresh", {})

    def js(self, script, *args):
        """What the script returns; a script may return a promise."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def find(self, css):
        return self._call("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self._call("POST", f"/element/{self.find(css)}/click", {})

    def type(self, css, text):
        self._call("POST", f"/element/{self.find(css)}/value", {"text": text})

    def press(self, *keys):
        """Keys by name or characters, to what has the focus; all are held till the last is pressed."""
        keys = [KEYS.get(k, k) for k in keys]
        actions = [{"type": "keyDown", "value": k} for k in keys] + [{"type": "keyUp", "value": k} for k in reversed(keys)]
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def write(self, text):
        """Characters to what has the focus."""
        actions = [{"type": t, "value": c} for c in text for t in ("keyDown", "keyUp")]
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def until(self, condition, limit_s=600):
        """Waits until a JavaScript expression is true. False: it has not become so."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if self.js(f"return !!({condition});"):
                return True
            time.sleep(0.02)
        return False

    def cdp(self, command, **params):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def size(self, width, height, dark=False):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def shot(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self._call("GET", "/screenshot")))

    def log(self):
        """What the console has shown since: errors of scripts and the network, and of the policy."""
        return [f"{e['level']} {e['message']}" for e in self._call("POST", "/se/log", {"type": "browser"})]
