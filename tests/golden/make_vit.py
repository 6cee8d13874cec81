#!/usr/bin/env python3
"""Writes golden/vit/<case>/ and golden/deit/<case>/: tiny random checkpoints and what transformers makes of them.

Run by hand (`make_vit.py [FAMILY/CASE...]`, needs torch, transformers and safetensors); what it writes is committed, so
that the tests need neither. A case is a checkpoint with one or more reference files: `reference.safetensors`, and
`reference-<name>.safetensors` for other inputs and other precisions (transformers ran in that precision).

Weights are large (the logits differ by whole numbers, the attention is far from uniform, positions are as large as
patches), so that an error anywhere shows.
"""
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import (DeiTConfig, DeiTForImageClassification, DeiTForImageClassificationWithTeacher,
                          DeiTForMaskedImageModeling, DeiTModel, ViTConfig, ViTForImageClassification,
                          ViTForMaskedImageModeling, ViTModel)

HERE = pathlib.Path(__file__).resolve().parent
SIZES = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=29, image_size=12,
             patch_size=4)
OUTPUTS = ["last_hidden_state", "pooler_output", "logits", "cls_logits", "distillation_logits"]


def randomise(model):
    """Products keep the size of their input, biases and norms are nowhere near 0 and 1."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "layernorm" in name:
                p.copy_(torch.randn_like(p) * 0.2 + (1 if name.endswith("weight") else 0))
            elif name.endswith("bias"):
                p.copy_(torch.randn_like(p) * 0.3)
            elif "token" in name or "position" in name:
                p.copy_(torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * 1.5 / p[0].numel() ** 0.5)


def images(config, batch=3, size=None, **more):
    """Random images of this size, or of the model's own."""
    size = size or config.image_size
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    return {"pixel_values": torch.randn(batch, config.num_channels, height, width)} | more


def run(model, inputs):
    given = {k: bool(v) if k == "interpolate_pos_encoding" else v for k, v in inputs.items()}
    with torch.no_grad():
        out = model(**given)
    return {k: out[k] for k in OUTPUTS if k in out and out[k] is not None}


def save(path, model, inputs, atol=2e-5, rtol=1e-5):
    outputs = run(model, inputs)
    tensors = {f"inputs.{k}": v for k, v in inputs.items()} | {f"outputs.{k}": v for k, v in outputs.items()}
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, path,
              {"format": "silica-reference-1", "task": "forward", "atol": str(atol), "rtol": str(rtol),
               "architecture": type(model).__name__})


def interpolated(height, width, batch=2):
    return lambda c: images(c, batch, (height, width), interpolate_pos_encoding=torch.tensor(True))


def masked(c):
    n = (c.image_size // c.patch_size) ** 2
    return images(c, bool_masked_pos=torch.rand(3, n) < 0.4)


def write(case, make, others=(), halves=False, stored=None):
    """`others`: name -> inputs of a config. `halves`: also run in float16 and bfloat16, on the main inputs. `stored`: the
    model whose file is written, which holds the weights of the one that runs."""
    directory = HERE / case
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    torch.manual_seed(sum(map(ord, case)))
    model = make().eval()
    randomise(model)
    if stored:
        whole = stored()
        randomise(whole)
        whole.base_model.load_state_dict(model.state_dict())
    (whole if stored else model).save_pretrained(directory)
    inputs = images(model.config)
    save(directory / "reference.safetensors", model, inputs)
    for name, more in dict(others).items():
        save(directory / f"reference-{name}.safetensors", model, more(model.config))
    for dtype in (torch.float16, torch.bfloat16) if halves else ():
        half = make().eval()
        half.load_state_dict(model.state_dict())
        save(directory / f"reference-{str(dtype)[6:]}.safetensors", half.to(dtype), inputs)
    return directory, model


def torch_file(case):
    """A file of torch.save with the names that transformers' modules have in memory since version 5."""
    directory, model = write(case, lambda: ViTForImageClassification(ViTConfig(**(SIZES | dict(
        num_hidden_layers=1, num_labels=4)))))
    assert "vit.layers.0.attention.q_proj.weight" in model.state_dict()
    torch.save(model.state_dict(), directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()


def vit(**more):
    return ViTConfig(**(SIZES | more))


def deit(**more):
    return DeiTConfig(**(SIZES | more))


OTHER_SIZES = {
    "one": lambda c: images(c, 1),
    "wide": interpolated(8, 21),
    "large": interpolated(30, 26),
    "kept": interpolated(12, 12),
    "one-patch": interpolated(4, 5, 1),
}

CASES = {
    "vit/base": lambda c: write(c, lambda: ViTModel(vit(hidden_size=32, num_attention_heads=4)), OTHER_SIZES, True),
    "vit/rectangles": lambda c: write(c, lambda: ViTModel(vit(
        image_size=[13, 22], patch_size=[3, 5], num_attention_heads=3, qkv_bias=False, hidden_act="gelu_new",
        layer_norm_eps=0.1), add_pooling_layer=False)),
    "vit/square_grid_of_a_rectangle": lambda c: write(c, lambda: ViTModel(vit(
        image_size=[4, 16], num_hidden_layers=1), add_pooling_layer=False),
        {"taken-as-square": interpolated(4, 16), "square": interpolated(8, 8), "tall": interpolated(17, 9)}),
    "vit/pooler": lambda c: write(c, lambda: ViTModel(vit(
        pooler_output_size=5, pooler_act="gelu", num_channels=1, num_attention_heads=1, head_dim=6, hidden_act="relu",
        intermediate_size=1))),
    "vit/classes": lambda c: write(c, lambda: ViTForImageClassification(vit(num_labels=11, num_hidden_layers=3)),
                                   OTHER_SIZES, True),
    "vit/no_layers": lambda c: write(c, lambda: ViTForImageClassification(vit(num_labels=1, num_hidden_layers=0))),
    "vit/no_classes": lambda c: write(c, lambda: ViTForImageClassification(vit(
        num_labels=0, num_hidden_layers=1, qkv_bias=False))),
    "vit/masked": lambda c: write(
        c, lambda: ViTModel(vit(), add_pooling_layer=False, use_mask_token=True), {"masked": masked},
        stored=lambda: ViTForMaskedImageModeling(vit(encoder_stride=4))),
    "vit/torch_file": torch_file,
    "deit/base": lambda c: write(c, lambda: DeiTModel(deit(hidden_size=32, num_attention_heads=4)), OTHER_SIZES, True),
    "deit/rectangles": lambda c: write(c, lambda: DeiTModel(deit(
        image_size=[13, 22], patch_size=[3, 5], qkv_bias=False), add_pooling_layer=False)),
    "deit/classes": lambda c: write(c, lambda: DeiTForImageClassification(deit(num_labels=5)), OTHER_SIZES),
    "deit/teacher": lambda c: write(c, lambda: DeiTForImageClassificationWithTeacher(deit(num_labels=4)), OTHER_SIZES,
                                    True),
    "deit/masked": lambda c: write(
        c, lambda: DeiTModel(deit(), add_pooling_layer=False, use_mask_token=True), {"masked": masked},
        stored=lambda: DeiTForMaskedImageModeling(deit(encoder_stride=4))),
}


def main():
    torch.set_num_threads(1)
    for case in sys.argv[1:] or CASES:
        CASES[case](case)
        size = sum(f.stat().st_size for f in (HERE / case).iterdir())
        print(f"{case}: {len(list((HERE / case).glob('reference*')))} references, {size} bytes")
    for family in ("vit", "deit"):
        (HERE / family / "versions.json").write_text(json.dumps(
            {"torch": torch.__version__, "transformers": transformers.__version__}, indent=2) + "\n")


if __name__ == "__main__":
    main()
