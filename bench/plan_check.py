#!/usr/bin/env python3
"""plan_check.py - plans beside runs that were measured.

    bench/plan_check.py [--ithaca PROGRAM] [--most MEDIAN,LARGEST] [RUNS]

RUNS (bench/plan_runs.json) lists runs: what was run, on which machine of cluster/machines, what was
measured, and where that stands. Prints a table of what `ithaca plan` says of each, as Markdown. With
--most it fails if the median or the largest error is above these shares.

  prefill  tokens per second of the last chunk of a prompt of depth + chunk tokens
  prompt   seconds of a prompt of `depth` tokens
  decode   tokens per second after `depth` tokens

busy: others used the machine's memory meanwhile; errors of these are counted apart, and --most
leaves them out. read_gbps: the bandwidth measured in the run itself, where it changes; plans are told.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def ask(program, machine, run):
    ctx = run["depth"] + {"prefill": run["chunk"], "prompt": 0, "decode": 1}[run["kind"]]
    words = [program, "plan", run["model"], "--machine", machine, "--json", "--ctx", str(ctx),
             "--nodes", str(run.get("nodes", 1)), "--ranks-per-node", str(run["ranks"]),
             "-t", str(run["threads"]), "--chunk", str(run["chunk"]), "--mem", "1TB",
             "--distribution", "replicated"]
    if "read_gbps" in run:
        words += ["--read-gbps", str(run["read_gbps"])]
    plan = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)["plans"][-1]
    return {"prefill": lambda: plan["prefill"]["depths"][-1]["tps"],
            "prompt": lambda: plan["prefill_s"],
            "decode": lambda: plan["decode_tps"]}[run["kind"]]()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--ithaca", default=os.path.join(HERE, "../build/release/ithaca"))
    p.add_argument("--most")
    p.add_argument("runs", nargs="?", default=os.path.join(HERE, "plan_runs.json"))
    args = p.parse_args()
    with open(args.runs, encoding="utf-8") as f:
        runs = json.load(f)["runs"]
    errors = {False: [], True: []}
    print("| machine | run | predicted | measured | error |\n|---|---|---|---|---|")
    for run in runs:
        if args.most and run.get("busy"):
            continue
        machine = os.path.join(HERE, "../cluster/machines", run["machine"] + ".json")
        said = ask(args.ithaca, machine, run)
        measured = statistics.median(run["measured"])
        errors[run.get("busy", False)].append(abs(said / measured - 1))
        shape = run["model"].split(":")
        what = f"{shape[1]} {shape[2]}, {run['ranks']} x {run['threads']}, {run['kind']} at {run['depth']:,}"
        if run.get("nodes", 1) > 1:
            what = f"{run['nodes']} nodes, " + what
        if run.get("busy"):
            what += " (busy)"
        print(f"| {run['machine']} | {what} | {said:.4g} | {measured:.4g} | {said / measured - 1:+.0%} |")
    for busy, of in errors.items():
        if of:
            print(f"\n{len(of)} runs{' on a busy machine' if busy else ''}: "
                  f"median error {statistics.median(of):.1%}, largest {max(of):.1%}")
    if args.most:
        middle, largest = (float(x) for x in args.most.split(","))
        return statistics.median(errors[False]) > middle or max(errors[False]) > largest
    return 0


if __name__ == "__main__":
    sys.exit(main())
