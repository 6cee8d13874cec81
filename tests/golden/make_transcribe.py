#!/usr/bin/env python3
"""Writes golden/transcribe/<case>/: tiny random CTC checkpoints with a sound, and what transformers' pipeline hears.

Run by hand (needs torch, transformers and safetensors); what it writes is committed. `expected.json` has the text, the
characters and the words ([text, begin, end] in seconds) of sound.wav in one piece, and in pieces of `chunk_length_s`
that overlap by `stride_length_s`.
"""
import json
import wave

import numpy as np
import torch
from transformers import (Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC, pipeline)

import golden
from make_wav2vec2 import BASE, LARGE, randomise

HERE = golden.HERE / "transcribe"
SYMBOLS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONSHR"]
LANGUAGES = {"eng": {s: i for i, s in enumerate(SYMBOLS)}, "xyz": {s: i for i, s in enumerate([*"abcdefghijkl", *SYMBOLS[:5]])}}


def write_wav(path, seconds, seed, rate=16000):
    """A tone that wanders, with noise, of 16 bits."""
    rng = np.random.default_rng(seed)
    n = int(seconds * rate)
    pitch = 200 + 150 * np.cumsum(rng.standard_normal(n)) / 100
    values = 0.4 * np.sin(2 * np.pi * np.cumsum(pitch) / rate) + 0.1 * rng.standard_normal(n)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1), out.setsampwidth(2), out.setframerate(rate)
        out.writeframes((np.clip(values, -1, 1) * 32767).astype("<i2").tobytes())
    return np.frombuffer(wave.open(str(path)).readframes(n), "<i2").astype(np.float32) / 32768


def heard(pipe, sound, **how):
    made = {}
    for kind in ("char", "word"):
        out = pipe(dict(raw=sound, sampling_rate=16000), return_timestamps=kind, **how)
        made["text"] = out["text"]
        made[kind + "s"] = [[c["text"], *c["timestamp"]] for c in out["chunks"]]
    return made


def write(case, config, seconds, vocabulary=LANGUAGES["eng"], tokenizer=(), lang=None, **features):
    directory = golden.fresh(HERE / case, case)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(**config)).eval()
    randomise(model)
    with torch.no_grad():  # blanks and spaces come often enough
        model.lm_head.bias[0] += 1.5
        model.lm_head.bias[4] += 0.5
    model.save_pretrained(directory)
    (directory / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False) + "\n")
    (directory / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "Wav2Vec2CTCTokenizer"} | dict(tokenizer)) + "\n")
    Wav2Vec2FeatureExtractor(**features).save_pretrained(directory)
    sound = write_wav(directory / "sound.wav", seconds, 7)
    pipe = pipeline("automatic-speech-recognition", model=model,
                    tokenizer=Wav2Vec2CTCTokenizer.from_pretrained(directory),
                    feature_extractor=Wav2Vec2FeatureExtractor.from_pretrained(directory))
    cut = dict(chunk_length_s=0.21, stride_length_s=0.03)
    (directory / "expected.json").write_text(json.dumps(
        {"whole": heard(pipe, sound), "pieces": heard(pipe, sound, **cut), **cut}, ensure_ascii=False) + "\n")


def main():
    torch.set_num_threads(1)
    write("base", BASE | dict(num_hidden_layers=1), 0.6)
    write("large", LARGE | dict(num_hidden_layers=1), 0.55, tokenizer=dict(do_lower_case=True),
          return_attention_mask=True)
    write("languages", LARGE | dict(num_hidden_layers=1, adapter_attn_dim=3), 0.3, LANGUAGES,
          dict(target_lang="eng"), return_attention_mask=True)


if __name__ == "__main__":
    main()
