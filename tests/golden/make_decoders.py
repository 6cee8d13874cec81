#!/usr/bin/env python3
"""Writes golden/{llama,mistral,qwen2}/<case>/: tiny random checkpoints and what transformers makes of them.

Run by hand (`make_decoders.py [FAMILY/CASE...]`, needs torch, transformers and safetensors); what it writes is committed.
A case is a checkpoint with `reference-*.safetensors` (one forward pass) and `generate-*.safetensors` (greedy, float32,
`outputs.sequences` as generate() returns them), for several inputs. A file NAME with `config-NAME.json` beside it was
made with that configuration and the same weights.
"""
import json

import torch
from transformers import (LlamaConfig, LlamaForCausalLM, LlamaModel, MistralConfig, MistralForCausalLM, Qwen2Config,
                          Qwen2ForCausalLM)

import golden

SIZES = dict(vocab_size=60, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2)
NEW = 12
WITHIN = dict(atol="1e-5", rtol="1e-5")


def randomise(model):
    golden.randomise(model, vectors=["embed"], gain=0.9)


def batch(config, lengths, right=False):
    ids, mask = golden.rows(lengths, 3, config.vocab_size, () if right else range(len(lengths)))
    return {"input_ids": ids} | ({"attention_mask": mask} if len(set(lengths)) > 1 else {})


def save(path, model, inputs):
    golden.save(path, model, inputs, **WITHIN)


def generate(model, inputs):
    with torch.no_grad():
        return {"sequences": model.generate(**inputs, max_new_tokens=NEW, do_sample=False, use_cache=True)}


def references(directory, name, model, lengths):
    suffix = f"-{name}" if name else ""
    padded = batch(model.config, lengths)
    save(directory / f"reference{suffix}.safetensors", model, padded)
    if hasattr(model, "generate") and "ForCausalLM" in type(model).__name__:
        model.generation_config.eos_token_id = None
        golden.save(directory / f"generate{suffix}.safetensors", model, padded, generate(model, padded), "generate",
                    max_new_tokens=NEW, **WITHIN)


def write(case, make, config, lengths=(7, 12, 3, 12), variants=(), halves=False, dtype=None, extra=False):
    """`variants`: name -> keys of the configuration that differ. `halves`: also run in float16 and bfloat16."""
    directory = golden.fresh(golden.HERE / case, case.replace("/", ""))
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
            save(directory / f"reference-{name}.safetensors", model, inputs)
    if halves:
        inputs = batch(config, (7, 12, 3, 12))
        save(directory / "reference-exact.safetensors", model, inputs)
        for half in (torch.float16, torch.bfloat16):
            other = type(model).from_pretrained(directory, dtype=half).eval()
            save(directory / f"reference-{str(half)[6:]}.safetensors", other, inputs)
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
    "llama/base": lambda c: write(c, LlamaForCausalLM, LlamaConfig(**SIZES), halves=True, extra=True),
    "llama/model": lambda c: write(c, LlamaModel, LlamaConfig(**(SIZES | dict(head_dim=6)))),
    "llama/biases_tied": lambda c: write(c, LlamaForCausalLM, LlamaConfig(**(SIZES | dict(
        num_key_value_heads=1, head_dim=10, attention_bias=True, mlp_bias=True, tie_word_embeddings=True,
        rms_norm_eps=1e-3, hidden_act="gelu")))),
    "llama/ropes": lambda c: write(c, LlamaForCausalLM, LlamaConfig(**(SIZES | dict(
        num_key_value_heads=4, head_dim=8, num_hidden_layers=1, hidden_act="gelu_pytorch_tanh"))), variants=ROPES),
    "llama/bfloat16_file": lambda c: write(c, LlamaForCausalLM, LlamaConfig(**SIZES), dtype=torch.bfloat16),
    "mistral/sliding": lambda c: write(c, MistralForCausalLM, MistralConfig(**(SIZES | dict(
        sliding_window=5))), variants={"wide": {"sliding_window": 40}, "two": {"sliding_window": 2}}, extra=True),
    "qwen2/tied": lambda c: write(c, Qwen2ForCausalLM, Qwen2Config(**(SIZES | dict(
        tie_word_embeddings=True))), halves=True),
    "qwen2/sliding": lambda c: write(c, Qwen2ForCausalLM, Qwen2Config(**(SIZES | dict(
        num_hidden_layers=3, use_sliding_window=True, sliding_window=4, max_window_layers=1))),
        variants={"off": {"use_sliding_window": False, "layer_types": None},
                  "types": {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}}),
}


if __name__ == "__main__":
    golden.main(CASES, golden.HERE, ("llama", "mistral", "qwen2"))
