#!/usr/bin/env python3
"""Writes golden/*.json: tiny tokenizers and what Python `tokenizers` (or transformers) makes of a few texts.

Run by hand: make_golden.py [name ...]; needs the Python packages tokenizers, transformers, sentencepiece. What it writes is committed.
"""
import base64
import json
import pathlib
import sys
import tempfile

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE / "golden"

TEXTS = ["", " ", "Hello, World!", "  the   unaffable\tcat\nsat ", "naïve Café ÀÉÎ straße İstanbul ΣΊΣ", "don't I'll we're",
         "你好 world 東京タワー", "한국어 텍스트 각", "नमस्ते दुनिया", "שָׁלוֹם عَرَبِيّ", "emoji 😁👨‍👩‍👧🇩🇪 ok", "a\u0301\u0316e\u0316\u0301 \u1e9b\u0323",
         "zero\u200bwidth \ufeff \u00ad soft \x00null \x07bell", "12345 3.14 ½ ² ٣", "[CLS] the [MASK]. [SEP] <extra> x<extra>y  <extra> ",
         "xtheworldthe", "#hash ##hash", "a" * 101, "ﬁne ﬀ Å Ω ｆｕｌｌ", "\u3000wide\u00a0space\u2028line\u0085next", "…“quoted” — dash",
         "world's worlds' 's 't", "<0x41> \\n \u2581 \u0120", "the the world world hello hello"]


def cases(tokenizer, texts=TEXTS, pairs=True):
    out = []
    for i, text in enumerate(texts):
        for pair in ([None, texts[(i * 7 + 3) % len(texts)]] if pairs and i % 3 == 0 else [None]):
            for special in ([True, False] if i % 4 == 0 else [True]):
                e = tokenizer.encode(text, pair, add_special_tokens=special)
                case = {"text": text, "ids": e.ids, "type_ids": e.type_ids, "attention_mask": e.attention_mask,
                        "special_tokens_mask": e.special_tokens_mask, "tokens": e.tokens,
                        "decoded": tokenizer.decode(e.ids, skip_special_tokens=False),
                        "decoded_skip_special": tokenizer.decode(e.ids, skip_special_tokens=True)}
                if pair is not None:
                    case["pair"] = pair
                if not special:
                    case["add_special_tokens"] = False
                if e.overflowing:
                    case["overflowing"] = [o.ids for o in e.overflowing]
                out.append(case)
    return out


def entry(name, tokenizer, **kw):
    return {"name": name, "tokenizer": json.loads(tokenizer.to_str()), "cases": cases(tokenizer, **kw)}


def of_files(name, files):
    """A directory without tokenizer.json: what transformers makes of it."""
    from transformers import AutoTokenizer
    with tempfile.TemporaryDirectory() as directory:
        for file, content in files.items():
            pathlib.Path(directory, file).write_bytes(content if isinstance(content, bytes) else content.encode())
        tokenizer = AutoTokenizer.from_pretrained(directory).backend_tokenizer
    return {"name": name, "files": {file: base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()
                                    for file, content in files.items()}, "cases": cases(tokenizer)}


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "hello", "world", "una", "##ffa", "##ble", "cat", "sat", "Hello", "World",
         "na", "##ive", "cafe", "aei", "strasse", "istanbul", "i", "don", "'", "t", "s", "ll", "we", "re", "你", "好", "東", "京", "タ",
         "##ワ", "##ー", "emoji", "ok", "zero", "##width", "soft", "null", "bell", "123", "##45", "3", ".", "14", ",", "!", "#", "hash",
         "##h", "##a", "a", "e", "x", "y", "##the", "##world", "fi", "##ne", "wide", "space", "line", "next", "quoted", "“", "”", "—", "…",
         "dash", "worlds", "<", ">", "extra", "mask", "[", "]", "naïve", "Café", "न", "##म", "שלום", "각", "##s"]


def wordpiece():
    vocab = {w: i for i, w in enumerate(WORDS)}

    def base(**normalizer):
        t = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
        t.normalizer = normalizers.BertNormalizer(**normalizer)
        t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        t.decoder = decoders.WordPiece()
        t.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
        t.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", AddedToken("[MASK]", lstrip=True, special=True)])
        return t

    out = [entry("uncased", base())]
    out.append(entry("cased", base(lowercase=False)))
    out.append(entry("cased, accents stripped", base(lowercase=False, strip_accents=True)))
    out.append(entry("uncased, accents kept", base(strip_accents=False)))
    out.append(entry("nothing cleaned", base(clean_text=False, handle_chinese_chars=False, lowercase=False)))

    t = base()
    t.add_tokens([AddedToken("<extra>", single_word=True, rstrip=True), AddedToken("WORLD", normalized=True), AddedToken("Café", normalized=False)])
    out.append(entry("added tokens", t))

    t = base()
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    t.decoder = decoders.WordPiece(cleanup=False)
    out.append(entry("BertProcessing", t))
    t = base()
    t.post_processor = processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2))
    t.decoder = None
    out.append(entry("RobertaProcessing, no decoder", t))

    t = base()
    # A special token of several ids cannot be made through Python's constructor.
    state = json.loads(t.to_str())
    state["post_processor"]["special_tokens"]["[CLS]"].update(ids=[2, 5], tokens=["[CLS]", "the"])
    out.append(entry("a special token of two ids", Tokenizer.from_str(json.dumps(state))))

    for direction in ("right", "left"):
        for strategy in ("longest_first", "only_first", "only_second"):
            t = base()
            t.enable_truncation(14, stride=1, strategy=strategy, direction=direction)
            texts = ["hello world " * 6, "the cat sat", "hello world the cat sat on " * 3] if strategy == "longest_first" else []
            some = {"name": f"truncated {direction} {strategy}", "tokenizer": json.loads(t.to_str()), "cases": cases(t, texts, False)}
            for a, b in (("hello world the cat", "the cat sat the cat sat"), ("the cat sat the cat sat na na", "hello world the"), ("the", "cat")):
                e = t.encode(a, b)
                some["cases"].append({"text": a, "pair": b, "ids": e.ids, "type_ids": e.type_ids, "attention_mask": e.attention_mask,
                                      "special_tokens_mask": e.special_tokens_mask, "tokens": e.tokens, "decoded": t.decode(e.ids, skip_special_tokens=False),
                                      "decoded_skip_special": t.decode(e.ids), "overflowing": [o.ids for o in e.overflowing]})
            out.append(some)
    t = base()
    t.enable_padding(direction="left", pad_id=0, pad_type_id=1, pad_token="[PAD]", length=9)
    out.append(entry("padded left to 9", t))
    t = base()
    t.enable_padding(pad_to_multiple_of=8)
    some = entry("padded to a multiple of 8", t)
    batch = ["hello", "the cat sat sat sat sat sat sat sat", ""]
    some["batch"] = {"texts": batch, "ids": [e.ids for e in t.encode_batch(batch)], "attention_mask": [e.attention_mask for e in t.encode_batch(batch)]}
    out.append(some)

    vocabulary = "\n".join(WORDS) + "\n"
    out.append(of_files("vocab.txt", {"vocab.txt": vocabulary, "tokenizer_config.json": json.dumps({"tokenizer_class": "BertTokenizer"})}))
    out.append(of_files("vocab.txt, cased, CRLF", {"vocab.txt": vocabulary.replace("\n", "\r\n").encode(), "tokenizer_config.json": json.dumps(
        {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False, "model_max_length": 512,
         "mask_token": {"__type": "AddedToken", "content": "[MASK]", "lstrip": True, "rstrip": False, "single_word": False, "normalized": False},
         "additional_special_tokens": ["<extra>"]})}))
    return out


KINDS = {"wordpiece": wordpiece}

if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name in sys.argv[1:] or KINDS:
        entries = KINDS[name]()
        # A vocabulary that several entries share is stored once.
        models_seen = {}
        for e in entries:
            if "tokenizer" in e:
                key = json.dumps(e["tokenizer"]["model"], sort_keys=True)
                e["model"] = models_seen.setdefault(key, len(models_seen))
                del e["tokenizer"]["model"]
        text = json.dumps({"models": [json.loads(k) for k in models_seen], "entries": entries}, ensure_ascii=True, separators=(",", ":"))
        (GOLDEN / f"{name}.json").write_text(text.replace('{"name"', '\n{"name"') + "\n")
        print(name, len(entries), "tokenizers", sum(len(e["cases"]) for e in entries), "cases", len(text), "bytes")
