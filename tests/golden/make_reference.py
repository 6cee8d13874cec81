#!/usr/bin/env python3
"""Writes DIR/reference.safetensors: inputs and what transformers makes of them, for `silica verify DIR`.

    make_reference.py DIR [--class NAME] [--batch 4] [--tokens 24] [--seed 0] [--atol 1e-4] [--rtol 1e-4]
    make_reference.py DIR --generate NEW_TOKENS      what generate() writes, greedy, prompts padded on the left

Needs torch, transformers and safetensors; run by hand. The class is the one that `architectures` in config.json names,
BertModel for the old BERT files that name none. Inputs are awkward on purpose: rows of different lengths, padded on the
right and on the left, down to one token.

The format: tensors `inputs.<field>` and `outputs.<field>` (`.<i>` for the items of a list), and the text metadata
`format: silica-reference-1`, `task: forward`, `atol`, `rtol`; or `task: generate` and `max_new_tokens`.
"""
import argparse
import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file

from golden import flat


def masked_text(args, vocabulary, low=1, most=512):
    """(batch, tokens) ids and mask; row lengths fall from `tokens` to 1, every third row is padded on the left."""
    tokens = min(args.tokens, most)
    ids = torch.zeros(args.batch, tokens, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row in range(args.batch):
        n = tokens - row * (tokens - 1) // max(args.batch - 1, 1)
        at = slice(tokens - n, tokens) if row % 3 == 2 else slice(0, n)
        ids[row, at] = torch.randint(low, vocabulary, (n,))
        mask[row, at] = 1
    return {"input_ids": ids, "attention_mask": mask}


def bert(args, c):
    inputs = masked_text(args, c.vocab_size, most=c.max_position_embeddings)
    return inputs | {"token_type_ids": torch.randint(0, c.type_vocab_size, inputs["input_ids"].shape)}


def decoder(args, c):
    return masked_text(args, c.vocab_size)


def t5(args, c):
    inputs = masked_text(args, c.vocab_size)
    return inputs | {"decoder_input_ids": torch.randint(1, c.vocab_size, (args.batch, 7))}


def image(args, c):
    height, width = c.image_size if isinstance(c.image_size, (list, tuple)) else (c.image_size, c.image_size)
    return {"pixel_values": torch.randn(args.batch, getattr(c, "num_channels", 3), height, width)}


def ended_text(args, c):
    """Texts whose last token is the largest id, and the end of the configuration where the vocabulary has it."""
    inputs = masked_text(args, c.vocab_size - 2, most=c.max_position_embeddings)
    last = inputs["attention_mask"].cumsum(1).argmax(1)
    end = c.eos_token_id if 2 < c.eos_token_id < c.vocab_size else c.vocab_size - 1
    inputs["input_ids"][torch.arange(args.batch), last] = end
    return inputs


def detr(args, c):
    """Images of different sizes, padded on the right and below."""
    height, width = 211, 277
    mask = torch.zeros(args.batch, height, width, dtype=torch.long)
    for row in range(args.batch):
        mask[row, :height - 40 * (row % 3), :width - 31 * (row % 4)] = 1
    values = torch.randn(args.batch, c.backbone_config.num_channels, height, width)
    return {"pixel_values": values * mask.unsqueeze(1), "pixel_mask": mask}


def clip(args, c):
    if args.cls == "CLIPForImageClassification":
        return image(args, c.vision_config)
    return ended_text(args, c.text_config) | image(args, c.vision_config)


def frames(args, c):
    return {"pixel_values": torch.randn(args.batch * c.num_frames, c.num_channels, c.image_size, c.image_size)}


def xclip(args, c):
    pixels = frames(args, c.vision_config)["pixel_values"]
    return ended_text(args, c.text_config) | {"pixel_values": pixels.unflatten(0, (args.batch, -1))}


def whisper(args, c):
    features = {"input_features": torch.randn(args.batch, c.num_mel_bins, 2 * c.max_source_positions)}
    if args.cls == "WhisperEncoder":
        return features
    return features | {"decoder_input_ids": torch.randint(0, c.vocab_size, (args.batch, 5))}


def wav2vec2(args, c):
    values = torch.randn(args.batch, 8000)
    mask = torch.ones(args.batch, 8000, dtype=torch.long)
    for row in range(1, args.batch):
        mask[row, 8000 - 1500 * row:] = 0
    return {"input_values": values * mask, "attention_mask": mask}


def clap(args, c):
    text, audio = c.text_config, c.audio_config
    channels = 4 if audio.enable_fusion else audio.patch_embed_input_channels
    frames = audio.spec_size * (audio.spec_size // audio.num_mel_bins) - 23
    return masked_text(args, text.vocab_size, most=text.max_position_embeddings - text.pad_token_id - 1) | {
        "input_features": torch.randn(args.batch, channels, frames, audio.num_mel_bins) * 20 - 30,
        "is_longer": torch.arange(args.batch).unsqueeze(1) % 2 == 0}


def about_images(args, c, features):
    """Texts about images: a row shows one, or two, or none, `features` of the next image standing for it each time."""
    rows = []
    for row in range(args.batch):
        text = torch.randint(0, c.text_config.vocab_size, (args.tokens - row,))
        text = [int(i) for i in text if i != c.image_token_id] or [(c.image_token_id + 1) % c.text_config.vocab_size]
        for _ in range((1, 2, 0)[row % 3]):
            text += [c.image_token_id] * next(features) + text[:1]
        rows.append(text)
    tokens = max(map(len, rows))
    ids = torch.zeros(args.batch, tokens, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, text in enumerate(rows):
        at = slice(tokens - len(text), tokens) if row % 3 == 2 else slice(0, len(text))
        ids[row, at], mask[row, at] = torch.tensor(text), 1
    return {"input_ids": ids.where(mask.bool(), (c.image_token_id == 0) * 1), "attention_mask": mask}


def images_of(args):
    return sum((1, 2, 0)[row % 3] for row in range(args.batch))


def llava(args, c):
    v, n = c.vision_config, images_of(args)
    tokens = (v.image_size // v.patch_size) ** 2 + (v.model_type == "clip_vision_model")
    tokens -= c.vision_feature_select_strategy == "default"
    return about_images(args, c, iter([tokens] * n)) | {
        "pixel_values": torch.randn(n, v.num_channels, v.image_size, v.image_size)}


def llava_next(args, c):
    from transformers.models.llava_next.modeling_llava_next import (get_anyres_image_grid_shape,
                                                                    image_size_to_num_patches, unpad_image)
    v, n = c.vision_config, images_of(args)
    sizes = [[(480, 300, 77)[i % 3], (640, 500, 30, 901)[i % 4]] for i in range(n)]
    points, side = c.image_grid_pinpoints, v.image_size // v.patch_size
    features = []
    for size in sizes:
        rows, columns = get_anyres_image_grid_shape(size, points, v.image_size)
        shown = unpad_image(torch.empty(1, rows * side, columns * side), size)
        features.append(side * side + shown.shape[1] * (shown.shape[2] + 1))
    tiles = max(image_size_to_num_patches(size, points, v.image_size) for size in sizes)
    return about_images(args, c, iter(features)) | {
        "pixel_values": torch.randn(n, tiles, v.num_channels, v.image_size, v.image_size),
        "image_sizes": torch.tensor(sizes)}


INPUTS = {"bert": bert, "llama": decoder, "mistral": decoder,
          "qwen2": decoder, "t5": t5, "vit": image, "deit": image, "detr": detr, "clip": clip,
          "clip_text_model": ended_text, "clip_vision_model": image, "siglip_vision_model": image, "xclip": xclip, "xclip_text_model": ended_text,
          "xclip_vision_model": frames,
          "whisper": whisper, "wav2vec2": wav2vec2, "clap": clap, "llava": llava,
          "llava_next": llava_next}


def left_padded(inputs):
    """The same texts, each with its padding before it; what generate() is given."""
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    order = mask.argsort(dim=1, stable=True)
    images = {k: inputs[k] for k in ("pixel_values", "image_sizes") if k in inputs}
    return {"input_ids": ids.gather(1, order), "attention_mask": mask.gather(1, order)} | images


def opened(args):
    """The model in float32. An encoder of Whisper by itself is not in transformers' namespace, and its weights have names
    of their own where nothing else is in the file."""
    if args.cls != "WhisperEncoder":
        cls = getattr(transformers, args.cls)
        config = cls.config_class.from_pretrained(args.directory)
        return cls.from_pretrained(args.directory, config=config, dtype=torch.float32).eval()
    from transformers.models.whisper.modeling_whisper import WhisperEncoder
    alone = json.loads((args.directory / "config.json").read_text()).get("architectures") == ["WhisperEncoder"]
    cls = WhisperEncoder if alone else transformers.WhisperModel
    model = cls.from_pretrained(args.directory, dtype=torch.float32).eval()
    return model if alone else model.encoder


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("directory", type=pathlib.Path)
    ap.add_argument("--class", dest="cls")
    ap.add_argument("--batch", type=int, default=4)
    ap.add_argument("--tokens", type=int, default=24)
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--atol", default="1e-4")
    ap.add_argument("--rtol", default="1e-4")
    ap.add_argument("--generate", type=int, metavar="NEW_TOKENS")
    args = ap.parse_args()
    raw = json.loads((args.directory / "config.json").read_text())
    family = raw.get("model_type", "bert")
    if family not in INPUTS:
        ap.error(f"no inputs for model_type {family}; known are {', '.join(sorted(INPUTS))}")
    args.cls = args.cls or (raw.get("architectures") or ["BertModel"])[0]
    model = opened(args)
    config = model.config
    torch.manual_seed(args.seed)
    inputs = INPUTS[family](args, config)
    metadata = {"format": "silica-reference-1", "task": "forward", "atol": args.atol, "rtol": args.rtol}
    with torch.no_grad():
        if args.generate:
            inputs = left_padded(inputs)
            outputs = {"sequences": model.generate(**inputs, max_new_tokens=args.generate, do_sample=False)}
            metadata |= {"task": "generate", "max_new_tokens": str(args.generate)}
        else:
            outputs = dict(flat(model(**inputs)))
    tensors = {f"inputs.{k}": v for k, v in inputs.items()} | {f"outputs.{k}": v for k, v in outputs.items()}
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, args.directory / "reference.safetensors",
              metadata)
    print(args.directory / "reference.safetensors", {k: tuple(v.shape) for k, v in tensors.items()})


if __name__ == "__main__":
    main()
