#!/usr/bin/env python3
"""Writes golden/{llama,mistral,qwen2}/<case>/: tiny random checkpoints and what transformers makes of them.

Run by hand (`make_decoders.py [FAMILY/CASE...]`, needs torch, transformers and safetensors); what it writes is committed.
A case is a checkpoint with `reference-*.safetensors` (one forward pass) and `generate-*.safetensors` (greedy, float32,
`outputs.sequences` as generate() returns them), for several inputs. A file NAME with `config-NAME.json` beside it was
made with that configuration and the same weights.
"""
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import (LlamaConfig, LlamaForCausalLM, LlamaModel, MistralConfig, MistralForCausalLM, Qwen2Config,
                          Qwen2ForCausalLM)

HERE = pathlib.Path(__file__).resolve().parent
SIZES = dict(vocab_size=60, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2)
NEW = 12
OUTPUTS = ["last_hidden_state", "logits"]


def randomise(model):
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                p.copy_(torch.randn_like(p) * 0.2 + 1)
            elif name.endswith("bias"):
                p.copy_(torch.randn_like(p) * 0.3)
            elif "embed" in name:
                p.copy_(torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * 0.9 / p.shape[1] ** 0.5)


def batch(config, lengths, right=False):
    tokens = max(lengths)
    inputs = {"input_ids": torch.zeros(len(lengths), tokens, dtype=torch.long)}
    mask = torch.zeros_like(inputs["input_ids"])
    for row, n in enumerate(lengths):
        at = slice(0, n) if right else slice(tokens - n, tokens)
        inputs["input_ids"][row, at] = torch.randint(3, config.vocab_size, (n,))
        mask[row, at] = 1
    if len(set(lengths)) > 1:
        inputs["attention_mask"] = mask
    return inputs


def save(path, model, inputs, outputs, task="forward", **metadata):
    tensors = {f"inputs.{k}": v for k, v in inputs.items()} | {f"outputs.{k}": v for k, v in outputs.items()}
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, path,
              {"format": "silica-reference-1", "task": task, "atol": "1e-5", "rtol": "1e-5",
               "architecture": type(model).__name__} | metadata)


def forward(model, inputs):
    with torch.no_grad():
        out = model(**inputs)
    return {k: out[k] for k in OUTPUTS if k in out and out[k] is not None}


def generate(model, inputs):
    with torch.no_grad():
        return {"sequences": model.generate(**inputs, max_new_tokens=NEW, do_sample=False, use_cache=True)}


def references(directory, name, model, lengths):
    suffix = f"-{name}" if name else ""
    padded = batch(model.config, lengths)
    save(directory / f"reference{suffix}.safetensors", model, padded, forward(model, padded))
    if hasattr(model, "generate") and "ForCausalLM" in type(model).__name__:
        model.generation_config.eos_token_id = None
        save(directory / f"generate{suffix}.safetensors", model, padded, generate(model, padded), "generate",
             max_new_tokens=str(NEW))


def write(family, case, make, config, lengths=(7, 12, 3, 12), variants=(), halves=False, dtype=None, extra=False):
    """`variants`: name -> keys of the configuration that differ. `halves`: also run in float16 and bfloat16."""
    directory = HERE / family / case
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    torch.manual_seed(sum(map(ord, family + case)))
    model = make(config).eval()
    randomise(model)
    model.tie_weights()
    if dtype:
        model = model.to(dtype)
    model.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    if dtype:  # read back: .to() rounds the frequencies of the positions too
        model = type(model).from_pretrained(directory, dtype=torch.float32).eval()
    references(directory, "", model, lengths)
    if extra:
        for name, inputs in {"right": batch(config, (5, 9, 1), right=True), "one": batch(config, (1,)),
                             "long": batch(config, (40, 33))}.items():
            save(directory / f"reference-{name}.safetensors", model, inputs, forward(model, inputs))
    if halves:
        inputs = batch(config, (7, 12, 3, 12))
        save(directory / "reference-exact.safetensors", model, inputs, forward(model, inputs))
        for half in (torch.float16, torch.bfloat16):
            other = type(model).from_pretrained(directory, dtype=half).eval()
            save(directory / f"reference-{str(half)[6:]}.safetensors", other, inputs, forward(other, inputs))
    for name, changes in dict(variants).items():
        text = json.loads((directory / "config.json").read_text())
        lengths_here = changes.pop("lengths", lengths)
        for key, value in changes.items():
            if value is None:
                text.pop(key, None)
            else:
                text[key] = value
        (directory / f"config-{name}.json").write_text(json.dumps(text, indent=1) + "\n")
        other = make(type(config).from_dict(text)).eval()
        other.load_state_dict(model.state_dict())
        references(directory, name, other, lengths_here)
    (directory / "config.json").write_text(
        json.dumps(json.loads((directory / "config.json").read_text()), indent=1) + "\n")
    size = sum(f.stat().st_size for f in directory.iterdir())
    print(f"{family}/{case}: {len(list(directory.glob('reference*')))} references, {size} bytes")


def old(**rope):
    """The keys as configurations had them before `rope_parameters`."""
    return {"rope_parameters": None, **rope}


ROPES = {
    "theta": old(rope_theta=500.0),
    "linear": old(rope_scaling={"type": "linear", "factor": 2.5}, rope_theta=10000.0),
    "dynamic": old(rope_scaling={"rope_type": "dynamic", "factor": 2.0}, max_position_embeddings=9),
    "dynamic-short": old(rope_scaling={"type": "dynamic", "factor": 4.0}, max_position_embeddings=16, lengths=(6, 4)),
    "llama3": old(rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                "original_max_position_embeddings": 16}, rope_theta=50.0),
    "yarn": {"rope_parameters": {"rope_type": "yarn", "rope_theta": 100.0, "factor": 4.0,
                                 "original_max_position_embeddings": 16}},
    "yarn-all": {"rope_parameters": {"rope_type": "yarn", "rope_theta": 100.0, "factor": 4.0, "beta_fast": 8.0,
                                     "beta_slow": 2.0, "mscale": 0.7, "mscale_all_dim": 0.9, "truncate": False,
                                     "original_max_position_embeddings": 16}},
    "longrope": {"rope_parameters": {"rope_type": "longrope", "rope_theta": 100.0,
                                     "short_factor": [1.0, 1.5, 2.0, 3.0], "long_factor": [2.0, 5.0, 9.0, 12.0],
                                     "original_max_position_embeddings": 15}},
    "longrope-short": {"rope_parameters": {"rope_type": "longrope", "rope_theta": 100.0, "factor": 3.0,
                                           "short_factor": [1.0, 1.5, 2.0, 3.0], "long_factor": [2.0, 5.0, 9.0, 12.0],
                                           "original_max_position_embeddings": 40}},
}
CASES = {
    "llama/base": lambda: write("llama", "base", LlamaForCausalLM, LlamaConfig(**SIZES), halves=True, extra=True),
    "llama/model": lambda: write("llama", "model", LlamaModel, LlamaConfig(**(SIZES | dict(head_dim=6)))),
    "llama/biases_tied": lambda: write("llama", "biases_tied", LlamaForCausalLM, LlamaConfig(**(SIZES | dict(
        num_key_value_heads=1, head_dim=10, attention_bias=True, mlp_bias=True, tie_word_embeddings=True,
        rms_norm_eps=1e-3, hidden_act="gelu")))),
    "llama/ropes": lambda: write("llama", "ropes", LlamaForCausalLM, LlamaConfig(**(SIZES | dict(
        num_key_value_heads=4, head_dim=8, num_hidden_layers=1, hidden_act="gelu_pytorch_tanh"))), variants=ROPES),
    "llama/bfloat16_file": lambda: write("llama", "bfloat16_file", LlamaForCausalLM, LlamaConfig(**SIZES),
                                         dtype=torch.bfloat16),
    "mistral/sliding": lambda: write("mistral", "sliding", MistralForCausalLM, MistralConfig(**(SIZES | dict(
        sliding_window=5))), variants={"wide": {"sliding_window": 40}, "two": {"sliding_window": 2}}, extra=True),
    "qwen2/tied": lambda: write("qwen2", "tied", Qwen2ForCausalLM, Qwen2Config(**(SIZES | dict(
        tie_word_embeddings=True))), halves=True),
    "qwen2/sliding": lambda: write("qwen2", "sliding", Qwen2ForCausalLM, Qwen2Config(**(SIZES | dict(
        num_hidden_layers=3, use_sliding_window=True, sliding_window=4, max_window_layers=1))),
        variants={"off": {"use_sliding_window": False, "layer_types": None},
                  "types": {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}}),
}


def main():
    torch.set_num_threads(1)
    for case in sys.argv[1:] or CASES:
        CASES[case]()
    for family in ("llama", "mistral", "qwen2"):
        (HERE / family / "versions.json").write_text(json.dumps(
            {"torch": torch.__version__, "transformers": transformers.__version__}, indent=2) + "\n")


if __name__ == "__main__":
    main()
