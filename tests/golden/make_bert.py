#!/usr/bin/env python3
"""Writes golden/bert/<case>/: tiny random BERT checkpoints and what transformers makes of them.

Run by hand (`make_bert.py [CASE...]`, needs torch, transformers and safetensors); what it writes is committed, so that
the tests need neither. Cases are those of golden.py; reference files of other activations are for a config.json with the
name of the activation, which the test puts there.
"""
import torch
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel

import golden
from golden import changed

HERE = golden.HERE / "bert"
SIZES = dict(vocab_size=100, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=37,
             max_position_embeddings=24)
ACTIVATIONS = ["gelu", "gelu_python", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_accurate",
               "gelu_10", "quick_gelu", "relu", "relu2", "relu6", "leaky_relu", "silu", "swish", "sigmoid", "tanh",
               "mish", "laplace", "linear"]
WITHIN = dict(atol=1e-5, rtol=1e-5)


def randomise(model):
    golden.randomise(model, vectors=["embeddings"])


def batch(config, lengths, left=(), types=True, mask=True):
    ids, kept = golden.rows(lengths, 1, config.vocab_size, left)
    inputs = {"input_ids": ids}
    if mask:
        inputs["attention_mask"] = kept
    if types:
        inputs["token_type_ids"] = torch.randint(0, config.type_vocab_size, ids.shape)
    return inputs


def write(case, make, lengths=(7, 12, 3, 12), left=(2,), **more):
    return golden.write(HERE / case, case, make, randomise, lambda c: batch(c, lengths, left), **WITHIN, **more)


def steep(model):
    """Activations get arguments of +-20, so that those that differ there only (relu6, gelu_10) differ."""
    with torch.no_grad():
        model.bert.encoder.layer[0].intermediate.dense.weight.mul_(5)


def all_masked(inputs):
    mask = inputs["attention_mask"].clone()
    mask[1] = 0
    return changed(inputs, attention_mask=mask)


def hole(inputs):
    mask = inputs["attention_mask"].clone()
    mask[1, 4:7] = 0
    return changed(inputs, attention_mask=mask)


SHAPES = {
    "one-token": lambda c: batch(c, (1, 1)),
    "single-token": lambda c: batch(c, (1,), types=False, mask=False),
    "longest": lambda c: batch(c, (c.max_position_embeddings, 2)),
}
CHANGES = {
    "no-mask": lambda i: changed(i, attention_mask=None),
    "no-types": lambda i: changed(i, token_type_ids=None),
    "ids-only": lambda i: {"input_ids": i["input_ids"].clone()},
    "all-attended": lambda i: changed(i, attention_mask=torch.ones_like(i["attention_mask"])),
    "all-masked-row": all_masked,
    "hole": hole,
}


def activations(case):
    directory, model, inputs = write(case, lambda: BertForSequenceClassification(
        BertConfig(**(SIZES | dict(num_hidden_layers=1, num_labels=5, layer_norm_eps=1e-5)))), lengths=(5, 3), left=(),
        change=steep)
    for name in ACTIVATIONS:
        config = BertConfig.from_pretrained(directory, hidden_act=name)
        other = BertForSequenceClassification(config).eval()
        other.load_state_dict(model.state_dict())
        golden.save(directory / f"reference-{name}.safetensors", other, inputs, **WITHIN)


def torch_file(case):
    """What the hub's oldest checkpoints are: a file of torch.save with TensorFlow's names for norms, positions as a
    buffer, and the decoder sharing the storage of the word vectors."""
    directory, model, _ = write(case, lambda: BertForMaskedLM(BertConfig(**(SIZES | dict(num_hidden_layers=1)))),
                                lengths=(5, 3), left=())
    state = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v
             for k, v in model.state_dict().items()}
    assert state["cls.predictions.decoder.weight"].data_ptr() == state["bert.embeddings.word_embeddings.weight"].data_ptr()
    state["bert.embeddings.position_ids"] = torch.arange(24).unsqueeze(0)
    golden.as_torch_file(directory, state)


CASES = {
    "base": lambda c: write(c, lambda: BertModel(BertConfig(**(SIZES | dict(hidden_size=32, num_attention_heads=4)))),
                            others=SHAPES, changes=CHANGES, halves=True),
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


if __name__ == "__main__":
    golden.main(CASES, HERE)
