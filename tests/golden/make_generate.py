#!/usr/bin/env python3
"""Writes golden/generate/: what transformers' generate makes of prompts, and what its logits processors make of scores.

Run by hand (`make_generate.py [toy|processors|models]...`, needs torch and transformers); what it writes is committed,
so that the tests need neither.

- toy.json: texts of a network whose logits depend on the last two tokens and on how many there were (tests/generate/
  toy.hpp has the same one), for every way of generating;
- processors.json: scores of awkward kinds (ties, -inf, none likely, one certain) before and after the processors;
- <family>/<case>/: tiny random checkpoints with `reference*.safetensors` of task `generate`.
"""
import copy
import json
import pathlib
import sys
import warnings

import numpy
import torch
import transformers
from transformers import GenerationConfig, GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

HERE = pathlib.Path(__file__).resolve().parent / "generate"


def knuth(seed, count):
    """The numbers of tests/generate/toy.hpp: (x >> 33) of Knuth's MMIX generator."""
    x, numbers = seed, []
    for _ in range(count):
        x = (x * 6364136223846793005 + 1442695040888963407) & (2 ** 64 - 1)
        numbers.append(x >> 33)
    return numbers


class ToyConfig(PreTrainedConfig):
    model_type = "toy"
    vocab_size: int = 24
    max_position_embeddings: int = 64
    table: int = 97
    seed: int = 1
    eos_token_id: int | None = None


class Toy(PreTrainedModel, GenerationMixin):
    config_class = ToyConfig
    main_input_name = "input_ids"

    def __init__(self, config):
        super().__init__(config)
        numbers = knuth(config.seed, config.table * config.vocab_size)
        table = (numpy.array(numbers) % 4001 - 2000).astype(numpy.float32) / numpy.float32(500)
        self.rows = torch.from_numpy(table).view(config.table, config.vocab_size)
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, input_ids, attention_mask=None, **_):
        out = []
        for row, ids in enumerate(input_ids.tolist()):
            if attention_mask is not None:
                ids = [i for i, kept in zip(ids, attention_mask[row].tolist()) if kept]
            last, before = ids[-1], ids[-2] if len(ids) > 1 else 0
            out.append(self.rows[(last * 31 + before * 17 + len(ids) * 7) % self.config.table])
        return CausalLMOutput(logits=torch.stack(out)[:, None])


def toy_cases():
    plain = [[3, 5, 7], [1, 2, 9]]
    padded = [[0, 0, 0, 4, 11], [0, 3, 5, 7, 1], [6, 6, 2, 13, 17]]
    mask = [[0, 0, 0, 1, 1], [0, 1, 1, 1, 1], [1, 1, 1, 1, 1]]
    new = dict(max_new_tokens=12)

    def case(name, ids, mask=None, seed=1, **config):
        return dict(name=name, ids=ids, mask=mask, seed=seed, config=config)

    yield case("greedy, 20 tokens by default", plain)
    yield case("greedy, one row", [[8]], **new)
    yield case("greedy, padding on the left", padded, mask, **new)
    yield case("max_length counts the prompt", plain, max_length=9)
    for eos in (4, [4, 9, 15, 20]):
        yield case(f"end token {eos}, padding after it", padded, mask, eos_token_id=eos, pad_token_id=0, max_new_tokens=25)
        yield case(f"end token {eos} without a pad token", padded, mask, eos_token_id=eos, max_new_tokens=25)
        yield case(f"end token {eos}, min_new_tokens", padded, mask, eos_token_id=eos, pad_token_id=0, max_new_tokens=25,
                   min_new_tokens=9)
        yield case(f"end token {eos}, min_length", padded, mask, eos_token_id=eos, pad_token_id=0, max_length=25,
                   min_length=14)
    yield case("repetition penalty, padding does not count", padded, mask, repetition_penalty=1.7, **new)
    yield case("repetition reward", plain, repetition_penalty=0.6, **new)
    yield case("encoder repetition penalty of a decoder", plain, encoder_repetition_penalty=2.0, **new)
    for n in (1, 2, 3):
        yield case(f"no {n}-gram twice", [[3, 5, 3, 5], [1, 1, 1, 1]], no_repeat_ngram_size=n, max_new_tokens=18)
    yield case("no n-gram of the prompt", [[3, 5, 3, 7, 9, 12, 21, 22], [1, 1, 1, 1, 2, 4, 8, 16]], max_new_tokens=18,
               encoder_no_repeat_ngram_size=2)
    yield case("bad words", plain, bad_words_ids=[[5], [7, 11], [3, 5, 7, 9], [12]], **new)
    yield case("sequence bias", plain, sequence_bias=[[[5], 2.5], [[7, 11], -4.0], [[3], -1.5]], **new)
    yield case("suppressed tokens", plain, suppress_tokens=[1, 2, 3, 4, 5, 6], begin_suppress_tokens=[7, 8, 9, 10], **new)
    yield case("forced first token", [[3], [9]], forced_bos_token_id=17, begin_suppress_tokens=[7, 8, 9, 10], **new)
    yield case("forced last token", plain, forced_eos_token_id=6, eos_token_id=6, pad_token_id=0, **new)
    yield case("length decay", plain, exponential_decay_length_penalty=[2, 1.5], eos_token_id=6, pad_token_id=0,
               max_new_tokens=30)
    yield case("many at once", padded, mask, repetition_penalty=1.3, no_repeat_ngram_size=2, bad_words_ids=[[5], [7, 11]],
               eos_token_id=[4, 9], pad_token_id=0, min_new_tokens=5, suppress_tokens=[2], renormalize_logits=True,
               max_new_tokens=25)
    yield case("sampling from one token is greedy", plain, do_sample=True, top_k=1, temperature=3.0, **new)

    end = dict(eos_token_id=[4, 9], pad_token_id=0, max_new_tokens=14)
    for seed in (1, 2, 3):
        for beams in (2, 3, 5):
            yield case(f"{beams} beams", plain, seed=seed, num_beams=beams, **new)
            for early in (False, True, "never"):
                for penalty in (1.0, 0.0, -1.5, 2.0):
                    yield case(f"{beams} beams, early_stopping {early}, length_penalty {penalty}", padded, mask, seed=seed,
                               num_beams=beams, early_stopping=early, length_penalty=penalty, **end)
        yield case("4 beams, 4 texts", padded, mask, seed=seed, num_beams=4, num_return_sequences=4, **end)
        yield case("4 beams, 3 texts, one end token, pad is not 0", padded, mask, seed=seed, num_beams=4,
                   num_return_sequences=3, eos_token_id=4, pad_token_id=23, max_new_tokens=14)
        yield case("3 beams, processors", padded, mask, seed=seed, num_beams=3, repetition_penalty=1.4,
                   no_repeat_ngram_size=2, bad_words_ids=[[5], [7, 11]], min_new_tokens=4, **end)
        yield case("4 beams, rare ends", plain, seed=seed, num_beams=4, eos_token_id=4, pad_token_id=0, max_new_tokens=40,
                   num_return_sequences=2)
        yield case("4 beams, max_length", plain, seed=seed, num_beams=4, max_length=8, eos_token_id=4, pad_token_id=0)


def write_toy():
    out = []
    for c in toy_cases():
        model = Toy(ToyConfig(seed=c["seed"]))
        config = GenerationConfig(use_cache=False, output_scores=True, return_dict_in_generate=True, **c["config"])
        mask = None if c["mask"] is None else torch.tensor(c["mask"])
        ids = torch.tensor(c["ids"])
        made = model.generate(ids, attention_mask=torch.ones_like(ids) if mask is None else mask,
                              generation_config=copy.deepcopy(config))
        c["sequences"] = made.sequences.tolist()
        if "num_beams" in c["config"]:
            c["scores"] = [float(f"{s:.7g}") for s in made.sequences_scores.tolist()]
        out.append(c)
    save("toy.json", out)


AWKWARD = {
    "ordinary": lambda n: [(x % 641 - 320) / 64 for x in knuth(5, n)],
    "ties": lambda n: [(x % 5 - 2) / 2 for x in knuth(6, n)],
    "all equal": lambda n: [1.5] * n,
    "half forbidden": lambda n: [-float("inf") if x % 2 else (x % 641 - 320) / 64 for x in knuth(7, n)],
    "one allowed": lambda n: [-float("inf") if i != 7 else -3.0 for i in range(n)],
    "one certain": lambda n: [90.0 if i == 11 else (x % 641 - 320) / 64 for i, x in enumerate(knuth(8, n))],
    "all unlikely": lambda n: [-1000 + (x % 641 - 320) / 64 for x in knuth(9, n)],
    "wide": lambda n: [(x % 4001 - 2000) * 2.0 for x in knuth(10, n)],
}


def processor_cases():
    sample = dict(do_sample=True, top_k=0)
    for k in (1, 3, 30, 5000):
        yield dict(do_sample=True, top_k=k)
    for p in (0.0, 0.1, 0.5, 0.9, 0.999):
        yield dict(sample, top_p=p)
    for p in (0.0, 0.05, 0.3, 1.0):
        yield dict(sample, min_p=p)
    for p in (0.1, 0.5, 0.95):
        yield dict(sample, typical_p=p)
    for p in (3e-4, 0.02, 0.5):
        yield dict(sample, epsilon_cutoff=p)
        yield dict(sample, eta_cutoff=p)
    for p in (0.13, 0.48, 0.93):
        yield dict(sample, top_h=p)
    yield dict(sample, temperature=0.3)
    yield dict(sample, temperature=7.0, renormalize_logits=True)
    yield dict(do_sample=True, temperature=0.7, top_k=20, top_p=0.8, min_p=0.02)
    yield dict(do_sample=True, num_beams=3, top_k=1, top_p=0.1, min_p=0.9, eos_token_id=[1, 2])
    yield dict(repetition_penalty=1.3)
    yield dict(repetition_penalty=0.5)
    yield dict(encoder_repetition_penalty=1.3)
    yield dict(no_repeat_ngram_size=2)
    yield dict(bad_words_ids=[[3], [7, 2], [5, 9, 5]])
    yield dict(sequence_bias=[[[3], -2.5], [[9, 5, 3], 1.25], [[9, 5, 4], 0.5]])
    yield dict(min_new_tokens=10, eos_token_id=[1, 2])
    yield dict(suppress_tokens=[1, 2, 3], begin_suppress_tokens=[4, 5])
    yield dict(remove_invalid_values=True)
    yield dict(exponential_decay_length_penalty=[1, 1.5], eos_token_id=[1, 2])
    yield dict(repetition_penalty=1.2, no_repeat_ngram_size=2, bad_words_ids=[[3]], do_sample=True, temperature=0.8, top_k=25,
               top_p=0.9, min_p=0.01, typical_p=0.9, epsilon_cutoff=1e-3, renormalize_logits=True)


def write_processors():
    """Two rows of a prompt of 6 and 4 tokens since; the second has the scores of the first backwards. Scores after: all,
    null for -inf; of many: the number of those that are not, their sum and the sum of their squares. (Which of several
    equal scores torch.sort and torch.topk take depends on the machine, so tests compare what is kept by score.)"""
    model = Toy(ToyConfig())
    ids = torch.tensor([[9, 4, 9, 5, 3, 7, 5, 8, 9, 5], [7, 7, 3, 2, 7, 2, 9, 6, 4, 9]])
    prompt = ids[:, :6]
    out = []
    for config in processor_cases():
        for kind, values in AWKWARD.items():
            for n in (40, 3000):
                if kind == "wide" and "num_beams" in config:
                    continue  # transformers keeps tokens of probability 0 here, any of them
                if n == 3000 and (kind not in ("ordinary", "ties", "half forbidden") or not config.get("do_sample")):
                    continue  # where tails are cut off before they are sorted
                c = GenerationConfig(**config)
                c, _ = model._prepare_generation_config(c)
                model._prepare_special_tokens(c, True, device="cpu", batch_size=2)
                c.max_length = 30
                processors = model._get_logits_processor(c, 6, prompt, None, None, device="cpu", model_kwargs={})
                scores = torch.tensor([values(n), values(n)[::-1]], dtype=torch.float32)
                after = processors(ids, scores.clone())
                entry = dict(config=config, kind=kind, n=n)
                if n == 40:
                    entry["after"] = short(after)
                else:
                    kept = [row[row != -float("inf")].double() for row in after]
                    entry["sums"] = [[len(row), row.sum().item(), row.square().sum().item()] for row in kept]
                out.append(entry)
    scores = {kind: values(40) for kind, values in AWKWARD.items()}
    save("processors.json", dict(ids=ids.tolist(), prompt=6, scores=scores, cases=out))


def short(t):
    return [[None if v == -float("inf") else float(str(numpy.float32(v))) for v in row] for row in t.tolist()]


def save(name, value):
    HERE.mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps(each) for each in (value if isinstance(value, list) else value["cases"]))
    head = "[\n" if isinstance(value, list) else json.dumps({k: v for k, v in value.items() if k != "cases"})[:-1] + ', "cases": [\n'
    (HERE / name).write_text(head + lines + ("\n]\n" if isinstance(value, list) else "\n]}\n"))
    print(name, (HERE / name).stat().st_size, "bytes")


def main():
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    parts = {"toy": write_toy, "processors": write_processors}
    for part in sys.argv[1:] or parts:
        parts[part]()


if __name__ == "__main__":
    main()
