#!/usr/bin/env python3
"""Writes golden/{llava,llava_next}/<case>/: tiny random checkpoints and what transformers makes of them.

Run by hand (`make_llava.py [FAMILY/CASE...]`, needs torch, transformers and safetensors); what it writes is committed.
A case is a checkpoint with `reference*.safetensors` (one forward pass, for several inputs; "-float16" and "-bfloat16"
are `reference` as transformers computes it in that precision) and `generate*.safetensors` (greedy, float32,
`outputs.sequences` as generate() returns them, rows padded on the left). Files are in the spelling that a case names:
"hub", "4.52", "5", or "resaved" (the hub's without `vision_model.`).
"""
import json

import torch
from safetensors.torch import save_file
from transformers import (CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaModel,
                          LlavaNextConfig, LlavaNextForConditionalGeneration, LlavaNextModel, MistralConfig, Qwen2Config,
                          SiglipVisionConfig)
from transformers.models.llava_next.modeling_llava_next import image_size_to_num_patches

import golden

TEXT = dict(vocab_size=60, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=128, pad_token_id=0, bos_token_id=1, eos_token_id=2)
VISION = dict(hidden_size=12, intermediate_size=19, num_hidden_layers=3, num_attention_heads=2, image_size=12,
              patch_size=4)
IMAGE = 55  # stands for a feature of an image
PINPOINTS = [[8, 16], [16, 8], [16, 16], [24, 8], [8, 24]]
TILES = VISION | dict(image_size=8)
NEW = 8


def spelled(name, spelling, base):
    name = ("model." if base else "") + name
    if name.startswith("model.vision_tower.") and spelling in ("hub", "4.52"):
        name = name.replace("vision_tower.", "vision_tower.vision_model.")
    if spelling in ("hub", "resaved"):
        name = name.removeprefix("model.").replace("language_model.", "language_model.model.")
        name = name.replace("lm_head.", "language_model.lm_head.")
    return name


def image_tensors(model, sizes, tiles_first=False, surplus=0):
    """`sizes`: (height, width) of each image; LLaVA looks at none of it. And how many features each image has."""
    base = getattr(model, "model", model)
    config = model.config
    side = config.vision_config.image_size
    if isinstance(config, LlavaNextConfig):
        tiles = [image_size_to_num_patches(size, config.image_grid_pinpoints, side) for size in sizes]
        shape = (sum(tiles),) if tiles_first else (len(sizes), max(tiles) + surplus)
        inputs = {"pixel_values": torch.randn(*shape, 3, side, side), "image_sizes": torch.tensor(sizes)}
    else:
        inputs = {"pixel_values": torch.randn(len(sizes), 3, side, side)}
    with torch.no_grad():
        features = base.get_image_features(**inputs, return_dict=True).pooler_output
    return inputs, [f.shape[0] for f in features]


def batch(model, rows, left=False, mask=True, **more):
    """`rows`: lists of the sizes of images that a row shows, words between them."""
    inputs, features = {}, []
    sizes = [size for row in rows for size in row]
    if sizes:
        inputs, features = image_tensors(model, sizes, **more)
    texts = []
    for k, row in enumerate(rows):
        text = [1] + torch.randint(3, IMAGE, (k + 1,)).tolist()
        for i, _ in enumerate(row):
            text += [IMAGE] * features.pop(0) + torch.randint(3, IMAGE, (1 + i,)).tolist()
        texts.append(text)
    tokens = max(map(len, texts))
    ids = torch.zeros(len(rows), tokens, dtype=torch.long)
    kept = torch.zeros_like(ids)
    for k, text in enumerate(texts):
        at = slice(tokens - len(text), tokens) if left else slice(0, len(text))
        ids[k, at], kept[k, at] = torch.tensor(text), 1
    return {"input_ids": ids} | ({"attention_mask": kept} if mask else {}) | inputs


def forward(model, inputs):
    """Its outputs, without caches."""
    return {k: v for k, v in golden.run(model, golden.cast(inputs, model.dtype)).items() if "past" not in k}


def write(case, make, config, spelling, main, others=(), texts=(), halves=False):
    """`main`, and in `others` by name: inputs of a model for a forward pass; in `texts`: for generate(), those whose
    name begins with "-beams" with three beams, of which two are returned."""
    directory = golden.fresh(golden.HERE / case, case)
    model = make(config).eval()
    golden.randomise(model, vectors=("token", "position"), gain=1.2)
    model.tie_weights()
    config.architectures = [make.__name__]
    config.save_pretrained(directory)
    (directory / "config.json").write_text(
        json.dumps(json.loads((directory / "config.json").read_text()), indent=1) + "\n")
    base = not hasattr(model, "lm_head")
    tied = config.text_config.tie_word_embeddings
    save_file({spelled(k, spelling, base): v.contiguous().clone() for k, v in model.state_dict().items()
               if not (tied and k == "lm_head.weight")}, directory / "model.safetensors", {"format": "pt"})
    within = dict(atol=5e-5, rtol=5e-5)
    inputs = main(model)
    golden.save(directory / "reference.safetensors", model, inputs, forward(model, inputs), **within)
    for name, more in dict(others).items():
        given = more(model)
        golden.save(directory / f"reference-{name}.safetensors", model, given, forward(model, given), **within)
    if texts:
        model.generation_config.eos_token_id = None
    for name, more in dict(texts).items():
        given = more(model)
        how = dict(num_beams=3, num_return_sequences=2) if name.startswith("-beams") else {}
        with torch.no_grad():
            out = model.generate(**given, max_new_tokens=NEW, do_sample=False, **how)
        golden.save(directory / f"generate{name}.safetensors", model, given, {"sequences": out}, "generate",
                    max_new_tokens=NEW, generation_config=json.dumps({"eos_token_id": []} | how))
    for dtype in (torch.float16, torch.bfloat16) if halves else ():
        half = make.from_pretrained(directory, dtype=dtype).eval()
        golden.save(directory / f"reference-{str(dtype)[6:]}.safetensors", half, inputs, forward(half, inputs),
                    **within)


def llava(vision, text, **more):
    return LlavaConfig(vision_config=vision, text_config=text, image_token_index=IMAGE, **more)


def llava_next(vision, text, **more):
    return LlavaNextConfig(vision_config=vision, text_config=text, image_token_index=IMAGE,
                           **(dict(image_grid_pinpoints=PINPOINTS) | more))


ANY = (1, 1)  # LLaVA: the size of an image does not matter
SHAPES = [[(30, 17)], [(9, 41), (100, 100)], [(13, 200)]]  # two tiles above each other; three and four; a strip
CASES = {
    "llava/clip_llama": lambda c: write(
        c, LlavaForConditionalGeneration, llava(CLIPVisionConfig(**VISION), LlamaConfig(**TEXT)), "hub",
        lambda m: batch(m, [[ANY], [ANY, ANY], []]),
        {"float32-left": lambda m: batch(m, [[], [ANY], [ANY, ANY, ANY]], left=True),
         "text": lambda m: batch(m, [[], [], []]), "one": lambda m: batch(m, [[ANY]], mask=False)},
        {"": lambda m: batch(m, [[ANY], [ANY, ANY], []], left=True), "-one": lambda m: batch(m, [[ANY]], mask=False),
         "-text": lambda m: batch(m, [[], []], left=True), "-beams": lambda m: batch(m, [[ANY], [ANY]], left=True)},
        halves=True),
    "llava/siglip_qwen2": lambda c: write(
        c, LlavaForConditionalGeneration,
        llava(SiglipVisionConfig(**(VISION | dict(patch_size=5, num_attention_heads=3, layer_norm_eps=1e-3))),
              Qwen2Config(**(TEXT | dict(tie_word_embeddings=True, use_sliding_window=True, sliding_window=6,
                                         max_window_layers=1))),
              vision_feature_layer=-1, vision_feature_select_strategy="full"), "5",
        lambda m: batch(m, [[ANY, ANY], [ANY]]), {"float32-left": lambda m: batch(m, [[ANY], [ANY, ANY]], left=True)},
        {"": lambda m: batch(m, [[], [ANY], [ANY, ANY]], left=True)}, halves=True),
    "llava/layers_mistral": lambda c: write(
        c, LlavaForConditionalGeneration,
        llava(CLIPVisionConfig(**(VISION | dict(image_size=9, patch_size=4, hidden_act="gelu"))),
              MistralConfig(**(TEXT | dict(sliding_window=5, head_dim=6))), vision_feature_layer=[-2, 0, -1, -2],
              vision_feature_select_strategy="full", multimodal_projector_bias=False, projector_hidden_act="silu"),
        "4.52", lambda m: batch(m, [[ANY], [ANY, ANY]]), {}, {"": lambda m: batch(m, [[ANY, ANY], []], left=True)}),
    "llava/model": lambda c: write(
        c, LlavaModel, llava(SiglipVisionConfig(**VISION), LlamaConfig(**TEXT), vision_feature_layer=1), "resaved",
        lambda m: batch(m, [[ANY], [ANY]])),
    "llava_next/clip_mistral": lambda c: write(
        c, LlavaNextForConditionalGeneration,
        llava_next(CLIPVisionConfig(**TILES), MistralConfig(**(TEXT | dict(sliding_window=None)))), "resaved",
        lambda m: batch(m, SHAPES[:2] + [[]], surplus=1),
        {"float32-left": lambda m: batch(m, [[(1, 100)], SHAPES[2]], left=True),
         "tiles": lambda m: batch(m, SHAPES[1:2], tiles_first=True), "text": lambda m: batch(m, [[], []])},
        {"": lambda m: batch(m, SHAPES, left=True),
         "-tiles": lambda m: batch(m, SHAPES[:1], mask=False, tiles_first=True),
         "-beams": lambda m: batch(m, [SHAPES[0], SHAPES[2]], left=True)},
        halves=True),
    "llava_next/siglip_qwen2": lambda c: write(
        c, LlavaNextForConditionalGeneration,
        llava_next(SiglipVisionConfig(**(VISION | dict(image_size=9))), Qwen2Config(**TEXT),
                   vision_feature_layer=[-1, 2], vision_feature_select_strategy="full",
                   image_grid_pinpoints=[[18, 27], [9, 9]]), "hub",
        lambda m: batch(m, [[(10, 11)], [(50, 20), (20, 50)]])),
    "llava_next/model": lambda c: write(
        c, LlavaNextModel, llava_next(CLIPVisionConfig(**TILES), LlamaConfig(**TEXT), vision_feature_layer=-1), "4.52",
        lambda m: batch(m, [[(7, 30)], []])),
}


if __name__ == "__main__":
    golden.main(CASES, golden.HERE, ("llava", "llava_next"))
