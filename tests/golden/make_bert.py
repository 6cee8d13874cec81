#!/usr/bin/env python3
"""Writes golden/bert/<case>/: tiny random BERT checkpoints and what transformers makes of them.

Run by hand (`make_bert.py [CASE...]`, needs torch, transformers and safetensors); what it writes is committed, so that
the tests need neither. A case is a checkpoint with one or more reference files: `reference.safetensors`, and
`reference-<name>.safetensors` for other inputs, other activations (the test puts the name into config.json) and other
precisions (transformers ran in that precision). Format of a reference file: string metadata `format`, `task`, `atol`,
`rtol`, `architecture`, tensors `inputs.<field>` and `outputs.<field>`.

Weights are large (the logits differ by whole numbers, the attention is far from uniform), so that an error anywhere
shows: a checkpoint with transformers' own initialisation gives nearly the same output for every input.
"""
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel

HERE = pathlib.Path(__file__).resolve().parent / "bert"
SIZES = dict(vocab_size=100, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=37,
             max_position_embeddings=24)
ACTIVATIONS = ["gelu", "gelu_python", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_accurate",
               "gelu_10", "quick_gelu", "relu", "relu2", "relu6", "leaky_relu", "silu", "swish", "sigmoid", "tanh",
               "mish", "laplace", "linear"]
OUTPUTS = ["last_hidden_state", "pooler_output", "logits"]


def randomise(model):
    """Products keep the size of their input, biases and norms are nowhere near 0 and 1."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "LayerNorm" in name:
                p.copy_(torch.randn_like(p) * 0.2 + (1 if name.endswith("weight") else 0))
            elif name.endswith("bias"):
                p.copy_(torch.randn_like(p) * 0.3)
            elif "embeddings" in name:
                p.copy_(torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * 1.5 / p.shape[1] ** 0.5)


def batch(config, lengths, left=(), types=True, mask=True):
    """Rows of these lengths, padded with id 0 on the right, or on the left for the rows in `left`."""
    tokens = max(lengths)
    inputs = {"input_ids": torch.zeros(len(lengths), tokens, dtype=torch.long)}
    kept = torch.zeros_like(inputs["input_ids"])
    for row, n in enumerate(lengths):
        at = slice(tokens - n, tokens) if row in left else slice(0, n)
        inputs["input_ids"][row, at] = torch.randint(1, config.vocab_size, (n,))
        kept[row, at] = 1
    if mask:
        inputs["attention_mask"] = kept
    if types:
        inputs["token_type_ids"] = torch.randint(0, config.type_vocab_size, inputs["input_ids"].shape)
    return inputs


def run(model, inputs):
    with torch.no_grad():
        out = model(**inputs)
    return {k: out[k] for k in OUTPUTS if k in out and out[k] is not None}


def save(path, model, inputs, outputs, atol=1e-5, rtol=1e-5):
    tensors = {f"inputs.{k}": v for k, v in inputs.items()} | {f"outputs.{k}": v for k, v in outputs.items()}
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, path,
              {"format": "silica-reference-1", "task": "forward", "atol": str(atol), "rtol": str(rtol),
               "architecture": type(model).__name__})


def write(case, make, lengths=(7, 12, 3, 12), left=(2,), others=(), halves=False, types=True,
          steep=False):
    """`others`: name -> inputs. `halves`: also run in float16 and bfloat16, on the main inputs. `steep`: activations get
    arguments of +-20, so that those that differ there only (relu6, gelu_10) differ."""
    directory = HERE / case
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    torch.manual_seed(sum(map(ord, case)))
    model = make().eval()
    randomise(model)
    if steep:
        with torch.no_grad():
            model.bert.encoder.layer[0].intermediate.dense.weight.mul_(5)
    model.tie_weights()
    model.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    inputs = batch(model.config, lengths, left, types)
    save(directory / "reference.safetensors", model, inputs, run(model, inputs))
    for name, more in dict(others).items():
        more = more(model.config, inputs) if callable(more) else more
        save(directory / f"reference-{name}.safetensors", model, more, run(model, more))
    if halves:
        for dtype in (torch.float16, torch.bfloat16):
            half = make().eval()
            half.load_state_dict(model.state_dict())
            half = half.to(dtype)
            save(directory / f"reference-{str(dtype)[6:]}.safetensors", half, inputs, run(half, inputs))
    return directory, model, inputs


def changed(inputs, **values):
    return {k: v.clone() for k, v in inputs.items() if k not in values} | {k: v for k, v in values.items() if v is not None}


def all_masked(config, inputs):
    mask = inputs["attention_mask"].clone()
    mask[1] = 0
    return changed(inputs, attention_mask=mask)


def hole(config, inputs):
    mask = inputs["attention_mask"].clone()
    mask[1, 4:7] = 0
    return changed(inputs, attention_mask=mask)


SHAPES = {
    "one-token": lambda c, i: batch(c, (1, 1)),
    "single-token": lambda c, i: batch(c, (1,), types=False, mask=False),
    "longest": lambda c, i: batch(c, (c.max_position_embeddings, 2)),
    "no-mask": lambda c, i: changed(i, attention_mask=None),
    "no-types": lambda c, i: changed(i, token_type_ids=None),
    "ids-only": lambda c, i: {"input_ids": i["input_ids"].clone()},
    "all-attended": lambda c, i: changed(i, attention_mask=torch.ones_like(i["attention_mask"])),
    "all-masked-row": all_masked,
    "hole": hole,
}


def activations(case):
    directory, model, inputs = write(case, lambda: BertForSequenceClassification(
        BertConfig(**(SIZES | dict(num_hidden_layers=1, num_labels=5, layer_norm_eps=1e-5)))), lengths=(5, 3), left=(),
        steep=True)
    for name in ACTIVATIONS:
        config = BertConfig.from_pretrained(directory, hidden_act=name)
        other = BertForSequenceClassification(config).eval()
        other.load_state_dict(model.state_dict())
        save(directory / f"reference-{name}.safetensors", other, inputs, run(other, inputs))


def torch_file(case):
    """What the hub's oldest checkpoints are: a file of torch.save with TensorFlow's names for norms, positions as a
    buffer, and the decoder sharing the storage of the word vectors."""
    directory, model, _ = write(case, lambda: BertForMaskedLM(BertConfig(**(SIZES | dict(num_hidden_layers=1)))),
                                lengths=(5, 3), left=())
    state = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v
             for k, v in model.state_dict().items()}
    assert state["cls.predictions.decoder.weight"].data_ptr() == state["bert.embeddings.word_embeddings.weight"].data_ptr()
    state["bert.embeddings.position_ids"] = torch.arange(24).unsqueeze(0)
    torch.save(state, directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()


CASES = {
    "base": lambda c: write(c, lambda: BertModel(BertConfig(**(SIZES | dict(hidden_size=32, num_attention_heads=4)))),
                            others=SHAPES, halves=True),
    "base_without_pooler": lambda c: write(c, lambda: BertModel(BertConfig(**(SIZES | dict(
        num_attention_heads=1, type_vocab_size=1, layer_norm_eps=0.1))), add_pooling_layer=False)),
    "masked_lm": lambda c: write(c, lambda: BertForMaskedLM(BertConfig(**(SIZES | dict(
        num_attention_heads=8, hidden_act="gelu_new", layer_norm_eps=1e-5)))), halves=True),
    "masked_lm_untied": lambda c: write(c, lambda: BertForMaskedLM(BertConfig(**(SIZES | dict(
        tie_word_embeddings=False, intermediate_size=1))))),
    "sequence_classification": lambda c: write(c, lambda: BertForSequenceClassification(BertConfig(**(SIZES | dict(
        num_labels=3, type_vocab_size=4)))), halves=True),
    "sequence_classification_one_label": lambda c: write(c, lambda: BertForSequenceClassification(BertConfig(**(
        SIZES | dict(num_labels=1, num_hidden_layers=1, hidden_act="relu"))))),
    "activations": activations,
    "torch_file": torch_file,
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
