"""scores.py - are the log likelihoods of lm-evaluation-harness those of `ithaca score`, to the last digit?

    scores.py NAME SAMPLES.jsonl ITHACA MODEL      prints a TAP line; SAMPLES is what `lm_eval --log_samples` wrote
"""
import json, subprocess, sys, tempfile

name, samples, ithaca, model = sys.argv[1:]


def tell(command, *options):
    got = subprocess.run([ithaca, command, model, *options, "--json"], capture_output=True, text=True, check=True)
    return json.loads(got.stdout)


def score(context, continuation):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as f:
        f.write(context + continuation)
        f.flush()
        nll = tell("score", "-f", f.name, "--threads", "1", "--ctx", "2048", "-q")["nll"]
    return sum(-x for x in nll[len(tell("tokenize", "-p", context)["ids"]) - 1:])


n = wrong = 0
for line in open(samples):
    sample = json.loads(line)
    for args, resps in zip(sample["arguments"].values(), sample["resps"], strict=True):
        n += 1
        want, got = score(args["arg_0"], args["arg_1"]), resps[0][0]
        if repr(want) != str(got):
            wrong += 1
            print(f"# {args['arg_1']!r}: {got}, ithaca score: {want!r}")
print("ok" if n > 0 and wrong == 0 else "not ok", f"lm_eval: {name}: {n} log likelihoods are those of ithaca score")
