#!/usr/bin/env python3
"""Writes golden/*.json: tiny tokenizers and what Python `tokenizers` (or transformers) makes of a few texts.

Run by hand: make_golden.py [name ...]; needs the Python packages tokenizers, transformers, sentencepiece. What it writes is committed.
"""
import base64
import json
import pathlib
import random
import sys
import tempfile

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE / "golden"

TEXTS = ["", " ", "Hello, World!", "  the   unaffable\tcat\nsat ", "naïve Café ÀÉÎ straße İstanbul ΣΊΣ", "don't I'll we're",
         "你好 world 東京タワー", "한국어 텍스트 각", "नमस्ते दुनिया", "שָׁלוֹם عَرَبِيّ", "emoji 😁👨‍👩‍👧🇩🇪 ok", "a\u0301\u0316e\u0316\u0301 \u1e9b\u0323",
         "zero\u200bwidth \ufeff \u00ad soft \x00null \x07bell", "12345 3.14 ½ ² ٣", "[CLS] the [MASK]. [SEP] <extra> x<extra>y  <extra> ",
         "xtheworldthe", "#hash ##hash", "a" * 31, "ﬁne ﬀ Å Ω ｆｕｌｌ", "\u3000wide\u00a0space\u2028line\u0085next", "…“quoted” — dash",
         "world's worlds' 's 't", "<0x41> \\n \u2581 \u0120", "the the world world hello hello"]


def cases(tokenizer, texts=TEXTS, pairs=True, decode=None):
    decode = decode or tokenizer.decode
    out = []
    for i, text in enumerate(texts):
        for pair in ([None, texts[(i * 7 + 3) % len(texts)]] if pairs and i % 3 == 0 else [None]):
            for special in ([True, False] if i % 4 == 0 else [True]):
                e = tokenizer.encode(text, pair, add_special_tokens=special)
                case = {"text": text, "ids": e.ids, "type_ids": e.type_ids, "attention_mask": e.attention_mask,
                        "special_tokens_mask": e.special_tokens_mask, "tokens": e.tokens,
                        "decoded": decode(e.ids, skip_special_tokens=False),
                        "decoded_skip_special": decode(e.ids, skip_special_tokens=True)}
                if pair is not None:
                    case["pair"] = pair
                if not special:
                    case["add_special_tokens"] = False
                if e.overflowing:
                    case["overflowing"] = [o.ids for o in e.overflowing]
                out.append(short(case))
    return out


def short(case):
    """Leaves out what the reader of the file can tell: masks of one value, equal decodings."""
    n = len(case["ids"])
    for key, value in (("type_ids", [0] * n), ("attention_mask", [1] * n), ("special_tokens_mask", [0] * n),
                       ("decoded_skip_special", case["decoded"])):
        if case[key] == value:
            del case[key]
    return case


def entry(name, tokenizer, **kw):
    return {"name": name, "tokenizer": json.loads(tokenizer.to_str()), "cases": cases(tokenizer, **kw)}


def of_files(name, files):
    """A directory without tokenizer.json: what transformers makes of it."""
    from transformers import AutoTokenizer
    with tempfile.TemporaryDirectory() as directory:
        for file, content in files.items():
            pathlib.Path(directory, file).write_bytes(content if isinstance(content, bytes) else content.encode())
        tokenizer = AutoTokenizer.from_pretrained(directory)
    return {"name": name, "files": {file: base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()
                                    for file, content in files.items()}, "cases": cases(tokenizer.backend_tokenizer, decode=tokenizer.decode)}


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "hello", "world", "una", "##ffa", "##ble", "cat", "sat", "Hello", "World",
         "na", "##ive", "cafe", "aei", "strasse", "istanbul", "i", "don", "'", "t", "s", "ll", "we", "re", "你", "好", "東", "京", "タ",
         "##ワ", "##ー", "emoji", "ok", "zero", "##width", "soft", "null", "bell", "123", "##45", "3", ".", "14", ",", "!", "#", "hash",
         "##h", "##a", "a", "e", "x", "y", "##the", "##world", "fi", "##ne", "wide", "space", "line", "next", "quoted", "“", "”", "—", "…",
         "dash", "worlds", "<", ">", "extra", "mask", "[", "]", "naïve", "Café", "न", "##म", "שלום", "각", "##s"]


def wordpiece():
    vocab = {w: i for i, w in enumerate(WORDS)}

    def base(**normalizer):
        t = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=30))
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
                some["cases"].append(short({"text": a, "pair": b, "ids": e.ids, "type_ids": e.type_ids, "attention_mask": e.attention_mask,
                                      "special_tokens_mask": e.special_tokens_mask, "tokens": e.tokens, "decoded": t.decode(e.ids, skip_special_tokens=False),
                                      "decoded_skip_special": t.decode(e.ids), "overflowing": [o.ids for o in e.overflowing]}))
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


def sentencepiece_models():
    """Tiny SentencePiece models: unigram with a cut-down normalization table, and BPE with byte fallback."""
    import sentencepiece
    out = {}
    with tempfile.TemporaryDirectory() as directory:
        corpus = pathlib.Path(directory, "corpus.txt")
        words = " ".join(TEXTS).replace("\x00", "").replace("\n", " ").split()
        corpus.write_text("\n".join(" ".join(words[i:] + words[:i]) for i in range(len(words))))
        rules = pathlib.Path(directory, "rules.tsv")
        rules.write_text("FB01\t66 69\nFB00\t66 66\nFF46\t66\n212B\tC5\n65 301\tE9\n61 301 316\t41\n3000\t20\nA0\t20\n7\t\n200B\t20\nD\t20\nA\t20\n9\t20\n2026\t2E 2E 2E\n")
        for kind, ids in (("unigram", dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1)), ("bpe", dict(pad_id=-1, unk_id=0, bos_id=1, eos_id=2))):
            prefix = str(pathlib.Path(directory, kind))
            more = {"normalization_rule_tsv": str(rules)} if kind == "unigram" else {"normalization_rule_name": "identity", "byte_fallback": True,
                                                                                  "user_defined_symbols": ["<extra>"]}
            sentencepiece.SentencePieceTrainer.train(input=str(corpus), model_prefix=prefix, model_type=kind, hard_vocab_limit=False,
                                                     vocab_size=420 if kind == "bpe" else 150, minloglevel=2, **ids, **more)
            out[kind] = pathlib.Path(prefix + ".model").read_bytes()
    return out


def charsmap(model):
    from transformers.convert_slow_tokenizer import import_protobuf
    proto = import_protobuf().ModelProto()
    proto.ParseFromString(model)
    return proto.normalizer_spec.precompiled_charsmap


def components():
    """One tokenizer per component. Unknown stretches keep their text in a Unigram model, so that tokens show what the component did."""
    vocab = [("<unk>", 0.0), ("a", -2.0), ("e", -2.1), ("th", -3.0), ("the", -4.0), ("\u2581the", -5.0), ("\u2581", -2.5), (" ", -3.3), ("1", -4.0),
             ("é", -5.0), ("\u0301", -6.0), ("你", -4.0)]
    bytes_vocab = [("<unk>", 0.0)] + [(f"<0x{i:02X}>", 0.0) for i in range(256)] + [("\u2581the", -1.0), ("the", -2.0), (" ", -2.0)]
    N, P, D = normalizers, pre_tokenizers, decoders
    out = []

    def add(name, model=None, normalizer=None, pre=None, decoder=None, tokens=()):
        t = Tokenizer(model or models.Unigram(vocab, 0, False))
        if normalizer:
            t.normalizer = normalizer
        if pre:
            t.pre_tokenizer = pre
        if decoder:
            t.decoder = decoder
        if tokens:
            t.add_tokens(list(tokens))
        out.append({"name": name, "tokenizer": json.loads(t.to_str()), "cases": cases(t, TEXTS[2:15] + TEXTS[18:22], pairs=False)})

    table = charsmap(sentencepiece_models()["unigram"])
    for name in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt"):
        add("normalizer " + name, normalizer=getattr(N, name)())
    add("normalizer Precompiled", normalizer=N.Precompiled(table))
    add("normalizer Strip", normalizer=N.Strip())
    add("normalizer Prepend, Replace string", normalizer=N.Sequence([N.Prepend("\u2581"), N.Replace(" ", "\u2581")]))
    add("normalizer Replace regex", normalizer=N.Replace(Regex(r"\s+|the"), "<>"))
    add("normalizer ByteLevel", normalizer=N.ByteLevel())
    add("pre-tokenizer ByteLevel", pre=P.ByteLevel())
    add("pre-tokenizer ByteLevel, no regex", pre=P.ByteLevel(add_prefix_space=False, use_regex=False), decoder=D.ByteLevel())
    for scheme in ("first", "never", "always"):
        for split in (True, False):
            add(f"Metaspace {scheme} {split}", pre=P.Metaspace(prepend_scheme=scheme, split=split), decoder=D.Metaspace(prepend_scheme=scheme),
                tokens=[AddedToken("cat", normalized=False)])
    for behavior in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"):
        add("Split " + behavior, pre=P.Split(Regex(r"\p{N}{1,2}|\s|the"), behavior))
        add("Split inverted " + behavior, pre=P.Split(" ", behavior, True))
        add("Punctuation " + behavior, pre=P.Punctuation(behavior))
    add("Split word classes", pre=P.Split(Regex(r"\w+|\W"), "removed", True))
    add("Digits", pre=P.Digits(False))
    add("Digits, each", pre=P.Digits(True))
    add("Whitespace", pre=P.Whitespace())
    add("WhitespaceSplit", pre=P.WhitespaceSplit())
    add("CharDelimiterSplit", pre=P.CharDelimiterSplit("e"))
    add("FixedLength", pre=P.FixedLength(3))
    add("Sequence of pre-tokenizers", pre=P.Sequence([P.Punctuation(), P.Digits(True), P.Metaspace(prepend_scheme="first")]))
    add("added tokens after normalization", normalizer=N.Sequence([N.Lowercase(), N.Prepend("\u2581")]),
        tokens=[AddedToken("the", normalized=True, single_word=True), AddedToken("CAFÉ", normalized=True, lstrip=True), AddedToken("sat", special=True)])
    byte_model = models.Unigram(bytes_vocab, 0, True)
    add("decoder ByteFallback", model=byte_model, decoder=D.ByteFallback())
    add("decoder of LLaMA", model=byte_model, normalizer=N.Replace(" ", "\u2581"),
        decoder=D.Sequence([D.Replace("\u2581", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)]))
    level = models.WordLevel({c: i for i, c in enumerate(["<pad>", "|", "[UNK]", "a", "e", "t", "h", "l", "'", "s", ".", " ", "</w>"])}, unk_token="[UNK]")
    each = P.Split("", "isolated")
    add("decoder CTC", model=level, pre=each, decoder=D.CTC("<pad>", "|", True))
    add("decoder BPEDecoder", model=level, pre=each, decoder=D.BPEDecoder("e"))
    add("decoder WordPiece", model=level, pre=each, decoder=D.WordPiece("e", True))
    return out


def bpe():
    base = ["<unk>"] + list("abcdefghijklmnopqrstuvwxyz\u2581'") + ["th", "the", "er", "in", "at", "ca", "cat", "\u2581the", "\u2581t", "he", "wo", "or", "ld",
                                                                     "world", "worl", "wor"]
    merges = [("t", "h"), ("th", "e"), ("e", "r"), ("i", "n"), ("a", "t"), ("c", "a"), ("c", "at"), ("\u2581", "t"), ("\u2581", "the"), ("h", "e"),
              ("w", "o"), ("wo", "r"), ("wor", "l"), ("worl", "d"), ("o", "r"), ("l", "d"), ("wor", "ld")]
    all_bytes = [f"<0x{i:02X}>" for i in range(256)]
    out = []

    def add(name, vocab, merges, pre=pre_tokenizers.WhitespaceSplit(), decoder=None, normalizer=None, **options):
        t = Tokenizer(models.BPE({v: i for i, v in enumerate(vocab)}, merges, **options))
        if pre:
            t.pre_tokenizer = pre
        if decoder:
            t.decoder = decoder
        if normalizer:
            t.normalizer = normalizer
        out.append(entry(name, t, pairs=False))

    add("plain", base, merges, unk_token="<unk>")
    add("unknowns fused", base, merges, unk_token="<unk>", fuse_unk=True)
    add("no unknown token", base, merges)
    add("byte fallback, one word", base + all_bytes, merges, None, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    add("byte fallback, some bytes", base + all_bytes[:0xC3], merges, unk_token="<unk>", byte_fallback=True)
    add("ignore_merges", base + ["unaffable"], merges, unk_token="<unk>", ignore_merges=True)
    add("suffix", base + [c + "</w>" for c in "abcdefghijklmnopqrstuvwxyz"] + ["the</w>", "in</w>"], merges + [("th", "e</w>"), ("i", "n</w>")],
        unk_token="<unk>", end_of_word_suffix="</w>", decoder=decoders.BPEDecoder("</w>"))
    add("prefix", base + ["##" + c for c in "abcdefghijklmnopqrstuvwxyz"] + ["##he", "##er"],
        [("##h", "##e"), ("t", "##he"), ("##e", "##r"), ("t", "##h")], unk_token="<unk>", continuing_subword_prefix="##")

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = alphabet + ["th", "the", "\u0120t", "\u0120the", "he", "ll", "hell", "hello", "\u0120w", "or", "\u0120wor", "ld", "\u0120world", "\u0120\u0120"]
    level = [("t", "h"), ("th", "e"), ("\u0120", "t"), ("\u0120", "the"), ("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o"), ("\u0120", "w"), ("o", "r"),
             ("\u0120w", "or"), ("l", "d"), ("\u0120wor", "ld"), ("\u0120", "\u0120")]
    llama3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    add("byte level", vocab, level, pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel())
    add("byte level, LLaMA 3's words", vocab, level,
        pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(llama3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
        decoders.ByteLevel(), normalizers.NFC(), ignore_merges=True)

    vocab += ["<|endoftext|>", "<|startoftext|>"]
    text = "#version: 0.2\n" + "\n".join(" ".join(m) for m in level) + "\n"

    def directory(name, words, lines, **config):
        out.append(of_files(name, {"vocab.json": json.dumps({v: i for i, v in enumerate(words)}), "merges.txt": lines,
                                   "tokenizer_config.json": json.dumps(config)}))

    directory("vocab.json, GPT-2", vocab, text, tokenizer_class="GPT2Tokenizer", add_bos_token=True)
    directory("vocab.json, Qwen2", vocab, text, tokenizer_class="Qwen2Tokenizer", eos_token="<|im_end|>", bos_token=None)
    directory("vocab.json, Whisper", vocab, text, tokenizer_class="WhisperTokenizer", additional_special_tokens=["<|startoftranscript|>", "<|notimestamps|>"])
    directory("vocab.json, RoBERTa", vocab, text, tokenizer_class="RobertaTokenizer")
    clip = alphabet + [c + "</w>" for c in alphabet] + ["th", "the</w>", "he", "hel", "hell", "hello</w>", "<|startoftext|>", "<|endoftext|>"]
    directory("vocab.json, CLIP", clip, "#version: 0.2\nt h\nth e</w>\nh e\nhe l\nhel l\nhell o</w>\n", tokenizer_class="CLIPTokenizer")
    return out


def unigram():
    vocab = [("<unk>", 0.0), ("</s>", 0.0), ("\u2581", -2.0), ("\u2581the", -3.0), ("\u2581hello", -4.0), ("\u2581wor", -4.5), ("ld", -3.5), ("s", -3.0), ("a", -3.1),
             ("cat", -5.0), ("c", -3.9), ("at", -4.0), ("t", -3.3), ("e", -3.2), ("h", -3.6), ("th", -4.1), ("o", -3.7), ("l", -3.8), ("n", -3.9), ("na", -6.0)]
    out = []
    for name, more, fallback in (("plain", [], False), ("byte fallback", [(f"<0x{i:02X}>", -20.0) for i in range(256)], True)):
        t = Tokenizer(models.Unigram(vocab + more, 0, fallback))
        t.pre_tokenizer = pre_tokenizers.Metaspace()
        t.decoder = decoders.Metaspace()
        t.post_processor = processors.TemplateProcessing("$A </s>", "$A </s> $B </s>", [("</s>", 1)])
        out.append(entry(name, t))
    pieces = sentencepiece_models()
    out.append(of_files("spiece.model of T5", {"spiece.model": pieces["unigram"], "tokenizer_config.json": json.dumps({"tokenizer_class": "T5Tokenizer"})}))
    out.append(of_files("tokenizer.model of LLaMA", {"tokenizer.model": pieces["bpe"], "tokenizer_config.json": json.dumps(
        {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False})}))
    out.append(of_files("tokenizer.model of LLaMA, legacy", {"tokenizer.model": pieces["bpe"], "tokenizer_config.json": json.dumps(
        {"tokenizer_class": "LlamaTokenizer", "legacy": True, "add_bos_token": True, "add_eos_token": True})}))
    return out


def old_files():
    """tokenizer.json files of old: parts that are known by their keys; and Unigram models whose cuts have equal scores."""
    vocab = {w: i for i, w in enumerate(WORDS)}
    top = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"},
           "post_processor": None, "decoder": None}
    wordpiece = {"unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab}
    bert = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    letters = {c: i for i, c in enumerate(["[UNK]"] + list("abcdefghijklmnopqrstuvwxyz") + ["th", "the", "he"])}
    template = {"single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}}}
    out = []

    def add(name, **parts):
        text = json.dumps({**top, **parts})
        entry = {"name": name, "tokenizer": json.loads(text), "cases": cases(Tokenizer.from_str(text), TEXTS[:14])}
        out.append(entry)

    add("WordPiece", model=wordpiece, normalizer=bert, decoder={"prefix": "##", "cleanup": True}, post_processor={"sep": ["[SEP]", 3], "cls": ["[CLS]", 2]})
    add("WordPiece, more keys", model={**wordpiece, "something": 1}, normalizer={**bert, "type": "Bert"}, decoder={"type": "WordPiece", "prefix": "#", "cleanup": False},
        post_processor={"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2], "trim_offsets": True, "add_prefix_space": False})
    add("BPE", model={"vocab": letters, "merges": ["t h", "th e", "h e"], "unk_token": "[UNK]"}, decoder={"suffix": "e"}, post_processor=template)
    add("BPE, merges as pairs", model={"dropout": None, "unk_token": "[UNK]", "fuse_unk": True, "vocab": letters, "merges": [["t", "h"], ["th", "e"]]},
        normalizer={"normalizers": [{"type": "NFD"}, {"strip_left": True, "strip_right": False}, {"pattern": {"String": "w"}, "content": "th"}, {"prepend": "he"}]})
    add("WordLevel", model={"vocab": vocab, "unk_token": "[UNK]"}, decoder={"pad_token": "[UNK]", "word_delimiter_token": "the", "cleanup": True})
    add("Unigram", model={"unk_id": 0, "vocab": [["<unk>", 0], ["th", -1.5], ["e", -2], ["t", -2.5], ["h", -3], ["\u2581", -1]]},
        normalizer={"pattern": {"Regex": "[a-c]"}, "content": "e"}, decoder={"content": "e", "start": 1, "stop": 0})
    add("a type that is none", model=wordpiece, normalizer={"type": "Nonsense", "strip_left": True, "strip_right": True}, decoder={"type": "Huh", "prefix": "##", "cleanup": True})
    add("UnicodeScripts", model={"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["the", -1.0]]}, pre_tokenizer={"type": "UnicodeScripts"})
    rng = random.Random(3)
    for letters in ("a", "ab", "abc"):
        vocab = [["<unk>", 0.0]]
        for length in range(1, 9):
            for _ in range(3 if len(letters) > 1 else 1):
                score = -rng.uniform(1, 20)
                word = "".join(rng.choice(letters) for _ in range(length))
                if word not in [w for w, _ in vocab]:
                    vocab.append([word, score * length if letters != "a" else -12.345678901234567 * length])
        for c in letters:
            if c not in [w for w, _ in vocab]:
                vocab.append([c, -rng.uniform(1, 20)])
        text = json.dumps({**top, "pre_tokenizer": None, "model": {"type": "Unigram", "unk_id": 0, "vocab": vocab}})
        texts = ["".join(rng.choice(letters) for _ in range(n)) for n in (1, 7, 40, 99, 100, 101, 150, 333)]
        out.append({"name": "equal scores of " + letters, "tokenizer": json.loads(text), "cases": cases(Tokenizer.from_str(text), texts, False)})
    return out


def directories():
    """Directories, with the files beside the vocabulary against each other."""
    vocabulary = "\n".join(WORDS + ["trailing \t ", "<a>"]) + "\n"
    bert = Tokenizer(models.WordPiece({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    bert.normalizer = normalizers.BertNormalizer(lowercase=True)
    bert.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    bert.decoder = decoders.WordPiece(cleanup=False)
    bert.add_tokens([AddedToken("<extra>", lstrip=True), AddedToken("[MASK]", special=True, rstrip=True)])
    bert_json = bert.to_str()
    new = {"content": "<new>", "lstrip": False, "rstrip": True, "normalized": False, "single_word": False, "special": True}
    out = []

    def add(name, more={}, **config):
        files = {**more}
        if config:
            files["tokenizer_config.json"] = json.dumps(config)
        out.append(of_files(name, files))

    b = dict(tokenizer_class="BertTokenizer")
    words, both = {"vocab.txt": vocabulary}, {"vocab.txt": vocabulary, "tokenizer.json": bert_json}
    add("BERT: the config's case", both, **b, do_lower_case=False)
    add("BERT: the config's accents", both, **b, do_lower_case=True, strip_accents=False, tokenize_chinese_chars=False)
    add("BERT by config.json", {**both, "config.json": json.dumps({"model_type": "bert"})})
    add("PreTrainedTokenizerFast keeps tokenizer.json", both, tokenizer_class="PreTrainedTokenizerFast", do_lower_case=False, extra_special_tokens=["<extra>", "the"])
    add("tokens listed", words, **b, added_tokens_decoder={"900": new, "7": {"content": "sat", "special": False}}, additional_special_tokens=["<extra>"])
    add("tokens listed hide special_tokens_map.json", {**words, "special_tokens_map.json": json.dumps({"sep_token": "<b>"})}, **b, added_tokens_decoder={"900": new})
    add("added_tokens.json", {**words, "added_tokens.json": json.dumps({"<extra>": 300, "[SEP]x": 200, "Hello": 400})}, **b, sep_token="[SEP]x")
    add("special_tokens_map.json", {**words, "special_tokens_map.json": json.dumps(
        {"sep_token": {"content": "<extra>", "lstrip": True, "normalized": True}, "additional_special_tokens": ["the", "x<extra>y"], "do_lower_case": False})}, **b)
    add("extra tokens by name", words, **b, extra_special_tokens={"image_token": "<extra>", "boi_token": "[SEP]"}, video_token="x<extra>y")
    add("an object of extra tokens, a list of additional ones", words, **b, extra_special_tokens={"image_token": "<extra>"}, additional_special_tokens=["x"])
    add("a token with options", words, **b, mask_token={"__type": "AddedToken", "content": "[MASK]", "lstrip": True}, cls_token={"__type": "AddedToken", "content": "the"})
    add("no cls_token", words, **b, cls_token=None)
    add("special tokens are split", words, **b, split_special_tokens=True)
    add("spaces are cleaned up", {"tokenizer.json": bert_json}, tokenizer_class="PreTrainedTokenizerFast", clean_up_tokenization_spaces=True)
    pieces = sentencepiece_models()
    add("T5 with few sentinels", {"spiece.model": pieces["unigram"]}, tokenizer_class="T5Tokenizer", extra_ids=3, eos_token="<extra_id_1>")
    add("T5 with other tokens", {"spiece.model": pieces["unigram"]}, tokenizer_class="T5TokenizerFast", additional_special_tokens=["<extra>"])
    add("LLaMA without a space", {"tokenizer.model": pieces["bpe"]}, tokenizer_class="LlamaTokenizerFast", add_prefix_space=False, add_bos_token=True, add_eos_token=True)
    add("tokenizer.model, no class", {"tokenizer.model": pieces["bpe"], "config.json": json.dumps({"model_type": "llama"})})
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {t: i for i, t in enumerate(alphabet + ["th", "the", "\u0120t", "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|zh|>", "<|de|>", "<|translate|>",
                                                    "<|transcribe|>", "<|notimestamps|>"])}
    level = {"vocab.json": json.dumps(vocab), "merges.txt": "#version: 0.2\nt h\nth e\n\u0120 t\n"}
    add("Whisper in German", level, tokenizer_class="WhisperTokenizer", language="German", task="translate")
    add("GPT-2 with a space", level, tokenizer_class="GPT2TokenizerFast", add_prefix_space=True)
    add("Qwen2 by config.json", {**level, "config.json": json.dumps({"model_type": "qwen2"})}, tokenizer_class="PreTrainedTokenizerFast",
        extra_special_tokens=[{"__type": "AddedToken", "content": "<extra>", "lstrip": True}])
    return out


def patterns():
    """What Oniguruma matches."""
    texts = ["abc xyz ABC 123 _-]^&[", "straße ÀÉ ¼²ⅣⅫ ٣५ \u00a0\u3000\u200b\t\n", "a]b^c-d&e&&f[g", "你好、。！?$+<=>^`|~", "\u0345\u24b6\u0301x\u0903", "zzz aeiou ZZZ"]
    out = []
    for pattern in (r"[a-z&&[^aeiou]]", r"[a-z&&[^aeiou]]+", r"[^a-z&&m-z]", r"[a-f&&d-z&&[^e]]", r"[a[bc]x]+", r"[^a[bc]]+", r"[[a-c][x-z]]", r"[\w&&[^\d]]+",
                    r"[\p{L}&&\p{Lu}]+", r"[\p{L}&&[^\p{Lu}]]+", r"[[:alpha:]]+", r"[[:^alpha:]]+", r"[^[:alpha:]]+", r"[[:upper:][:digit:]]+", r"[[:alnum:]_]+",
                    r"[[:space:]]+", r"[[:punct:]]+", r"[[:lower:]]+", r"[[:xdigit:]]+", r"[[:word:]]+", r"[\W\d]+", r"[\S&&\W]", r"[\w-]+", r"[\d\-a]+", r"[a-]+", r"[]a]+",
                    r"[^]a]+", r"[a&&]", r"(?i)[a-c&&[^b]]+", r"[&]+", r"[a&b]+", r"[\P{L}]+", r"[\p{^L}]+", r"(?<=[a-z&&[^b]])\S", r"[[[a-c]]&&[b-d]]", r"[\H]+", r"[\]a]+", r"\w+", r"\W+", r"[^\s\w]+", r"\d+",
                    r"[a-z&&[b-y]&&^c]+", r"[-a]+", r"[a\-z]+", r"[\x41-\x43]+", r"[^&&a]+", r"[[:alpha:]&&[^[:lower:]]]+"):
        try:
            split = pre_tokenizers.Split(Regex(pattern), "isolated")
            out.append({"name": pattern, "pieces": [[p for p, _ in split.pre_tokenize_str(text)] for text in texts]})
        except Exception:
            out.append({"name": pattern, "pieces": None})
    return [{"name": "texts", "texts": texts}] + out


KINDS = {"wordpiece": wordpiece, "components": components, "bpe": bpe, "unigram": unigram, "old_files": old_files, "directories": directories, "patterns": patterns}

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
        text = json.dumps({"models": [json.loads(k) for k in models_seen], "entries": entries}, ensure_ascii=False, separators=(",", ":"))
        (GOLDEN / f"{name}.json").write_text(text.replace('{"name"', '\n{"name"') + "\n")
        print(name, len(entries), "entries", sum(len(e.get("cases", ())) for e in entries), "cases", len(text), "bytes")
