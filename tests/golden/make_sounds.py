#!/usr/bin/env python3
"""Writes golden/sounds/: short sounds in every kind of file that is read, and what transformers makes of them.

Run by hand (needs transformers, torch, soundfile, soxr, and the program ffmpeg); what it writes is committed, so that the
tests need none of it.

`<file>` is a sound and `<file>.16000` what `audio_utils.load_audio` gives of it at 16 kHz, as 16-bit integers of which
32767 are full scale. Of containers that libsndfile does not read, ffmpeg decodes instead, and the same mean and SoXR follow.
`features/<case>/` is a preprocessor_config.json, or another file that says the same, and `expected.f32`: what the extractor
gives of the sounds that `noise` makes, whose lengths and seed are in the table below and in tests/input/audio/extractor.cpp.
"""
import json
import math
import pathlib
import shutil
import subprocess

import numpy as np
import soundfile
import soxr
from transformers import ClapFeatureExtractor, Wav2Vec2FeatureExtractor, WhisperFeatureExtractor
from transformers.audio_utils import load_audio

HERE = pathlib.Path(__file__).resolve().parent / "sounds"
RATE = 16000


def tones(frames, rate, channels):
    t = np.arange(frames) / rate
    return np.stack([0.3 * np.sin(2 * np.pi * (300 + 170 * c) * t * (1 + t)) + 0.2 * np.sin(2 * np.pi * 1100 * t + c)
                     for c in range(channels)], axis=1)


def expect(name, waveform):
    scaled = np.rint(np.clip(waveform, -1, 1) * 32767).astype("<i2")
    (HERE / (name + ".16000")).write_bytes(scaled.tobytes())


def sounds():
    for name, kind, subtype, frames, rate, channels in [
            ("u8.wav", "WAV", "PCM_U8", 400, 8000, 2), ("s16.wav", "WAV", "PCM_16", 400, 8000, 2),
            ("s24.wav", "WAV", "PCM_24", 401, 8000, 2), ("s32.wav", "WAV", "PCM_32", 400, 8000, 1),
            ("float.wav", "WAV", "FLOAT", 400, 8000, 1), ("double.wav", "WAV", "DOUBLE", 399, 8000, 1),
            ("ulaw.wav", "WAV", "ULAW", 400, 8000, 1), ("alaw.wav", "WAV", "ALAW", 400, 8000, 1),
            ("ima.wav", "WAV", "IMA_ADPCM", 505, 8000, 1), ("ms.wav", "WAV", "MS_ADPCM", 500, 8000, 1),
            ("extensible.wav", "WAVEX", "PCM_16", 300, 22050, 3), ("native.wav", "WAV", "PCM_16", 480, 16000, 1),
            ("rf64.wav", "RF64", "PCM_16", 400, 11025, 1), ("s16.w64", "W64", "PCM_16", 400, 48000, 1),
            ("s16.aiff", "AIFF", "PCM_16", 400, 32000, 1), ("s24.au", "AU", "PCM_24", 400, 44100, 1),
            ("s16.caf", "CAF", "PCM_16", 400, 44100, 1), ("s16.flac", "FLAC", "PCM_16", 700, 44100, 2),
            ("s24.flac", "FLAC", "PCM_24", 400, 48000, 1), ("vorbis.ogg", "OGG", "VORBIS", 1600, 16000, 1),
            ("opus.ogg", "OGG", "OPUS", 3000, 24000, 1), ("layer3.mp3", "MP3", "MPEG_LAYER_III", 3300, 22050, 2)]:
        soundfile.write(HERE / name, tones(frames, rate, channels), rate, format=kind, subtype=subtype)
        expect(name, load_audio(str(HERE / name), RATE, backend="soundfile"))
    source = HERE / "source.wav"
    soundfile.write(source, tones(2400, 16000, 2), 16000)
    for name, options in [("aac.m4a", "-c:a aac -b:a 32k"), ("opus.webm", "-c:a libopus -b:a 24k"),
                          ("adts.aac", "-c:a aac -b:a 32k"), ("alac.m4a", "-c:a alac"), ("flac.oga", "-c:a flac"),
                          ("video.mp4", "-f lavfi -i color=c=red:s=32x32:d=0.15:r=10 -c:v mpeg4 -c:a aac -b:a 32k"),
                          ("video.mkv", "-f lavfi -i color=c=red:s=32x32:d=0.15:r=10 -c:v mpeg4 -c:a pcm_s16le -ac 1")]:
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", source, *options.split(), "-fflags", "+bitexact",
                        HERE / name], check=True)
        probe = ["ffprobe", "-v", "error", "-select_streams", "a", "-of", "csv=p=0", "-show_entries",
                 "stream=sample_rate,channels", HERE / name]
        rate, channels = map(int, subprocess.run(probe, check=True, capture_output=True, text=True).stdout.split(",")[:2])
        raw = subprocess.run(["ffmpeg", "-v", "error", "-i", HERE / name, "-f", "f32le", "-"], check=True,
                             capture_output=True).stdout
        waveform = np.frombuffer(raw, np.float32).reshape(-1, channels).mean(1)
        count = math.ceil(len(waveform) * RATE / rate)
        made = waveform if rate == RATE else soxr.resample(waveform, rate, RATE, quality="soxr_hq")
        expect(name, np.pad(made, (0, max(0, count - len(made))))[:count])
    source.unlink()
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "color=c=red:s=32x32:d=0.2:r=10", "-c:v", "mpeg4",
                    "-fflags", "+bitexact", HERE / "silent.mp4"], check=True)


def noise(count, seed):
    """The same in tests/input/audio/extractor.cpp: 16 bits of a linear congruence, louder by the thousand samples."""
    made = np.empty(count, np.float32)
    state = seed
    for i in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        made[i] = ((state >> 16) - 32768) / 32768 * 2.0**-(i // 1000 % 8)
    return made


WHISPER = dict(feature_size=20, chunk_length=1, sampling_rate=8000, n_fft=200, hop_length=80)
CLAP = dict(max_length_s=1, sampling_rate=8000, hop_length=1000, fft_window_size=256, frequency_max=4000, frequency_min=50)
FEATURES = {
    "whisper": (WhisperFeatureExtractor, WHISPER | dict(return_attention_mask=True), [3000, 9000]),
    "whisper_left": (WhisperFeatureExtractor, WHISPER | dict(padding_side="left", padding_value=0.25, feature_size=7), [4321]),
    "whisper_long": (WhisperFeatureExtractor, WHISPER | dict(feature_size=8), [20000]),
    "wav2vec2": (Wav2Vec2FeatureExtractor, dict(return_attention_mask=False), [300, 500]),
    "wav2vec2_mask": (Wav2Vec2FeatureExtractor, dict(return_attention_mask=True, padding_value=0.5), [300, 500, 1]),
    "wav2vec2_plain": (Wav2Vec2FeatureExtractor, dict(do_normalize=False), [500]),
    "clap_fusion": (ClapFeatureExtractor, CLAP | dict(truncation="fusion"), [3000, 30000, 8500]),
    "clap_short": (ClapFeatureExtractor, CLAP | dict(truncation="fusion", padding="pad"), [3000, 7999]),
    "clap_crop": (ClapFeatureExtractor, CLAP | dict(truncation="rand_trunc", padding="repeat", feature_size=16), [25000, 3000]),
}
SEED = 5


def features():
    for case, (make, keys, lengths) in FEATURES.items():
        directory = HERE / "features" / case
        directory.mkdir(parents=True)
        extractor = make(**keys)
        config = json.loads(extractor.to_json_string())
        if case == "whisper_left":  # nested, as newer checkpoints are saved
            (directory / "processor_config.json").write_text(json.dumps({"feature_extractor": config}, indent=1) + "\n")
        else:
            (directory / "preprocessor_config.json").write_text(json.dumps(config, indent=1) + "\n")
        np.random.seed(SEED)
        options = dict(padding=True) if case.startswith("wav2vec2") else {}
        if case == "whisper":
            options = dict(return_attention_mask=True)
        if case == "whisper_long":
            options = dict(truncation=False, padding="longest")
        batch = extractor([noise(n, n) for n in lengths], sampling_rate=extractor.sampling_rate, return_tensors="np",
                          **options)
        parts = [np.asarray(batch[extractor.model_input_names[0]], "<f4").reshape(-1)]
        for key in ["attention_mask", "is_longer"]:
            if key in batch:
                parts.append(np.asarray(batch[key], "<f4").reshape(-1))
        (directory / "expected.f32").write_bytes(np.concatenate(parts).tobytes())


if __name__ == "__main__":
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    sounds()
    features()
