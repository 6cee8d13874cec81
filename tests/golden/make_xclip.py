#!/usr/bin/env python3
"""Writes golden/xclip/<case>/: tiny random X-CLIP checkpoints and what transformers makes of them.

Run by hand (`make_xclip.py [CASE...]`, needs torch, transformers and safetensors); what it writes is committed, so that
the tests need neither. Cases are those of golden.py, weights as make_clip.py makes them.
"""
import torch
from transformers import XCLIPConfig, XCLIPModel, XCLIPTextConfig, XCLIPTextModel, XCLIPVisionConfig, XCLIPVisionModel

import golden
from make_clip import old_config, positions_too, texts, write_at

HERE = golden.HERE / "xclip"
TEXT = dict(vocab_size=40, hidden_size=16, intermediate_size=21, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=12)
VISION = dict(hidden_size=20, intermediate_size=13, num_hidden_layers=2, num_attention_heads=4, image_size=8,
              patch_size=4, num_frames=4, mit_hidden_size=12, mit_intermediate_size=17, mit_num_attention_heads=3)


def whole(text=(), vision=(), **more):
    return XCLIPConfig(**(dict(text_config=TEXT | dict(text), vision_config=VISION | dict(vision), projection_dim=12,
                               prompt_num_attention_heads=2) | more))


def videos(config, videos=2, size=None):
    """Random frames of this size, interpolating positions, or of the model's own."""
    c = getattr(config, "vision_config", config)
    height, width = size or (c.image_size, c.image_size)
    inputs = {"pixel_values": torch.randn(videos, c.num_frames, c.num_channels, height, width)}
    return inputs | ({"interpolate_pos_encoding": torch.tensor(True)} if size else {})


def frames(config, **more):
    inputs = videos(config, **more)
    return inputs | {"pixel_values": inputs["pixel_values"].flatten(0, 1)}


def write(case, *what, **more):
    return write_at(HERE / case, case, *what, **more)


def largest_twice(c):
    inputs = texts(c, (8, 6), mask=False)
    inputs["input_ids"][0, 2] = c.text_config.vocab_size - 1
    return inputs | videos(c, 1)


BASE = {
    "one": lambda c: texts(c, (3,), mask=False) | videos(c, 1),
    "wide": lambda c: texts(c, (3, 2)) | videos(c, 1, (4, 14)),
    "largest-twice": largest_twice,
    "float32-left": lambda c: texts(c, (2, 5), left=(0,)) | videos(c, 1),
}


def small(**more):
    """Models with one layer, whose file is small."""
    return dict(num_hidden_layers=1, **more)


def torch_file(case):
    directory, model, _ = write(case, lambda: XCLIPModel(whole(dict(eos_token_id=11), small(mit_num_hidden_layers=0))),
                                lambda c: texts(c) | videos(c))
    positions_too(directory, model)
    old_config(directory, lambda part, meant: {"hidden_size": 8})


CASES = {
    "base": lambda c: write(c, lambda: XCLIPModel(whole()), lambda c: texts(c) | videos(c), BASE, halves=True),
    "other": lambda c: write(c, lambda: XCLIPModel(whole(
        dict(hidden_act="gelu", layer_norm_eps=1e-2),
        small(hidden_act="gelu_new", layer_norm_eps=1e-3, num_frames=8, num_channels=1, image_size=10, patch_size=3,
              num_attention_heads=1, mit_num_hidden_layers=2, mit_hidden_size=8, mit_num_attention_heads=8),
        projection_dim=8, prompt_layers=1, prompt_hidden_act="relu", prompt_num_attention_heads=1)),
        lambda c: texts(c, (4, 6, 2)) | videos(c, 3)),
    "one_frame": lambda c: write(c, lambda: XCLIPModel(whole(vision=small(num_frames=1), prompt_layers=0)),
                                 lambda c: texts(c, (4, 6)) | videos(c, 3)),
    "torch_file": torch_file,
    "text": lambda c: write(c, lambda: XCLIPTextModel(XCLIPTextConfig(**(TEXT | dict(eos_token_id=7)))), texts),
    "vision": lambda c: write(c, lambda: XCLIPVisionModel(XCLIPVisionConfig(**(VISION | dict(num_frames=16)))),
                              lambda c: frames(c, videos=1), {"two-wide": lambda c: frames(c, size=(4, 9))},
                              halves=True),
}


if __name__ == "__main__":
    golden.main(CASES, HERE)
