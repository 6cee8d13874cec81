#!/usr/bin/env python3
"""Writes golden/chains/: small pictures, tiny checkpoints with their processors and tokenizers, and what transformers'
pipelines make of the pictures: whole chains from a file to labels, scores and vectors.

Run by hand (`make_chains.py [CASE...]`, needs torch, transformers, Pillow and numpy); what it writes is committed, so
that the tests need none of them. `expected.json` of a case: `classify`, {problem_type or "": {picture: [[label,
score], ...]}}; `match`, [{labels, template, pictures: {picture: [[label, score], ...]}}]; `embed`, {picture: vector of
length 1}; `video`, [{labels, results: [[label, score], ...]}], the pictures being its frames.
"""
import json
import sys

import numpy
import torch
from PIL import Image
from transformers import (CLIPConfig, CLIPForImageClassification, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer,
                          DeiTConfig, DeiTForImageClassificationWithTeacher, DeiTImageProcessorPil, ViTConfig,
                          ViTForImageClassification, ViTImageProcessorPil, XCLIPConfig, XCLIPModel,
                          VideoMAEImageProcessorPil, pipeline)

import golden
from make_vit import SIZES, randomise

HERE = golden.HERE / "chains"
PICTURES = {"wide.png": (20, 52), "tall.jpg": (45, 31), "small.png": (9, 9), "grey.jpg": (30, 30)}
LABELS = ["tabby", "red, deep", "a \"quoted\" name", "Übergröße", "e", "f", "g"]


def pictures():
    """Smooth ones, so that a decoder that differs by a level changes no score."""
    (HERE / "pictures").mkdir(parents=True, exist_ok=True)
    random = numpy.random.default_rng(8)
    for name, (height, width) in PICTURES.items():
        coarse = Image.fromarray(random.integers(0, 256, (4, 5, 3), dtype=numpy.uint8))
        picture = coarse.resize((width, height), Image.Resampling.BICUBIC)
        picture = picture.convert("L") if "grey" in name else picture
        picture.save(HERE / "pictures" / name, **({"quality": 90} if name.endswith("jpg") else {}))
    return [str(HERE / "pictures" / name) for name in PICTURES]


def by_picture(results):
    return {name: [[r["label"], r["score"]] for r in result] for name, result in zip(PICTURES, results)}


def write(directory, model, processor, expected):
    model.save_pretrained(directory)
    processor.save_pretrained(directory)
    (directory / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    print(directory.name, sum(f.stat().st_size for f in directory.iterdir()), "bytes")


def classified(model, processor, files, problem_types=(None,)):
    found = {}
    for problem_type in problem_types:
        model.config.problem_type = problem_type
        classify = pipeline("image-classification", model=model, image_processor=processor)
        found[problem_type or ""] = by_picture([classify(file) for file in files])
    model.config.problem_type = None
    return found


def vectors(encode, processor, files):
    found = {}
    for name, file in zip(PICTURES, files):
        with torch.no_grad():
            vector = encode(**processor(Image.open(file).convert("RGB"), return_tensors="pt"))[0]
        found[name] = [round(x, 7) for x in (vector / vector.norm()).tolist()]
    return found


def vit(files):
    directory = golden.fresh(HERE / "vit", "vit")
    model = ViTForImageClassification(ViTConfig(**SIZES, id2label=dict(enumerate(LABELS)))).eval()
    randomise(model)
    processor = ViTImageProcessorPil(size={"height": 12, "width": 12})
    expected = {"classify": classified(model, processor, files, (None, "multi_label_classification", "regression")),
                "embed": vectors(lambda **x: model.vit(**x).last_hidden_state[:, 0], processor, files)}
    write(directory, model, processor, expected)


def teacher(files):
    directory = golden.fresh(HERE / "teacher", "teacher")
    model = DeiTForImageClassificationWithTeacher(DeiTConfig(**SIZES, num_labels=3)).eval()
    randomise(model)
    processor = DeiTImageProcessorPil(size={"height": 16, "width": 16}, crop_size={"height": 12, "width": 12})
    write(directory, model, processor, {"classify": classified(model, processor, files)})


def clip_config(**more):
    tower = dict(hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=2)
    return CLIPConfig(text_config=dict(**tower, vocab_size=514, max_position_embeddings=40, eos_token_id=513,
                                       bos_token_id=512, pad_token_id=513),
                      vision_config=dict(**tower, image_size=12, patch_size=4), projection_dim=8, **more)


def clip_parts(model):
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                p.copy_(torch.randn_like(p) * 0.2 + (1 if name.endswith("weight") else 0))
            elif p.dim() > 1:
                p.copy_(torch.randn_like(p) * (1.0 if "embedding" in name else 1.5 / p[0].numel() ** 0.5))
            elif p.dim() == 1:
                p.copy_(torch.randn_like(p) * 0.3)
    return model.eval(), CLIPImageProcessorPil(size={"shortest_edge": 12}, crop_size={"height": 12, "width": 12})


def tokenizer(directory):
    """CLIP's, of letters alone: no merges."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode
    letters = list(bytes_to_unicode().values())
    tokens = letters + [letter + "</w>" for letter in letters] + ["<|startoftext|>", "<|endoftext|>"]
    made = CLIPTokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=[], model_max_length=40)
    made.save_pretrained(directory)
    return made


def clip(files):
    directory = golden.fresh(HERE / "clip", "clip")
    model, processor = clip_parts(CLIPModel(clip_config(logit_scale_init_value=1.2)))
    words = tokenizer(directory)
    match = pipeline("zero-shot-image-classification", model=model, image_processor=processor, tokenizer=words)
    matches = [{"labels": labels, "template": template, "pictures": by_picture(
        [match(file, candidate_labels=labels, hypothesis_template=template) for file in files])}
        for labels, template in ((["a cat", "dog", "Ünder 3 cars!", "dog"], "This is a photo of {}."),
                                 (["cat", "dog"], "{}"))]
    embeds = vectors(lambda **x: model.get_image_features(**x).pooler_output, processor, files)
    write(directory, model, processor, {"match": matches, "embed": embeds})


def clip_classes(files):
    directory = golden.fresh(HERE / "clip_classes", "clip_classes")
    model, processor = clip_parts(CLIPForImageClassification(clip_config(num_labels=4)))
    write(directory, model, processor, {"classify": classified(model, processor, files)})


def xclip(files):
    directory = golden.fresh(HERE / "xclip", "xclip")
    tower = dict(hidden_size=16, intermediate_size=20, num_hidden_layers=1, num_attention_heads=2)
    model = XCLIPModel(XCLIPConfig(
        text_config=dict(**tower, vocab_size=514, max_position_embeddings=40, eos_token_id=513, bos_token_id=512,
                         pad_token_id=513),
        vision_config=dict(**tower, image_size=12, patch_size=4, num_frames=4, mit_hidden_size=8,
                           mit_intermediate_size=12, mit_num_attention_heads=2, mit_num_hidden_layers=1),
        projection_dim=8, prompt_layers=1, prompt_num_attention_heads=2, logit_scale_init_value=1.2))
    model, _ = clip_parts(model)
    processor = VideoMAEImageProcessorPil(size={"shortest_edge": 12}, crop_size={"height": 12, "width": 12})
    words = tokenizer(directory)
    frames = [Image.open(file).convert("RGB") for file in files]
    found = []
    for labels in (["a cat", "dog", "playing the guitar"], ["dog", "cat"]):
        with torch.no_grad():
            out = model(**words(labels, return_tensors="pt", padding=True), **processor(frames, return_tensors="pt"))
        scores = out.logits_per_video.softmax(dim=1)[0].tolist()
        found.append({"labels": labels, "results": [[labels[i], scores[i]] for i in sorted(
            range(len(labels)), key=lambda i: -scores[i])]})
    write(directory, model, processor, {"video": found})


def main():
    torch.set_num_threads(1)
    files = pictures()
    for case in sys.argv[1:] or ("vit", "teacher", "clip", "clip_classes", "xclip"):
        globals()[case](files)


if __name__ == "__main__":
    main()
