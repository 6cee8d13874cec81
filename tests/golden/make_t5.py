#!/usr/bin/env python3
"""Writes golden/t5/<case>/: tiny random T5 checkpoints and what transformers makes of them.

Run by hand (`make_t5.py [CASE...]`, needs torch, transformers and safetensors); what it writes is committed, so that
the tests need neither. Cases are those of golden.py. References named `float32-` have tokens that may attend to nothing,
for which half precisions give something else. `generate.safetensors` holds texts that transformers generates greedily:
`inputs.<field>`, `outputs.sequences` with the decoder's start, and the metadata `max_new_tokens`.

There are few buckets of distances, so that every one is used.
"""
import torch
from transformers import T5Config, T5EncoderModel, T5ForConditionalGeneration, T5Model

import golden
from golden import changed

HERE = golden.HERE / "t5"
SIZES = dict(vocab_size=60, d_model=16, d_kv=6, d_ff=29, num_layers=3, num_decoder_layers=2, num_heads=2,
             relative_attention_num_buckets=8, relative_attention_max_distance=12, decoder_start_token_id=0)
FLAN = dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False)
WITHIN = dict(atol=2e-5, rtol=1e-5)


def randomise(model):
    """The attention has no scale of its own, so its queries are small."""
    def special(name, p):
        if "relative_attention_bias" in name:
            return torch.randn_like(p) * 1.5
        if name.endswith(".q.weight"):
            return torch.randn_like(p) * 1.5 / (p.shape[1] * model.config.d_kv) ** 0.5
        return None

    golden.randomise(model, vectors=["shared", "embed_tokens"], special=special)


def rows(config, lengths, left=()):
    return golden.rows(lengths, 1, config.vocab_size, left)


def batch(config, lengths, decoder_lengths=None, left=(), decoder_left=()):
    ids, mask = rows(config, lengths, left)
    inputs = {"input_ids": ids, "attention_mask": mask}
    if decoder_lengths:
        inputs["decoder_input_ids"], inputs["decoder_attention_mask"] = rows(config, decoder_lengths, decoder_left)
    return inputs


def generated(model, inputs, new_tokens):
    """What transformers generates; the scores of the best two must be apart, or rounding would decide."""
    inputs = {k: v for k, v in inputs.items() if not k.startswith("decoder")}
    out = model.generate(**inputs, max_new_tokens=new_tokens, do_sample=False, num_beams=1, return_dict_in_generate=True,
                         output_scores=True)
    for scores in out.scores:
        best = scores.topk(2).values
        assert (best[:, 0] - best[:, 1]).min() > 1e-3, "choose another seed"
    return inputs, out.sequences


def write(case, make, lengths=(7, 13, 3, 13), decoder_lengths=(5, 9, 9, 2), left=(2,), decoder_left=(), new_tokens=0,
          **more):
    directory, model, inputs = golden.write(
        HERE / case, case, make, randomise, lambda c: batch(c, lengths, decoder_lengths, left, decoder_left), reread=True,
        **WITHIN, **more)
    if new_tokens:
        given, sequences = generated(model, inputs, new_tokens)
        golden.save(directory / "generate.safetensors", model, given, {"sequences": sequences}, task="generate",
                    max_new_tokens=new_tokens)
    return directory, model, inputs


def all_masked(inputs):
    mask = inputs["attention_mask"].clone()
    mask[1] = 0
    return changed(inputs, attention_mask=mask)


def holes(inputs):
    mask, decoder_mask = inputs["attention_mask"].clone(), inputs["decoder_attention_mask"].clone()
    mask[1, 4:7] = 0
    decoder_mask[1, 3:5] = 0
    return changed(inputs, attention_mask=mask, decoder_attention_mask=decoder_mask)


SHAPES = {
    "one-token": lambda c: changed(batch(c, (1,), (1,)), attention_mask=None, decoder_attention_mask=None),
    "long": lambda c: batch(c, (41, 2), (27, 5)),
    "start": lambda c: changed(batch(c, (4, 6)), decoder_input_ids=torch.zeros(2, 1, dtype=torch.long)),
    "float32-left": lambda c: batch(c, (7, 13, 3), (5, 9, 2), (0,), (0, 2)),
}
CHANGES = {
    "no-masks": lambda i: changed(i, attention_mask=None, decoder_attention_mask=None),
    "float32-all-masked-row": all_masked,
    "holes": holes,
}


def overflow(case):
    """The sum of embedding and attention leaves the range of float16, as it does in large T5 checkpoints."""
    def enlarge(model):
        with torch.no_grad():
            model.shared.weight.mul_(16000)
            for stack in (model.encoder, model.decoder):
                stack.block[0].layer[0].SelfAttention.o.weight.mul_(20000)

    directory, model, inputs = write(case, lambda: T5ForConditionalGeneration(T5Config(**SIZES)), halves=True, change=enlarge)
    golden.save(directory / "reference.safetensors", model, inputs, **(WITHIN | dict(atol=2e-2)))


def encoder_only(case):
    """A file with `shared`, as transformers writes it; and the encoder of a whole checkpoint gives the same."""
    return write(case, lambda: T5EncoderModel(T5Config(**(SIZES | dict(num_decoder_layers=None)))), decoder_lengths=None, halves=True)


def torch_file(case):
    """What the hub's oldest checkpoints are: a file of torch.save in which all word vectors share one storage, with a
    bias that no network reads."""
    directory, model, _ = write(case, lambda: T5ForConditionalGeneration(T5Config(**(SIZES | dict(
        num_layers=1, num_decoder_layers=1)))), lengths=(5, 3), decoder_lengths=(2, 4), left=(), decoder_left=())
    state = model.state_dict()
    for name in ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"):
        assert state[name].data_ptr() == state["shared.weight"].data_ptr()
    state["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"] = torch.randn(8, 2)
    golden.as_torch_file(directory, state)


def untied(model):
    """An own matrix for the scores, which transformers then keeps apart."""
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.shared.weight) * 0.5)


CASES = {
    "v1_0": lambda c: write(c, lambda: T5ForConditionalGeneration(T5Config(**SIZES)), others=SHAPES, changes=CHANGES,
                            halves=True, new_tokens=14),
    "v1_1": lambda c: write(c, lambda: T5ForConditionalGeneration(T5Config(**(SIZES | FLAN))), halves=True,
                            new_tokens=14, change=untied),
    "gated_silu": lambda c: write(c, lambda: T5ForConditionalGeneration(T5Config(**(SIZES | dict(
        feed_forward_proj="gated-silu", num_layers=1, num_decoder_layers=1, num_heads=4, d_kv=5,
        relative_attention_num_buckets=6, relative_attention_max_distance=5, layer_norm_epsilon=0.1,
        decoder_start_token_id=7))))),
    "activation": lambda c: write(c, lambda: T5ForConditionalGeneration(T5Config(**(SIZES | dict(
        feed_forward_proj="gelu_fast", num_layers=1, num_decoder_layers=1))))),
    "base": lambda c: write(c, lambda: T5Model(T5Config(**(SIZES | dict(num_layers=1, num_decoder_layers=3)))),
                            halves=True),
    "overflow": overflow,
    "encoder": encoder_only,
    "torch_file": torch_file,
}


if __name__ == "__main__":
    golden.main(CASES, HERE)
