#!/usr/bin/env python3
"""Writes golden/clap/<case>/: tiny random CLAP checkpoints and what transformers makes of them.

Run by hand (`make_clap.py [CASE...]`, needs torch, transformers and safetensors); what it writes is committed, so that
the tests need neither. Cases are those of golden.py; biases of positions are far from uniform, too.
"""
import torch
from transformers import (ClapAudioConfig, ClapAudioModel, ClapAudioModelWithProjection, ClapConfig, ClapModel,
                          ClapTextConfig, ClapTextModel, ClapTextModelWithProjection)

import golden

HERE = golden.HERE / "clap"
TEXT = dict(vocab_size=40, hidden_size=16, intermediate_size=21, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=14, type_vocab_size=2, layer_norm_eps=1e-5)
AUDIO = dict(spec_size=32, num_mel_bins=8, window_size=4, patch_size=4, patch_stride=[4, 4], depths=[2, 2],
             num_attention_heads=[2, 3], patch_embeds_hidden_size=12, hidden_size=24, mlp_ratio=2.0)
FUSED = AUDIO | dict(enable_fusion=True, fusion_type="aff_2d", aff_block_r=3)
WIDE = AUDIO | dict(patch_stride=[4, 2], window_size=3, depths=[3, 2], qkv_bias=False)


def both(text=(), audio=AUDIO, **more):
    return ClapConfig(**(dict(text_config=TEXT | dict(text), audio_config=dict(audio), projection_dim=10) | more))


def randomise(model):
    """Statistics of batch norms too, those of the mels as large as mels are."""
    def special(name, p):
        if name.startswith("logit_scale"):
            return torch.full_like(p, 1.7 if name.endswith("a") else 1.2)
        return None

    golden.randomise(model, vectors=["embeddings", "table"], special=special,
                     norm=lambda name, p: golden.is_norm(name, p) or (".fusion_model." in name and p.dim() == 1))
    with torch.no_grad():
        for name, b in model.named_buffers():
            if name.endswith("running_mean"):
                b.copy_(torch.randn_like(b) * (10 if "audio_encoder.batch_norm" in name or name.startswith("batch") else 1))
            if name.endswith("running_var"):
                b.copy_(torch.rand_like(b) * (200 if "audio_encoder.batch_norm" in name else 1) + 0.5)


def texts(config, lengths=(5, 9, 2), left=(), mask=True):
    c = getattr(config, "text_config", config)
    ids, kept = golden.rows(lengths, 3, c.vocab_size, left, c.pad_token_id)
    return {"input_ids": ids} | ({"attention_mask": kept} if mask else {})


def sounds(frames=101, batch=2, longer=None):
    def inputs(config):
        c = getattr(config, "audio_config", config)
        channels = 4 if c.enable_fusion else c.patch_embed_input_channels
        values = {"input_features": torch.randn(batch, channels, frames, c.num_mel_bins) * 20 - 30}
        return values | ({"is_longer": torch.tensor(longer).unsqueeze(1)} if longer else {})
    return inputs


def pairs(lengths=(5, 9, 2), **how):
    return lambda c: texts(c, lengths) | sounds(**how)(c)


def many(frames=101):
    """Enough logits that an error in a half precision is that of the type, not the luck of a few roundings."""
    return pairs((5, 9, 2, 7, 3, 12), frames=frames, batch=4)


def write(case, make, main, others=(), halves=False, seed=0):
    """`seed`: another one where transformers itself would be far from float32 in a half precision. That of `base` is the
    first where it is within half of what `silica verify` allows, in both of them and for both inputs."""
    return golden.write(HERE / case, sum(map(ord, case)) + seed, make, randomise, main, 5e-5, 3e-5, others,
                        halves=halves, half_stores=golden.cast)


def torch_file(case):
    """With the tables that models make themselves."""
    directory, model, _ = write(case, lambda: ClapModel(both(dict(num_hidden_layers=1), FUSED)),
                                pairs(longer=[False, True]), seed=5)
    golden.as_torch_file(directory, dict(model.state_dict()))


def audio(config, **more):
    return lambda: ClapAudioModel(ClapAudioConfig(**(config | more)))


def audio_projection(config, **more):
    return lambda: ClapAudioModelWithProjection(ClapAudioConfig(**(config | dict(projection_dim=7) | more)))


ROWS = {"left": lambda c: texts(c, (4, 6), left=(1,)), "no-mask": lambda c: texts(c, (3, 3), mask=False)}
CASES = {
    "base": lambda c: write(c, lambda: ClapModel(both()), many(), {"whole": many(frames=128)}, halves=True, seed=4),
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


if __name__ == "__main__":
    golden.main(CASES, HERE)
