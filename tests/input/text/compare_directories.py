#!/usr/bin/env python3
"""Compares Silica with transformers' AutoTokenizer on random small checkpoint directories.

    compare_directories.py 'silica tokenize' [--count 500] [--seed 1]

Every directory has one of the vocabularies and some of tokenizer.json, tokenizer_config.json, special_tokens_map.json,
added_tokens.json and config.json, with random keys. Where transformers refuses, Silica may do as it likes. Needs the
Python packages transformers, tokenizers and sentencepiece. Not part of the test command.
"""
import argparse
import json
import os
import pathlib
import random
import shlex
import subprocess
import sys
import tempfile

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="critical", TOKENIZERS_PARALLELISM="false")

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

import make_golden  # noqa: E402

TEXTS = ["Hello world", "  the CAT sat, don't! ", "<a> x<b>y <a>  <NEW> z", "naïve Café 你好 東京", "[CLS] the [MASK]. [SEP]", "<s>hello</s> <unk>",
         "<|endoftext|>hello <|startoftext|> the", "a new<a>word New NEW <new>", "<extra_id_0> hello <extra_id_99>", "", " ", "hello , world . it 's", "<img> x <pad><mask>"]
WORDS = make_golden.WORDS + ["<unk>", "<s>", "</s>", "<pad>", "<mask>"]
TOKENS = ["<a>", "<b>", "<NEW>", "new", "the", "[SEP]", "<img>", "</s>", "Café", "<|endoftext|>"]


def byte_level(rng, suffix=""):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e" + suffix), ("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o" + suffix), ("o", "r")]
    if not suffix:
        merges += [("\u0120", "t"), ("\u0120", "w"), ("\u0120w", "or")]
    vocab = alphabet + ([c + suffix for c in alphabet] if suffix else [])
    for a, b in merges:
        if a + b not in vocab:
            vocab.append(a + b)
    vocab += ["<|endoftext|>", "<|startoftext|>", "<s>", "</s>", "<unk>", "<pad>", "<mask>", "<|startoftranscript|>", "<|en|>", "<|zh|>", "<|de|>",
              "<|translate|>", "<|transcribe|>", "<|notimestamps|>"]
    return {v: i for i, v in enumerate(vocab)}, merges


def added(rng, content):
    kind = rng.random()
    if kind < 0.5:
        return content
    token = {"content": content}
    for key in ("lstrip", "rstrip", "single_word", "normalized", "special"):
        if rng.random() < 0.6:
            token[key] = rng.random() < 0.5
    return token


def typed(rng, content):
    token = added(rng, content)
    return token if isinstance(token, str) else {"__type": "AddedToken", **token}


def some_list(rng, make):
    return [make(rng, t) for t in rng.sample(TOKENS, rng.randint(0, 3))]


def make_json(rng, kind):
    if kind == "wordpiece":
        t = Tokenizer(models.WordPiece({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
        t.normalizer = rng.choice([normalizers.BertNormalizer(lowercase=rng.random() < 0.5), normalizers.NFC()])
        t.pre_tokenizer = rng.choice([pre_tokenizers.BertPreTokenizer(), pre_tokenizers.WhitespaceSplit()])
        t.decoder = decoders.WordPiece(cleanup=rng.random() < 0.5)
        t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    elif kind == "unigram":
        vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0), ("\u2581the", -3.0), ("\u2581hello", -4.0), ("world", -4.5), ("s", -3.0),
                 ("a", -3.1), ("cat", -5.0), ("t", -3.3), ("e", -3.2), ("h", -3.6), ("o", -3.7), ("<a>", -1.0)] + [(f"<extra_id_{i}>", 0.0) for i in range(99, 89, -1)]
        t = Tokenizer(models.Unigram(vocab, 2, False))
        t.normalizer = rng.choice([normalizers.NFKC(), normalizers.Precompiled(make_json.table), normalizers.Sequence([normalizers.Precompiled(make_json.table), normalizers.Lowercase()])])
        t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=rng.choice(["always", "first"]))
        t.decoder = decoders.Metaspace()
    else:
        vocab, merges = byte_level(rng, "</w>" if kind == "clip" else "")
        options = {"end_of_word_suffix": "</w>", "unk_token": "<|endoftext|>"} if kind == "clip" else {}
        if kind == "bpe":
            vocab = {t: i for i, t in enumerate(["<unk>", "<s>", "</s>"] + list(vocab) + ["\u2581", "\u2581t", "\u2581the"] + [f"<0x{i:02X}>" for i in range(256)] + ["\u2581th"])
                     if t not in ("", )}
            vocab = {t: i for i, t in enumerate(dict.fromkeys(vocab))}
            merges = merges + [("\u2581", "t"), ("\u2581t", "h"), ("\u2581th", "e")]
            options = {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True}
        t = Tokenizer(models.BPE(vocab, merges, **options))
        if kind == "bpe":
            t.normalizer = rng.choice([None, normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])]) or normalizers.NFC()
            t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
        else:
            t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=rng.random() < 0.5)
            t.decoder = decoders.ByteLevel()
        if rng.random() < 0.5:
            t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B:1", special_tokens=[("<s>", vocab["<s>"])])
    for token in some_list(rng, added):
        t.add_tokens([AddedToken(token) if isinstance(token, str) else AddedToken(token.pop("content"), **{k: v for k, v in token.items()})])
    if rng.random() < 0.1:
        t.enable_padding(pad_token="<pad>", pad_id=1, direction="left", length=8)
    text = json.loads(t.to_str())
    if rng.random() < 0.3 and text["model"].get("type"):
        del text["model"]["type"]
    return json.dumps(text)


CLASSES = {"wordpiece": ["BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "PreTrainedTokenizerFast"],
           "unigram": ["T5Tokenizer", "T5TokenizerFast", "PreTrainedTokenizerFast"], "bpe": ["LlamaTokenizer", "LlamaTokenizerFast", "PreTrainedTokenizerFast"],
           "byte": ["GPT2Tokenizer", "Qwen2Tokenizer", "RobertaTokenizer", "WhisperTokenizer", "LlamaTokenizer", "BartTokenizer", "PreTrainedTokenizerFast"],
           "clip": ["CLIPTokenizer", "CLIPTokenizerFast"]}
TYPES = {"wordpiece": ["bert", "distilbert"], "unigram": ["t5"], "bpe": ["llama", "llava", "mistral"], "byte": ["gpt2", "qwen2", "clap", "whisper", "llama"],
         "clip": ["clip", "xclip"]}
ROLES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]


def make_directory(rng, directory):
    kind = rng.choice(list(CLASSES))
    files = {}
    config = {}
    if rng.random() < 0.85:
        config["tokenizer_class"] = rng.choice(CLASSES[kind])
    if rng.random() < 0.4 or not config:
        files["config.json"] = json.dumps({"model_type": rng.choice(TYPES[kind])})
    if rng.random() < 0.6:
        files["tokenizer.json"] = make_json(rng, kind)
    if kind == "wordpiece":
        files["vocab.txt"] = "\n".join(WORDS) + "\n"
    elif kind in ("unigram", "bpe"):
        files["spiece.model" if kind == "unigram" else "tokenizer.model"] = make_json.pieces[kind]
    else:
        vocab, merges = byte_level(rng, "</w>" if kind == "clip" else "")
        files["vocab.json"] = json.dumps(vocab)
        files["merges.txt"] = "#version: 0.2\n" + "\n".join(" ".join(m) for m in merges) + "\n"
        if "tokenizer.json" not in files and config.get("tokenizer_class") == "LlamaTokenizer":
            del config["tokenizer_class"]  # transformers makes a tokenizer of three tokens of it
            files.setdefault("config.json", json.dumps({"model_type": "gpt2"}))
    odds = lambda p: rng.random() < p
    for key in ("do_lower_case", "strip_accents", "tokenize_chinese_chars", "add_prefix_space", "legacy", "add_bos_token", "add_eos_token", "split_special_tokens",
                "clean_up_tokenization_spaces", "do_basic_tokenize", "predict_timestamps"):
        if odds(0.2):
            config[key] = odds(0.5)
    for role in ROLES:
        if odds(0.15):
            config[role] = typed(rng, rng.choice(TOKENS))
        elif odds(0.04) and role in ("bos_token", "pad_token", "mask_token"):
            config[role] = None
    if odds(0.15):
        config["image_token"] = typed(rng, rng.choice(TOKENS))
    if odds(0.2):
        config["additional_special_tokens"] = some_list(rng, typed)
    if odds(0.2):
        config["extra_special_tokens"] = rng.choice([some_list(rng, typed), {"boi_token": rng.choice(TOKENS), "eoi": rng.choice(TOKENS)}, {}, None])
    if odds(0.1):
        config["extra_ids"] = rng.choice([0, 5, 100])
    if odds(0.1) and kind == "byte":
        config.update(rng.choice([{"language": "German"}, {"task": "translate"}, {"language": "en", "task": "transcribe"}]))
    if odds(0.3):
        config["added_tokens_decoder"] = {str(rng.randint(0, 600)): (lambda t: {"content": t} if isinstance(t, str) else t)(added(rng, c)) for c in rng.sample(TOKENS, 3)}
    if config and odds(0.9):
        files["tokenizer_config.json"] = json.dumps(config)
    if odds(0.25):
        table = {role: added(rng, rng.choice(TOKENS)) for role in rng.sample(ROLES, 2)}
        if odds(0.4):
            table["additional_special_tokens"] = rng.sample(TOKENS, 2)
        if odds(0.2):
            table["extra_special_tokens"] = rng.choice([some_list(rng, added), {"boi_token": "<img>"}])
        if odds(0.2):
            table["video_token"] = added(rng, "<b>")
        files["special_tokens_map.json"] = json.dumps(table)
    if odds(0.25):
        files["added_tokens.json"] = json.dumps({t: rng.randint(100, 900) for t in rng.sample(TOKENS, 2)})
    for name, content in files.items():
        pathlib.Path(directory, name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return {k: v if isinstance(v, str) and len(v) < 3000 else "..." for k, v in files.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("driver", help="a program that takes a directory, and JSON lines on its input")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    make_json.pieces = make_golden.sentencepiece_models()
    make_json.table = make_golden.charsmap(make_json.pieces["unigram"])
    wrong = refused = agreed = 0
    for number in range(options.count):
        rng = random.Random(f"{options.seed} {number}")
        with tempfile.TemporaryDirectory() as directory:
            files = make_directory(rng, directory)
            lines = [{"text": t, "add_special_tokens": i % 3 != 0, **({"pair": TEXTS[0]} if i % 4 == 1 else {})} for i, t in enumerate(TEXTS)]
            run = subprocess.run(shlex.split(options.driver) + [directory], input="".join(json.dumps(x) + "\n" for x in lines).encode() + b'{"text": "<s><a>b"}\n', capture_output=True)
            try:
                tokenizer = AutoTokenizer.from_pretrained(directory)
                backend = tokenizer.backend_tokenizer
                want = []
                for line in lines:
                    e = backend.encode(line["text"], line.get("pair"), add_special_tokens=line["add_special_tokens"])
                    want.append({"ids": e.ids, "type_ids": e.type_ids, "tokens": e.tokens, "decoded": tokenizer.decode(e.ids),
                                 "decoded_skip_special": tokenizer.decode(e.ids, skip_special_tokens=True)})
            except BaseException as error:  # a panic of the Rust library is no Exception
                if isinstance(error, KeyboardInterrupt):
                    raise
                refused += 1
                if run.returncode not in (0, 2):
                    print("CRASHED", run.returncode, json.dumps(files, indent=1))
                    wrong += 1
                continue
            got = [json.loads(line) for line in run.stdout.decode().split("\n") if line]
            different = [(line, key, w[key], g[key]) for line, w, g in zip(lines, want, got) for key in w if w[key] != g[key]]
            if run.returncode or different:
                wrong += 1
                if wrong <= 12:
                    print("DIFFERS", number, type(tokenizer).__name__, run.stderr.decode()[:500])
                    for name, content in files.items():
                        print("  ", name, content[:900])
                    for line, key, w, g in different[:3]:
                        print("   ", json.dumps(line), key, "\n      want", w, "\n      got ", g)
            else:
                agreed += 1
    print(f"{agreed} agree, {wrong} differ, {refused} are refused by transformers")
    sys.exit(wrong != 0)


if __name__ == "__main__":
    main()
