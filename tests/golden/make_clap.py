#!/usr/bin/env python3
"""Writes golden/clap/<case>/: tiny random CLAP checkpoints and what transformers makes of them.

Run by hand (`make_clap.py [CASE...]`, needs torch, transformers and safetensors); what it writes is committed, so that
the tests need neither. A case is a checkpoint with one or more reference files: `reference.safetensors`, and
`reference-<name>.safetensors` for other inputs and other precisions (transformers ran in that precision). Outputs of the
two models inside those of both are `outputs.text_model_output.<field>`.

Weights are large (the logits differ by whole numbers, the attention is far from uniform, so are the biases of
positions), so that an error anywhere shows.
"""
import json
import pathlib
import shutil
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import (ClapAudioConfig, ClapAudioModel, ClapAudioModelWithProjection, ClapConfig, ClapModel,
                          ClapTextConfig, ClapTextModel, ClapTextModelWithProjection)

HERE = pathlib.Path(__file__).resolve().parent / "clap"
TEXT = dict(vocab_size=40, hidden_size=16, intermediate_size=21, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=14, type_vocab_size=2, layer_norm_eps=1e-5)
AUDIO = dict(spec_size=32, num_mel_bins=8, window_size=4, patch_size=4, patch_stride=[4, 4], depths=[2, 2],
             num_attention_heads=[2, 3], patch_embeds_hidden_size=12, hidden_size=24, mlp_ratio=2.0)
FUSED = AUDIO | dict(enable_fusion=True, fusion_type="aff_2d", aff_block_r=3)
WIDE = AUDIO | dict(patch_stride=[4, 2], window_size=3, depths=[3, 2], qkv_bias=False)


def both(text=(), audio=AUDIO, **more):
    return ClapConfig(**(dict(text_config=TEXT | dict(text), audio_config=dict(audio), projection_dim=10) | more))


def randomise(model):
    """Products keep the size of their input, biases and norms are nowhere near 0 and 1."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.startswith("logit_scale"):
                p.fill_(1.7 if name.endswith("a") else 1.2)
            elif "norm" in name.lower() or (".fusion_model." in name and p.dim() == 1):
                p.copy_(torch.randn_like(p) * 0.2 + (1 if name.endswith("weight") else 0))
            elif name.endswith("bias"):
                p.copy_(torch.randn_like(p) * 0.3)
            elif "embeddings" in name or "table" in name:
                p.copy_(torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * 1.5 / p[0].numel() ** 0.5)
        for name, b in model.named_buffers():
            if name.endswith("running_mean"):
                b.copy_(torch.randn_like(b) * (10 if "audio_encoder.batch_norm" in name or name.startswith("batch") else 1))
            if name.endswith("running_var"):
                b.copy_(torch.rand_like(b) * (200 if "audio_encoder.batch_norm" in name else 1) + 0.5)


def texts(config, lengths=(5, 9, 2), left=(), mask=True):
    """Rows of these lengths, padded with the padding's id."""
    c = getattr(config, "text_config", config)
    tokens = max(lengths)
    ids = torch.full((len(lengths), tokens), c.pad_token_id)
    kept = torch.zeros_like(ids)
    for row, n in enumerate(lengths):
        at = slice(tokens - n, tokens) if row in left else slice(0, n)
        ids[row, at] = torch.randint(3, c.vocab_size, (n,))
        kept[row, at] = 1
    return {"input_ids": ids} | ({"attention_mask": kept} if mask else {})


def sounds(frames=101, batch=2, longer=None):
    def inputs(config):
        c = getattr(config, "audio_config", config)
        channels = 4 if c.enable_fusion else c.patch_embed_input_channels
        values = {"input_features": torch.randn(batch, channels, frames, c.num_mel_bins) * 20 - 30}
        return values | ({"is_longer": torch.tensor(longer).unsqueeze(1)} if longer else {})
    return inputs


def pairs(**how):
    return lambda c: texts(c) | sounds(**how)(c)


def flat(outputs, prefix=""):
    for name, value in outputs.items():
        if torch.is_tensor(value):
            yield prefix + name, value
        elif hasattr(value, "items"):
            yield from flat(value, f"{prefix}{name}.")


def save(path, model, inputs, atol=5e-5, rtol=3e-5):
    with torch.no_grad():
        outputs = dict(flat(model(**inputs)))
    tensors = {f"inputs.{k}": v for k, v in inputs.items()} | {f"outputs.{k}": v for k, v in outputs.items()}
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, path,
              {"format": "silica-reference-1", "task": "forward", "atol": str(atol), "rtol": str(rtol),
               "architecture": type(model).__name__})


def write(case, make, main, others=(), halves=False, seed=0):
    """`main`, and in `others` by name: inputs of a config. `halves`: also run in float16 and bfloat16, on the main ones.
    `seed`: another one where transformers itself would be far from float32 in bfloat16."""
    directory = HERE / case
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    torch.manual_seed(sum(map(ord, case)) + seed)
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
        save(directory / f"reference-{str(dtype)[6:]}.safetensors", half.to(dtype),
             {k: v.to(dtype) if v.is_floating_point() else v for k, v in inputs.items()})
    return directory, model


def torch_file(case):
    """What the hub's oldest checkpoints are: a file of torch.save, with the tables that models make themselves."""
    directory, model = write(case, lambda: ClapModel(both(dict(num_hidden_layers=1), FUSED)),
                             pairs(longer=[False, True]), seed=5)
    torch.save(dict(model.state_dict()), directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()


def audio(config, **more):
    return lambda: ClapAudioModel(ClapAudioConfig(**(config | more)))


def audio_projection(config, **more):
    return lambda: ClapAudioModelWithProjection(ClapAudioConfig(**(config | dict(projection_dim=7) | more)))


ROWS = {"left": lambda c: texts(c, (4, 6), left=(1,)), "no-mask": lambda c: texts(c, (3, 3), mask=False)}
CASES = {
    "base": lambda c: write(c, lambda: ClapModel(both()), pairs(), {"whole": pairs(frames=128, batch=3)}, halves=True),
    "fused": lambda c: write(c, lambda: ClapModel(both(audio=FUSED)), pairs(batch=3, longer=[True, False, True]),
                             {"short": pairs(longer=[False, False])}, halves=True, seed=3),
    "torch_file": torch_file,
    "text": lambda c: write(c, lambda: ClapTextModel(ClapTextConfig(**TEXT)), texts, ROWS, halves=True),
    "text_projection": lambda c: write(c, lambda: ClapTextModelWithProjection(ClapTextConfig(**(TEXT | dict(
        projection_dim=23, num_attention_heads=16, hidden_act="relu", projection_hidden_act="gelu", pad_token_id=0)))),
        texts),
    "audio": lambda c: write(c, audio(WIDE), sounds(frames=77), {"one": sounds(batch=1)}, halves=True),
    "audio_overlap": lambda c: write(c, audio(AUDIO, patch_size=[6, 4], patch_stride=[4, 4], depths=[1, 1, 1],
                                              num_attention_heads=[1, 2, 4], window_size=1, spec_size=64,
                                              num_mel_bins=16, patch_embed_input_channels=2,
                                              enable_patch_layer_norm=False), sounds(frames=3)),
    "audio_projection": lambda c: write(c, audio_projection(AUDIO, mlp_ratio=1.3, hidden_act="gelu_new",
                                                            projection_hidden_act="gelu", layer_norm_eps=1e-2,
                                                            num_mel_bins=11, spec_size=24, window_size=2, patch_size=3,
                                                            patch_stride=3, depths=[4, 1]), sounds(frames=48)),
    "audio_fused": lambda c: write(c, audio_projection(FUSED, patch_size=6, patch_stride=[2, 4], window_size=4,
                                                       depths=[2, 2]), sounds(longer=[True, True])),
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
