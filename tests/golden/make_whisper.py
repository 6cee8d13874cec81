#!/usr/bin/env python3
"""Writes golden/whisper/<case>/: tiny random Whisper checkpoints with what transformers makes of them.

Run by hand (needs torch, transformers, safetensors); what it writes is committed. Each case is a checkpoint with
`reference*.safetensors` in the format of `silica verify`. `generate.safetensors` holds what transformers generates
greedily: `inputs.<field>`, `outputs.sequences` with the prompt, and the metadata `max_new_tokens`.
`alignment.safetensors` holds the weights of cross-attention: `encoder_outputs`, `ids`, `heads` ([layer, head]) and
`weights` (rows, heads, tokens, n).

Weights are large: the logits differ by whole numbers, the attention is far from uniform.
"""
import torch
from safetensors.torch import save_file
from transformers import GenerationMixin, WhisperConfig, WhisperForConditionalGeneration, WhisperModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder

import golden

HERE = golden.HERE / "whisper"
SIZES = dict(vocab_size=60, num_mel_bins=5, d_model=16, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=23,
             decoder_layers=3, decoder_attention_heads=2, decoder_ffn_dim=29, max_source_positions=9,
             max_target_positions=20, decoder_start_token_id=58, pad_token_id=57, bos_token_id=57, eos_token_id=57)
DISTIL = dict(encoder_layers=3, decoder_layers=1, num_mel_bins=8, encoder_attention_heads=1, decoder_attention_heads=8,
              activation_function="relu", scale_embedding=True, tie_word_embeddings=False, max_source_positions=4)


def randomise(model):
    """The positions of the encoder stay sinusoids."""
    golden.randomise(model, gain=1.3, special=lambda name, p: torch.randn_like(p) * 0.7 if "embed_tokens" in name else
                     p.clone() if name.endswith("embed_positions.weight") and "decoder" not in name else
                     torch.randn_like(p) * 0.7 if "embed_positions" in name else None)


def tokens(config, lengths, left=()):
    """Rows of these lengths, padded on the right, or on the left for the rows in `left`; and their mask."""
    ids, mask = golden.rows(lengths, 0, 56, left, config.pad_token_id)
    return {"decoder_input_ids": ids, "decoder_attention_mask": mask}


def features(config, rows):
    return {"input_features": torch.randn(rows, config.num_mel_bins, 2 * config.max_source_positions)}


def save_generated(path, model, inputs, new_tokens, **how):
    """What the plain loop writes; the scores of the best two must be apart, or rounding would decide."""
    out = GenerationMixin.generate(model, **inputs, max_new_tokens=new_tokens, do_sample=False, **how,
                                   return_dict_in_generate=True, output_scores=True)
    for scores in () if how else out.scores:
        best = scores.topk(2).values
        assert (best[:, 0] - best[:, 1]).min() > 1e-3, "choose another seed"
    golden.save(path, model, inputs, {"sequences": out.sequences}, "generate", max_new_tokens=new_tokens)


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


def write(case, make, lengths=(9, 4, 6), others=(), halves=False):
    def inputs(config):
        return features(config, len(lengths) or 3) | (tokens(config, lengths) if lengths else {})
    return golden.write(HERE / case, case, make, randomise, inputs, 2e-5, 1e-5, others, halves=halves,
                        half_stores=lambda inputs, dtype: inputs, reread=True)


def left(config):
    return features(config, 3) | tokens(config, (8, 3, 5), (1, 2))


def positions(config):
    more = left(config)
    mask = more["decoder_attention_mask"]
    return more | {"decoder_position_ids": (mask.cumsum(-1) - 1).masked_fill(mask == 0, 0)}


OTHERS = {
    "one-token": lambda c: features(c, 1) | {"decoder_input_ids": torch.tensor([[58]])},
    "no-mask": lambda c: features(c, 2) | {"decoder_input_ids": torch.randint(0, 56, (2, 20))},
    "sound-mask": lambda c: features(c, 2) | {"attention_mask": torch.ones(2, 18, dtype=torch.int32),
                                              "decoder_input_ids": torch.randint(0, 56, (2, 3))},
    "float32-left": left,
    "float32-positions": positions,
}


def generation(case):
    directory, model, inputs = write(case, of(WhisperForConditionalGeneration), others=OTHERS, halves=True)
    with torch.no_grad():  # what the encoder gave in the place of features
        encoded = model.get_encoder()(inputs["input_features"]).last_hidden_state
        given = golden.changed(inputs, input_features=None)
        out = model(**given, encoder_outputs=(encoded,))
    golden.save(directory / "encoded.safetensors", model, given | {"encoder_outputs": encoded}, {"logits": out.logits})
    inputs = features(model.config, 3) | tokens(model.config, (4, 2, 3), (1, 2))
    save_generated(directory / "generate.safetensors", model, inputs, 13)
    save_generated(directory / "generate-beams.safetensors", model, inputs, 13, num_beams=3)
    save_alignment(directory / "alignment.safetensors", directory, [[2, 1], [0, 0], [2, 0]])


def distil(case):
    directory, model, _ = write(case, of(WhisperForConditionalGeneration, **DISTIL), halves=True)
    torch.manual_seed(3)
    inputs = features(model.config, 2) | {"decoder_input_ids": torch.full((2, 1), 58)}
    save_generated(directory / "generate.safetensors", model, inputs, 12)


def torch_file(case):
    """What the hub's oldest checkpoints are: a file of torch.save with the tied matrix under both names."""
    directory, model, _ = write(case, of(WhisperForConditionalGeneration, encoder_layers=1, decoder_layers=1))
    state = model.state_dict()
    assert state["proj_out.weight"].data_ptr() == state["model.decoder.embed_tokens.weight"].data_ptr()
    golden.as_torch_file(directory, state)


def of(cls, **more):
    return lambda: cls(WhisperConfig(**(SIZES | more)))


CASES = {
    "generation": generation,
    "distil": distil,
    "model": lambda c: write(c, of(WhisperModel, decoder_layers=1, encoder_layers=1, activation_function="silu"),
                             halves=True),
    "encoder": lambda c: write(c, of(WhisperEncoder, encoder_layers=1), lengths=(), halves=True),
    "torch_file": torch_file,
}

if __name__ == "__main__":
    golden.main(CASES, HERE)
