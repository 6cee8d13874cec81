#!/usr/bin/env python3
"""Writes golden/t5/<case>/: tiny random T5 checkpoints and what transformers makes of them.

Run by hand (`make_t5.py [CASE...]`, needs torch, transformers and safetensors); what it writes is committed, so that
the tests need neither. A case is a checkpoint with one or more reference files: `reference.safetensors`, and
`reference-<name>.safetensors` for other inputs and other precisions (transformers ran in that precision). Those named
`float32-` have tokens that may attend to nothing, for which half precisions give something else.
`generate.safetensors` holds texts that transformers generates greedily: `inputs.<field>`, `outputs.sequences` with the
decoder's start, and the metadata `max_new_tokens`.

Weights are large (the logits differ by whole numbers, the attention is far from uniform), and there are few buckets of
distances, so that every one is used.
"""
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import T5Config, T5EncoderModel, T5ForConditionalGeneration, T5Model

HERE = pathlib.Path(__file__).resolve().parent / "t5"
SIZES = dict(vocab_size=60, d_model=16, d_kv=6, d_ff=29, num_layers=3, num_decoder_layers=2, num_heads=2,
             relative_attention_num_buckets=8, relative_attention_max_distance=12, decoder_start_token_id=0)
FLAN = dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False)
OUTPUTS = ["logits", "last_hidden_state", "encoder_last_hidden_state"]


def randomise(model):
    """Products keep the size of their input; the attention has no scale of its own, so its queries are small."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "layer_norm" in name:
                p.copy_(1 + torch.randn_like(p) * 0.2)
            elif "relative_attention_bias" in name:
                p.copy_(torch.randn_like(p) * 1.5)
            elif "shared" in name or "embed_tokens" in name:
                p.copy_(torch.randn_like(p))
            elif name.endswith(".q.weight"):
                p.copy_(torch.randn_like(p) * 1.5 / (p.shape[1] * model.config.d_kv) ** 0.5)
            else:
                p.copy_(torch.randn_like(p) * 1.5 / p.shape[1] ** 0.5)


def rows(config, lengths, left=()):
    """Rows of these lengths, padded with id 0 on the right, or on the left for the rows in `left`; and their mask."""
    tokens = max(lengths)
    ids = torch.zeros(len(lengths), tokens, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, n in enumerate(lengths):
        at = slice(tokens - n, tokens) if row in left else slice(0, n)
        ids[row, at] = torch.randint(1, config.vocab_size, (n,))
        mask[row, at] = 1
    return ids, mask


def batch(config, lengths, decoder_lengths=None, left=(), decoder_left=()):
    ids, mask = rows(config, lengths, left)
    inputs = {"input_ids": ids, "attention_mask": mask}
    if decoder_lengths:
        inputs["decoder_input_ids"], inputs["decoder_attention_mask"] = rows(config, decoder_lengths, decoder_left)
    return inputs


def run(model, inputs):
    with torch.no_grad():
        out = model(**inputs)
    return {k: out[k] for k in OUTPUTS if k in out and out[k] is not None}


def tensors_of(inputs, outputs):
    tensors = {f"inputs.{k}": v for k, v in inputs.items()} | {f"outputs.{k}": v for k, v in outputs.items()}
    return {k: v.contiguous().clone() for k, v in tensors.items()}


def save(path, model, inputs, outputs, atol=2e-5, rtol=1e-5):
    save_file(tensors_of(inputs, outputs), path,
              {"format": "silica-reference-1", "task": "forward", "atol": str(atol), "rtol": str(rtol),
               "architecture": type(model).__name__})


def generated(model, inputs, new_tokens):
    """What transformers generates; the scores of the best two must be apart, or rounding would decide."""
    inputs = {k: v for k, v in inputs.items() if not k.startswith("decoder")}
    out = model.generate(**inputs, max_new_tokens=new_tokens, do_sample=False, num_beams=1, return_dict_in_generate=True,
                         output_scores=True)
    for scores in out.scores:
        best = scores.topk(2).values
        assert (best[:, 0] - best[:, 1]).min() > 1e-3, "choose another seed"
    return inputs, out.sequences


def write(case, make, lengths=(7, 13, 3, 13), decoder_lengths=(5, 9, 9, 2), left=(2,), decoder_left=(), others=(),
          halves=False, new_tokens=0, atol=2e-5, change=lambda model: None):
    """`others`: name -> inputs. `halves`: also run in float16 and bfloat16, on the main inputs."""
    directory = HERE / case
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    torch.manual_seed(sum(map(ord, case)))
    model = make().eval()
    randomise(model)
    change(model)
    model.tie_weights()
    model.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    inputs = batch(model.config, lengths, decoder_lengths, left, decoder_left)
    save(directory / "reference.safetensors", model, inputs, run(model, inputs), atol)
    for name, more in dict(others).items():
        more = more(model.config, inputs)
        save(directory / f"reference-{name}.safetensors", model, more, run(model, more))
    if halves:
        for dtype in (torch.float16, torch.bfloat16):
            half = type(model).from_pretrained(directory, dtype=dtype).eval()
            save(directory / f"reference-{str(dtype)[6:]}.safetensors", half, inputs, run(half, inputs))
    if new_tokens:
        given, sequences = generated(model, inputs, new_tokens)
        save_file(tensors_of(given, {"sequences": sequences}), directory / "generate.safetensors",
                  {"format": "silica-reference-1", "task": "generate", "max_new_tokens": str(new_tokens),
                   "architecture": type(model).__name__})
    return directory, model, inputs


def changed(inputs, **values):
    return {k: v.clone() for k, v in inputs.items() if k not in values} | {k: v for k, v in values.items() if v is not None}


def all_masked(config, inputs):
    mask = inputs["attention_mask"].clone()
    mask[1] = 0
    return changed(inputs, attention_mask=mask)


def holes(config, inputs):
    mask, decoder_mask = inputs["attention_mask"].clone(), inputs["decoder_attention_mask"].clone()
    mask[1, 4:7] = 0
    decoder_mask[1, 3:5] = 0
    return changed(inputs, attention_mask=mask, decoder_attention_mask=decoder_mask)


SHAPES = {
    "one-token": lambda c, i: changed(batch(c, (1,), (1,)), attention_mask=None, decoder_attention_mask=None),
    "long": lambda c, i: batch(c, (41, 2), (27, 5)),
    "start": lambda c, i: changed(batch(c, (4, 6)), decoder_input_ids=torch.zeros(2, 1, dtype=torch.long)),
    "no-masks": lambda c, i: changed(i, attention_mask=None, decoder_attention_mask=None),
    "float32-all-masked-row": all_masked,
    "float32-left": lambda c, i: batch(c, (7, 13, 3), (5, 9, 2), (0,), (0, 2)),
    "holes": holes,
}


def overflow(model):
    """The sum of embedding and attention leaves the range of float16, as it does in large T5 checkpoints."""
    with torch.no_grad():
        model.shared.weight.mul_(16000)
        for stack in (model.encoder, model.decoder):
            stack.block[0].layer[0].SelfAttention.o.weight.mul_(20000)


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
    torch.save(state, directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()


def untied(model):
    """An own matrix for the scores, which transformers then keeps apart."""
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.shared.weight) * 0.5)


CASES = {
    "v1_0": lambda c: write(c, lambda: T5ForConditionalGeneration(T5Config(**SIZES)), others=SHAPES, halves=True,
                            new_tokens=14),
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
    "overflow": lambda c: write(c, lambda: T5ForConditionalGeneration(T5Config(**SIZES)), halves=True, atol=2e-2,
                                change=overflow),
    "encoder": encoder_only,
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
