#!/usr/bin/env python3
"""Writes golden/vit/<case>/ and golden/deit/<case>/: tiny random checkpoints and what transformers makes of them.

Run by hand (`make_vit.py [FAMILY/CASE...]`, needs torch, transformers and safetensors); what it writes is committed, so
that the tests need neither. Cases are those of golden.py; positions are as large as patches.
"""
import torch
from transformers import (DeiTConfig, DeiTForImageClassification, DeiTForImageClassificationWithTeacher,
                          DeiTForMaskedImageModeling, DeiTModel, ViTConfig, ViTForImageClassification,
                          ViTForMaskedImageModeling, ViTModel)

import golden

SIZES = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=29, image_size=12,
             patch_size=4)


def randomise(model):
    golden.randomise(model, vectors=["token", "position"])


def images(config, batch=3, size=None, **more):
    """Random images of this size, or of the model's own."""
    size = size or config.image_size
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    return {"pixel_values": torch.randn(batch, config.num_channels, height, width)} | more


def interpolated(height, width, batch=2):
    return lambda c: images(c, batch, (height, width), interpolate_pos_encoding=torch.tensor(True))


def masked(c):
    n = (c.image_size // c.patch_size) ** 2
    return images(c, bool_masked_pos=torch.rand(3, n) < 0.4)


def write(case, make, others=(), halves=False, stored=None):
    return golden.write(golden.HERE / case, case, make, randomise, images, 2e-5, 1e-5, others, halves=halves, stored=stored)


def torch_file(case):
    """A file of torch.save with the names that transformers' modules have in memory since version 5."""
    directory, model, _ = write(case, lambda: ViTForImageClassification(ViTConfig(**(SIZES | dict(
        num_hidden_layers=1, num_labels=4)))))
    assert "vit.layers.0.attention.q_proj.weight" in model.state_dict()
    golden.as_torch_file(directory, model.state_dict())


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
    "vit/reconstruction": lambda c: write(c, lambda: ViTForMaskedImageModeling(vit(encoder_stride=4, num_hidden_layers=1)),
                                          {"masked": masked, "large": interpolated(20, 22)}),
    "vit/torch_file": torch_file,
    "deit/base": lambda c: write(c, lambda: DeiTModel(deit(hidden_size=32, num_attention_heads=4)), OTHER_SIZES, True),
    "deit/rectangles": lambda c: write(c, lambda: DeiTModel(deit(
        image_size=[13, 22], patch_size=[3, 5], qkv_bias=False), add_pooling_layer=False)),
    "deit/classes": lambda c: write(c, lambda: DeiTForImageClassification(deit(num_labels=5)), OTHER_SIZES),
    "deit/teacher": lambda c: write(c, lambda: DeiTForImageClassificationWithTeacher(deit(num_labels=24)), OTHER_SIZES,
                                    True),
    "deit/masked": lambda c: write(
        c, lambda: DeiTModel(deit(), add_pooling_layer=False, use_mask_token=True), {"masked": masked},
        stored=lambda: DeiTForMaskedImageModeling(deit(encoder_stride=4))),
    "deit/reconstruction": lambda c: write(c, lambda: DeiTForMaskedImageModeling(deit(
        encoder_stride=3, num_hidden_layers=1, num_channels=2)), {"square-of-a-rectangle": interpolated(4, 16)}),
}


if __name__ == "__main__":
    golden.main(CASES, golden.HERE, ("vit", "deit"))
