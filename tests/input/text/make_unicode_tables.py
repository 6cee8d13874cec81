#!/usr/bin/env python3
"""Writes include/silica/input/text/unicode_tables.hpp: how Python `tokenizers` classifies characters.

Asks the package about every code point (minutes). "Since Unicode 14" tables hold what is new against PCRE2 10.42, the
oldest release in use; utf8proc's categories come from the installed library. Run by hand; format the result with
clang-format. Needs the Python package tokenizers, libutf8proc and libpcre2-8.
"""
import ctypes
import ctypes.util
import pathlib

from tokenizers import Regex, normalizers, pre_tokenizers

OUT = pathlib.Path(__file__).resolve().parents[3] / "include/silica/input/text/unicode_tables.hpp"
CODES = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]

utf8proc = ctypes.CDLL(ctypes.util.find_library("utf8proc"))
utf8proc.utf8proc_category_string.restype = ctypes.c_char_p
CATEGORY = {c: utf8proc.utf8proc_category_string(c).decode() for c in CODES}


def of_category(*names):
    return {c for c in CODES if CATEGORY[c] in names or CATEGORY[c][0] in names}


def pcre2(pattern):
    """The characters that PCRE2 matches."""
    lib = ctypes.CDLL(ctypes.util.find_library("pcre2-8"))
    for name in ("pcre2_compile_8", "pcre2_match_data_create_8"):
        getattr(lib, name).restype = ctypes.c_void_p
    error, offset = ctypes.c_int(), ctypes.c_size_t()
    utf, ucp = 0x00080000, 0x00020000
    code = ctypes.c_void_p(lib.pcre2_compile_8(pattern.encode(), ctypes.c_size_t(len(pattern)), utf | ucp, ctypes.byref(error),
                                               ctypes.byref(offset), None))
    data = ctypes.c_void_p(lib.pcre2_match_data_create_8(4, None))
    text = [(c, chr(c).encode()) for c in CODES]
    return {c for c, b in text if lib.pcre2_match_8(code, b, ctypes.c_size_t(len(b)), ctypes.c_size_t(0), 0, data, None) > 0}


def splits(pre_tokenizer, around="\ue000"):
    """The characters that a pre-tokenizer cuts around."""
    return {c for c in CODES if len(pre_tokenizer.pre_tokenize_str(around + chr(c) + around)) != 1}


def matches(pattern):
    return splits(pre_tokenizers.Split(Regex(pattern), "isolated"))


def ranges(codes):
    out = []
    for c in sorted(codes):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def table(name, comment, codes):
    body = ", ".join(f"{{0x{a:X}, 0x{b:X}}}" for a, b in ranges(codes))
    return f"\n/// {comment}\ninline constexpr Range {name}[] = {{{body}}};\n"


def decomposed(normalizer, compatible):
    """Characters that utf8proc decomposes and the normalizer leaves alone."""
    options = (1 << 4) | ((1 << 2) if compatible else 0)  # UTF8PROC_DECOMPOSE, UTF8PROC_COMPAT
    buffer, boundary = (ctypes.c_int32 * 32)(), ctypes.c_int()
    return {c for c in CODES if (utf8proc.utf8proc_decompose_char(c, buffer, ctypes.c_size_t(32), options, ctypes.byref(boundary)) != 1
                                 or buffer[0] != c) and normalizer.normalize_str(chr(c)) == chr(c)}


def main():
    none = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    clean = normalizers.BertNormalizer(**{**none, "clean_text": True})
    strip = normalizers.BertNormalizer(**{**none, "strip_accents": True})
    nfd, accents = normalizers.NFD(), normalizers.StripAccents()
    numeric = splits(pre_tokenizers.Digits(True))
    words = {c for c in CODES if len(pre_tokenizers.Whitespace().pre_tokenize_str("a" + chr(c) + "a")) == 1}
    regex_numbers = matches(r"\p{N}")
    old_words = pcre2(r"[\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}]")

    text = '''#pragma once
/// Code point ranges that the checkpoints' tokenizers were trained with. Python `tokenizers` classifies characters by
/// several versions of Unicode (its Rust crates'); these are its answers, read off release 0.23.3 character by
/// character with tests/input/text/make_unicode_tables.py, so that ids do not change with the version of utf8proc.

namespace silica::text::unicode {

/// First and last code point of a run, both included.
struct Range {
    char32_t first, last;
};
'''
    text += table("control", "What BertNormalizer removes as control characters (Cc, Cf, Co, U+0000 and U+FFFD).",
                  {c for c in CODES if clean.normalize_str(chr(c)) == ""})
    text += table("punctuation", "What BertPreTokenizer and Punctuation call punctuation (Unicode 8 and all ASCII punctuation).",
                  splits(pre_tokenizers.Punctuation()))
    text += table("nonspacing", "What BertNormalizer strips as accents (Mn of Unicode 8).",
                  {c for c in CODES if strip.normalize_str(chr(c)) == "" and nfd.normalize_str(chr(c)) == chr(c)})
    text += table("combining", "What StripAccents strips, and all that has a combining class in the normal forms (M of Unicode 9).",
                  {c for c in CODES if accents.normalize_str(chr(c)) == ""})
    for short, name, what in (("L", "letters", "Letters (L)"), ("Lu", "upper", "Upper case letters (Lu)"), ("Ll", "lower", "Lower case letters (Ll)"),
                              ("Lm", "modifiers", "Modifier letters (Lm)"), ("Lo", "other_letters", "Other letters (Lo)"), ("M", "marks", "Marks (M)"),
                              ("N", "numbers", "Numbers (N)"), ("P", "new_punctuation", "Punctuation (P)"), ("S", "symbols", "Symbols (S)")):
        text += table(name + "_since_14", what + " of Unicode 15 to 16: PCRE2 and utf8proc may be older.",
                      matches(rf"\p{{{short}}}") - pcre2(rf"\p{{{short}}}"))
    text += table("numbers_17", "Numbers (N) of Unicode 17, which Digits knows and regular expressions do not.", numeric - of_category("N") - regex_numbers)
    text += table("word_others", "Word characters of regular expressions that are no letters, marks, numbers (Nd, Nl) or connectors in Unicode 14.",
                  words - old_words - {0x200C, 0x200D})
    text += table("undecomposed", "Characters younger than the normal forms in use (Unicode 9): they stay as they are.",
                  decomposed(nfd, False) | decomposed(normalizers.NFKD(), True))
    OUT.write_text(text + "\n}  // namespace silica::text::unicode\n")


if __name__ == "__main__":
    main()
