"""Random blocks of every quantized type of GGUF that Ithaca reads, and their elements according to gguf-py.

usage: make_blocks.py OUT      (pip install gguf==0.19.0 numpy==2.4.6)

OUT is, for each type: its name (8 bytes), the number of blocks, elements and bytes of a block (u32), the blocks, and the
elements (f32). Any bytes are a block; only the f16 numbers are chosen, so that they are finite: some of them subnormal,
negative or the largest that leave sums finite.
"""
import struct
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

# Where a block has its f16 numbers.
HALVES = {T.Q8_0: [0], T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q2_K: [80, 82], T.Q3_K: [108],
          T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208], T.IQ4_NL: [0], T.IQ4_XS: [0], T.MXFP4: [], T.IQ3_S: [0]}
ELEMENTS = 1536

rng = np.random.default_rng(16)
with open(sys.argv[1], "wb") as out:
    for kind, halves in HALVES.items():
        size, n_bytes = GGML_QUANT_SIZES[kind]
        n = ELEMENTS // size
        blocks = rng.integers(0, 256, (n, n_bytes), dtype=np.uint8)
        for at in halves:
            half = rng.normal(0, 0.02, n).astype(np.float16)
            half[0], half[1], half[2] = 65504, 2**-24, -0.0
            if kind == T.IQ3_S:  # 16 times of it must be finite
                half[0] = 4094
            blocks[:, at:at + 2] = half.view(np.uint8).reshape(n, 2)
        if kind == T.MXFP4:
            blocks[:, 0] = rng.integers(100, 140, n)
            blocks[:5, 0] = 0, 1, 2, 252, 128
        values = dequantize(blocks, kind).astype(np.float32).reshape(n, size)
        assert np.isfinite(values).all()
        out.write(struct.pack("<8sIII", kind.name.encode(), n, size, n_bytes) + blocks.tobytes() + values.tobytes())
