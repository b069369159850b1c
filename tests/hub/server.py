#!/usr/bin/env python3
"""server.py - speaks what `ithaca pull` and the huggingface_hub library need of Hugging Face's hub.

    server.py ROOT STATE [CERTIFICATE KEY]

With a certificate the hub's port speaks TLS, and the other one still does not.

ROOT/ORG/NAME/... are repositories: their files are those of the revision "main" and of the tag
"v1". Files of 1,000 bytes and more are "large": the hub's port answers with a redirection to another
port, where the bytes are, and names their SHA-256; smaller ones it sends itself, named by Git's
SHA-1. A file .listing.json in a repository is sent in place of the list of its files.

STATE is a folder. The server writes STATE/port, the hub's, and STATE/log, a line for each request:
PORT METHOD PATH STATUS, then range=RANGE and token=TOKEN where they were sent. STATE/faults, which may
change at any time, says what goes wrong, a line each: COUNT PATTERN FAULT [ARGUMENT]. The first COUNT
requests whose path has PATTERN get the fault. What came before it in a file has counted already, so
that a new file begins anew.

    status N [SECONDS]   an answer of this status, with Retry-After if there are seconds
    cut N                the connection ends after N bytes of the body
    wrong                the first byte is another one
    whole                the range is ignored: all bytes, status 200
    longer               a byte more than there should be
    short                N bytes are announced and sent as if they were all
    stall                N bytes, then nothing more
    to URL               a redirection
    no-digests           the list of files has neither sizes nor digests

Organizations: "gated/" wants the token hf_good, "private/" does not exist without it, "old/" has moved
to "new/".
"""
import hashlib
import http.server
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse

ROOT, STATE, *TLS = sys.argv[1:]
LARGE = 1000
lock = threading.Lock()
faults = {"stamp": None, "left": []}
ports = []


def take_fault(path):
    """The fault that is due for a path, as words, or []."""
    with lock:
        try:
            stamp = os.stat(STATE + "/faults").st_mtime_ns
            if stamp != faults["stamp"]:
                lines = open(STATE + "/faults").read().splitlines()
                faults["left"] = [[int(line.split()[0]), line.split()[1], line.split()[2:]] for line in lines if line]
                faults["stamp"] = stamp
        except OSError:
            faults["left"] = []
        for fault in faults["left"]:
            if fault[0] > 0 and fault[1] in path:
                fault[0] -= 1
                return fault[2]
    return []


def files_of(repo):
    base = os.path.join(ROOT, repo)
    found = []
    for folder, _, names in os.walk(base):
        found += [os.path.relpath(os.path.join(folder, name), base) for name in names if name != ".listing.json"]
    return sorted(found)


def read(repo, name):
    with open(os.path.join(ROOT, repo, name), "rb") as file:
        return file.read()


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def commit_of(repo):
    return hashlib.sha1(b"".join(name.encode() + read(repo, name) for name in files_of(repo))).hexdigest()


def sibling(repo, name, digests):
    data = read(repo, name)
    entry = {"rfilename": name}
    if digests:
        entry.update(size=len(data), blobId=git_sha1(data))
        if len(data) >= LARGE:
            entry["lfs"] = {"sha256": sha256(data), "size": len(data), "pointerSize": 134}
    return entry


def tree_entry(repo, name):
    data = read(repo, name)
    entry = {"type": "file", "oid": git_sha1(data), "size": len(data), "path": name}
    if len(data) >= LARGE:
        entry["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": 134}
    return entry


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    is_hub = True

    def log_message(self, *arguments):
        pass

    def note(self, status):
        line = f"{self.server.server_port} {self.command} {self.path} {status}"
        if self.headers.get("Range"):
            line += f" range={self.headers['Range']}"
        if self.headers.get("Authorization"):
            line += f" token={self.headers['Authorization'].split()[-1]}"
        with lock, open(STATE + "/log", "a") as log:
            log.write(line + "\n")

    def answer(self, status, body=b"", **headers):
        self.note(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code):
        self.answer(status, b"{}", X_Error_Code=code, X_Error_Message="refused")

    def send_bytes(self, data, fault, **headers):
        """A file's bytes, from the range on; or what the fault makes of them."""
        start, status = 0, 200
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes=") and fault[:1] != ["whole"]:
            start, status = int(asked[6:].split("-")[0]), 206
        if start > len(data):
            return self.answer(416)
        body = data[start:]
        if fault[:1] == ["wrong"] and body:
            body = bytes([body[0] ^ 255]) + body[1:]
        if fault[:1] == ["longer"]:
            body += b"!"
        if fault[:1] == ["short"]:
            body = body[: int(fault[1])]
        self.note(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return None
        if fault[:1] == ["cut"] or fault[:1] == ["stall"]:
            self.wfile.write(body[: int(fault[1])])
            self.wfile.flush()
            if fault[0] == "stall":
                time.sleep(3600)
            self.close_connection = True
            return self.connection.close()
        return self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        fault = take_fault(self.path)
        if fault[:1] == ["status"]:
            headers = {"Retry_After": fault[2]} if len(fault) > 2 else {}
            return self.answer(int(fault[1]), b"an error\n", **headers)
        if fault[:1] == ["to"]:
            return self.answer(302, Location=fault[1])
        if not self.is_hub:
            repo, name = urllib.parse.unquote(url.path)[1:].split("//")
            return self.send_bytes(read(repo, name), fault)
        parts = url.path.strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        if api:
            parts = parts[2:]
        repo = "/".join(parts[:2])
        token = (self.headers.get("Authorization") or " ").split()[-1:] or [""]
        if parts[0] == "old":
            return self.answer(307, Location=self.path.replace("/old/", "/new/"))
        if parts[0] == "gated" and token != ["hf_good"]:
            return self.refuse(403 if token != [""] else 401, "GatedRepo")
        if not os.path.isdir(os.path.join(ROOT, repo)) or (parts[0] == "private" and token != ["hf_good"]):
            return self.refuse(401 if token == [""] else 404, "RepoNotFound")
        verb = parts[2] if len(parts) > 2 else "revision"
        revision = urllib.parse.unquote(parts[3]) if len(parts) > 3 else "main"
        commit = commit_of(repo)
        if revision not in ("main", "v1", commit):
            return self.refuse(404, "RevisionNotFound")
        if verb == "tree":
            return self.json([tree_entry(repo, name) for name in files_of(repo)])
        if verb == "revision":
            return self.listing(repo, commit, fault)
        return self.resolve(repo, commit, urllib.parse.unquote("/".join(parts[4:])), fault)

    def json(self, value):
        self.answer(200, json.dumps(value).encode(), Content_Type="application/json")

    def listing(self, repo, commit, fault):
        override = os.path.join(ROOT, repo, ".listing.json")
        if os.path.exists(override):
            return self.answer(200, open(override, "rb").read())
        digests = fault != ["no-digests"]
        return self.json({"id": repo, "modelId": repo, "sha": commit, "private": False, "gated": False, "tags": [],
                          "siblings": [sibling(repo, name, digests) for name in files_of(repo)]})

    def resolve(self, repo, commit, name, fault):
        if name not in files_of(repo):
            return self.refuse(404, "EntryNotFound")
        data = read(repo, name)
        if len(data) < LARGE:
            return self.send_bytes(data, fault, X_Repo_Commit=commit, ETag=f'"{git_sha1(data)}"')
        place = urllib.parse.quote(f"{repo}//{name}")
        if fault and fault[0] in ("cut", "wrong", "whole", "longer", "short", "stall"):
            with lock:  # meant for the bytes
                for left in faults["left"]:
                    if left[2] == fault:
                        left[0] += 1
                        break
        return self.answer(302, Location=f"http://127.0.0.1:{ports[1]}/{place}", X_Repo_Commit=commit,
                           X_Linked_Size=len(data), X_Linked_ETag=f'"{sha256(data)}"', ETag='"elsewhere"')


class Elsewhere(Handler):
    is_hub = False


def main():
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) for handler in (Handler, Elsewhere)]
    if TLS:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*TLS)
        servers[0].socket = context.wrap_socket(servers[0].socket, server_side=True)
    ports[:] = [server.server_port for server in servers]
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(STATE + "/port.new", "w") as file:
        file.write(str(ports[0]))
    os.rename(STATE + "/port.new", STATE + "/port")
    threading.Event().wait()


main()
