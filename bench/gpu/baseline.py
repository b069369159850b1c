#!/usr/bin/env python3
"""baseline.py - prefill, decoding, memory and energy of GPUs, from random weights.

    baseline.py --shapes bench/shapes --out DIR [--budget 580] [--gpus 2]

Random bf16 weights are made on the GPU from the shapes, so nothing is downloaded. Per shape and
context: Hugging Face Transformers as it comes (eager, dynamic cache, SDPA), the same weights with
compiled layers, a static cache and a CUDA graph per token (dense.py), and Transformers' own compiled
`generate`. With two GPUs: sequence parallelism (ulysses.py) first, then two complete runs side by
side, one per GPU; with one GPU the two runs follow one another.

DIR gets run1.json, run2.json and ulysses.json in the schema ithaca-bench/1, rewritten after every
case, the programs' messages (*.log) and environment.txt. Nothing here changes a setting of a GPU.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import record  # noqa: E402

CONTEXTS = "512,2048,8192,32768,131072"
# shape, part, contexts (None: all), the share of the time left that it may use at most
PLAN = (
    ("qwen3-8b", "whole", None, 0.45),
    ("qwen3-0.6b", "whole", None, 0.35),
    ("qwen3-4b", "whole", None, 0.65),
    ("qwen3.5-9b", "eager", None, 0.75),
    ("qwen3-8b", "generate", "8192,32768", 1.0),
)
TINY_PLAN = (("tiny", "whole", None, 0.5), ("tiny-hybrid", "eager", None, 0.8),
             ("tiny", "generate", "64", 1.0))


def parse():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--shapes", default=os.path.join(HERE, "..", "shapes"))
    p.add_argument("--out", required=True)
    p.add_argument("--budget", type=float, default=580, help="seconds for everything")
    p.add_argument("--contexts", default=CONTEXTS)
    p.add_argument("--gpus", type=int, default=0, help="default: as many as there are, at most 2")
    p.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    p.add_argument("--shape", help="only this one; tiny for a test on a CPU")
    p.add_argument("--site", help="a folder with further Python packages (fla for Qwen3.5)")
    p.add_argument("--no-compile", action="store_true")
    p.add_argument("--no-ulysses", action="store_true")
    return p.parse_args()


class Lane:
    """One complete run on one GPU: workers in order, their parts merged into runN.json."""

    def __init__(self, args, run, gpu, folder):
        self.args, self.run, self.gpu, self.folder = args, run, gpu, folder
        self.out = os.path.join(args.out, f"run{run}.json")
        self.log = open(os.path.join(args.out, f"run{run}.log"), "ab")
        self.parts = []
        self.started = 0

    def start(self, shape, part, contexts, site):
        """Starts a worker that imports its packages and then waits for its turn."""
        path = os.path.join(self.folder, f"run{self.run}-{self.started}.json")
        self.started += 1
        self.parts.append(path)
        command = [sys.executable, os.path.join(HERE, "measure.py"), "--part", part, "--shape", shape,
                   "--shapes", self.args.shapes, "--contexts", contexts or self.args.contexts,
                   "--out", path, "--run", str(self.run), "--device", self.args.device,
                   "--gpu", str(self.gpu)]
        command += ["--no-compile"] if self.args.no_compile else []
        command += ["--site", site] if site else []
        env = {**os.environ, "CUDA_VISIBLE_DEVICES": str(self.gpu), "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
               "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
        worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.log, stderr=self.log,
                                  env=env)
        worker.path = path
        return worker

    def merge(self):
        found = []
        for path in self.parts:
            if os.path.exists(path):
                with open(path, encoding="utf-8") as f:
                    found.append(json.load(f))
        if found:
            record.write(self.out, record.merge(found))

    def go(self, worker, seconds):
        """Lets a worker run for so long; it is killed if it does not keep to its time."""
        end = time.monotonic() + seconds
        try:
            worker.stdin.write(f"go {max(1.0, seconds - 8):.1f}\n".encode())
            worker.stdin.close()
        except OSError:  # it has already ended; its log says why
            pass
        while worker.poll() is None and time.monotonic() < end:
            time.sleep(0.5)
            self.merge()
        if worker.poll() is None:
            worker.kill()
        worker.wait()
        self.merge()
        return worker.returncode


def measured(path):
    if not os.path.exists(path):
        return False
    with open(path, encoding="utf-8") as f:
        return any(r["status"] == "measured" for r in json.load(f)["results"])


def drive(lane, plan, end, free):
    """The whole plan on one GPU, which is ours once the event `free` is set; imports come before.

    A shape that fails with further packages is tried without them.
    """
    steps = []
    for shape, part, contexts, share in plan:
        site = lane.args.site if part == "eager" else None
        steps.append((shape, part, contexts, share, lane.start(shape, part, contexts, site), site))
    free.wait()
    for shape, part, contexts, share, worker, site in steps:
        left = end - time.monotonic()
        if left < 10:
            worker.kill()
            worker.wait()
            note(lane, f"{shape} {part}: no time left, not started")
            continue
        began = time.monotonic()
        code = lane.go(worker, left * share)
        note(lane, f"{shape} {part}: exit {code} after {time.monotonic() - began:.0f} s")
        left = end - time.monotonic()
        if site and not measured(worker.path) and left > 30:
            lane.parts.remove(worker.path)
            code = lane.go(lane.start(shape, part, contexts, None), left * share)
            note(lane, f"{shape} {part} without further packages: exit {code}")
    lane.merge()


def note(lane, text):
    line = f"run {lane.run}: {text}"
    print(line, flush=True)
    lane.log.write((line + "\n").encode())
    lane.log.flush()


def run_ulysses(args, shape, contexts, seconds, ranks):
    """All ranks of the sequence-parallel part; killed together when their time is over."""
    log = open(os.path.join(args.out, "ulysses.log"), "wb")
    command = [sys.executable, os.path.join(HERE, "ulysses.py"), "--shape", shape, "--shapes",
               args.shapes, "--contexts", contexts, "--out", os.path.join(args.out, "ulysses.json"),
               "--device", args.device, "--seconds", f"{max(10, seconds - 35):.0f}"]
    command += ["--no-compile"] if args.no_compile else []
    env = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29531",
           "WORLD_SIZE": str(ranks), "CUDA_DEVICE_ORDER": "PCI_BUS_ID", "NCCL_NVLS_ENABLE": "0",
           "TORCH_SYMM_MEM_DISABLE_MULTICAST": "1", "HF_HUB_OFFLINE": "1"}
    began = time.monotonic()
    ends = began + seconds
    processes = [subprocess.Popen(command, env={**env, "RANK": str(r), "LOCAL_RANK": str(r)},
                                  stdout=log, stderr=log) for r in range(ranks)]
    while time.monotonic() < ends and any(p.poll() is None for p in processes):
        if any(p.poll() not in (None, 0) for p in processes):
            break
        time.sleep(0.5)
    for p in processes:
        if p.poll() is None:
            p.kill()
    codes = [p.wait() for p in processes]
    print(f"sequence parallelism: exits {codes} after {time.monotonic() - began:.0f} s", flush=True)


def environment(path):
    """What is installed and which GPUs there are, as text beside the results."""
    with open(path, "w", encoding="utf-8") as f:
        for command in (["nvidia-smi"], ["nvidia-smi", "topo", "-m"],
                        ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,power.limit,"
                         "clocks.sm,clocks.max.sm,ecc.mode.current", "--format=csv"],
                        ["lscpu"], ["free", "-g"], [sys.executable, "--version"],
                        [sys.executable, "-m", "pip", "list", "--format=freeze"]):
            f.write(f"$ {' '.join(command)}\n")
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=20)
                f.write(done.stdout + done.stderr)
            except Exception as e:
                f.write(f"{type(e).__name__}: {e}\n")


def gpus():
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
        return sum(line.startswith("GPU ") for line in done.stdout.splitlines())
    except Exception:
        return 0


def main():
    begin = time.monotonic()
    args = parse()
    os.makedirs(args.out, exist_ok=True)
    cpu = args.device == "cpu"
    count = (2 if cpu else min(2, gpus())) if args.gpus == 0 else args.gpus
    if count == 0:
        print("baseline.py: nvidia-smi shows no GPU", file=sys.stderr)
        return 1
    plan = TINY_PLAN if args.shape == "tiny" else PLAN
    plan = [s for s in plan if args.shape in (None, "tiny", s[0])]
    end = begin + args.budget
    folder = tempfile.mkdtemp(prefix="baseline-")
    writer = threading.Thread(target=environment,
                              args=(os.path.join(args.out, "environment.txt"),))
    writer.start()
    free = threading.Event()
    if count == 2:
        lanes = [Lane(args, r, r - 1, folder) for r in (1, 2)]
        threads = [threading.Thread(target=drive, args=(lane, plan, end - 10, free))
                   for lane in lanes]
        for t in threads:
            t.start()
        if not args.no_ulysses:
            tiny = args.shape == "tiny"
            contexts = args.contexts if tiny else "2048,8192,32768,131072"
            seconds = min(170.0, 0.3 * args.budget)
            run_ulysses(args, "tiny" if tiny else "qwen3-8b", contexts, seconds, count)
        free.set()
        for t in threads:
            t.join()
    else:
        free.set()
        left = end - 10 - time.monotonic()
        for r in (1, 2):
            drive(Lane(args, r, 0, folder), plan, end - 10 - (2 - r) * left / 2, free)
    writer.join()
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("run1", "run2", "ulysses"):
        summary(os.path.join(args.out, f"{name}.json"))
    return 0


def summary(path):
    """One line per result: what a reader of the log sees first."""
    if not os.path.exists(path):
        print(f"{path}: nothing")
        return
    with open(path, encoding="utf-8") as f:
        document = json.load(f)
    print(os.path.basename(path))
    for r in document["results"]:
        what = f"  {r['run']}: {r['phase']} {r['mode']} depth {r['depth']} tokens {r['tokens']}"
        if r["status"] == "measured":
            print(f"{what}: {r['tokens_per_second']:.1f} tok/s, "
                  f"{100 * r['of_ceiling']:.0f}% of the ceiling")
        else:
            print(f"{what}: {r['status']}: {r['reason'][:100]}")


if __name__ == "__main__":
    sys.exit(main())
