#!/usr/bin/env python3
"""compare.py - documents for `ithaca compare`, and whether its report says what they say.

    compare.py make DIR               writes gpu.json, node.json, published.json and prices.json
    compare.py check REPORT PRICES NODE_PRICE DOCUMENT...
                                      prints what is wrong in REPORT/index.html and report.md
    compare.py change DIR             writes DIR/changed/NAME/*.json: one field of one document each
    compare.py unseen REPORT PRICES NODE_PRICE DIR DOCUMENT...
                                      checks the report against the documents with those changes:
                                      prints the names of changes of which nothing is wrong, then
                                      how many were seen
    compare.py spoil DIR              writes DIR/bad/NAME.json, and a line "NAME<tab>MEMBER" for each
    compare.py vary DIR               writes DIR/varied/NAME/*.json: documents with one thing in
                                      which results, machines or models can be special
    compare.py evens REPORT           the break-even: lines of words for compare.sh

All figures are computed here anew, from the documents and the definitions in src/cli/report.h.
"""

import copy
import html.parser
import json
import os
import re
import statistics
import sys
import xml.etree.ElementTree

DASH = "\u2013"
SHAPES = "bench/shapes"


# ---- Documents ----

def spread(*values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "values": list(values)}


def result(run, phase, depth, tokens, seconds, mode="default", **more):
    count = tokens if phase == "prefill" else 1
    return {"run": run, "phase": phase, "mode": mode, "depth": depth, "tokens": tokens, "batch": 1,
            "status": "measured", "detail": {}, "seconds": spread(*seconds),
            "tokens_per_second": count / statistics.median(seconds), **more}


def shape(name):
    with open(f"{SHAPES}/{name}.json", encoding="utf-8") as f:
        return json.load(f)


def document(**tables):
    return {"schema": "ithaca-bench/1", "created": "2026-11-30T12:00:00Z", **tables}


def model(name, weights, cache, full):
    sizes = shape(name)
    kept = ("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads",
            "num_key_value_heads", "head_dim", "vocab_size")
    return {"architecture": "Qwen3ForCausalLM", "weight_type": weights, "kv_type": cache,
            "source": "random weights", "shape": sizes if full else {k: sizes[k] for k in kept}}


def run(engine, machine, name, placement, ceilings=None, **more):
    return {"engine": engine, "machine": machine, "model": name, "started": "2026-11-30T12:00:00Z",
            "placement": placement, "ceilings": ceilings or {}, **more}


def gpu_document():
    def energy(joules, tokens):
        return {"joules": joules, "seconds": 1.0, "tokens": tokens, "method": "nvml"}

    results = []
    for repeat, slower in ((1, 1.0), (2, 1.04)):
        name = f"8b {repeat}"
        for at, first, token in ((8192, 0.22, 0.0140), (32768, 1.29, 0.0170)):
            memory = {"peak": int(34e9) + at * 150000, "scope": "device"}
            seconds = [first * slower, first * slower * 1.1]
            results += [
                result(name, "prefill", 0, at, seconds, "compiled", of_ceiling=0.8 / slower,
                       ttft_seconds=spread(*[s + 0.01 for s in seconds]), memory=memory,
                       energy=energy(900.0, 3 * at)),
                result(name, "decode", at, 128, [token * slower], "compiled", memory=memory,
                       energy=energy(500.0 * slower, 150)),
            ]
    results.append(result("two", "prefill", 0, 32768, [0.70], "sequence-parallel"))
    results.append({"run": "two", "phase": "decode", "mode": "sequence-parallel", "depth": 8192,
                    "tokens": 1, "batch": 1, "status": "failed", "reason": "out of\nmemory",
                    "detail": {}})
    gpu = {"name": "NVIDIA H200", "memory_bytes": 150109880320}
    host = {"cpu": "Intel(R) Xeon(R) Processor", "cores": 32}
    return document(
        engines={"tf": {"name": "Transformers", "version": "5", "commit": None, "packages": {}}},
        machines={"one": {"host": host, "gpus": [gpu]}, "two": {"host": host, "gpus": [gpu, gpu]}},
        models={"qwen3-8b": model("qwen3-8b", "bf16", "bf16", True)},
        runs={"8b 1": run("tf", "one", "qwen3-8b", {"ranks": 1, "devices": 1}, repeat=1),
              "8b 2": run("tf", "one", "qwen3-8b", {"ranks": 1, "devices": 1}, repeat=2),
              "two": run("tf", "two", "qwen3-8b", {"ranks": 2, "devices": 2})},
        results=results)


def node_document():
    results = []
    for name, slower in (("1 x 96", 1.9), ("2 x 96", 1.0)):
        for depth, token in ((0, 0.0125), (7680, 0.016), (30000, 0.0305)):
            results.append(result(name, "decode", depth, 32, [token * slower, token * slower * 1.2],
                                  memory={"peak": int(5e9) + depth * 60000, "scope": "rank"},
                                  of_ceiling=0.7))
        results.append(result(name, "prefill", 7680, 512, [0.9 * slower, 0.95 * slower, slower],
                              ttft_seconds=spread(*[11.5 * slower + s for s in (0.9, 0.95, 1.0)]),
                              of_ceiling=0.4, energy={"joules": 700.0, "seconds": 1.0,
                                                      "tokens": 512, "method": "powercap"}))
        # Not a whole prompt: no figure.
        results.append(result(name, "prefill", 15872, 512, [1.3 * slower]))
    ceilings = {"memory_bytes_per_second": 6.0e11, "int8_ops": 6.0e13, "f32_flops": 1.0e13}
    return document(
        engines={"Ithaca": {"name": "Ithaca", "version": "0.2.0", "commit": "abc", "packages": {}}},
        machines={"node": {"nodes": 1, "gpus": [],
                           "host": {"cpu": "AMD EPYC 9654", "cores": 192,
                                    "memory_bytes": 768 << 30}}},
        models={"8b here": model("qwen3-8b", "w4", "q8", False)},
        runs={"1 x 96": run("Ithaca", "node", "8b here", {"ranks": 1, "devices": 0, "threads": 96},
                            {k: v / 2 for k, v in ceilings.items()}),
              "2 x 96": run("Ithaca", "node", "8b here", {"ranks": 2, "devices": 0, "threads": 96},
                            ceilings)},
        results=results)


def published_document():
    return document(
        engines={"vllm": {"name": "vLLM", "version": "?", "commit": None, "packages": {}}},
        machines={"A100": {"host": None, "gpus": [{"name": "NVIDIA A100", "memory_bytes": 0}]}},
        models={"<b>a & \"b\" | c": {"architecture": "x", "weight_type": "not given",
                                     "kv_type": "not given", "source": "the published model"}},
        runs={"p": run("vllm", "A100", "<b>a & \"b\" | c", {"ranks": 1, "devices": 1}, published={
            "source": "https://example.org/<script>alert(1)</script>", "date": "2026-11-29"})},
        results=[result("p", "prefill", 0, 32768, [6.7]),
                 {**result("p", "request", 0, 2048, [9.0]), "tokens_per_second": 2048 / 9.0}])


def price_file():
    def offer(name, low, high, **of):
        return {"name": name, "per_hour": {"low": low, "high": high}, "kind": "list",
                "date": "2026-11", "source": f"source of {name}", **of}

    return {"schema": "ithaca-prices/1", "currency": "EUR", "offers": [
        offer("a", 3.0, 3.0, gpu="NVIDIA H200"), offer("b", 2.0, 6.5, gpu="NVIDIA H200", gpus=8),
        offer("c", 1.0, 1.0, gpu="NVIDIA H100"), offer("d", 1.5, 1.75, node="192 cores")]}


MADE = {"gpu.json": gpu_document, "node.json": node_document, "published.json": published_document,
        "prices.json": price_file}


def write(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f)


# ---- What a report must say ----

def figure(x):
    if not 0 < x <= 1e18:
        return DASH
    if x >= 999.95:
        return f"{x:,.0f}"
    return f"{x:.3e}" if x < 1e-4 else f"{x:.4g}"


def amount(x):
    if not 1e-4 <= x < 999.95:
        return figure(x)
    return f"{x:.3g}" if x < 0.995 else f"{x:.2f}"


def span(low, high):
    a, b = amount(low), amount(high)
    return a if a == b else f"{a} to {b}"


def percent(x):
    return f"{100 * x:.1f}%" if x > 0 else DASH


class Series:
    def __init__(self, document, one, result):
        self.engine = document["engines"][one["engine"]]
        self.machine = document["machines"][one["machine"]]
        self.model = document["models"][one["model"]]
        self.placement, self.published = one["placement"], one.get("published")
        self.mode, self.points = result["mode"], {}
        self.name, self.named = name_of(one, self.model), False
        self.number = ""
        self.batch = result["batch"]

    def key(self):
        return json.dumps([self.engine, self.machine, self.model, self.placement, self.published,
                           self.mode, self.batch], sort_keys=True)

    def devices(self):
        return self.placement.get("devices", len(self.machine["gpus"]))

    def units(self):
        return self.devices() or self.placement["ranks"] * self.placement.get("threads", 1)

    @staticmethod
    def cut(text, size):
        return text.encode()[:size].decode(errors="ignore")

    def machine_text(self):
        if self.devices() and self.machine["gpus"]:
            count = f"{self.devices()} x " if self.devices() > 1 else ""
            return f"{count}{self.cut(self.machine['gpus'][0]['name'], 80)}"
        host = self.machine["host"]
        if not host:
            return "a machine that is not named"
        return f"{host['cpu']} ({host['cores']} cores)"

    def label(self):
        return self.plain_label() + self.number

    def plain_label(self):
        mode = "" if self.mode == "default" else f", {self.cut(self.mode, 60)}"
        engine, weights = self.cut(self.engine["name"], 60), self.cut(self.model["weight_type"], 30)
        ranks, threads = self.placement["ranks"], self.placement.get("threads", 0)
        placement = "" if self.devices() or not threads else (
            f", {ranks} rank{'s' if ranks > 1 else ''} of {threads} thread"
            f"{'s' if threads > 1 else ''}")
        name = f", {self.name}" if self.named else ""
        batch = f", {self.batch} at a time" if self.batch > 1 else ""
        return (f"{engine}{name}{mode}, {weights} weights{placement}"
                f"{batch}, on {self.machine_text()}{' (published)' if self.published else ''}")

    def add(self, figure, context, value):
        self.points.setdefault((figure, context), []).append(value)

    def at(self, figure, context):
        values = self.points.get((figure, context), [0])
        return max(values) if figure == "memory" else statistics.median(values)

    def contexts(self, figure):
        return sorted(c for f, c in self.points if f == figure)


def name_of(one, model):
    """What the run calls its model, without types, folders and endings."""
    own = one.get("detail", {}).get("name")
    name = own.removeprefix("synthetic ").rsplit("/", 1)[-1] if own else one["model"]
    name = name.removesuffix(f", {model['kv_type']} cache")
    name = name.removesuffix(f" {model['weight_type']}")
    return re.sub(r"\.(json|gguf|ith)$", "", name)


def sizes_of(model):
    """What models of one group have alike, as src/cli/report_model.h says; None: it has no shape."""
    shape = model.get("shape", {})
    shape = shape.get("text_config", shape)
    if "num_hidden_layers" not in shape:
        return None

    def first(*names):
        return next((shape[n] for n in names if shape.get(n) is not None), 0)

    heads = first("num_attention_heads")
    experts = first("num_experts", "num_local_experts", "n_routed_experts")
    width = first("intermediate_size")
    sizes = [first("num_hidden_layers"), first("hidden_size"), heads,
             first("num_key_value_heads") or heads,
             first("head_dim") or first("hidden_size") // heads, first("vocab_size"), experts]
    if not experts:
        return (*sizes, width)
    wide = first("moe_intermediate_size") or width
    shared = first("shared_expert_intermediate_size") or (
        first("n_shared_experts", "num_shared_experts") * wide)
    return (*sizes, first("num_experts_per_tok", "num_experts_per_token"), wide, shared)


def is_same_model(a, b):
    types = [s.model.get("shape", {}).get("model_type") for s in (a, b)]
    if sizes_of(a.model) is None or sizes_of(b.model) is None:
        return sizes_of(a.model) == sizes_of(b.model) and a.name == b.name
    return sizes_of(a.model) == sizes_of(b.model) and (None in types or types[0] == types[1])


def group_name(groups, name):
    same = sum(other == name or other.startswith(f"{name} #") for other in groups)
    return f"{name} #{same + 1}" if same else name


def read(paths):
    """{name of the group: [series]}, in the order of the documents."""
    groups = {}
    for path in paths:
        with open(path, encoding="utf-8") as f:
            document = json.load(f)
        for r in document["results"]:
            if r["status"] != "measured" or r["phase"] == "request":
                continue
            one = document["runs"][r["run"]]
            s = Series(document, one, r)
            group = next((g for g in groups.values() if is_same_model(g[0], s)), None)
            if group is None:
                group = groups.setdefault(group_name(groups, s.name), [])
            s = next((other for other in group if other.key() == s.key()), None) or s
            if s not in group:
                group.append(s)
            add(s, r)
    for group in groups.values():
        for s in group:
            s.named = len({other.name for other in group}) > 1
        for i, s in enumerate(group):
            same = sum(other.plain_label() == s.plain_label() for other in group[:i])
            s.number = f" #{same + 1}" if same else ""
    return groups


def add(s, r):
    prefill = r["phase"] == "prefill"
    context = r["depth"] + (r["tokens"] if prefill else 0)
    seconds = r["seconds"]["median"]
    if prefill and ("ttft_seconds" in r or r["depth"] == 0):
        whole = r["ttft_seconds"]["median"] if "ttft_seconds" in r else seconds
        s.add("ttft", context, whole)
        s.add("prefill", context, context * r["batch"] / whole)
    elif not prefill:
        s.add("decode", context, r["batch"] / seconds)
    if r.get("memory"):
        units = s.devices() if r["memory"]["scope"] == "device" else s.placement["ranks"]
        s.add("memory", context, r["memory"]["peak"] * units)
    if "of_ceiling" in r:
        s.add(f"{r['phase']} ceiling", context, r["of_ceiling"])
    if r.get("energy"):
        s.add(f"{r['phase']} joules", context, r["energy"]["joules"] / r["energy"]["tokens"])


def price_of(prices, node_price, s):
    """(low, high) of an hour of all machines of a series, or None."""
    if not s.devices():
        return (node_price, node_price) if node_price else None
    found = [o["per_hour"] for o in prices["offers"]
             if s.machine["gpus"] and o.get("gpu") == s.machine["gpus"][0]["name"]]
    return found and (min(p["low"] for p in found) * s.devices(),
                      max(p["high"] for p in found) * s.devices())


def figure_rows(group, phase, prices, node_price):
    for s in group:
        for context in s.contexts(phase):
            rate, price = s.at(phase, context), price_of(prices, node_price, s)
            first = [figure(s.at("ttft", context))] if phase == "prefill" else []
            cost = [p / (rate * 3600) * 1e6 for p in price] if price else [0, 0]
            yield [s.label(), f"{context:,}", *first, figure(rate),
                   percent(s.at(f"{phase} ceiling", context)),
                   figure(s.at("memory", context) / 2**30),
                   figure(s.at(f"{phase} joules", context) * 1e6 / 3.6e6), span(*cost)]


def scaling_rows(group):
    for s in group:
        for phase in ("prefill", "decode"):
            for context in s.contexts(phase):
                bases = [b for b in group if b.units() < s.units() and b.at(phase, context) > 0
                         and (b.engine, b.model, bool(b.published), b.batch) ==
                         (s.engine, s.model, bool(s.published), s.batch)
                         and b.machine["host"] == s.machine["host"]
                         and ("threads" in b.placement) == ("threads" in s.placement)]
                if not bases:
                    continue
                base = min(bases, key=lambda b: (b.units(), -b.at(phase, context)))
                speed = s.at(phase, context) / base.at(phase, context)
                yield [s.label(), base.label(), phase, f"{context:,}",
                       f"{base.units()} to {s.units()}", figure(speed),
                       percent(speed * base.units() / s.units() if s.mode == base.mode else 0)]


def expected(prices, node_price, paths):
    """{title: rows}"""
    groups = read(paths)
    names = {s.machine["gpus"][0]["name"] for g in groups.values() for s in g if s.machine["gpus"]}
    tables = {"Documents": [], "Prices": [], "Published figures": []}
    for name, group in groups.items():
        tables[f"{name}: first token and prefill"] = list(
            figure_rows(group, "prefill", prices, node_price))
        tables[f"{name}: decoding"] = list(figure_rows(group, "decode", prices, node_price))
        tables[f"{name}: scaling"] = list(scaling_rows(group))
        tables["Published figures"] += [[s.label(), name, *(s.published[k] for k in
                                                          ("source", "date"))]
                                        for s in group if s.published]
    for offer in prices["offers"]:
        if offer.get("gpu") in names:
            lot = offer.get("gpus", 1)
            tables["Prices"].append([offer["name"], f"one {offer['gpu']}" +
                                     (f", sold {lot} at a time" if lot > 1 else ""),
                                     span(*offer["per_hour"].values()), offer["kind"],
                                     offer["date"], offer["source"]])
    for path in paths:
        with open(path, encoding="utf-8") as f:
            document = json.load(f)
        measured = sum(r["status"] == "measured" for r in document["results"])
        same = sum(os.path.basename(p) == os.path.basename(path) for p in paths) > 1
        tables["Documents"].append([path if same else os.path.basename(path), document["created"],
                                    str(len(document["runs"])), str(len(document["results"])),
                                    str(measured)])
    return {title: rows for title, rows in tables.items() if rows}, groups


# ---- What it says ----

class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tables, self.ids, self.links, self.outside = {}, [], [], []
        self.title, self.row, self.cell, self.depth, self.lists = None, None, None, 0, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "a":
            self.links.append(attributes["href"])
        if tag in ("script", "link", "img", "iframe", "object", "image", "use"):
            self.outside += [v for k, v in attributes.items() if k in ("src", "href", "data")]
        if tag == "h3":
            self.title = ""
        elif tag == "tr":
            self.row = []
        elif tag in ("td", "th"):
            self.cell = ""

    def handle_endtag(self, tag):
        if tag == "h3":
            self.tables[self.title] = []
            self.last, self.title = self.title, None
        elif tag in ("td", "th"):
            self.row.append(self.cell)
            self.cell = None
        elif tag == "tr":
            self.tables[self.last].append(self.row)

    def handle_data(self, data):
        if self.title is not None:
            self.title += data
        elif self.cell is not None:
            self.cell += data


def plain(text):
    text = re.sub(r"\\([\\`*_\[\]|#!>~])", r"\1", text)
    return text.replace("&lt;", "<").replace("&amp;", "&")


def markdown_tables(text):
    tables, title = {}, None
    for line in text.splitlines():
        if line.startswith("## "):
            title = plain(line[3:])
        elif line.startswith("| "):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            tables.setdefault(title, []).append([plain(c.strip()) for c in cells])
    return tables


def compare(where, got, wanted):
    for title in wanted:
        if title not in got:
            yield f"{where}: no table {title!r}"
            continue
        rows = got[title][1:]
        for i in range(max(len(rows), len(wanted[title]))):
            a = rows[i] if i < len(rows) else None
            b = wanted[title][i] if i < len(wanted[title]) else None
            if a != b:
                yield f"{where}: {title}: row {i}: {a}, expected {b}"


def points(page, groups):
    """The titles of the points in plots, against the figures."""
    got = sorted(html.unescape(t) for t in re.findall(
        r"<g transform=[^>]*><title>(.*?)</title>", page))
    wanted = sorted(f"{s.label()}, {c} tokens: {s.at(f, c) / (2**30 if f == 'memory' else 1):.4g}"
                    for group in groups.values() for s in group for f, c in s.points
                    if f in ("ttft", "prefill", "decode", "memory"))
    if got != wanted:
        yield f"plots: {sorted(set(got) ^ set(wanted))[:4]}"


UNITS = {"first token and prefill": ["engine and machine", "context, tokens", "first token, s",
                                     "prefill, tokens/s", "of the ceilings", "memory, GiB",
                                     "energy, kWh per million tokens", "cost per million tokens"],
         "decoding": ["engine and machine", "context, tokens", "decode, tokens/s",
                      "of the ceilings", "memory, GiB", "energy, kWh per million tokens",
                      "cost per million tokens"]}


def wrong(report, prices, node_price, paths):
    with open(f"{report}/index.html", encoding="utf-8") as f:
        text = f.read()
    with open(f"{report}/report.md", encoding="utf-8") as f:
        markdown = markdown_tables(f.read())
    page = Page(text)
    wanted, groups = expected(prices, node_price, paths)
    yield from compare("index.html", page.tables, wanted)
    yield from compare("report.md", markdown, wanted)
    yield from points(text, groups)
    for title, rows in page.tables.items():
        if rows != markdown.get(title):
            yield f"{title}: page and Markdown differ"
        units = UNITS.get(title.rsplit(": ", 1)[-1])
        if units is not None and rows[0] != units:
            yield f"{title}: columns {rows[0]}"
    yield from (f"no place for link {link}" for link in page.links
                if not link.startswith("#") or link[1:] not in page.ids)
    if len(set(page.ids)) != len(page.ids):
        yield f"ids are there twice: {page.ids}"
    if page.outside or re.search(r"@import|url\(", text):
        yield f"the page fetches: {page.outside}"
    if f"Prices are in {prices['currency']}." not in text:
        yield "no currency"
    for picture in re.findall(r"<svg.*?</svg>", text, re.S):
        xml.etree.ElementTree.fromstring(picture)


# ---- Changes ----

def fields(value, path=()):
    """The paths of all numbers that a report shows or computes with."""
    names = {"median", "peak", "joules", "tokens", "depth", "of_ceiling", "low", "high", "ranks",
             "threads", "devices", "num_hidden_layers", "vocab_size", "head_dim",
             "intermediate_size"}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in items:
        if isinstance(member, (dict, list)):
            yield from fields(member, (*path, key))
        elif key in names and not isinstance(member, bool):
            yield (*path, key)


def is_not_shown(whole, path):
    """Or the like of one that is."""
    if path[0] == "offers":
        return path[1] > 1  # of no GPU in these documents
    if path[0] == "runs":
        gpus = whole["machines"][whole["runs"][path[1]]["machine"]]["gpus"]
        return path[-1] == ("ranks" if gpus else "devices")
    if path[0] != "results":
        return False
    result = whole["results"][path[1]]
    return (path[1] > 1 or path[2:] == ("tokens",) and result["phase"] == "decode" or
            path[2] == "seconds" and "ttft_seconds" in result)


def change(folder):
    """One document for each field of the first results, with that field changed."""
    for name in ("gpu.json", "node.json", "prices.json"):
        whole = MADE[name]()
        for path in fields(whole):
            if is_not_shown(whole, path):
                continue
            other = copy.deepcopy(whole)
            at = other
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = at[path[-1]] * 2 + 1
            write(f"{folder}/changed/{name[:-5]} {'.'.join(map(str, path))}/{name}", other)


def unseen(report, prices, node_price, folder, documents):
    """The names of changes that the report is not wrong about, and the number of the others."""
    names, seen = [], 0
    for name in sorted(os.listdir(f"{folder}/changed")):
        def here(path):
            changed = f"{folder}/changed/{name}/{os.path.basename(path)}"
            return changed if os.path.exists(changed) else path
        with open(here(prices), encoding="utf-8") as f:
            changed_prices = json.load(f)
        if any(wrong(report, changed_prices, node_price, list(map(here, documents)))):
            seen += 1
        else:
            names.append(name)
    print(" ".join(names))
    print(seen)


def spoil(folder):
    """Documents that must be refused, each with the member that must be named."""
    def put(path, value):
        def at(d):
            for key in path[:-1]:
                d = d[key]
            d[path[-1]] = value
        return at

    def drop(*path):
        def at(d):
            for key in path[:-1]:
                d = d[key]
            del d[path[-1]]
        return at

    def without_devices(d):
        for machine in d["machines"].values():
            machine["gpus"] = []
        for run in d["runs"].values():
            run["placement"].pop("devices", None)

    first = ("results", 0)
    cases = {
        "another schema": (put(("schema",), "ithaca-bench/2"), "schema"),
        "no engines": (drop("engines"), "\"engines\" is missing"),
        "engines as a list": (put(("engines",), []), "engines"),
        "an unknown member": (put(("notes",), 1), "notes"),
        "an unknown member of a result": (put((*first, "speed"), 1), "results/0"),
        "a date in words": (put(("created",), "yesterday"), "created"),
        "seconds as text": (put((*first, "seconds", "median"), "1"), "results/0/seconds/median"),
        "no seconds": (drop(*first, "seconds"), "results/0"),
        "seconds of nothing": (put((*first, "seconds", "min"), 0), "results/0/seconds/min"),
        "negative seconds": (put((*first, "seconds", "median"), -1), "results/0/seconds/median"),
        "a median above all": (put((*first, "seconds", "median"), 99.0), "results/0"),
        "a rate of other seconds": (put((*first, "tokens_per_second"), 1.0), "tokens_per_second"),
        "a rate as an object": (put((*first, "tokens_per_second"), {}),
                                "results/0/tokens_per_second"),
        "a negative depth": (put((*first, "depth"), -1), "results/0/depth"),
        "a depth beyond all": (put((*first, "depth"), 1 << 60), "depth"),
        "a fractional depth": (put((*first, "depth"), 0.5), "results/0/depth"),
        "no batch": (put((*first, "batch"), 0), "results/0/batch"),
        "a batch beyond all": (put((*first, "batch"), 1 << 40), "batch"),
        "an unknown phase": (put((*first, "phase"), "training"), "results/0/phase"),
        "an unknown status": (put((*first, "status"), "guessed"), "results/0/status"),
        "a reason of what was measured": (put((*first, "reason"), "none"), "results/0"),
        "memory of nobody": (put((*first, "memory"), {"peak": 1, "scope": "world"}),
                             "results/0/memory/scope"),
        "memory of no device": (without_devices, "memory/scope"),
        "memory of nothing": (put((*first, "memory"), {"peak": 0, "scope": "rank"}), "peak"),
        "energy without tokens": (put((*first, "energy"), {"joules": 1, "seconds": 1, "tokens": 0,
                                                           "method": "nvml"}), "tokens"),
        "an unknown run": (put((*first, "run"), "nobody"), "results/0/run"),
        "an unknown engine": (put(("runs", "8b 1", "engine"), "nobody"), "runs/8b 1/engine"),
        "an unknown machine": (put(("runs", "two", "machine"), "nobody"), "runs/two/machine"),
        "an unknown model": (put(("runs", "two", "model"), "nobody"), "runs/two/model"),
        "no ranks": (put(("runs", "two", "placement", "ranks"), 0), "runs/two/placement/ranks"),
        "a ceiling of nothing": (put(("runs", "two", "ceilings"), {"int8_ops": 0}),
                                 "runs/two/ceilings/int8_ops"),
        "lines in a name": (put(("machines", "one", "gpus", 0, "name"), "a\n# b"), "machines"),
        "marks in a name": (put(("machines", "one", "gpus", 0, "name"), "a\u202eb"), "machines"),
        "different GPUs": (put(("machines", "two", "gpus", 1),
                               {"name": "NVIDIA H100", "memory_bytes": 1}),
                           "machines/two/gpus/1/name"),
        "lines in a mode": (put((*first, "mode"), "a\n- b"), "results/0/mode"),
        "a NUL in a name": (put(("machines", "one", "gpus", 0, "name"), "a\0b"), "machines"),
        "a NUL in a mode": (put((*first, "mode"), "a\0b"), "results/0/mode"),
        "no host": (drop("machines", "one", "host"), "machines/one"),
        "nothing measured": (put(("results",), []), "no document has a measured"),
    }
    for name, (apply, member) in cases.items():
        other = gpu_document()
        apply(other)
        write(f"{folder}/bad/{name}.json", other)
        print(f"{name}\t{member}")


# ---- Variants ----

MIXTRAL = {"model_type": "mixtral", "num_hidden_layers": 32, "hidden_size": 4096,
           "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8,
           "vocab_size": 32000, "num_local_experts": 8, "num_experts_per_tok": 2}
LARGE = {"architectures": ["Qwen3MoeForCausalLM"], "num_hidden_layers": 24, "hidden_size": 4096,
         "intermediate_size": 12288, "moe_intermediate_size": 1536, "num_attention_heads": 64,
         "max_position_embeddings": 262144}


def only_model(document, name, sizes):
    """The document with one model for all of its runs."""
    old = next(iter(document["models"].values()))
    document["models"] = {name: {**old, "shape": sizes}}
    for one in document["runs"].values():
        one["model"] = name


def each_run(change):
    def at(document):
        for one in document["runs"].values():
            change(one)
    return at


def each_machine(change):
    def at(document):
        for machine in document["machines"].values():
            change(machine)
    return at


def pair(gpu=lambda d: None, node=lambda d: None):
    """A GPU, at 32,768 tokens unless it is changed, and a node."""
    documents = {"gpu.json": gpu_document(), "node.json": node_document()}
    if gpu is not moved:
        for phase in ("prefill", "decode"):
            keep(phase, 32768)(documents["gpu.json"])
    gpu(documents["gpu.json"])
    node(documents["node.json"])
    return documents


def shapes(*named):
    """A document of a node for each (name, sizes)."""
    documents = {}
    for i, (name, sizes) in enumerate(named):
        documents[f"{i}.json"] = node_document()
        only_model(documents[f"{i}.json"], name, sizes)
    return documents


def keep(phase, *depths):
    """Only results of so many tokens, or of the other phase."""
    def at(document):
        document["results"] = [r for r in document["results"]
                               if r["phase"] != phase or r["depth"] + (
                                   r["tokens"] if phase == "prefill" else 0) in depths]
    return at


def large(document):
    only_model(document, "large-moe", {**shape("qwen3-30b-a3b"), **LARGE})


def in_batches(document):
    for r in document["results"]:
        r["batch"] = 4
        if r["status"] == "measured":
            r["tokens_per_second"] *= 4


def foreign(document):
    """Names that are cut, of characters of several bytes."""
    for machine in document["machines"].values():
        for gpu in machine["gpus"]:
            gpu["name"] = "x" + "\u00e9" * 80
    document["engines"]["tf"]["name"] = "\u6f22" * 40
    next(iter(document["models"].values()))["weight_type"] = "\u6f22" * 30
    for r in document["results"]:
        r["mode"] = "x\u6f22" + "\u6f22" * 30


def moved(document):
    """From 8,192 and 32,768 tokens to 8,192 and 131,072."""
    for r in document["results"]:
        key = "tokens" if r["phase"] == "prefill" else "depth"
        if r[key] == 32768:
            r[key] = 131072
            if r["status"] == "measured" and key == "tokens":
                r["tokens_per_second"] = r[key] / r["seconds"]["median"]


def vary(folder):
    experts = {**MIXTRAL, "moe_intermediate_size": 7168, "num_local_experts": 16}
    mistral = {k: v for k, v in MIXTRAL.items() if "expert" not in k} | {"model_type": "mistral"}
    deepseek = shape("deepseek-v2-lite")
    words = {k: v for k, v in deepseek.items() if not k.startswith("n_")} | {
        "num_experts": 64, "shared_expert_intermediate_size": 2 * 1408}
    many = [f"{name} of 65" for name in ("1 x 96", "2 x 96")]

    def ranks(document):
        for one, name in zip(document["runs"].values(), many):
            one["placement"].update(ranks=128 if name == many[0] else 65, threads=1)

    variants = {
        "experts": shapes(("mistral-7b", mistral), ("mixtral-8x7b", MIXTRAL)),
        "finer experts": shapes(("a", MIXTRAL), ("a", experts)),
        "other words": shapes(("a", deepseek), ("a w4, q8 cache", words)),
        "head size": shapes(("a", mistral), ("b", {**mistral, "head_dim": 64}),
                            ("c", {**mistral, "head_dim": 128})),
        "type": shapes(("a", mistral), ("a", {**mistral, "model_type": "llama"})),
        "large": pair(large, each_machine(lambda m: m["host"].update(memory_bytes=16 << 30))),
        "too large": pair(large, each_machine(lambda m: m["host"].update(memory_bytes=1 << 27))),
        "no memory": pair(node=each_machine(lambda m: m["host"].pop("memory_bytes"))),
        "no threads": pair(node=each_run(lambda r: r["placement"].pop("threads"))),
        "threads of one": {"node.json": node_document()},
        "no name": {"published.json": published_document()},
        "decode alone": pair(node=keep("prefill")),
        "nothing that scales": pair(node=lambda d: (keep("prefill")(d), keep("decode", 0)(d))),
        "ends": pair(moved),
        "batches": pair(in_batches, in_batches),
        "foreign": {"gpu.json": gpu_document()},
        "types in names": pair(node=lambda d: only_model(d, "8b w4, q8 cache", shape("qwen3-8b"))),
        "many ranks": pair(node=ranks),
    }
    foreign(variants["foreign"]["gpu.json"])
    variants["threads of one"]["node.json"]["runs"]["1 x 96"]["placement"].pop("threads")
    nameless = variants["no name"]["published.json"]
    nameless["machines"]["A100"]["gpus"] = []
    nameless["runs"]["p"]["placement"]["devices"] = 8
    for name, documents in variants.items():
        for file, document in documents.items():
            write(f"{folder}/varied/{name}/{file}", document)


def evens(report):
    """MODEL CONTEXT GPU_PREFILL ONE NODES GPU_DECODE ONE NODES, without commas."""
    with open(f"{report}/report.md", encoding="utf-8") as f:
        tables = markdown_tables(f.read())
    for even, rate in zip(tables["How many nodes equal a GPU"][1:],
                          tables["One GPU and one node"][1:]):
        row = [even[0], even[1], rate[4], rate[5], even[2], rate[7], rate[8], even[4], even[6]]
        print("\t".join(cell.replace(",", "") for cell in row))


def main():
    command, folder = sys.argv[1], sys.argv[2]
    if command == "make":
        for name, make in MADE.items():
            write(f"{folder}/{name}", make())
    elif command == "change":
        change(folder)
    elif command == "spoil":
        spoil(folder)
    elif command == "vary":
        vary(folder)
    elif command == "evens":
        evens(folder)
    elif command == "unseen":
        unseen(folder, sys.argv[3], float(sys.argv[4]), sys.argv[5], sys.argv[6:])
    else:
        with open(sys.argv[3], encoding="utf-8") as f:
            prices = json.load(f)
        print("\n".join(list(wrong(folder, prices, float(sys.argv[4]), sys.argv[5:]))[:5]))


main()
