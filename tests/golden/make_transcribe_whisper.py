#!/usr/bin/env python3
"""Writes golden/transcribe/whisper*/: tiny random Whisper checkpoints with sounds, and what transformers' generate hears.

Run by hand (needs torch, transformers, tokenizers and safetensors); what it writes is committed. Windows are of one
second. `expected.json` has a list of cases: `sound`, `options` as task::SpeechOptions has them, `language`, `text` and
`segments`: start, end, text, tokens, and words as [text, start, end] where they were asked for.
"""
import json
import pathlib
import random
import shutil
import wave

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer
from transformers.models.whisper.tokenization_whisper import LANGUAGES, _combine_tokens_into_words, _decode_asr

HERE = pathlib.Path(__file__).resolve().parent / "transcribe"
POSITIONS, TARGET = 50, 48


def byte_symbols():
    """GPT-2's printable character of each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in plain)}


def write_tokenizer(directory):
    symbol = byte_symbols()
    vocab = {symbol[b]: b for b in range(256)}
    space, merges = symbol[32], []
    for a, b in [("t", "h"), ("th", "e"), (space, "the"), ("i", "n"), ("in", "g"), ("l", "o"), (space, "lo"), (space, "("),
                 (",", space), ("\u00e3", "\u0123"), ("\u00e6", "\u0139"), ("\u00e6\u0139", "\u00a5"), (".", '"')]:
        vocab[a + b] = len(vocab)
        merges.append((a, b))
    made = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    languages = [f"<|{code}|>" for code in list(LANGUAGES)[:8]]
    special = ["<|endoftext|>", "<|startoftranscript|>", *languages, "<|translate|>", "<|transcribe|>", "<|startoflm|>",
               "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    made.add_special_tokens(special)
    made.add_tokens([f"<|{i * 0.02:.2f}|>" for i in range(POSITIONS + 1)])
    made.save(str(directory / "tokenizer.json"), pretty=False)
    (directory / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "WhisperTokenizer", "additional_special_tokens": special[1:]} |
        {role: "<|endoftext|>" for role in ("bos_token", "eos_token", "unk_token", "pad_token")}) + "\n")
    ids = {token: len(vocab) + i for i, token in enumerate(special)}
    return ids, languages, len(vocab) + len(special) + POSITIONS + 1


def write_wav(path, seconds, seed, rate=16000):
    """Noise, tones, chirps and silence in turn."""
    rng = np.random.default_rng(seed)
    values, at = np.zeros(int(seconds * rate)), 0
    while at < len(values):
        n = int(rate * rng.uniform(0.05, 0.5))
        t = np.arange(n) / rate
        piece = [lambda: np.zeros(n), lambda: 0.2 * rng.standard_normal(n),
                 lambda: sum(0.1 * np.sin(2 * np.pi * rng.uniform(100, 3000) * t) for _ in range(4)),
                 lambda: 0.3 * np.exp(-3 * t) * np.sin(2 * np.pi * (200 * t + 5 * np.sin(30 * t)))][rng.integers(0, 4)]()
        values[at:at + n] += piece[:len(values) - at]
        at += n
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1), out.setsampwidth(2), out.setframerate(rate)
        out.writeframes((np.clip(values, -1, 1) * 32767).astype("<i2").tobytes())
    return np.frombuffer(wave.open(str(path)).readframes(len(values)), "<i2").astype(np.float32) / 32768


def write_model(directory, seed, ids, languages, vocab, multilingual):
    torch.manual_seed(seed)
    end = ids["<|endoftext|>"]
    config = WhisperConfig(
        vocab_size=vocab, num_mel_bins=20, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24, d_model=16, max_source_positions=POSITIONS,
        max_target_positions=TARGET, pad_token_id=end, bos_token_id=end, eos_token_id=end,
        decoder_start_token_id=ids["<|startoftranscript|>"])
    model = WhisperForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name and name.endswith("weight"):
                p.copy_(1 + 0.3 * torch.randn_like(p))
            elif "encoder.embed_positions" not in name:
                scale = 0.9 if "decoder.embed_positions" in name else 0.1 if "embed" in name else 0.4
                p.copy_(torch.randn_like(p) * scale)
        # Ends and times come often enough.
        words, bias = model.model.decoder.embed_tokens.weight, model.model.decoder.layer_norm.bias
        model.model.decoder.layer_norm.weight *= 6
        times = words[ids["<|notimestamps|>"] + 1:].mean(0)
        bias += 3 * words[end] / words[end].square().sum() - times / times.square().sum()
    model.save_pretrained(directory)
    keys = dict(
        bos_token_id=end, eos_token_id=end, pad_token_id=end, decoder_start_token_id=ids["<|startoftranscript|>"],
        no_timestamps_token_id=ids["<|notimestamps|>"], prev_sot_token_id=ids["<|startofprev|>"], max_length=TARGET,
        is_multilingual=multilingual, return_timestamps=False, max_initial_timestamp_index=20,
        alignment_heads=[[0, 1], [1, 0], [1, 1]], begin_suppress_tokens=[32, end],
        # Text is of letters, punctuation, spaces, and what was merged to whole characters.
        suppress_tokens=[*(b for b in range(256) if chr(b) not in "abehilnorst ,.(-'"), 265, 266, *(ids[t] for t in ("<|startoftranscript|>", "<|translate|>", "<|transcribe|>",
                                                         "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"))])
    if multilingual:
        keys |= dict(lang_to_id={t: ids[t] for t in languages}, forced_decoder_ids=[[1, None], [2, ids["<|transcribe|>"]]],
                     task_to_id={t: ids[f"<|{t}|>"] for t in ("transcribe", "translate")})
    (directory / "generation_config.json").write_text(json.dumps(keys) + "\n")
    WhisperFeatureExtractor(feature_size=20, chunk_length=1).save_pretrained(directory)
    return model.from_pretrained(directory).eval()


def heard(model, extractor, tokenizer, sound, options):
    names = dict(condition_on_previous="condition_on_prev_tokens", temperatures="temperature", beams="num_beams")
    kept = dict(truncation=False, padding="longest") if len(sound) > extractor.n_samples else {}
    features = extractor(sound, sampling_rate=16000, return_tensors="pt", return_attention_mask=True, **kept)
    long = features.input_features.shape[-1] > 2 * POSITIONS
    words = options.get("words", False)
    extra = {names.get(k, k): v for k, v in options.items() if k not in ("words", "timestamps", "prompt_text")}
    if "prompt_text" in options:
        extra["prompt_ids"] = torch.from_numpy(tokenizer.get_prompt_ids(options["prompt_text"]))
    with torch.no_grad():
        out = model.generate(features.input_features, attention_mask=features.attention_mask, return_segments=True,
                             return_timestamps=long or words or options.get("timestamps", False),
                             return_token_timestamps=words or None, **extra)
        start = model._retrieve_init_tokens(
            features.input_features, 1, *prepared(model, options, long), 2 * POSITIONS, {})[0].tolist()
    config = model.generation_config
    codes = {v: k[2:-2] for k, v in getattr(config, "lang_to_id", {}).items()}
    language = codes.get(start[1], "") if config.is_multilingual else "en"
    first_time, end, segments = config.no_timestamps_token_id + 1, config.eos_token_id, []
    for s in out["segments"][0]:
        tokens, at = s["tokens"].tolist(), s["idxs"][0]
        made = dict(start=round(float(s["start"]), 4), end=round(float(s["end"]), 4), tokens=tokens,
                    text=tokenizer.decode([t for t in tokens if t < first_time], skip_special_tokens=True))
        if words:
            times = s["result"]["token_timestamps"]
            offset = float(s["token_timestamps"][0] - times[at]) if tokens else 0
            own = [(t, round(float(times[at + i - 1]) + offset, 2), round(float(times[at + i]) + offset, 2))
                   for i, t in enumerate(tokens) if t < end]
            spoken, _, places = _combine_tokens_into_words(tokenizer, [t for t, _, _ in own], LANGUAGES[language])
            made["words"] = [[w, own[p[0]][1], own[p[-1]][2]] for w, p in zip(spoken, places)]
        segments.append(made)
    return dict(language=language, text="".join(s["text"] for s in segments), segments=segments)


def prepared(model, options, long):
    """The generation and the model configuration that start tokens are made by."""
    config, _ = model._prepare_generation_config(None)
    config.return_timestamps = long or options.get("words", False) or options.get("timestamps", False)
    for key in ("language", "task"):
        if key in options:
            setattr(config, key, options[key])
    return config, model.config


def write(case, seed, lengths, cases, multilingual=True):
    directory = HERE / case
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    ids, languages, vocab = write_tokenizer(directory)
    model = write_model(directory, seed, ids, languages, vocab, multilingual)
    extractor, tokenizer = (c.from_pretrained(directory) for c in (WhisperFeatureExtractor, WhisperTokenizer))
    sounds = {name: write_wav(directory / f"{name}.wav", *(of if isinstance(of, tuple) else (of, seed + i)))
              for i, (name, of) in enumerate(lengths.items())}
    made = [dict(sound=f"{sound}.wav", options=options) | heard(model, extractor, tokenizer, sounds[sound], options)
            for sound, options in cases]
    (directory / "expected.json").write_text(json.dumps(made, ensure_ascii=False) + "\n")
    for one in made:
        print(case, one["sound"], one["options"], one["language"], len(one["segments"]), repr(one["text"][:60]))


class Words:
    """A tokenizer whose text is the numbers of its tokens: text below 100, special ones below 110, then times."""
    all_special_ids = list(range(100, 110))

    def convert_tokens_to_ids(self, token):
        return {"<|notimestamps|>": 109, "<|startofprev|>": 105, "<|startoftranscript|>": 101}[token]

    def _strip_prompt(self, ids, *_):
        return ids

    def decode(self, ids):
        return "<|x|>" if ids == [100] or ids == [103] else " ".join(map(str, ids))


class Row(list):
    """A row of a batch of one, as tensors are read."""
    def __getitem__(self, i):
        return self

    def tolist(self):
        return [*self]


def write_pieces(n=60):
    """pieces.json: what _decode_asr makes of pieces that overlap, [tokens, seconds, left, right] each, and the parts of
    the text, [start, end, tokens]."""
    rng, cases = random.Random(6), []
    for _ in range(n):
        words, pieces = rng.choice([2, 4, 30]), rng.randint(1, 4)
        length, left, right = rng.choice([(30.0, 5.0, 5.0), (20.0, 2.0, 4.0), (10.0, 0.0, 3.0)])
        timed, before, case = rng.random() < 0.6, [], []
        for i in range(pieces):
            at = rng.randint(0, int(length * 10))
            tokens = [110 + rng.choice([0, at])] if timed else []
            tokens += before[-rng.randint(1, 6):] if before and rng.random() < 0.6 else []
            for _ in range(rng.randint(0, 12)):
                draw = rng.random()
                if timed and draw < 0.3:
                    at = min(int(length / 0.02), max(0, at + rng.randint(-30, int(length * 8))))
                    tokens += [110 + at] * rng.choice([1, 2])
                else:
                    tokens.append(rng.choice([100, 103]) if draw < 0.35 else rng.randrange(words))
            before, last = [t for t in tokens if t < 100], i == pieces - 1
            case.append([tokens, round(length * rng.random(), 2) if last else length, left if i else 0, 0 if last else right])
        _, optional = _decode_asr(Words(), [dict(tokens=Row(t), stride=s) for t, *s in case], return_timestamps=True,
                                  return_language=None, time_precision=0.02)
        cases.append(dict(pieces=case, text=[[*c["timestamp"], [int(t) for t in c["text"].split()]] for c in optional["chunks"]]))
    (HERE / "pieces.json").write_text("[" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "]\n")


def main():
    torch.set_num_threads(1)
    write_pieces()
    both = ("short", "long")
    # A temperature near 0 samples the likeliest token. Beams end with the first window that is sampled.
    again = [("again", dict(timestamps=True, beams=3, temperatures=temperatures, logprob_threshold=threshold, **more))
             for temperatures in ([0.0, 1e-4], [0.0, 1e-4, 0.0]) for threshold in (-0.885, -0.944)
             for more in ({}, dict(condition_on_previous=True))]
    write("whisper", 8, dict(short=0.7, long=2.3, again=(2.2, 202)),
          [(s, o) for s in both for o in (
              {}, dict(timestamps=True), dict(words=True), dict(words=True, language="ja"),
              dict(language="french", task="translate", timestamps=True), dict(timestamps=True, beams=3),
              dict(words=True, condition_on_previous=True, beams=2), dict(timestamps=True, prompt_text=" the lo (ing "),
              dict(timestamps=True, prompt_text="the lo", condition_on_previous=True), dict(words=True, max_new_tokens=7),
              dict(timestamps=True, temperatures=[0.0], logprob_threshold=-2.5, no_speech_threshold=0.0005))] + again)
    write("whisper_english", 8, dict(short=0.5, long=1.6),
          [(s, o) for s in both for o in ({}, dict(timestamps=True), dict(words=True, condition_on_previous=True))],
          multilingual=False)


if __name__ == "__main__":
    main()
