#!/usr/bin/env python3
"""Writes golden/ctc/<case>/: vocabularies of CTC and what transformers' Wav2Vec2CTCTokenizer makes of symbols.

    make_ctc_golden.py                       the cases of the tests
    make_ctc_golden.py DIR --random N        N cases with random vocabularies and options, for comparing by hand

Needs transformers. `expected.json` is a list of {"ids", "text", "characters", "words"}; spans are [text, start, end] in
frames. Symbols are decoded as the pipeline does it: special tokens are not skipped.
"""
import argparse
import json
import pathlib
import random
import shutil

from transformers import Wav2Vec2CTCTokenizer

HERE = pathlib.Path(__file__).resolve().parent / "golden" / "ctc"
ENGLISH = {s: i for i, s in enumerate(["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAOINSHRDLUMWCFGYPBVK'XJQZ"])}
LETTERS = {s: i for i, s in enumerate(["[PAD]", "[UNK]", "|", *"abcöß", "İ", "Σ", " ", "\u00a0", "ch", "."])}
LANGUAGES = {"eng": {s: i for i, s in enumerate(["<pad>", "<s>", "</s>", "<unk>", "|", *"abc"])},
             "fra": {s: i for i, s in enumerate(["<pad>", "|", "<unk>", *"éèa", "</s>", "<s>"])}}


def sequences(rng, ids, count=12):
    """Runs of symbols, many of them short, with ids that there are not."""
    pool = ids + [ids[0]] * 3 + [max(ids) + 1, max(ids) + 7]
    yield []
    for n in range(count):
        made = []
        for _ in range(rng.randrange(1, 25)):
            made += [rng.choice(pool)] * rng.choice([1, 1, 2, 4])
        yield made


def expected(directory, rng, **options):
    tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(directory, **options)
    for ids in sequences(rng, sorted({*tokenizer.decoder, *tokenizer.added_tokens_decoder})):
        out = tokenizer.decode(ids, output_char_offsets=True, output_word_offsets=True)
        spans = lambda items, key: [[i[key], int(i["start_offset"]), int(i["end_offset"])] for i in items]
        yield {"ids": ids, "text": out.text, "characters": spans(out.char_offsets, "char"),
               "words": spans(out.word_offsets, "word")}


def write(directory, vocabulary, config=None, files=(), rng=None, **options):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    dump = lambda name, what: (directory / name).write_text(json.dumps(what, ensure_ascii=False) + "\n")
    dump("vocab.json", vocabulary)
    if config is not None:
        dump("tokenizer_config.json", {"tokenizer_class": "Wav2Vec2CTCTokenizer"} | config)
    for name, what in dict(files).items():
        dump(name, what)
    dump("expected.json", list(expected(directory, rng or random.Random(directory.name), **options)))


def cases():
    write(HERE / "english", ENGLISH, {"do_lower_case": False, "word_delimiter_token": "|"})
    write(HERE / "lower", ENGLISH, {"do_lower_case": True, "clean_up_tokenization_spaces": True})
    write(HERE / "bare", ENGLISH)
    write(HERE / "letters", LETTERS, {"pad_token": "[PAD]", "unk_token": "[UNK]", "do_lower_case": True,
                                      "replace_word_delimiter_char": "_"})
    write(HERE / "added", LETTERS, {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "<s>", "eos_token": "</s>",
                                    "word_delimiter_token": "b"},
          {"added_tokens.json": {"<s>": len(LETTERS), "</s>": len(LETTERS) + 1}})
    # Tokens that no file gives an id come behind all that have one: in their order, over ids of added ones.
    write(HERE / "missing", {s: i for i, s in enumerate(["[PAD]", "a", "b"])},
          {"pad_token": "[PAD]", "sep_token": "[SEP]", "cls_token": "[CLS]", "image_token": "<im>",
           "additional_special_tokens": ["<x>", "a"]},
          {"added_tokens.json": {"<q>": 3, "<r>": 5}})
    write(HERE / "gaps", {"a": 0, "b": 5, "[PAD]": 7}, {"unk_token": "[U]"},
          {"special_tokens_map.json": {"additional_special_tokens": ["<m>", "<n>"], "bos_token": "<B>"}})
    write(HERE / "languages", LANGUAGES, {"target_lang": "eng"})
    write(HERE / "french", LANGUAGES, {"target_lang": "fra"})


def randoms(directory, count):
    for n in range(count):
        rng = random.Random(n)
        symbols = rng.sample(["|", " ", "<s>", "</s>", "ab", "ch", "ñ", "A", "B", "Z", "É", "Ω", "ǅ", "'", ".", ",", "n't",
                              "\u3000", "\t", "-", "<x>", "@"], rng.randrange(5, 20))
        pad, unk = rng.choice(["<pad>", "[PAD]", "_"]), rng.choice(["<unk>", "[UNK]"])
        symbols = [pad, *symbols] + ([unk] if rng.random() < 0.7 else [])
        rng.shuffle(symbols)
        config = {"pad_token": pad, "unk_token": unk}
        for key, values in {"do_lower_case": [True, False], "clean_up_tokenization_spaces": [True, False],
                            "replace_word_delimiter_char": [" ", "_", ""], "bos_token": [None, "<s>", "[B]"],
                            "word_delimiter_token": ["|", "A", None]}.items():
            if rng.random() < 0.5:
                config[key] = rng.choice(values)
        for key, values in {"sep_token": ["[SEP]"], "mask_token": ["M", None], "image_token": ["<im>", "A"],
                            "additional_special_tokens": [["<p>", "A"], ["<s>"], []],
                            "extra_special_tokens": [["<e>", "</s>"], {"a_token": "<a>"}]}.items():
            if rng.random() < 0.2:
                config[key] = rng.choice(values)
        step, files = rng.choice([1, 1, 2]), {}
        if rng.random() < 0.3:
            files["added_tokens.json"] = {t: len(symbols) + rng.randrange(4) for t in ("<q>", "A", "</s>")}
        try:
            write(directory / str(n), {s: i * step for i, s in enumerate(symbols)}, config, files, rng=rng)
        except Exception as e:
            print(n, "not by transformers:", repr(e)[:200], config)
            shutil.rmtree(directory / str(n))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("directory", nargs="?", type=pathlib.Path)
    ap.add_argument("--random", type=int, default=0)
    args = ap.parse_args()
    randoms(args.directory, args.random) if args.random else cases()


if __name__ == "__main__":
    main()
