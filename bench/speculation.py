#!/usr/bin/env python3
"""Measures what speculation gains on texts that repeat and on texts that do not: tokens per pass, which
are the same on every machine, and decode rates.

  bench/speculation.py [-m MODEL] [--time MODEL] [-r REPETITIONS] [-n TOKENS] [--] [OPTION]...

Each task is answered without and with speculation, in turns; OPTIONs (as --draft MODEL, -t 2) go to both. The answers must be the same. --time: what -m
answers is then given token by token to this model, as synthetic:qwen3-0.6b:q4_0, whose passes are timed: the gain that such texts have there.
ITHACA: the program.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GREEDY = ["--temp", "0"]

PROGRAM = """def mean(values):
    total = 0
    for value in values:
        total = total + value
    if len(values) == 0:
        return 0
    return total / len(values)

def variance(values):
    average = mean(values)
    total = 0
    for value in values:
        total = total + (value - average) ** 2
    return total / len(values)
"""


def tasks():
    with open(f"{ROOT}/tests/golden/text/gpl-3.txt", encoding="utf-8") as file:
        licence = file.read().split("\n")

    def lines(first, last):
        return "\n".join(licence[first - 1:last])

    spelt = " ".join(lines(22, 30).split()).replace("receive", "recieve").replace("freedom", "fredom")
    sampled = ["--temp", "1", "--top-k", "50", "--seed"]
    return [
        ("copy 12 lines", "Repeat this text word by word.\n\n" + lines(3, 14), GREEDY),
        ("summarise 28 lines", "Summarise this text.\n\n" + lines(10, 37), GREEDY),
        ("summarise 68 lines", "Summarise the following text in a few sentences.\n\n" + lines(8, 75), GREEDY),
        ("quote a paragraph", "Quote the paragraph of this text that speaks of warranty.\n\n" + lines(22, 60), GREEDY),
        ("quote on patents", "Quote what this text says about patents.\n\n" + lines(60, 80), GREEDY),
        ("correct a text", "Correct the mistakes in this text and write it out in full: " + spelt, GREEDY),
        ("change a program", "Rename the variable total to sum in this program and write it out again.\n\n" + PROGRAM, GREEDY),
        ("what to pack", "What should I pack for a week in the mountains?", GREEDY),
        ("steam engine", "Explain how a steam engine works.", GREEDY),
        ("poem, sampled", "Write a poem about autumn leaves.", sampled + ["1"]),
        ("story, sampled", "Write a short story about a fisherman and a storm.", sampled + ["2"]),
    ]


def ithaca(*arguments):
    done = subprocess.run([os.environ.get("ITHACA", f"{ROOT}/build/release/ithaca"), *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def answer(args, prompt, options):
    return ithaca("run", "-m", args.model, "-n", str(args.n), "--json", "-q", "-p", prompt, *options)


class Recorded:
    """A prompt and the answer that one model gave, as files of ids for another."""

    def __init__(self, args, prompt, options, folder):
        self.args, self.prompt, self.answer = args, f"{folder}/prompt", f"{folder}/answer"
        for path, ids in ((self.prompt, ithaca("tokenize", "-m", args.model, "-p", prompt, "--json")["ids"]),
                          (self.answer, answer(args, prompt, options)["ids"])):
            with open(path, "w", encoding="ascii") as file:
                file.write(" ".join(map(str, ids)))

    def given(self, options):
        return ithaca("run", "-m", self.args.time, "--ids", self.prompt, "--answer-ids", self.answer, "--ctx", "4096", "--json", "-q", *options)


def rate(results):
    return statistics.median((len(r["ids"]) - 1) / r["decode_s"] for r in results)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model", default=f"{ROOT}/models/SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--time", metavar="MODEL")
    parser.add_argument("-r", "--repetitions", type=int, default=1)
    parser.add_argument("-n", type=int, default=150)
    parser.add_argument("options", nargs="*")
    args = parser.parse_args()
    print(f"{'task':20} tokens passes guesses right  tokens/pass   without     with  ratio")
    for name, prompt, sampling in tasks():
        without, with_guesses = [], []
        with tempfile.TemporaryDirectory() as folder:
            recorded = Recorded(args, prompt, sampling, folder) if args.time else None
            for _ in range(args.repetitions):
                for results, options in ((without, args.options + ["--speculate", "off"]), (with_guesses, args.options)):
                    results.append(recorded.given(options) if recorded else answer(args, prompt, sampling + options))
        first = with_guesses[0]
        if first["ids"] != without[0]["ids"] or first["logits_sha256"] != without[0]["logits_sha256"]:
            sys.exit(f"{name}: another answer")
        counts, n = first["speculation"], len(first["ids"])
        print(f"{name:20} {n:6} {counts['passes']:6} {counts['drafted']:7} {counts['accepted']:5} {n / counts['passes']:12.2f} "
              f"{rate(without):9.1f} {rate(with_guesses):8.1f} {rate(with_guesses) / rate(without):6.2f}", flush=True)


if __name__ == "__main__":
    main()
