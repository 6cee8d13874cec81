#!/usr/bin/env python3
"""Writes golden/whisper/<case>/: tiny random Whisper checkpoints with what transformers makes of them.

Run by hand (needs torch, transformers, safetensors); what it writes is committed. Each case is a checkpoint with
`reference*.safetensors` in the format of `silica verify`. `generate.safetensors` holds what transformers generates
greedily: `inputs.<field>`, `outputs.sequences` with the prompt, and the metadata `max_new_tokens`.
`alignment.safetensors` holds the weights of cross-attention: `encoder_outputs`, `ids`, `heads` ([layer, head]) and
`weights` (rows, heads, tokens, n).

Weights are large: the logits differ by whole numbers, the attention is far from uniform.
"""
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import GenerationMixin, WhisperConfig, WhisperForConditionalGeneration, WhisperModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder

HERE = pathlib.Path(__file__).resolve().parent / "whisper"
SIZES = dict(vocab_size=60, num_mel_bins=5, d_model=16, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=23,
             decoder_layers=3, decoder_attention_heads=2, decoder_ffn_dim=29, max_source_positions=9,
             max_target_positions=20, decoder_start_token_id=58, pad_token_id=57, bos_token_id=57, eos_token_id=57)
DISTIL = dict(encoder_layers=3, decoder_layers=1, num_mel_bins=8, encoder_attention_heads=1, decoder_attention_heads=8,
              activation_function="relu", scale_embedding=True, tie_word_embeddings=False, max_source_positions=4)
OUTPUTS = ["logits", "last_hidden_state", "encoder_last_hidden_state"]


def randomise(model):
    """Products keep the size of their input; the positions of the encoder stay sinusoids."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "layer_norm" in name and name.endswith("weight"):
                p.copy_(1 + torch.randn_like(p) * 0.2)
            elif p.dim() == 1:
                p.copy_(torch.randn_like(p) * 0.3)
            elif "embed_tokens" in name:
                p.copy_(torch.randn_like(p) * 0.7)
            elif "decoder.embed_positions" in name:
                p.copy_(torch.randn_like(p) * 0.7)
            elif "embed_positions" not in name:
                p.copy_(torch.randn_like(p) * 1.3 / p[0].numel() ** 0.5)


def tokens(config, lengths, left=()):
    """Rows of these lengths, padded on the right, or on the left for the rows in `left`; and their mask."""
    width = max(lengths)
    ids = torch.full((len(lengths), width), config.pad_token_id)
    mask = torch.zeros_like(ids)
    for row, n in enumerate(lengths):
        at = slice(width - n, width) if row in left else slice(0, n)
        ids[row, at] = torch.randint(0, 56, (n,))
        mask[row, at] = 1
    return {"decoder_input_ids": ids, "decoder_attention_mask": mask}


def features(config, rows):
    return {"input_features": torch.randn(rows, config.num_mel_bins, 2 * config.max_source_positions)}


def run(model, inputs):
    with torch.no_grad():
        out = model(**inputs)
    return {k: out[k] for k in OUTPUTS if k in out and out[k] is not None}


def save(path, model, inputs, outputs, atol=2e-5, rtol=1e-5):
    tensors = {f"inputs.{k}": v for k, v in inputs.items()} | {f"outputs.{k}": v for k, v in outputs.items()}
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, path,
              {"format": "silica-reference-1", "task": "forward", "atol": str(atol), "rtol": str(rtol),
               "architecture": type(model).__name__})


def save_generated(path, model, inputs, new_tokens):
    """What the plain loop writes; the scores of the best two must be apart, or rounding would decide."""
    out = GenerationMixin.generate(model, **inputs, max_new_tokens=new_tokens, do_sample=False,
                                   return_dict_in_generate=True, output_scores=True)
    for scores in out.scores:
        best = scores.topk(2).values
        assert (best[:, 0] - best[:, 1]).min() > 1e-3, "choose another seed"
    tensors = {f"inputs.{k}": v for k, v in inputs.items()} | {"outputs.sequences": out.sequences}
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, path,
              {"format": "silica-reference-1", "task": "generate", "max_new_tokens": str(new_tokens),
               "architecture": type(model).__name__})


def save_alignment(path, directory, heads, rows=4, windows=2, length=7):
    model = WhisperForConditionalGeneration.from_pretrained(directory, attn_implementation="eager").eval()
    ids = torch.randint(0, 56, (rows, length))
    with torch.no_grad():
        encoded = model.get_encoder()(**features(model.config, windows)).last_hidden_state
        out = model(encoder_outputs=(encoded.repeat_interleave(rows // windows, 0),), decoder_input_ids=ids,
                    output_attentions=True)
    weights = torch.stack([out.cross_attentions[layer][:, head] for layer, head in heads], 1)
    save_file({"encoder_outputs": encoded.contiguous(), "ids": ids, "heads": torch.tensor(heads),
               "weights": weights.contiguous()}, path, {"format": "pt"})


def write(case, make, lengths=(9, 4, 6), others=(), halves=False, change=lambda directory, model: None):
    """`others`: name -> inputs. `halves`: also run in float16 and bfloat16, on the main inputs."""
    directory = HERE / case
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    torch.manual_seed(sum(map(ord, case)))
    model = make().eval()
    randomise(model)
    model.tie_weights()
    model.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    c = model.config
    inputs = features(c, len(lengths) or 3) | (tokens(c, lengths) if lengths else {})
    save(directory / "reference.safetensors", model, inputs, run(model, inputs))
    for name, more in dict(others).items():
        more = more(model, inputs)
        out = run(model, more)
        if "encoder_outputs" in more:  # the encoder did not run
            del out["encoder_last_hidden_state"]
        save(directory / f"reference-{name}.safetensors", model, more, out)
    if halves:
        for dtype in (torch.float16, torch.bfloat16):
            half = type(model).from_pretrained(directory, dtype=dtype).eval()
            given = inputs | {"input_features": inputs["input_features"].to(dtype)}
            save(directory / f"reference-{str(dtype)[6:]}.safetensors", half, inputs, run(half, given))
    change(directory, model)


def left(model, inputs):
    return features(model.config, 3) | tokens(model.config, (8, 3, 5), (1, 2))


def positions(model, inputs):
    more = left(model, inputs)
    mask = more["decoder_attention_mask"]
    return more | {"decoder_position_ids": (mask.cumsum(-1) - 1).masked_fill(mask == 0, 0)}


def encoded(model, inputs):
    with torch.no_grad():
        out = model.get_encoder()(input_features=inputs["input_features"]).last_hidden_state
    return {k: v for k, v in inputs.items() if k != "input_features"} | {"encoder_outputs": out}


OTHERS = {
    "one-token": lambda m, i: features(m.config, 1) | {"decoder_input_ids": torch.tensor([[58]])},
    "no-mask": lambda m, i: features(m.config, 2) | {"decoder_input_ids": torch.randint(0, 56, (2, 20))},
    "sound-mask": lambda m, i: i | {"attention_mask": torch.ones(3, 18, dtype=torch.int32)},
    "float32-left": left,
    "float32-positions": positions,
}


def generation(directory, model):
    inputs = features(model.config, 3) | tokens(model.config, (4, 2, 3), (1, 2))
    save_generated(directory / "generate.safetensors", model, inputs, 13)
    save_alignment(directory / "alignment.safetensors", directory, [[2, 1], [0, 0], [2, 0]])


def save_encoded(directory, model):
    """With the encoder's output in the place of features: what it gives is compared by a test of its own."""
    inputs = encoded(model, torch_inputs(directory))
    out = run(model, inputs)
    save_file({f"inputs.{k}": v.contiguous().clone() for k, v in inputs.items()} |
              {"outputs.logits": out["logits"].contiguous()}, directory / "encoded.safetensors", {"format": "pt"})
    generation(directory, model)


def torch_inputs(directory):
    from safetensors.torch import load_file
    return {k[7:]: v for k, v in load_file(directory / "reference.safetensors").items() if k.startswith("inputs.")}


def torch_file(directory, model):
    """What the hub's oldest checkpoints are: a file of torch.save with the tied matrix under both names."""
    state = model.state_dict()
    assert state["proj_out.weight"].data_ptr() == state["model.decoder.embed_tokens.weight"].data_ptr()
    torch.save(state, directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()


def of(cls, **more):
    return lambda: cls(WhisperConfig(**(SIZES | more)))


CASES = {
    "generation": lambda c: write(c, of(WhisperForConditionalGeneration), others=OTHERS, halves=True, change=save_encoded),
    "distil": lambda c: write(c, of(WhisperForConditionalGeneration, **DISTIL), halves=True, change=generation_of_one),
    "model": lambda c: write(c, of(WhisperModel, decoder_layers=1, encoder_layers=1, activation_function="silu"),
                             halves=True),
    "encoder": lambda c: write(c, of(WhisperEncoder, encoder_layers=1), lengths=(), halves=True),
    "torch_file": lambda c: write(c, of(WhisperForConditionalGeneration, encoder_layers=1, decoder_layers=1),
                                  change=torch_file),
}


def generation_of_one(directory, model):
    inputs = features(model.config, 2) | {"decoder_input_ids": torch.full((2, 1), 58)}
    save_generated(directory / "generate.safetensors", model, inputs, 18)


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
