#!/usr/bin/env python3
"""make_embeddings.py - embeddings of texts by Hugging Face Transformers in float32: the last hidden state of the last token, of length 1;
and how likely "yes" is beside "no" after a question in the model's chat template. Writes embeddings.json.

    python3 tests/golden/embeddings/make_embeddings.py
"""
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).parent
MODEL = HERE.parent.parent / "models" / "needle-qwen3"
TEXTS = ["The passkey of Ann is 5.", "a", "The quick brown fox jumps over the lazy dog. " * 20, "é 中文"]
SYSTEM = ('Judge whether the Document meets the requirements based on the Query and the Instruct provided. '
          'Note that the answer can only be "yes" or "no".')
QUERY, DOCUMENTS = "What is the passkey of Ann?", ["The passkey of Ann is 5.", "The grass is green.", "a"]

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()


def output(ids):
    with torch.no_grad():
        return model(torch.tensor([ids]), output_hidden_states=True)


embeddings = []
for text in TEXTS:
    ids = tokenizer(text)["input_ids"]
    vector = output(ids).hidden_states[-1][0, -1].double()
    embeddings.append({"text": text, "ids": ids, "embedding": [round(x, 8) for x in (vector / vector.norm()).tolist()]})

# The model has no such words: two tokens that nothing else needs are called so, here and in the test.
with TemporaryDirectory() as folder:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (Path(folder) / name).write_text((MODEL / name).read_text().replace('"<think>"', '"yes"').replace('"</think>"', '"no"'))
    tokenizer = AutoTokenizer.from_pretrained(folder)
(yes, no), scores = tokenizer.convert_tokens_to_ids(["yes", "no"]), []
for document in DOCUMENTS:
    question = f"<Instruct>: Given a web search query, retrieve relevant passages that answer the query\n<Query>: {QUERY}\n<Document>: {document}"
    ids = tokenizer.apply_chat_template([{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}],
                                        tokenize=True, add_generation_prompt=True, return_dict=False)
    logits = output(ids).logits[0, -1].double()
    scores.append({"document": document, "ids": len(ids), "score": torch.softmax(logits[[no, yes]], 0)[1].item()})

(HERE / "embeddings.json").write_text(json.dumps({"query": QUERY, "embeddings": embeddings, "scores": scores}) + "\n")
