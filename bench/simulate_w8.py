"""What 8-bit quantization costs a model in Transformers: the groups of Ithaca's w8 weights and
activations (32 numbers, one scale), embeddings too, and heads of queries, keys and values as
integers. Routers and small matrices stay floats. Six variants differ in the largest quant, and so
in how everything is rounded; their spread shows how sensitive the model is.

usage: simulate_w8.py FOLDER IDS     IDS: a file of token ids      (torch, transformers 5)
"""
import sys

import torch
import torch.nn.functional as F
import transformers

FLOATS = ("gate.weight", "router.weight", "router.proj.weight", "router.layer.weight",
          "in_proj_a.weight", "in_proj_b.weight", "b_proj.weight", "f_a_proj.weight",
          "g_a_proj.weight")
most = None  # the largest quant; None: floats
kept = set()
plain_linear = F.linear


def rounded(x, group=32):
    if most is None:
        return x
    pad = -x.shape[-1] % group
    y = F.pad(x, (0, pad)).unflatten(-1, (-1, group))
    step = (y.abs().amax(-1, keepdim=True) / most).clamp(min=1e-30)
    return ((y / step).round() * step).flatten(-2)[..., :x.shape[-1]]


def linear(x, weight, bias=None):
    if id(weight) in kept:
        return plain_linear(x, weight, bias)
    return plain_linear(rounded(x), rounded(weight), bias)


def by_head(attention):
    def run(module, query, key, value, *rest, **more):
        mean = key.mean(2, keepdim=True)
        d, v = key.shape[-1], value.shape[-1]
        return attention(module, rounded(query, d), rounded(key - mean, d) + mean,
                         rounded(value, v), *rest, **more)
    return run


def patch_gpt_oss(model):
    """Its experts multiply by matrices that are turned, without F.linear."""
    turned = []
    for module in model.modules():
        if type(module).__name__ != "GptOssExperts":
            continue
        gate = module._apply_gate
        module._apply_gate = lambda x, gate=gate: rounded(gate(x))
        module.register_forward_pre_hook(lambda _, args: (rounded(args[0]), *args[1:]))
        turned += [module.gate_up_proj, module.down_proj]
    return [(p, p.data.clone()) for p in turned]


@torch.no_grad()
def main():
    global most
    torch.nn.functional.linear = linear
    torch.nn.Linear.forward = lambda self, x: linear(x, self.weight, self.bias)
    config = transformers.AutoConfig.from_pretrained(sys.argv[1])
    cls = getattr(transformers, config.architectures[0])
    code = sys.modules[cls.__module__]
    code.eager_attention_forward = by_head(code.eager_attention_forward)
    model = cls.from_pretrained(sys.argv[1], dtype=torch.float32, attn_implementation="eager",
                                experts_implementation="eager").eval()
    kept.update(id(p) for n, p in model.named_parameters() if n.endswith(FLOATS))
    turned = patch_gpt_oss(model)
    embedding = model.get_input_embeddings().weight
    whole = embedding.data.clone()
    ids = torch.tensor([int(i) for i in open(sys.argv[2]).read().split()])
    for most in (None, 127, 126.5, 126, 125.5, 125, 124.5):
        embedding.data = rounded(whole)
        for p, data in turned:
            p.data = rounded(data.transpose(1, 2)).transpose(1, 2).contiguous()
        logits = model(ids[None], use_cache=False).logits[0].double()
        nll = F.cross_entropy(logits[:-1], ids[1:], reduction="none")
        if most is None:
            exact = nll
            continue
        d = nll - exact
        print(f"largest quant {most}: mean |difference| of nll {d.abs().mean():.4f}, mean "
              f"{d.mean():+.4f}, largest {d.abs().max():.2f} at token {int(d.abs().argmax()) + 1}")


main()
