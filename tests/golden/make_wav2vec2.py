#!/usr/bin/env python3
"""Writes golden/wav2vec2/<case>/: tiny random Wav2Vec2 checkpoints and what transformers makes of them.

Run by hand (`make_wav2vec2.py [CASE...]`, needs torch, transformers and safetensors); what it writes is committed, so
that the tests need neither. Cases are those of golden.py; positions are as large as what they are added to.
"""
import torch
from safetensors.torch import save_file
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2ForSequenceClassification, Wav2Vec2Model

import golden

HERE = golden.HERE / "wav2vec2"
BASE = dict(vocab_size=13, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=29,
            conv_dim=(10, 12, 14), conv_kernel=(7, 3, 2), conv_stride=(4, 2, 2), num_conv_pos_embeddings=6,
            num_conv_pos_embedding_groups=3)
LARGE = BASE | dict(feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True, num_conv_pos_embeddings=5,
                    num_conv_pos_embedding_groups=2)


def randomise(model):
    golden.randomise(model, special=lambda name, p: torch.rand_like(p) + 0.5 if name.endswith("original0") else None)


def sounds(lengths=(300,), samples=None, mask=True):
    """Rows of these lengths, zeros after them, and which samples are sound."""
    def inputs(config):
        n = samples or max(lengths)
        values, kept = torch.randn(len(lengths), n), torch.zeros(len(lengths), n, dtype=torch.long)
        for row, length in enumerate(lengths):
            values[row, length:] = 0
            kept[row, :length] = 1
        return {"input_values": values} | ({"attention_mask": kept} if mask else {})
    return inputs


ROWS = sounds((300, 211, 47))
ONE = {"one": sounds((161,), mask=False)}


WITHIN = dict(atol=5e-5, rtol=3e-5)


def write(case, make, main=ROWS, others=(), halves=False):
    return golden.write(HERE / case, case, make, randomise, main, **WITHIN, others=others, halves=halves,
                        half_stores=golden.cast)


def torch_file(case):
    """What the hub's oldest checkpoints are: a file of torch.save with the old names of the weight norm."""
    directory, model, _ = write(case, lambda: Wav2Vec2ForCTC(Wav2Vec2Config(**(BASE | dict(num_hidden_layers=1)))))
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    state = {}
    for name, tensor in model.state_dict().items():
        for new, old in names.items():
            name = name.replace(new, old)
        state[name] = tensor
    golden.as_torch_file(directory, state)


def languages(case):
    """MMS: what is in the file of weights, and an adapter with another vocabulary beside it; the reference of the
    language in reference-lang-xyz, which the tests open with target_lang."""
    directory, _, _ = write(case, ctc(LARGE, adapter_attn_dim=5))
    other = ctc(LARGE, adapter_attn_dim=5, vocab_size=17)().eval()
    randomise(other)
    kept = {k: v.contiguous().clone() for k, v in other._get_adapters().items()}
    save_file(kept, directory / "adapter.xyz.safetensors", {"format": "pt"})
    torch.save(kept, directory / "adapter.abc_old.bin")
    speaker = Wav2Vec2ForCTC.from_pretrained(directory, target_lang="xyz", ignore_mismatched_sizes=True).eval()
    assert speaker.lm_head.weight.shape[0] == 17
    (directory / "languages").mkdir()
    golden.save(directory / "languages" / "reference-xyz.safetensors", speaker, ROWS(speaker.config), **WITHIN)


def model(config, **more):
    return lambda: Wav2Vec2Model(Wav2Vec2Config(**(config | more)))


def ctc(config, **more):
    return lambda: Wav2Vec2ForCTC(Wav2Vec2Config(**(config | more)))


def classes(config, **more):
    return lambda: Wav2Vec2ForSequenceClassification(Wav2Vec2Config(**(config | dict(num_labels=3,
                                                                                    classifier_proj_size=9) | more)))


CASES = {
    "base": lambda c: write(c, ctc(BASE), others=ONE, halves=True),
    "model": lambda c: write(c, model(BASE, hidden_act="relu", feat_extract_activation="gelu_new", layer_norm_eps=1e-2,
                                      mask_time_prob=0.0), others=ONE),
    "large": lambda c: write(c, ctc(LARGE), others=ONE, halves=True),
    "large_model": lambda c: write(c, model(LARGE, conv_bias=False, num_conv_pos_embeddings=1,
                                            num_conv_pos_embedding_groups=24, num_attention_heads=1)),
    "group_stable": lambda c: write(c, model(BASE, do_stable_layer_norm=True, conv_bias=True)),
    "layer_post": lambda c: write(c, model(BASE, feat_extract_norm="layer", num_conv_pos_embeddings=9)),
    "torch_file": torch_file,
    "adapter": lambda c: write(c, ctc(BASE, add_adapter=True, num_adapter_layers=2, num_hidden_layers=1), others=ONE),
    "adapter_narrow": lambda c: write(c, model(LARGE, add_adapter=True, output_hidden_size=10, adapter_kernel_size=4,
                                               adapter_stride=3, num_adapter_layers=1, num_hidden_layers=1)),
    "languages": languages,
    "classes": lambda c: write(c, classes(BASE, num_labels=24), others=ONE, halves=True),
    "weighted": lambda c: write(c, classes(LARGE, use_weighted_layer_sum=True), others=ONE),
    "weighted_post": lambda c: write(c, classes(BASE, use_weighted_layer_sum=True, num_hidden_layers=3)),
}


if __name__ == "__main__":
    golden.main(CASES, HERE)
