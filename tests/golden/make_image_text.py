#!/usr/bin/env python3
"""Writes golden/image_text/: prompts with pictures, as transformers' processors and generate read and answer them.

Run by hand (needs torch, transformers, tokenizers, Pillow and safetensors, and no torchvision: its processors are not
PIL's); what it writes is committed, so that the tests need none of them.

`llava` and `llava_next` are tiny random checkpoints, with the files of a processor as the hub has them (flat, with
chat_template.json) and as transformers 5 writes them (nested, with chat_template.jinja); `answers.json` in each holds
prompts, and what generate writes after them. `processors.json` holds further processors: the files of a directory, and
what comes of prompts. Pictures are [height, width, seed] of a formula; pixel_values are their FNV-1a 64.
"""
import json
import pathlib
import shutil

import numpy as np
import torch
from PIL import Image
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
from transformers import (CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaNextConfig,
                          LlavaNextForConditionalGeneration, LlavaNextProcessor, LlavaProcessor, MistralConfig,
                          PreTrainedTokenizerFast)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

HERE = pathlib.Path(__file__).resolve().parent / "image_text"
VICUNA = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}"
    "{# Render all images first #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}{% endfor %}"
    "{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}")
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' }}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}{{ '<image>\n' }}"
    "{% else %}{{ content['text'] }}{% endif %}{% endfor %}{{ ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'][0]['text'] + '</s> ' }}{% endif %}{% endfor %}")


def picture(height, width, seed):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return Image.fromarray(((3 * x + 2 * y + 20 * seed + 30 * c) % 256).astype(np.uint8))


def fnv(array):
    value = 0xCBF29CE484222325
    for byte in np.ascontiguousarray(array).tobytes():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def tokenizer(bos=True):
    """Letters, as Llama's tokenizer would see them."""
    letters = "▁abcdefghijklmnopqrstuvwxyzABEINSTURWH:.?[]/\n"
    vocab = {token: i for i, token in enumerate(["<unk>", "<s>", "</s>", *letters, "he", "▁c"])}
    made = Tokenizer(models.BPE(vocab, [("h", "e"), ("▁", "c")], unk_token="<unk>", fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    if bos:
        made.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B",
                                                            special_tokens=[("<s>", 1)])
    made.add_special_tokens([AddedToken(t, normalized=False) for t in ("<unk>", "<s>", "</s>")])
    made.add_tokens([AddedToken(t, special=True, normalized=False) for t in ("<image>", "<pad>")])
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
                                   pad_token="<pad>")


def prompt_of(processor, text, images):
    """As `silica describe` makes one of a text."""
    if "<image>" in text or processor.chat_template is None:
        return (text if "<image>" in text else "<image>\n" * images + text), {}
    content = [{"type": "image"}] * images + [{"type": "text", "text": text}]
    return rendered(processor, [{"role": "user", "content": content}])


def rendered(processor, messages):
    prompt = processor.apply_chat_template(messages, add_generation_prompt=True)
    return prompt, {"add_special_tokens": False} if prompt.startswith("<s>") else {}


def read(processor, prompt, images, **more):
    return processor(text=prompt, images=[picture(*i) for i in images] or None, return_tensors="pt", **more)


def entry(processor, text, images):
    prompt, more = prompt_of(processor, text, len(images))
    inputs = read(processor, prompt, images, **more)
    made = {"text": text, "images": images, "prompt": prompt, "ids": inputs["input_ids"][0].tolist()}
    if images:
        made["shape"] = list(inputs["pixel_values"].shape)
        made["pixels"] = fnv(inputs["pixel_values"].numpy())
    if "image_sizes" in inputs:
        made["image_sizes"] = inputs["image_sizes"].tolist()
    return made, inputs


def write(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def large(model):
    """Weights so large that the logits differ by whole numbers."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() == 1 and "norm" in name and name.endswith("weight"):
                p.copy_(1 + 0.2 * torch.randn_like(p))
            elif p.dim() == 1 or "embed" in name or "position" in name:
                p.copy_(torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * 1.5 / p[0].numel() ** 0.5)
    return model.float().eval()


def answer(model, inputs, tokens):
    with torch.no_grad():
        out = model.generate(**inputs, do_sample=False, max_new_tokens=tokens)
    return out[0, inputs["input_ids"].shape[1]:].tolist()


def talk(model, processor, turns, tokens):
    """Each turn from the beginning; or None where an answer is short, or is not read as it was written."""
    messages, made, images = [], [], []
    held = None
    for pictures, text in turns:
        images += pictures
        messages.append({"role": "user", "content": [{"type": "image"}] * len(pictures) + [{"type": "text", "text": text}]})
        prompt, more = rendered(processor, messages)
        inputs = read(processor, prompt, images, **more)
        ids = inputs["input_ids"][0].tolist()
        if held is not None and ids[:len(held)] != held:
            return None
        new = answer(model, inputs, tokens)
        if len(new) < 4:
            return None
        said = processor.tokenizer.decode(new, skip_special_tokens=True)
        messages.append({"role": "assistant", "content": [{"type": "text", "text": said}]})
        made.append({"images": pictures, "text": text, "prompt": prompt, "generated": new, "answer": said,
                     "held": 0 if held is None else len(held)})
        held = ids + new[:-1]
    return made


def checkpoint(name, config, kind, processor, flat):
    where = HERE / name
    shutil.rmtree(where, ignore_errors=True)
    turns = [([[30, 41, 1]], "what is he"), ([], "and where?"), ([[22, 9, 2], [50, 20, 3]], "this?")]
    for seed in range(1000):
        torch.manual_seed(seed)
        model = large(kind(config))
        talked = talk(model, processor, turns, 7)
        if talked is not None:
            break
    assert talked is not None
    model.save_pretrained(where)
    processor.save_pretrained(where)
    (where / "generation_config.json").unlink(missing_ok=True)
    if flat:
        whole = json.loads((where / "processor_config.json").read_text())
        write(where / "preprocessor_config.json", whole.pop("image_processor") | {"processor_class": whole["processor_class"]})
        write(where / "processor_config.json", whole)
        (where / "chat_template.jinja").unlink()
        write(where / "chat_template.json", {"chat_template": processor.chat_template})
    answers = []
    for text, images, tokens in [("what is this?", [[30, 41, 1]], 9), ("the cat", [], 5), ("which?", [[40, 12, 4], [20, 20, 5]], 12),
                                 ("Bee <image> and\n<image>:", [[7, 60, 6], [61, 60, 7]], 8), ("a<image>", [[1, 90, 8]], 1)]:
        made, inputs = entry(processor, text, images)
        new = answer(model, inputs, tokens)
        said = processor.tokenizer.decode(new, skip_special_tokens=True)
        answers.append(made | {"generated": new, "answer": said, "max_new_tokens": tokens})
    write(where / "answers.json", {"answers": answers, "talk": talked})


def checkpoints():
    vision = CLIPVisionConfig(hidden_size=12, intermediate_size=14, num_hidden_layers=2, num_attention_heads=2,
                              image_size=16, patch_size=4, projection_dim=8)
    made = tokenizer()
    text = dict(vocab_size=len(made) + 2, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4,
                num_key_value_heads=2, max_position_embeddings=512, bos_token_id=1, eos_token_id=2)
    keys = dict(patch_size=4, vision_feature_select_strategy="default", num_additional_image_tokens=1)
    images = dict(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    token = made.convert_tokens_to_ids("<image>")
    grids = [[16, 32], [32, 16], [32, 32], [48, 16], [16, 48]]
    checkpoint("llava", LlavaConfig(text_config=LlamaConfig(**text), vision_config=vision, image_token_index=token),
               LlavaForConditionalGeneration,
               LlavaProcessor(CLIPImageProcessorPil(**images), made, chat_template=VICUNA, **keys), True)
    checkpoint("llava_next",
               LlavaNextConfig(text_config=MistralConfig(**text), vision_config=vision, image_token_index=token,
                               image_grid_pinpoints=grids),
               LlavaNextForConditionalGeneration,
               LlavaNextProcessor(LlavaNextImageProcessorPil(image_grid_pinpoints=grids, **images), made,
                                  chat_template=MISTRAL, **keys), False)


def files_of(directory):
    """A directory's JSON and templates, but for the tokenizer's."""
    made = {}
    for path in sorted(directory.iterdir()):
        if path.name not in ("tokenizer.json", "tokenizer_config.json"):
            made[path.name] = path.read_text()
    return made


def further():
    """Processors of many kinds; all use the tokenizer of the checkpoints."""
    made = tokenizer()
    several = [[1, 100, 1], [100, 1, 2], [33, 33, 3], [48, 64, 4], [64, 48, 5], [7, 7, 6], [1, 1, 7], [67, 134, 8], [100, 100, 9]]
    cases = []

    def case(kind, images, keys, template=None, change=None, pictures=several, text="the cat"):
        processor = kind(images, made, chat_template=template, **keys)
        temporary = HERE / "temporary"
        processor.save_pretrained(temporary)
        if change:
            change(temporary)
        found = [entry(processor, text, [p])[0] for p in pictures]
        found.append(entry(processor, "a" + "<image>" * 3 + "he", pictures[2:5])[0])
        cases.append({"files": files_of(temporary), "prompts": found})
        shutil.rmtree(temporary)

    def flat(directory, keep=True, config=None):
        whole = json.loads((directory / "processor_config.json").read_text())
        (directory / "preprocessor_config.json").write_text(
            json.dumps(whole.pop("image_processor") | {"processor_class": whole["processor_class"]}))
        (directory / "processor_config.json").write_text(json.dumps(whole))
        if not keep:
            (directory / "processor_config.json").unlink()
            (directory / "config.json").write_text(json.dumps(config))

    square = lambda s: {"height": s, "width": s}
    full = dict(vision_feature_select_strategy="full", num_additional_image_tokens=0)
    default = dict(vision_feature_select_strategy="default", num_additional_image_tokens=1)
    case(LlavaProcessor, LlavaImageProcessorPil(do_pad=True, size={"shortest_edge": 20}, crop_size=square(20)),
         dict(patch_size=5, **default), VICUNA)
    case(LlavaProcessor, LlavaImageProcessorPil(do_pad=False, size={"shortest_edge": 24}, crop_size=square(20),
                                                image_mean=[0.1, 0.7, 0.4], image_std=[0.3, 0.2, 0.9]),
         dict(patch_size=3, **full), None, flat)
    case(LlavaProcessor, SiglipImageProcessorPil(size={"height": 18, "width": 24}), dict(patch_size=6, **full), MISTRAL)
    older = {"model_type": "llava", "vision_feature_select_strategy": "default", "vision_config": {"patch_size": 5}}
    case(LlavaProcessor, CLIPImageProcessorPil(size={"shortest_edge": 20}, crop_size=square(20)),
         dict(patch_size=5, **default), VICUNA, lambda d: flat(d, False, older))
    siglip = {"model_type": "llava", "vision_feature_select_strategy": "full",
              "vision_config": {"model_type": "siglip_vision_model", "patch_size": 4}}
    case(LlavaProcessor, SiglipImageProcessorPil(size=square(16)), dict(patch_size=4, **full), None,
         lambda d: flat(d, False, siglip))
    grids = [[16, 32], [32, 16], [32, 32], [48, 16], [16, 48]]
    case(LlavaNextProcessor, LlavaNextImageProcessorPil(size={"shortest_edge": 16}, crop_size=square(16),
                                                        image_grid_pinpoints=grids), dict(patch_size=2, **default), VICUNA, flat)
    case(LlavaNextProcessor, LlavaNextImageProcessorPil(size=square(15), crop_size=square(15), resample=2,
                                                        image_grid_pinpoints=[[30, 60], [17, 31], [45, 45]]),
         dict(patch_size=4, **full), None)
    case(LlavaNextProcessor, LlavaNextImageProcessorPil(size={"shortest_edge": 14}, crop_size=square(12), do_normalize=False,
                                                        image_grid_pinpoints=[[12, 24], [24, 12], [24, 36]]),
         dict(patch_size=3, **default), MISTRAL, lambda d: flat(d, False, {
             "model_type": "llava_next", "vision_feature_select_strategy": "default", "vision_config": {"patch_size": 3}}))
    write(HERE / "processors.json", cases)


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    checkpoints()
    further()
