#!/usr/bin/env python3
"""Writes golden/match_sounds/<case>/: tiny CLAP checkpoints with tokenizer and extractor, sounds, and how transformers'
zero-shot-audio-classification pipeline scores them; and the vectors of the sounds.

Run by hand (needs torch, transformers and safetensors); what it writes is committed. `expected.json`: a list of {labels,
template, files: {name: [[label, score], ...]}}; numpy.random.seed(0) before each of the list. `embeds.json`: {"audio_embeds":
of ClapAudioModelWithProjection, "pooler_output": of ClapAudioModel}, each a list of {seed, files: {name: vector}}; each sound
is extracted alone, numpy.random.seed(seed) before the first; vectors as they are, not of length 1.
"""
import json

import numpy as np
import torch
from transformers import ClapAudioModelWithProjection, ClapFeatureExtractor, ClapModel, RobertaTokenizer, pipeline
from transformers.convert_slow_tokenizer import bytes_to_unicode

import golden
from make_clap import AUDIO, FUSED, both, randomise
from make_transcribe import write_wav

HERE = golden.HERE / "match_sounds"
SOUNDS = {"short.wav": 0.41, "long.wav": 1.7, "whole.wav": 1.0}


def embedded(model, features, sounds, output, seed):
    np.random.seed(seed)
    vectors = {}
    for name, sound in sounds.items():
        with torch.no_grad():
            out = model(**features(sound, sampling_rate=4000, return_tensors="pt"))
        vectors[name] = [round(x, 6) for x in out[output][0].tolist()]
    return {"seed": seed, "files": vectors}


def write(case, audio, **extractor):
    directory = golden.fresh(HERE / case, case)
    letters = ["<s>", "<pad>", "</s>", "<unk>", *bytes_to_unicode().values(), "<mask>"]
    tokenizer = RobertaTokenizer(vocab={t: i for i, t in enumerate(letters)}, merges=[])
    tokenizer.save_pretrained(directory)
    model = ClapModel(both(dict(vocab_size=len(letters), max_position_embeddings=64), audio)).eval()
    randomise(model)
    with torch.no_grad():
        model.logit_scale_a.fill_(2.7 if audio["num_mel_bins"] == 64 else 4)  # what was drawn shows
    model.save_pretrained(directory)
    features = ClapFeatureExtractor(feature_size=audio["num_mel_bins"], sampling_rate=4000, hop_length=40, fft_window_size=128,
                                    max_length_s=1, frequency_max=2000, frequency_min=50, **extractor)
    features.save_pretrained(directory)
    sounds = {name: write_wav(directory / name, seconds, i, 4000) for i, (name, seconds) in enumerate(SOUNDS.items())}
    match = pipeline("zero-shot-audio-classification", model=model, feature_extractor=features, tokenizer=tokenizer)
    expected = []
    for labels, template in ((["a dog", "rain", "Übung 3!"], "This is a sound of {}."), (["b", "c"], "{}")):
        np.random.seed(0)
        expected.append({"labels": labels, "template": template, "files": {
            name: [[r["label"], r["score"]] for r in match(
                sound, candidate_labels=labels, hypothesis_template=template)] for name, sound in sounds.items()}})
    (directory / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n")
    projecting = ClapAudioModelWithProjection.from_pretrained(directory).eval()
    (directory / "embeds.json").write_text(json.dumps({
        output: [embedded(tower, features, sounds, output, seed) for seed in (0, 7)]
        for tower, output in ((projecting, "audio_embeds"), (model.audio_model, "pooler_output"))}) + "\n")


def main():
    torch.set_num_threads(1)
    write("unfused", AUDIO, truncation="rand_trunc", padding="repeatpad")
    # transformers shrinks long sounds to 64 mels, whatever the extractor says
    write("fused", FUSED | dict(num_mel_bins=64, spec_size=128, patch_size=8, patch_stride=[8, 8], depths=[1, 1]),
          truncation="fusion", padding="repeat")


if __name__ == "__main__":
    main()
