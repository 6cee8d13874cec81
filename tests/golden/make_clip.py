#!/usr/bin/env python3
"""Writes golden/clip/<case>/: tiny random CLIP checkpoints and what transformers makes of them.

Run by hand (`make_clip.py [CASE...]`, needs torch, transformers and safetensors); what it writes is committed, so that
the tests need neither. A case is a checkpoint with one or more reference files: `reference.safetensors`, and
`reference-<name>.safetensors` for other inputs and other precisions (transformers ran in that precision). Outputs of the
two models inside those of both are `outputs.text_model_output.<field>`.

Weights are large (the logits differ by whole numbers, the attention is far from uniform, positions are as large as
tokens), so that an error anywhere shows.
"""
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import (CLIPConfig, CLIPForImageClassification, CLIPModel, CLIPTextConfig, CLIPTextModel,
                          CLIPTextModelWithProjection, CLIPVisionConfig, CLIPVisionModel, CLIPVisionModelWithProjection)

HERE = pathlib.Path(__file__).resolve().parent / "clip"
TEXT = dict(vocab_size=40, hidden_size=16, intermediate_size=21, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=12, projection_dim=10, eos_token_id=2)
VISION = dict(hidden_size=24, intermediate_size=19, num_hidden_layers=2, num_attention_heads=4, image_size=12, patch_size=4,
              projection_dim=10)


def both(text=(), vision=(), **more):
    return CLIPConfig(**(dict(text_config=TEXT | dict(text), vision_config=VISION | dict(vision), projection_dim=10) | more))


def randomise(model):
    """Products keep the size of their input, biases and norms are nowhere near 0 and 1."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name == "logit_scale":
                p.fill_(1.7)
            elif "norm" in name:
                p.copy_(torch.randn_like(p) * 0.2 + (1 if name.endswith("weight") else 0))
            elif name.endswith("bias"):
                p.copy_(torch.randn_like(p) * 0.3)
            elif p.dim() == 1 or "token" in name or "position" in name:
                p.copy_(torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * 1.5 / p[0].numel() ** 0.5)


def texts(config, lengths=(5, 9, 2, 7), left=(), mask=True, end=None):
    """Rows of these lengths that end with the id `end`, by default the largest, padded with id 1."""
    c = getattr(config, "text_config", config)
    tokens = max(lengths)
    ids = torch.ones(len(lengths), tokens, dtype=torch.long)
    kept = torch.zeros_like(ids)
    for row, n in enumerate(lengths):
        at = slice(tokens - n, tokens) if row in left else slice(0, n)
        ids[row, at] = torch.randint(3, c.vocab_size - 1, (n,))
        ids[row, at.stop - 1] = c.vocab_size - 1 if end is None else end
        kept[row, at] = 1
    return {"input_ids": ids} | ({"attention_mask": kept} if mask else {})


def images(config, batch=3, size=None):
    """Random images of this size, interpolating positions, or of the model's own."""
    c = getattr(config, "vision_config", config)
    height, width = size or (c.image_size, c.image_size)
    inputs = {"pixel_values": torch.randn(batch, c.num_channels, height, width)}
    return inputs | ({"interpolate_pos_encoding": torch.tensor(True)} if size else {})


def pairs(config):
    return texts(config) | images(config)


def flat(outputs, prefix=""):
    for name, value in outputs.items():
        if torch.is_tensor(value):
            yield prefix + name, value
        elif hasattr(value, "items"):
            yield from flat(value, f"{prefix}{name}.")


def save(path, model, inputs, atol=2e-5, rtol=1e-5):
    given = {k: bool(v) if k == "interpolate_pos_encoding" else v for k, v in inputs.items()}
    with torch.no_grad():
        outputs = dict(flat(model(**given)))
    tensors = {f"inputs.{k}": v for k, v in inputs.items()} | {f"outputs.{k}": v for k, v in outputs.items()}
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, path,
              {"format": "silica-reference-1", "task": "forward", "atol": str(atol), "rtol": str(rtol),
               "architecture": type(model).__name__})


def write(case, make, main, others=(), halves=False):
    """`main`, and in `others` by name: inputs of a config. `halves`: also run in float16 and bfloat16, on the main ones."""
    directory = HERE / case
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    torch.manual_seed(sum(map(ord, case)))
    model = make().eval()
    randomise(model)
    model.save_pretrained(directory)
    inputs = main(model.config)
    save(directory / "reference.safetensors", model, inputs)
    for name, more in dict(others).items():
        save(directory / f"reference-{name}.safetensors", model, more(model.config))
    for dtype in (torch.float16, torch.bfloat16) if halves else ():
        half = make().eval()
        half.load_state_dict(model.state_dict())
        save(directory / f"reference-{str(dtype)[6:]}.safetensors", half.to(dtype), inputs)
    return directory, model


def largest_twice(c):
    inputs = texts(c, (8, 6), mask=False)
    inputs["input_ids"][0, 2] = c.text_config.vocab_size - 1
    return inputs | images(c)


def moved_positions(c):
    inputs = texts(c, (5, 4))
    return inputs | {"position_ids": torch.tensor([[3, 1, 11, 0, 2], [0, 0, 4, 4, 1]])} | images(c)


def row_of_positions(c):
    return texts(c, (4, 3), mask=False) | {"position_ids": torch.tensor([[5, 6, 7, 8]])} | images(c)


def hole(c):
    inputs = texts(c, (6, 8))
    inputs["attention_mask"][1, 2:4] = 0
    return inputs | images(c)


BASE = {
    "no-mask": lambda c: texts(c, (7, 7, 7), mask=False) | images(c),
    "float32-one-token": lambda c: texts(c, (1, 1)) | images(c, 1),
    "longest": lambda c: texts(c, (12, 3)) | images(c),
    "hole": hole,
    "float32-left": lambda c: texts(c, (5, 8, 3), left=(0, 2)) | images(c),
    "largest-twice": largest_twice,
    "float32-moved-positions": moved_positions,
    "row-of-positions": row_of_positions,
    "wide": lambda c: texts(c, (3, 2, 6, 8)) | images(c, 4, (8, 23)),
}
SIZES = {
    "large": lambda c: images(c, 2, (17, 22)),
    "small": lambda c: images(c, 1, (5, 4)),
    "as-many": lambda c: images(c, 1, (4, 36)),
    "kept": lambda c: images(c, 1, (13, 13)),
}


def some_end(c):
    """A text without the end, one with two, one with its end first; padding is the end."""
    ids = torch.randint(3, 30, (4, 7))
    ids[0, 4:] = c.text_config.eos_token_id
    ids[2, 2] = ids[2, 5] = c.text_config.eos_token_id
    ids[3, 0] = c.text_config.eos_token_id
    return {"input_ids": ids} | images(c, 2)


def dicts(case):
    """Configurations of old files: `text_config_dict` counts, completed with defaults, and not text_config."""
    directory, model = write(case, lambda: CLIPModel(both(
        dict(eos_token_id=31, hidden_act="gelu", layer_norm_eps=1e-3, vocab_size=33),
        dict(hidden_act="gelu_new", num_channels=1, image_size=15, num_attention_heads=1), projection_dim=9)), some_end)
    file = directory / "config.json"
    config = json.loads(file.read_text())
    for part, wrong in (("text", dict(eos_token_id=2, hidden_act="relu")), ("vision", dict(patch_size=3, num_channels=3))):
        config[f"{part}_config_dict"] = {k: v for k, v in config[f"{part}_config"].items()
                                         if k not in ("transformers_version", "model_type")}
        config[f"{part}_config"] |= wrong
    file.write_text(json.dumps(config, indent=2) + "\n")
    again = CLIPModel.from_pretrained(directory).eval()
    save(directory / "reference.safetensors", again, some_end(again.config))


def torch_file(case):
    """What the hub's oldest checkpoints are: a file of torch.save with the positions as buffers."""
    directory, model = write(case, lambda: CLIPModel(both(dict(num_hidden_layers=1), dict(num_hidden_layers=1))), pairs)
    state = dict(model.state_dict())
    state["text_model.embeddings.position_ids"] = torch.arange(12).unsqueeze(0)
    state["vision_model.embeddings.position_ids"] = torch.arange(10).unsqueeze(0)
    torch.save(state, directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()


CASES = {
    "base": lambda c: write(c, lambda: CLIPModel(both()), pairs, BASE, halves=True),
    "dicts": dicts,
    "torch_file": torch_file,
    "text": lambda c: write(c, lambda: CLIPTextModel(CLIPTextConfig(**(TEXT | dict(eos_token_id=39)))), texts,
                            {"no-mask": lambda c: texts(c, (3, 3), mask=False)}, halves=True),
    "text_projection": lambda c: write(c, lambda: CLIPTextModelWithProjection(CLIPTextConfig(**(TEXT | dict(
        projection_dim=23, num_attention_heads=16, hidden_act="gelu")))), texts),
    "vision": lambda c: write(c, lambda: CLIPVisionModel(CLIPVisionConfig(**VISION)), images, SIZES, halves=True),
    "vision_projection": lambda c: write(c, lambda: CLIPVisionModelWithProjection(CLIPVisionConfig(**(VISION | dict(
        image_size=17, patch_size=5, projection_dim=5, num_hidden_layers=1, layer_norm_eps=1e-2)))), images, {"large": SIZES["large"]}),
    "classes": lambda c: write(c, lambda: CLIPForImageClassification(both(num_labels=3)), images,
                               {"wide": SIZES["large"]}, halves=True),
    "no_classes": lambda c: write(c, lambda: CLIPForImageClassification(both(
        vision=dict(num_hidden_layers=1, hidden_act="gelu"), num_labels=0)), images),
}


def main():
    torch.set_num_threads(1)
    for case in sys.argv[1:] or CASES:
        CASES[case](case)
        size = sum(f.stat().st_size for f in (HERE / case).iterdir())
        print(f"{case}: {len(list((HERE / case).glob('reference*')))} references, {size} bytes")
    (HERE / "versions.json").write_text(json.dumps(
        {"torch": torch.__version__, "transformers": transformers.__version__}, indent=2) + "\n")


if __name__ == "__main__":
    main()
