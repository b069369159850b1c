"""record.py - benchmark documents in the schema ithaca-bench/1, and the clocks and meters behind them.

A document is one JSON file: tables of engines, machines, models and runs, and a flat list of results,
each of which names its run. It is rewritten as a whole, by rename, after every result, so that a run
that is stopped leaves everything that it measured.
"""

import datetime
import json
import os
import platform
import statistics
import time

SCHEMA = "ithaca-bench/1"
TABLES = ("engines", "machines", "models", "runs")


def spread(values):
    """Median, extremes and the values themselves, in the order measured."""
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "values": [round(v, 9) for v in values],
    }


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def empty():
    return {
        "schema": SCHEMA,
        "created": now(),
        "engines": {},
        "machines": {},
        "models": {},
        "runs": {},
        "results": [],
    }


def write(path, document):
    part = f"{path}.part"
    with open(part, "w", encoding="utf-8") as f:
        json.dump(document, f, indent=1)
        f.write("\n")
    os.replace(part, path)


def merge(documents):
    """One document of several. Where one name means two things, the later one gets a new name."""
    whole = empty()
    for document in documents:
        names = {}
        for table in ("engines", "machines", "models"):
            for name, entry in document[table].items():
                new = name
                while whole[table].setdefault(new, entry) != entry:
                    new += "'"
                names[table, name] = new
        for name, run in document["runs"].items():
            for key, table in (("engine", "engines"), ("machine", "machines"), ("model", "models")):
                run = {**run, key: names[table, run[key]]}
            if whole["runs"].setdefault(name, run) != run:
                raise ValueError(f"two runs are called {name}")
        whole["results"] += document["results"]
    if documents:
        whole["created"] = min(d["created"] for d in documents)
    return whole


class Recorder:
    """Adds the results of one run to one document."""

    def __init__(self, path, run):
        self.path = path
        self.run = run
        self.document = empty()

    def add(self, row):
        self.document["results"].append({"run": self.run, **row})
        write(self.path, self.document)

    def failed(self, row, status, reason):
        self.add({**row, "status": status, "reason": str(reason).strip()[:600] or "no message"})


def cpu_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            for line in f:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def host():
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
    }


class Meter:
    """Energy counters of NVIDIA devices by NVML (total since the driver was loaded, in joules)."""

    def __init__(self, indices):
        self.handles = []
        self.reason = None
        try:
            import pynvml

            pynvml.nvmlInit()
            self.nvml = pynvml
            self.handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in indices]
            self.read()
        except Exception as e:  # the library, the driver or the counter may be missing
            self.handles, self.reason = [], f"{type(e).__name__}: {e}"

    def read(self):
        if not self.handles:
            return None
        return sum(self.nvml.nvmlDeviceGetTotalEnergyConsumption(h) for h in self.handles) / 1000

    def _ask(self, call):
        """Not every driver answers every question."""
        try:
            return call(self.handles[0])
        except Exception:
            return None

    def driver(self):
        return self._ask(lambda h: str(self.nvml.nvmlSystemGetDriverVersion()))

    def power_limit(self):
        return self._ask(lambda h: self.nvml.nvmlDeviceGetEnforcedPowerLimit(h) / 1000)

    def idle(self):
        """Watts of the first device now."""
        return self._ask(lambda h: self.nvml.nvmlDeviceGetPowerUsage(h) / 1000)


class Section:
    """`with Section(meter) as s:` measures energy and wall time of a stretch of work."""

    def __init__(self, meter):
        self.meter = meter

    def __enter__(self):
        self.joules = self.meter.read()
        self.start = time.perf_counter()
        return self

    def __exit__(self, *_):
        self.seconds = time.perf_counter() - self.start
        end = self.meter.read()
        self.joules = None if end is None or self.joules is None else end - self.joules
        return False

    def energy(self, tokens):
        """The counter moves every 20 to 100 ms: under half a second it says nothing."""
        if self.joules is None or self.seconds < 0.5:
            return None
        return {
            "joules": self.joules,
            "seconds": self.seconds,
            "tokens": tokens,
            "method": "nvml",
        }
