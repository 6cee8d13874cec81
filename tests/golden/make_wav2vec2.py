#!/usr/bin/env python3
"""Writes golden/wav2vec2/<case>/: tiny random Wav2Vec2 checkpoints and what transformers makes of them.

Run by hand (`make_wav2vec2.py [CASE...]`, needs torch, transformers and safetensors); what it writes is committed, so
that the tests need neither. A case is a checkpoint with one or more reference files: `reference.safetensors`, and
`reference-<name>.safetensors` for other inputs and other precisions (transformers ran in that precision).

Weights are large (the logits differ by whole numbers, the attention is far from uniform, positions are as large as what
they are added to), so that an error anywhere shows.
"""
import json
import pathlib
import shutil
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2ForSequenceClassification, Wav2Vec2Model

HERE = pathlib.Path(__file__).resolve().parent / "wav2vec2"
BASE = dict(vocab_size=13, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=29,
            conv_dim=(10, 12, 14), conv_kernel=(7, 3, 2), conv_stride=(4, 2, 2), num_conv_pos_embeddings=6,
            num_conv_pos_embedding_groups=3)
LARGE = BASE | dict(feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True, num_conv_pos_embeddings=5,
                    num_conv_pos_embedding_groups=2)


def randomise(model):
    """Products keep the size of their input, biases and norms are nowhere near 0 and 1."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                p.copy_(torch.randn_like(p) * 0.2 + (1 if name.endswith("weight") else 0))
            elif name.endswith("bias"):
                p.copy_(torch.randn_like(p) * 0.3)
            elif name.endswith("original0"):
                p.copy_(torch.rand_like(p) + 0.5)
            elif p.dim() == 1:
                p.copy_(torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * 1.5 / p[0].numel() ** 0.5)


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


def save(path, model, inputs, atol=5e-5, rtol=3e-5):
    with torch.no_grad():
        outputs = {k: v for k, v in model(**inputs).items() if torch.is_tensor(v)}
    tensors = {f"inputs.{k}": v for k, v in inputs.items()} | {f"outputs.{k}": v for k, v in outputs.items()}
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, path,
              {"format": "silica-reference-1", "task": "forward", "atol": str(atol), "rtol": str(rtol),
               "architecture": type(model).__name__})


def write(case, make, main=ROWS, others=(), halves=False, seed=0):
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
        half = half.to(dtype)
        save(directory / f"reference-{str(dtype)[6:]}.safetensors", half,
             {k: v.to(dtype) if v.is_floating_point() else v for k, v in inputs.items()})
    return directory, model


def torch_file(case):
    """What the hub's oldest checkpoints are: a file of torch.save with the old names of the weight norm."""
    directory, model = write(case, lambda: Wav2Vec2ForCTC(Wav2Vec2Config(**(BASE | dict(num_hidden_layers=1)))))
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    state = {}
    for name, tensor in model.state_dict().items():
        for new, old in names.items():
            name = name.replace(new, old)
        state[name] = tensor
    torch.save(state, directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()


def languages(case):
    """MMS: what is in the file of weights, and an adapter with another vocabulary beside it; the reference of the
    language in reference-lang-xyz, which the tests open with target_lang."""
    make = lambda: Wav2Vec2ForCTC(Wav2Vec2Config(**(LARGE | dict(adapter_attn_dim=5))))
    directory, model = write(case, make)
    other = Wav2Vec2ForCTC(Wav2Vec2Config(**(LARGE | dict(adapter_attn_dim=5, vocab_size=17)))).eval()
    randomise(other)
    kept = {k: v.contiguous().clone() for k, v in other._get_adapters().items()}
    save_file(kept, directory / "adapter.xyz.safetensors", {"format": "pt"})
    torch.save(kept, directory / "adapter.abc_old.bin")
    speaker = Wav2Vec2ForCTC.from_pretrained(directory, target_lang="xyz", ignore_mismatched_sizes=True).eval()
    assert speaker.lm_head.weight.shape[0] == 17
    (directory / "languages").mkdir()
    save(directory / "languages" / "reference-xyz.safetensors", speaker, ROWS(speaker.config))


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
    "classes": lambda c: write(c, classes(BASE), others=ONE, halves=True),
    "weighted": lambda c: write(c, classes(LARGE, use_weighted_layer_sum=True), others=ONE),
    "weighted_post": lambda c: write(c, classes(BASE, use_weighted_layer_sum=True, num_hidden_layers=3)),
}


def main():
    torch.set_num_threads(1)
    for case in sys.argv[1:] or CASES:
        CASES[case](case)
        size = sum(f.stat().st_size for f in (HERE / case).rglob("*"))
        print(f"{case}: {len(list((HERE / case).glob('reference*')))} references, {size} bytes")
    (HERE / "versions.json").write_text(json.dumps(
        {"torch": torch.__version__, "transformers": transformers.__version__}, indent=2) + "\n")


if __name__ == "__main__":
    main()
