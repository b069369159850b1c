#!/usr/bin/env python3
"""batched.py - many prompts at a time: ithaca batch beside llama.cpp's llama-batched-bench.

    bench/peers/batched.py MODEL.gguf --llama DIR/bin/llama-batched-bench [--threads T] [--out DIR]

In every round each engine answers N prompts of random tokens at a time, for each N of --in-flight:
the same file, threads and lengths, in turns. A figure is the answers' tokens divided by the seconds
of prompts and answers together; loading is left out. Nothing is guessed (--speculate off): neither
engine's tokens repeat themselves. llama.cpp runs with flash attention and, by turns, with f16 and
with q8_0 keys and values; the faster of the two counts, for each N. The table has medians with the
range of the runs, their ratio, and the ratio of each to its own rate of one at a time.

DIR/document.json is a benchmark document of all runs. ITHACA names the program (default
build/release/ithaca). The machine has to be quiet: README.md.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile

import llama_bench

OURS = "ithaca"


def output_of(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"batched.py: exit status {done.returncode}: {' '.join(command)}\n{done.stderr[-2000:]}")
    return done.stdout


def write_requests(path, n, args):
    random.seed(n)
    with open(path, "w", encoding="utf-8") as f:
        for i in range(n):
            body = {"prompt": [random.randrange(1000, 30000) for _ in range(args.prompt)],
                    "max_tokens": args.answer, "temperature": 0, "ignore_eos": True}
            print(json.dumps({"custom_id": str(i), "body": body}), file=f)


def run_ithaca(args, n):
    requests, answers = (os.path.join(args.out, f"{name}.jsonl") for name in ("in", "out"))
    write_requests(requests, n, args)
    if os.path.exists(answers):
        os.remove(answers)
    said = json.loads(output_of(
        [args.ithaca, "batch", args.model, "-i", requests, "-o", answers, "--in-flight", str(n), "-t", str(args.threads),
         "--ctx", str(args.prompt + args.answer), "--speculate", "off", "--json", "-q"]))
    if said["failed"] or said["answer_tokens"] != n * args.answer:
        sys.exit(f"batched.py: {answers}: {said}")
    return said["seconds"]


def run_llama(args, n, kv):
    command = [
        args.llama, "-m", args.model, "-c", str(n * (args.prompt + args.answer)), "-b", "2048", "-ub", "512", "-npp", str(args.prompt),
        "-ntg", str(args.answer), "-npl", str(n), "-t", str(args.threads), "-tb", str(args.threads), "-fa", "on",
        "-ctk", kv, "-ctv", kv, "--output-format", "jsonl"]
    for _ in range(6):  # it sometimes ends with status 0 before its line is written
        lines = [json.loads(line) for line in output_of(command).splitlines() if line.startswith("{")]
        if lines:
            break
    if len(lines) != 1 or lines[0]["pl"] != n:
        sys.exit(f"batched.py: expected one line of {n} sequences: {lines}")
    return lines[0]["t"]


def median_of(seconds, args, n):
    return n * args.answer / statistics.median(seconds)


def show(rate, seconds, args, n):
    tokens = n * args.answer
    return f"{rate:.1f} ({tokens / max(seconds):.1f}-{tokens / min(seconds):.1f})"


def print_table(args, times):
    """times: {(engine, n): seconds of each round}"""
    first = {}
    print("| in flight | Ithaca tok/s: median (range) | of one | llama.cpp | of one | ratio |")
    print("|---" * 6 + "|")
    for n in args.in_flight:
        peers = {e: median_of(s, args, n) for (e, at), s in times.items() if at == n and e != OURS}
        best = max(peers, key=peers.get)
        ours = median_of(times[OURS, n], args, n)
        first.setdefault("ours", ours)
        first.setdefault("peer", peers[best])
        print(f"| {n} | {show(ours, times[OURS, n], args, n)} | {ours / first['ours']:.2f} | "
              f"{show(peers[best], times[best, n], args, n)} {best} | {peers[best] / first['peer']:.2f} | {ours / peers[best]:.2f} |")


def document(args, times):
    """Machine and shape are those that Ithaca writes of itself."""
    path = os.path.join(args.out, "like.json")
    if not os.path.exists(path):
        output_of([args.ithaca, "bench", "model", "-m", args.model, "-t", str(args.threads), "--depths", "0", "--prompt", "0",
                   "--decode", "1", "--repetitions", "1", "-q", "-o", path])
    with open(path, encoding="utf-8") as f:
        like = json.load(f)
    run = next(iter(like["runs"].values()))
    whole = {**like, "runs": {}, "results": []}
    whole["engines"]["llama.cpp"] = {"name": "llama.cpp", "version": args.llama_version, "commit": None, "packages": {}}
    for (engine, n), seconds in sorted(times.items()):
        name = f"{engine}, {n} at a time"
        whole["runs"][name] = {**run, "engine": run["engine"] if engine == OURS else "llama.cpp", "ceilings": {},
                               "detail": {"name": os.path.basename(args.model), "engine": engine}}
        whole["results"].append({
            "run": name, "phase": "request", "mode": "default", "depth": 0, "tokens": args.prompt + args.answer, "batch": n,
            "status": "measured", "seconds": llama_bench.spread(seconds), "memory": None, "energy": None,
            "tokens_per_second": n * (args.prompt + args.answer) / statistics.median(seconds),
            "detail": {"answer_tokens": args.answer}})
    with open(os.path.join(args.out, "document.json"), "w", encoding="utf-8") as f:
        json.dump(whole, f, indent=1)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--llama", required=True, help="llama-batched-bench")
    parser.add_argument("--llama-version", default="not given")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--in-flight", default="1,8,16")
    parser.add_argument("--prompt", type=int, default=32, help="tokens of each prompt")
    parser.add_argument("--answer", type=int, default=64, help="tokens of each answer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kv", default="f16,q8_0", help="llama.cpp's cache types")
    parser.add_argument("--out", help="keeps document.json (default: a temporary folder)")
    args = parser.parse_args()
    args.in_flight = [int(n) for n in args.in_flight.split(",")]
    args.ithaca = os.environ.get("ITHACA", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/release/ithaca"))
    args.out = args.out or tempfile.mkdtemp()
    os.makedirs(args.out, exist_ok=True)
    return args


def main():
    args = parse()
    times = {}
    for i in range(args.rounds):
        print(f"round {i + 1} of {args.rounds}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
        for n in args.in_flight:
            times.setdefault((OURS, n), []).append(run_ithaca(args, n))
            for kv in args.kv.split(","):
                times.setdefault((f"llama.cpp {kv}", n), []).append(run_llama(args, n, kv))
    print_table(args, times)
    document(args, times)
    print(f"kept: {args.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
