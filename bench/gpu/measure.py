"""measure.py - one shape on one GPU: prefill and decoding, eager and compiled, at every context.

Started by baseline.py, one process per shape. It imports everything, then waits for one line on
standard input, `go SECONDS`, the time that it has; results go to the document named by --out after
each case. Every case that cannot be measured is recorded with its reason.
"""

import argparse
import gc
import math
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import record  # noqa: E402
import shapes  # noqa: E402

SLOW = 4.0  # a prefill that takes longer needs no warm-up of its own and is measured twice only
DECODE = 32  # tokens timed per decoding case


def parse():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--part", choices=("whole", "eager", "generate"), default="whole")
    p.add_argument("--shape", required=True)
    p.add_argument("--shapes", required=True)
    p.add_argument("--contexts", type=lambda s: [int(c) for c in s.split(",")], required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--run", type=int, default=1)
    p.add_argument("--device", default="cuda")
    p.add_argument("--gpu", type=int, default=0, help="NVML's index of the device")
    p.add_argument("--site", help="a folder with further Python packages (fla)")
    p.add_argument("--no-compile", action="store_true")
    p.add_argument("--seed", type=int, default=1)
    return p.parse_args()


class Bench:
    """The model, its clocks and its recorder."""

    def __init__(self, args):
        import torch
        import transformers

        self.torch, self.args = torch, args
        self.device = torch.device(args.device)
        self.shape = shapes.load(args.shapes, args.shape)
        self.recorder = record.Recorder(args.out, f"{args.shape} {args.part} {args.run}")
        self.transformers = transformers

    def prepare(self, seconds, ranks=1):
        """Opens the device; the time that is left counts from here."""
        self.end = time.monotonic() + seconds
        torch = self.torch
        if self.device.type == "cuda":
            torch.set_num_threads(1)  # the host only launches kernels, from one thread
            index = self.device.index  # None: "cuda", the only device that this process sees
            torch.cuda.set_device(0 if index is None else index)
            torch.zeros(1, device=self.device)
        self.meter = record.Meter([self.args.gpu] if self.device.type == "cuda" else [])
        shapes.describe(self.recorder, self, ranks)
        self.rate = None

    def left(self):
        return self.end - time.monotonic()

    def sync(self):
        if self.device.type == "cuda":
            self.torch.cuda.synchronize(self.device)

    def fresh_peak(self):
        if self.device.type == "cuda":
            self.torch.cuda.reset_peak_memory_stats(self.device)

    def memory(self):
        if self.device.type != "cuda":
            return None
        return {"peak": self.torch.cuda.max_memory_allocated(self.device), "scope": "device"}

    def clear(self):
        gc.collect()
        if self.device.type == "cuda":
            self.torch.cuda.empty_cache()

    def build(self):
        torch = self.torch
        config = shapes.config(self.shape, max(self.args.contexts) + 1024)
        torch.manual_seed(self.args.seed)
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)
        try:
            with torch.device(self.device):
                cls = getattr(self.transformers, self.shape["architectures"][0])
                config._attn_implementation = "sdpa"
                model = cls(config)
        finally:
            torch.set_default_dtype(before)
        return model.eval()

    def prompt(self, n):
        g = self.torch.Generator().manual_seed(self.args.seed + n)
        return self.torch.randint(0, self.shape["vocab_size"], (n,), generator=g)

    def estimate(self, n):
        """Seconds of a prefill of n tokens at the rate of the last one; 0 before the first."""
        return shapes.operations(self.shape, 0, n) / self.rate if self.rate else 0.0


def prefill_case(bench, mode, n, run, detail):
    """Times run(ids on the device) -> logits; returns whether the state of a prompt of n is there.

    prefill is the forward pass alone; time to first token also has the ids' way to the device, the
    choice of the token and its way back.
    """
    row = {"phase": "prefill", "mode": mode,
           "depth": 0, "tokens": n, "batch": 1, "detail": detail}
    expected = bench.estimate(n)
    slow = expected > SLOW
    if bench.left() < expected * (2 if slow else 3) + 3:
        bench.recorder.failed(row, "skipped", f"time budget: {bench.left():.0f} s left, one prefill"
                              f" takes about {expected:.1f} s")
        return False
    try:
        bench.fresh_peak()
        host_ids = bench.prompt(n)
        start = time.perf_counter()
        first = None
        if not slow:
            token(bench, run(host_ids.to(bench.device)))
            first = time.perf_counter() - start
        seconds, ttft = [], []
        with record.Section(bench.meter) as section:
            while True:
                start = time.perf_counter()
                ids = host_ids.to(bench.device)
                logits = run(ids)
                bench.sync()
                seconds.append(time.perf_counter() - start)
                token(bench, logits)
                ttft.append(time.perf_counter() - start)
                enough = 2 if seconds[0] > SLOW else max(3, min(20, math.ceil(1 / seconds[0])))
                if len(seconds) >= enough or bench.left() < seconds[0] + 3:
                    break
        median = record.spread(seconds)["median"]
        operations = shapes.operations(bench.shape, 0, n)
        bench.rate = operations / median
        bench.recorder.add({
            **row, "status": "measured", "seconds": record.spread(seconds),
            "tokens_per_second": n / median, "ttft_seconds": record.spread(ttft),
            "first_seconds": first, "memory": bench.memory(),
            "energy": section.energy(n * len(seconds)), "operations": operations,
            "of_ceiling": bench.share(operations, 0, median)})
        return True
    except Exception as e:
        bench.recorder.failed(row, "failed", f"{type(e).__name__}: {e}")
        return False


def token(bench, logits):
    return int(logits.reshape(-1).argmax())


def decode_case(bench, mode, depth, step, detail, back=None):
    """Times step() -> token id on the host, once per token, behind a prompt of `depth` tokens.

    Where back() takes the state back to the prompt, whole stretches are repeated for a second, so
    that the energy counter has something to count.
    """
    tokens = DECODE
    row = {"phase": "decode", "mode": mode,
           "depth": depth, "tokens": tokens, "batch": 1, "detail": detail}
    if bench.left() < 5:
        bench.recorder.failed(row, "skipped", f"time budget: {bench.left():.0f} s left")
        return
    try:
        bench.fresh_peak()
        for _ in range(4):
            step()
        seconds = []
        with record.Section(bench.meter) as section:
            begin = time.perf_counter()
            while not seconds or (back and time.perf_counter() - begin < 1 and bench.left() > 3):
                if back:
                    back()
                for _ in range(tokens):
                    start = time.perf_counter()
                    step()
                    seconds.append(time.perf_counter() - start)
        median = record.spread(seconds)["median"]
        moved = shapes.decode_bytes(bench.shape, depth)
        bench.recorder.add({
            **row, "tokens": len(seconds), "status": "measured", "seconds": record.spread(seconds),
            "tokens_per_second": 1 / median, "memory": bench.memory(),
            "energy": section.energy(len(seconds)), "bytes_read": moved,
            "of_ceiling": bench.share(shapes.operations(bench.shape, depth, 1), moved, median)})
    except Exception as e:
        bench.recorder.failed(row, "failed", f"{type(e).__name__}: {e}")


def eager(bench, model, dynamic):
    """Transformers as it comes: SDPA, a dynamic cache, one kernel after the other."""
    torch = bench.torch
    from transformers import DynamicCache

    holder = {}

    def cache():
        try:
            return DynamicCache(config=model.config)
        except TypeError:
            return DynamicCache()

    @torch.no_grad()
    def prefill(ids):
        holder.clear()
        holder["cache"] = cache()
        out = model(input_ids=ids[None], past_key_values=holder["cache"], use_cache=True,
                    logits_to_keep=1)
        holder["logits"] = out.logits[0, -1:]
        return holder["logits"]

    @torch.no_grad()
    def step():
        ids = holder["logits"].argmax(-1)[None]
        out = model(input_ids=ids, past_key_values=holder["cache"], use_cache=True,
                    logits_to_keep=1)
        holder["logits"] = out.logits[0, -1:]
        return int(holder["logits"].argmax())

    for n in bench.args.contexts:
        detail = {**dynamic, "cache": "dynamic"}
        if prefill_case(bench, "eager", n, prefill, detail):
            decode_case(bench, "eager", n, step, detail)
        else:
            bench.recorder.failed(
                {"phase": "decode",
                 "mode": "eager", "depth": n, "tokens": DECODE, "batch": 1, "detail": detail},
                "skipped", "the prompt before it was not measured")
        holder.clear()
        bench.clear()
    n = min(bench.args.contexts)
    logits = prefill(bench.prompt(n).to(bench.device)).float().clone()
    token_next = step()
    after = holder["logits"].float().clone()
    holder.clear()
    bench.clear()
    return {"n": n, "prefill": logits, "token": token_next, "step": after}


def compiled(bench, model, truth):
    """The same weights, compiled layers, a static cache and one CUDA graph per decoded token."""
    import dense

    torch = bench.torch
    c = model.config
    probe = 8192 if bench.device.type == "cuda" else 128
    args = (c.num_attention_heads, c.num_key_value_heads, c.head_dim, bench.device)
    prompt_way, prompts = dense.pick_prompt(*args, min(probe, max(bench.args.contexts)))
    step_way, steps = dense.pick_step(*args, min(4 * probe, max(bench.args.contexts)))
    bench.clear()
    fast = dense.Dense(model, max(bench.args.contexts) + 256, prompt_way, step_way,
                       not bench.args.no_compile)
    check = agreement(bench, fast, truth)
    detail = {"attention": prompt_way, "attention_seen": prompts, "agreement": check,
              "cache": "static"}
    for n in bench.args.contexts:
        if prefill_case(bench, "compiled", n, fast.prefill, detail):
            try:
                fast.start(torch.zeros(1, dtype=torch.long, device=bench.device), n)
                replay = fast.capture(n + 128)
                fast.start(fast.ids, n)
            except Exception as e:
                bench.recorder.failed(
                    {"phase": "decode",
                     "mode": "compiled", "depth": n, "tokens": DECODE, "batch": 1, "detail": detail},
                    "failed", f"{type(e).__name__}: {e}")
                continue

            def step():
                replay()
                return int(fast.ids)

            decode_case(bench, "compiled", n, step,
                        {"attention": step_way, "attention_seen": steps, "cache": "static",
                         "graph": bench.device.type == "cuda", "agreement": check}, lambda: fast.start(fast.ids, n))
            del replay
        bench.clear()


def agreement(bench, fast, truth):
    """How far the compiled model's logits are from Transformers': prefill, one step, one graph."""
    torch = bench.torch
    near = lambda a, b: float((a - b).norm() / b.norm())
    n = truth["n"]
    logits = fast.prefill(bench.prompt(n).to(bench.device)).float()
    fast.start(truth["prefill"].argmax(-1), n)
    fast.step(n + 128)
    eager_next = int(fast.ids)
    fast.start(truth["prefill"].argmax(-1), n)
    replay = fast.capture(n + 128)
    fast.start(truth["prefill"].argmax(-1), n)
    replay()
    graph_next = int(fast.ids)
    top = truth["step"].reshape(-1).topk(8).indices.tolist()
    return {
        "tokens": n,
        "prefill_relative_error": near(logits.reshape(-1), truth["prefill"].reshape(-1)),
        "first_token_equal": token(bench, logits) == token(bench, truth["prefill"]),
        "second_token_equal": eager_next == token(bench, truth["step"]),
        "second_token_in_top_8": eager_next in top,
        "graph_equals_step": graph_next == eager_next,
    }


def generate(bench, model):
    """What `generate(cache_implementation="static")` gives: Transformers' own compiled decoding."""
    torch = bench.torch

    class Stamps:
        def __init__(self):
            self.times = []

        def put(self, value):
            value.tolist()
            self.times.append(time.perf_counter())

        def end(self):
            pass

    for n in bench.args.contexts:
        detail = {"cache": "static", "call": "generate"}
        row = {"phase": "decode",
               "mode": "generate-static", "depth": n, "tokens": DECODE, "batch": 1, "detail": detail}
        if bench.left() < 60 and bench.device.type == "cuda":
            bench.recorder.failed(row, "skipped", f"time budget: {bench.left():.0f} s left")
            continue
        try:
            ids = bench.prompt(n).to(bench.device)[None]
            call = dict(max_new_tokens=DECODE + 8, min_new_tokens=DECODE + 8, do_sample=False,
                        cache_implementation="static", pad_token_id=0, eos_token_id=None)
            bench.fresh_peak()
            begin = time.perf_counter()
            with torch.no_grad():
                model.generate(ids, attention_mask=torch.ones_like(ids), **call)
                first = time.perf_counter() - begin
                stamps = Stamps()
                with record.Section(bench.meter) as section:
                    begin = time.perf_counter()
                    model.generate(ids, attention_mask=torch.ones_like(ids), streamer=stamps, **call)
            times = stamps.times[1:]  # the first call of the streamer has the prompt
            ttft = times[0] - begin
            gaps = [b - a for a, b in zip(times, times[1:])][-DECODE:]
            median = record.spread(gaps)["median"]
            moved = shapes.decode_bytes(bench.shape, n)
            bench.recorder.add({
                **row, "tokens": len(gaps), "status": "measured", "seconds": record.spread(gaps),
                "tokens_per_second": 1 / median, "ttft_seconds": record.spread([ttft]),
                "first_seconds": first, "memory": bench.memory(), "bytes_read": moved,
                "of_ceiling": bench.share(shapes.operations(bench.shape, n, 1), moved, median)})
        except Exception as e:
            bench.recorder.failed(row, "failed", f"{type(e).__name__}: {e}")
        bench.clear()


def main():
    args = parse()
    if args.site:
        sys.path.insert(0, args.site)
    bench = Bench(args)
    getattr(bench.transformers, bench.shape["architectures"][0], None)
    line = sys.stdin.readline().split()
    if len(line) != 2 or line[0] != "go":
        return 2
    bench.prepare(float(line[1]))
    model = bench.build()
    dynamic = {"attention": shapes.chosen_backend(bench, model.config)}
    if args.part == "generate":
        generate(bench, model)
        return 0
    truth = eager(bench, model, dynamic)
    if args.part == "whole":
        try:
            compiled(bench, model, truth)
        except Exception as e:
            bench.recorder.failed(
                {"phase": "prefill",
                 "mode": "compiled", "depth": 0, "tokens": 0, "batch": 1, "detail": {}},
                "failed", f"{type(e).__name__}: {e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
