#!/usr/bin/env python3
"""Writes golden/clip/<case>/: tiny random CLIP checkpoints and what transformers makes of them.

Run by hand (`make_clip.py [CASE...]`, needs torch, transformers and safetensors); what it writes is committed, so that
the tests need neither. Cases are those of golden.py; positions are as large as tokens.
"""
import functools
import json

import torch
from transformers import (CLIPConfig, CLIPForImageClassification, CLIPModel, CLIPTextConfig, CLIPTextModel,
                          CLIPTextModelWithProjection, CLIPVisionConfig, CLIPVisionModel, CLIPVisionModelWithProjection,
                          SiglipConfig, SiglipModel, SiglipVisionConfig, SiglipVisionModel)

import golden

HERE = golden.HERE / "clip"
TEXT = dict(vocab_size=40, hidden_size=16, intermediate_size=21, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=12, projection_dim=10, eos_token_id=2)
VISION = dict(hidden_size=24, intermediate_size=19, num_hidden_layers=2, num_attention_heads=4, image_size=12, patch_size=4,
              projection_dim=10)


def both(text=(), vision=(), **more):
    return CLIPConfig(**(dict(text_config=TEXT | dict(text), vision_config=VISION | dict(vision), projection_dim=10) | more))


def randomise(model):
    golden.randomise(model, vectors=["token", "position"],
                     special=lambda name, p: torch.full_like(p, 1.7) if name == "logit_scale" else None)


def texts(config, lengths=(5, 9, 2, 7), left=(), mask=True, end=None):
    """Rows of these lengths that end with the id `end`, by default the largest, padded with id 1."""
    c = getattr(config, "text_config", config)
    ids, kept = golden.rows(lengths, 3, c.vocab_size - 1, left, pad=1)
    last = [ids.shape[1] - 1 if row in left else n - 1 for row, n in enumerate(lengths)]
    ids[list(range(len(lengths))), last] = c.vocab_size - 1 if end is None else end
    return {"input_ids": ids} | ({"attention_mask": kept} if mask else {})


def images(config, batch=3, size=None):
    """Random images of this size, interpolating positions, or of the model's own."""
    c = getattr(config, "vision_config", config)
    height, width = size or (c.image_size, c.image_size)
    inputs = {"pixel_values": torch.randn(batch, c.num_channels, height, width)}
    return inputs | ({"interpolate_pos_encoding": torch.tensor(True)} if size else {})


def pairs(config):
    return texts(config) | images(config)


save = functools.partial(golden.save, atol=2e-5, rtol=1e-5)


def write_at(directory, case, make, main, others=(), **more):
    return golden.write(directory, case, make, randomise, main, 2e-5, 1e-5, others, **more)


def write(case, *what, **more):
    return write_at(HERE / case, case, *what, **more)


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


def old_config(directory, also):
    """As configurations of old files are: `<part>_config_dict` counts, and not `<part>_config`, which is `also`."""
    file = directory / "config.json"
    config = json.loads(file.read_text())
    for part in ("text", "vision"):
        meant = config[f"{part}_config"]
        config[f"{part}_config_dict"] = {k: v for k, v in meant.items() if k not in ("transformers_version", "model_type")}
        config[f"{part}_config"] = also(part, meant)
    file.write_text(json.dumps(config, indent=2) + "\n")


def dicts(case):
    """Configurations of old files: `text_config_dict` counts, completed with defaults, and not text_config."""
    directory, model, _ = write(case, lambda: CLIPModel(both(
        dict(eos_token_id=31, hidden_act="gelu", layer_norm_eps=1e-3, vocab_size=33),
        dict(hidden_act="gelu_new", num_channels=1, image_size=15, num_attention_heads=1), projection_dim=9)), some_end)
    wrong = {"text": dict(eos_token_id=2, hidden_act="relu"), "vision": dict(patch_size=3, num_channels=3)}
    old_config(directory, lambda part, meant: meant | wrong[part])
    again = CLIPModel.from_pretrained(directory).eval()
    save(directory / "reference.safetensors", again, some_end(again.config))


def positions_too(directory, model):
    """A file of torch.save with the positions as buffers."""
    state = dict(model.state_dict())
    c = model.config
    state["text_model.embeddings.position_ids"] = torch.arange(c.text_config.max_position_embeddings).unsqueeze(0)
    patches = (c.vision_config.image_size // c.vision_config.patch_size) ** 2
    state["vision_model.embeddings.position_ids"] = torch.arange(patches + 1).unsqueeze(0)
    golden.as_torch_file(directory, state)


def torch_file(case):
    directory, model, _ = write(case, lambda: CLIPModel(both(dict(num_hidden_layers=1), dict(num_hidden_layers=1))), pairs)
    positions_too(directory, model)


SIGLIP = dict(hidden_size=16, intermediate_size=19, num_hidden_layers=1, num_attention_heads=4, image_size=9, patch_size=3)


def siglip_both(case):
    """A file of both of SigLIP's models, opened as its vision model."""
    directory = HERE / case
    config = SiglipConfig(text_config=dict(vocab_size=9, hidden_size=16, intermediate_size=5, num_hidden_layers=1,
                                           num_attention_heads=1, max_position_embeddings=4),
                          vision_config=SIGLIP | dict(num_attention_heads=2, hidden_act="gelu"))
    torch.manual_seed(5)
    model = SiglipModel(config).eval()
    randomise(model)
    model.save_pretrained(directory)
    alone = SiglipVisionModel.from_pretrained(directory).eval()
    save(directory / "reference.safetensors", alone, images(alone.config))


CASES = {
    "siglip_vision": lambda c: write(c, lambda: SiglipVisionModel(SiglipVisionConfig(**SIGLIP)), images,
                                     {"large": SIZES["large"]}, halves=True),
    "siglip_no_pooler": lambda c: write(c, lambda: SiglipVisionModel(SiglipVisionConfig(**(SIGLIP | dict(
        vision_use_head=False, num_channels=1, image_size=8)))), images),
    "siglip_both": siglip_both,
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


if __name__ == "__main__":
    golden.main(CASES, HERE)
