#!/usr/bin/env python3
"""Compares Silica's tokenizers with Python `tokenizers` on random hostile text, and their speed.

    compare_tokenizers.py DIR [DIR ...] [--count 10000] [--seed 1] [--speed] [--driver 'silica tokenize']

DIR holds tokenizer.json, or the files that transformers makes a tokenizer of when it is absent. Without --driver, a
small program is compiled from bench/tokenize.hpp (needs c++, utf8proc, PCRE2, nlohmann/json). Needs the Python packages
tokenizers, and transformers for directories without tokenizer.json. Not part of the test command.
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
import time

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("RAYON_NUM_THREADS", "1")

ROOT = pathlib.Path(__file__).resolve().parents[3]

DRIVER = r"""
#include "bench/tokenize.hpp"
#include <chrono>
#include <fstream>
#include <iostream>
#include <sstream>
int main(int argc, char** argv) {
    try {
        auto tokenizer = silica::text::Tokenizer::open(argv[1]);
        if (argc < 4) return silica::bench::tokenize_jsonl(std::cin, std::cout, tokenizer);
        tokenizer.set_truncation(std::nullopt);
        tokenizer.set_padding(std::nullopt);
        std::ifstream in(argv[3]);
        std::vector<std::string> lines;
        for (std::string line; std::getline(in, line);) lines.push_back(line);
        double best = 1e9;
        for (int i = 0; i < 5; ++i) {
            const auto start = std::chrono::steady_clock::now();
            for (const auto& line : lines) (void)tokenizer.encode(line);
            best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
        }
        std::cout << best << "\n";
    } catch (const silica::Error& error) {
        std::cerr << error.what() << "\n";
        return 2;
    }
}
"""

SCRIPTS = [(0x41, 0x5A), (0x61, 0x7A), (0x30, 0x39), (0x21, 0x2F), (0xC0, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF),
           (0x590, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F), (0x980, 0x9FF), (0xE00, 0xE7F), (0xF00, 0xFDA),
           (0x1000, 0x109F), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x21FF), (0x2460, 0x24FF),
           (0x3040, 0x30FF), (0x3130, 0x318F), (0x3200, 0x33FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF),
           (0xFB00, 0xFB4F), (0xFE20, 0xFE2F), (0xFF00, 0xFFEF), (0x10400, 0x1044F), (0x1D100, 0x1D1FF),
           (0x1D400, 0x1D7FF), (0x1F300, 0x1F6FF), (0x1F900, 0x1F9FF), (0x20000, 0x20FFF), (0x2F800, 0x2FA1F)]
MARKS = [0x300, 0x301, 0x308, 0x30A, 0x316, 0x323, 0x327, 0x338, 0x345, 0x5B0, 0x5B4, 0x64B, 0x651, 0x93C, 0x94D,
         0xE38, 0xE48, 0x3099, 0x20D0, 0x302E, 0x1D165, 0x1D16E, 0x16FF0]
HOSTILE = ["\u200b", "\u200d", "\u200c", "\ufeff", "\u2060", "\u00ad", "\u202e", "\u00a0", "\u3000", "\u2028", "\u0085",
           "\u180e", "\u2003", "\x00", "\x01", "\x0b", "\x0c", "\x7f", "\x1b", "\ufffd", "\uffff", "\U0010ffff", "\ue000",
           "\u0130", "\u0131", "\u1e9e", "\ufb01", "\ufdfa", "\u212b", "\u2126", "\u1f88", "\u01c5", "\u0345", "\u2581",
           "\u0120", "\U0001F468\u200D\U0001F469\u200D\U0001F467", "\U0001F1E9\U0001F1EA", "\U0001F44D\U0001F3FD", "\u2764\ufe0f",
           "\u1112\u1161\u11ab", "\u0e33", "\u0958", "\u2adc", "\U0001d15f", "\U000e0041", "<0x0A>", "<0x41>", "##", "##s", "\\n"]
WORDS = ("the of and to in is that it was for on are with as his they be at one have this from or had by hot but some "
         "what there we can out other were all your when up use word how said an each she unaffable tokenization "
         "don't I'll we're it's THEY'D 2024 3.14159 1,000,000 http://example.com/a?b=c&d=e foo_bar@baz.org "
         "naïve café Straße Übergrößenträger España niño déjà vu Łódź İstanbul ΑΒΓ σίσυφος ΣΊΣΥΦΟΣ привет мир "
         "Ёлка שלום עולם مرحبا بالعالم नमस्ते दुनिया สวัสดีชาวโลก 你好世界 東京 日本語テキスト カタカナ ひらがな 한국어 "
         "안녕하세요 ქართული հայերեն ሰላም ភាសាខ្មែរ ①②③ ｆｕｌｌｗｉｄｔｈ ﬁne x² H₂O ½ ™ … — “quoted” ‘single’").split()


def make_texts(count, seed, specials):
    rng = random.Random(seed)
    texts = ["", " ", "   ", "\n", "\t\n \r\n", "\u00a0", "\u3000\u3000", "a", "A" * 99, "b" * 100, "c" * 101, "é" * 101,
             "x" * 5000, "一" * 300, "\u0301", "\u0301\u0316a", "a\u0316\u0301", "'", "...", "\x00", "\x00\x00 a",
             "\ufffd", "[UNK", "##", "# #", "Hello, y'all! How are you 😁 ?", " leading", "trailing ", "  two  spaces  ",
             "don't've I'LL we'Re", "1234567 12 3", "a\n\n\nb\r\n c", "   \n  x", "\t\tx", "é\u0301\u0301\u0301"]
    texts += [a + s + b for s in specials[:40] for a in ("", " ", "x", "x ") for b in ("", " ", "y", " y")]

    def piece():
        kind = rng.random()
        if kind < 0.45:
            word = rng.choice(WORDS)
            return rng.choice([word, word, word.upper(), word.lower(), word.capitalize(), word[::-1]])
        if kind < 0.70:
            low, high = rng.choice(SCRIPTS)
            return "".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 8)))
        if kind < 0.78:
            low, high = rng.choice(SCRIPTS)
            return "".join(chr(rng.randint(low, high)) + "".join(chr(rng.choice(MARKS)) for _ in range(rng.randint(0, 4)))
                           for _ in range(rng.randint(1, 4)))
        if kind < 0.86:
            return rng.choice(HOSTILE)
        if kind < 0.90 and specials:
            return rng.choice(specials)
        if kind < 0.93:
            code = rng.randrange(0x110000)
            return chr(code) if not 0xD800 <= code <= 0xDFFF else "?"
        if kind < 0.95:
            return rng.choice("abcxyzé你0") * rng.randint(2, 150)
        return rng.choice([" ", "  ", "\t", "\n", "\n\n", "\r\n", "    "])

    while len(texts) < count:
        texts.append("".join(piece() + rng.choice(["", " ", " ", " "]) for _ in range(rng.randint(1, 14))))
    rng.shuffle(texts)
    return texts


def reference(directory):
    """The tokenizers.Tokenizer that Python makes of the directory."""
    path = directory / "tokenizer.json"
    if path.exists():
        from tokenizers import Tokenizer
        return Tokenizer.from_file(str(path))
    from transformers import AutoTokenizer
    return AutoTokenizer.from_pretrained(str(directory)).backend_tokenizer


def driver_command(given, scratch):
    if given:
        return shlex.split(given)
    source, program = pathlib.Path(scratch, "driver.cpp"), pathlib.Path(scratch, "driver")
    source.write_text(DRIVER)
    subprocess.run([os.environ.get("CXX", "c++"), "-std=c++20", "-O2", f"-I{ROOT}/include", f"-I{ROOT}", str(source),
                    "-o", str(program), "-lutf8proc", "-lpcre2-8"], check=True)
    return [str(program)]


def compare(directory, command, count, seed):
    tokenizer = reference(directory)
    specials = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    texts = make_texts(count, seed, specials[:300])
    rng = random.Random(seed + 1)
    requests = []
    for i, text in enumerate(texts):
        request = {"text": text}
        if i % 5 == 0:
            request["pair"] = rng.choice(texts)
        if i % 3 == 0:
            request["add_special_tokens"] = False
        requests.append(request)
    lines = "".join(json.dumps(r, ensure_ascii=i % 2 == 0) + "\n" for i, r in enumerate(requests))
    run = subprocess.run(command + [str(directory)], input=lines.encode(), capture_output=True)
    if run.returncode:
        print(run.stderr.decode(errors="replace"))
        return False
    answers = [json.loads(line) for line in run.stdout.decode().split("\n") if line]
    wrong = crashed = 0
    for request, answer in zip(requests, answers):
        try:
            encoding = tokenizer.encode(request["text"], request.get("pair"),
                                        add_special_tokens=request.get("add_special_tokens", True))
            want = {"ids": encoding.ids, "type_ids": encoding.type_ids, "tokens": encoding.tokens,
                    "decoded": tokenizer.decode(encoding.ids, skip_special_tokens=False),
                    "decoded_skip_special": tokenizer.decode(encoding.ids, skip_special_tokens=True)}
        except BaseException as error:  # a panic of the Rust library is no Exception
            if type(error).__name__ != "PanicException":
                raise
            crashed += 1
            continue
        different = [key for key in want if want[key] != answer[key]]
        if different:
            wrong += 1
            if wrong <= 5:
                print("DIFFERS", different, json.dumps(request))
                for key in different[:2]:
                    print("   want", key, json.dumps(want[key])[:600])
                    print("   got ", key, json.dumps(answer[key])[:600])
    print(f"{directory}: {len(requests)} texts, {len(answers)} answers, {wrong} different"
          + (f", {crashed} crashed Python tokenizers" if crashed else ""))
    return wrong == 0 and len(answers) == len(requests)


def speed(directory, command, scratch):
    tokenizer = reference(directory)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    rng = random.Random(7)
    lines, size = [], 0
    while size < 1_000_000:
        line = " ".join(rng.choice(WORDS) if rng.random() < 0.25 else rng.choice(WORDS[:60]) for _ in range(rng.randint(5, 60)))
        lines.append(line)
        size += len(line.encode()) + 1
    path = pathlib.Path(scratch, "speed.txt")
    path.write_text("\n".join(lines) + "\n")
    best = 1e9
    for _ in range(5):
        start = time.perf_counter()
        for line in lines:
            tokenizer.encode(line)
        best = min(best, time.perf_counter() - start)
    batch = 1e9
    for _ in range(5):
        start = time.perf_counter()
        tokenizer.encode_batch_fast(lines)
        batch = min(batch, time.perf_counter() - start)
    mine = float(subprocess.run(command + [str(directory), "--time", str(path)], capture_output=True, check=True).stdout)
    print(f"{directory}: {size / 1e6:.2f} MB: silica {mine * 1e3:.1f} ms, tokenizers encode {best * 1e3:.1f} ms "
          f"({best / mine:.2f} x), encode_batch_fast {batch * 1e3:.1f} ms ({batch / mine:.2f} x)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--driver", help="a program that takes a directory, and JSON lines on its input")
    parser.add_argument("--speed", action="store_true", help="time both too (only without --driver)")
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as scratch:
        command = driver_command(options.driver, scratch)
        for directory in options.directories:
            good &= compare(directory, command, options.count, options.seed)
            if options.speed:
                speed(directory, command, scratch)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
