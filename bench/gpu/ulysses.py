"""ulysses.py - prefill over several GPUs by sequence parallelism as in DeepSpeed-Ulysses.

Every rank holds all weights and one slice of the prompt. Before the attention of a layer an
all-to-all turns slices of the sequence with all heads into the whole sequence with some heads, and
one behind it turns them back (Jacobs et al., 2023). Matrix products, norms and attention are those
of dense.py. One process per rank, started by baseline.py with RANK and WORLD_SIZE in the
environment; rank 0 writes the document. Both complete runs are made one after the other.
"""

import argparse
import datetime
import gc
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import dense  # noqa: E402
import measure  # noqa: E402
import record  # noqa: E402
import shapes  # noqa: E402
import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402


class Ulysses(dense.Dense):
    """A Dense model whose prompts are cut into one slice per rank; no caches, prefill only."""

    def __init__(self, model, length, prompt_way, rank, ranks, compiled):
        super().__init__(model, length, prompt_way, "sdpa masked", compiled, cache=False)
        self.rank, self.ranks, self.sent = rank, ranks, 0

    def _exchange(self, t):
        got = torch.empty_like(t)
        dist.all_to_all_single(got, t)
        self.sent += t.numel() * t.element_size() * (self.ranks - 1) // self.ranks
        return got

    def _to_heads(self, t):
        """[slice, heads, dim] of all heads -> [sequence, heads / ranks, dim] of some."""
        n, heads, dim = t.shape
        cut = t.view(n, self.ranks, heads // self.ranks, dim).transpose(0, 1).contiguous()
        return self._exchange(cut).view(n * self.ranks, heads // self.ranks, dim)

    def _to_slices(self, t):
        """[sequence, heads / ranks, dim] of some heads -> [slice, heads, dim] of all."""
        n, heads, dim = t.shape
        got = self._exchange(t.contiguous()).view(self.ranks, n // self.ranks, heads, dim)
        return got.transpose(0, 1).reshape(n // self.ranks, heads * self.ranks, dim)

    def _attend_slice(self, i, q, k, v):
        q, k, v = (self._to_heads(t) for t in (q, k, v))
        return self._to_slices(dense.sdpa(q, k, v, *self.prompt_way))

    @torch.no_grad()
    def prefill_slice(self, ids):
        """Logits of the prompt's last token on the last rank, those of other slices elsewhere."""
        n = ids.shape[0]
        at = slice(self.rank * n, (self.rank + 1) * n)
        x = self._run(self.embed[ids], self.cos[at].clone(), self.sin[at].clone(),
                      self._attend_slice)
        return self._logits(x[-1:])


def parse():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--shape", required=True)
    p.add_argument("--shapes", required=True)
    p.add_argument("--contexts", type=lambda s: [int(c) for c in s.split(",")], required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--device", default="cuda")
    p.add_argument("--seconds", type=float, default=120)
    p.add_argument("--no-compile", action="store_true")
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    args.part, args.run, args.site = "sequence-parallel", 1, None
    args.gpu = int(os.environ["RANK"])
    return args


def agree(value, device):
    """The largest of all ranks' values: what every rank decides by."""
    t = torch.tensor([float(value)], dtype=torch.float64, device=device)
    dist.all_reduce(t, op=dist.ReduceOp.MAX)
    return float(t)


def next_token(bench, logits, ranks):
    t = logits.argmax(-1)
    dist.broadcast(t, ranks - 1)
    return int(t)


def once(bench, model, host_ids, ranks):
    """One prefill of a slice: (seconds of the forward pass, time to first token) of all ranks."""
    dist.barrier()
    bench.sync()
    start = time.perf_counter()
    logits = model.prefill_slice(host_ids.to(bench.device))
    bench.sync()
    forward = time.perf_counter() - start
    next_token(bench, logits, ranks)
    whole = time.perf_counter() - start
    return agree(forward, bench.device), agree(whole, bench.device)


def case(bench, model, n, rank, ranks, meters, check, label):
    row = {"phase": "prefill", "mode": "sequence-parallel", "depth": 0, "tokens": n, "batch": 1,
           "detail": {"attention": check["attention"], "collective": "all_to_all_single",
                      "agreement": check["agreement"]}}
    expected = bench.estimate(n) / ranks
    enough = 2 if expected > measure.SLOW else 3
    if agree(bench.left() < expected * (enough + 1) + 2, bench.device):
        bench.recorder.run = label
        bench.recorder.failed(row, "skipped", f"time budget: {bench.left():.0f} s left")
        return
    host_ids = bench.prompt(n)[rank * (n // ranks):(rank + 1) * (n // ranks)]
    first = once(bench, model, host_ids, ranks)[1] if expected <= measure.SLOW else None
    bench.fresh_peak()
    model.sent = 0
    with record.Section(meters) as section:
        times = [once(bench, model, host_ids, ranks) for _ in range(enough)]
    forward, whole = zip(*times)
    median = record.spread(list(forward))["median"]
    operations = shapes.operations(bench.shape, 0, n)
    bench.rate = operations / median / ranks
    bench.recorder.run = label
    bench.recorder.add({
        **row, "status": "measured", "seconds": record.spread(list(forward)),
        "tokens_per_second": n / median, "ttft_seconds": record.spread(list(whole)),
        "first_seconds": first, "memory": bench.memory(),
        "wire_bytes_per_rank": model.sent // enough, "energy": section.energy(n * enough),
        "operations": operations, "of_ceiling": bench.share(operations, 0, median)})


def check_model(bench, model, n, rank, ranks):
    """The last logits of a prompt on all ranks against those of the whole prompt on the last one."""
    ids = bench.prompt(n)
    step = n // ranks
    logits = model.prefill_slice(ids[rank * step:(rank + 1) * step].to(bench.device)).float()
    alone = model.prefill(ids.to(bench.device)).float()
    error = float((logits - alone).norm() / alone.norm()) if rank == ranks - 1 else 0.0
    return {"tokens": n, "relative_error_to_one_rank": agree(error, bench.device)}


def main():
    args = parse()
    rank, ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    cuda = args.device == "cuda"
    if cuda:
        args.device = f"cuda:{rank}"
    bench = measure.Bench(args)
    if rank != 0:
        bench.recorder.add = lambda row: None
    if cuda:
        torch.cuda.set_device(rank)
    dist.init_process_group("nccl" if cuda else "gloo", timeout=datetime.timedelta(seconds=60))
    bench.prepare(args.seconds, ranks)
    meters = record.Meter(list(range(ranks)) if cuda and rank == 0 else [])
    shape = bench.shape
    heads, kv_heads = shape["num_attention_heads"] // ranks, shape["num_key_value_heads"] // ranks
    way, seen = dense.pick_prompt(heads, kv_heads, shape["head_dim"], bench.device,
                                  min(8192 if cuda else 128, max(args.contexts)))
    ways = list(dense.PROMPTS)
    way = ways[int(agree(ways.index(way) if rank == 0 else -1, bench.device))]
    model = Ulysses(bench.build(), max(args.contexts), way, rank, ranks, not args.no_compile)
    gc.collect()
    check = {"attention": way,
             "agreement": check_model(bench, model, min(args.contexts), rank, ranks)}
    first = bench.recorder.run
    for repeat in (1, 2):
        label = f"{args.shape} {args.part} {repeat}"
        if rank == 0:
            runs = bench.recorder.document["runs"]
            runs[label] = {**runs[first], "repeat": repeat, "started": record.now()}
        for n in args.contexts:
            case(bench, model, n, rank, ranks, meters, check, label)
    dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
