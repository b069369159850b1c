"""flash_decode.py - attention of one new token over a static cache of keys and values, in Triton.

Split-KV decoding as in Flash-Decoding (Dao et al., 2023): the cache is cut into parts, one program
per key-value head and part computes a partial softmax for all query heads of its group, and a second
kernel merges the parts. The number of keys is read from device memory, so that a CUDA graph that
captured the launch stays right while the cache grows.

Keys and values are [length, kv_heads, dim], the query is [heads, dim]; dim is a power of two.
"""

import torch
import triton
import triton.language as tl

SPLITS = 64
BLOCK = 64


@triton.jit
def _partial(
    q_ptr, k_ptr, v_ptr, keys_ptr, out_ptr, top_ptr, sum_ptr, scale, k_row, v_row,
    GROUP: tl.constexpr, ROWS: tl.constexpr, DIM: tl.constexpr, BLOCK: tl.constexpr,
    SPLITS: tl.constexpr,
):
    head = tl.program_id(0)
    part = tl.program_id(1)
    keys = tl.load(keys_ptr).to(tl.int32)
    per = tl.cdiv(tl.cdiv(keys, SPLITS), BLOCK) * BLOCK
    first = part * per
    last = tl.minimum(first + per, keys)
    rows = tl.arange(0, ROWS)
    dims = tl.arange(0, DIM)
    inside = rows < GROUP
    q = tl.load(
        q_ptr + (head * GROUP + rows)[:, None] * DIM + dims[None, :], mask=inside[:, None], other=0.0
    )
    top = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    acc = tl.zeros([ROWS, DIM], tl.float32)
    for start in range(first, last, BLOCK):
        at = start + tl.arange(0, BLOCK)
        valid = at < last
        k = tl.load(
            k_ptr + at.to(tl.int64)[None, :] * k_row + head * DIM + dims[:, None],
            mask=valid[None, :], other=0.0,
        )
        s = tl.where(valid[None, :], tl.dot(q, k) * scale, float("-inf"))
        new_top = tl.maximum(top, tl.max(s, 1))
        p = tl.exp(s - new_top[:, None])
        fade = tl.exp(top - new_top)
        v = tl.load(
            v_ptr + at.to(tl.int64)[:, None] * v_row + head * DIM + dims[None, :],
            mask=valid[:, None], other=0.0,
        )
        acc = acc * fade[:, None] + tl.dot(p.to(v.dtype), v)
        total = total * fade + tl.sum(p, 1)
        top = new_top
    row = (head * GROUP + rows) * SPLITS + part
    tl.store(out_ptr + row[:, None] * DIM + dims[None, :], acc, mask=inside[:, None])
    tl.store(top_ptr + row, top, mask=inside)
    tl.store(sum_ptr + row, total, mask=inside)


@triton.jit
def _merge(
    out_ptr, top_ptr, sum_ptr, result_ptr, DIM: tl.constexpr, SPLITS: tl.constexpr
):
    head = tl.program_id(0)
    parts = tl.arange(0, SPLITS)
    dims = tl.arange(0, DIM)
    tops = tl.load(top_ptr + head * SPLITS + parts)
    weight = tl.exp(tops - tl.max(tops, 0))
    total = tl.sum(tl.load(sum_ptr + head * SPLITS + parts) * weight, 0)
    acc = tl.load(out_ptr + (head * SPLITS + parts)[:, None] * DIM + dims[None, :])
    result = tl.sum(acc * weight[:, None], 0) / total
    tl.store(result_ptr + head * DIM + dims, result.to(result_ptr.dtype.element_ty))


def attend(q, k, v, keys):
    """Attention of q over the first keys[0] >= 1 rows of k and v; keys is an integer tensor."""
    heads, dim = q.shape
    kv_heads = k.shape[1]
    group = heads // kv_heads
    out = torch.empty(heads, SPLITS, dim, dtype=torch.float32, device=q.device)
    top = torch.empty(heads, SPLITS, dtype=torch.float32, device=q.device)
    total = torch.empty_like(top)
    result = torch.empty_like(q)
    _partial[(kv_heads, SPLITS)](
        q.contiguous(), k, v, keys, out, top, total, dim**-0.5, k.stride(0), v.stride(0),
        GROUP=group, ROWS=max(16, triton.next_power_of_2(group)), DIM=dim, BLOCK=BLOCK,
        SPLITS=SPLITS, num_warps=4, num_stages=3,
    )
    _merge[(heads,)](out, top, total, result, DIM=dim, SPLITS=SPLITS, num_warps=4)
    return result
