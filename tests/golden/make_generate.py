#!/usr/bin/env python3
"""Writes golden/generate/: what transformers' generate makes of prompts, and what its logits processors make of scores.

Run by hand (`make_generate.py [toy|processors|models]...`, needs torch and transformers); what it writes is committed,
so that the tests need neither.

- toy.json: texts of a network whose logits depend on the last two tokens and on how many there were (tests/generate/
  toy.hpp has the same one), for every way of generating;
- processors.json: scores of awkward kinds (ties, -inf, none likely, one certain) before and after the processors;
- <family>/: tiny random checkpoints with tokenizers; `reference*.safetensors` of task `generate` (metadata
  `max_new_tokens`, and `generation_config`: what else generate() was told, as JSON), and texts.json: prompts and chats
  with the texts that follow.
"""
import copy
import json
import pathlib
import sys
import warnings

import numpy
import tokenizers
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (GenerationConfig, GenerationMixin, LlamaConfig, LlamaForCausalLM, PreTrainedConfig,
                          PreTrainedModel, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, T5Config,
                          T5ForConditionalGeneration)
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
        yield case(f"end token {eos}, padding after it", padded, mask, eos_token_id=eos, pad_token_id=0,
                   max_new_tokens=25)
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
    yield case("suppressed tokens", plain, suppress_tokens=[1, 2, 3, 4, 5, 6],
               begin_suppress_tokens=[7, 8, 9, 10], **new)
    yield case("forced first token", [[3], [9]], forced_bos_token_id=17, begin_suppress_tokens=[7, 8, 9, 10], **new)
    yield case("forced last token", plain, forced_eos_token_id=6, eos_token_id=6, pad_token_id=0, **new)
    yield case("length decay", plain, exponential_decay_length_penalty=[2, 1.5], eos_token_id=6, pad_token_id=0,
               max_new_tokens=30)
    yield case("many at once", padded, mask, repetition_penalty=1.3, no_repeat_ngram_size=2,
               bad_words_ids=[[5], [7, 11]], eos_token_id=[4, 9], pad_token_id=0, min_new_tokens=5, suppress_tokens=[2], renormalize_logits=True,
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


TEXT = ["The cat sat on the mat and the dog ran to the other house.", "Wie geht es dir? Grüße aus Köln, naïve façade.",
        "你好，世界。これは試験です。", "🙂 emoji 😀 here", "the theatre thereafter, that is what they think about", "x = f(y) + 10\n"]
CHAT = ("{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] | trim }}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}")
SIZES = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=128)


def byte_level():
    """Bytes as tokens, so that what a random network writes is full of half characters."""
    t = tokenizers.Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    special = ["<s>", "</s>", "<pad>", "<|system|>", "<|user|>", "<|assistant|>"]
    t.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=330, special_tokens=special, show_progress=False,
                                                    initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
                                   padding_side="left", chat_template=CHAT)


def pieces():
    """As T5's: SentencePiece's unigrams, an end token after each text. (Its trainer gives others each time.)"""
    t = tokenizers.Tokenizer(models.Unigram())
    t.normalizer = normalizers.NFKC()
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    t.train_from_iterator(TEXT, trainers.UnigramTrainer(vocab_size=160, special_tokens=["<pad>", "</s>", "<unk>"],
                                                        unk_token="<unk>", show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>",
                                                     special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=t, eos_token="</s>", pad_token="<pad>", unk_token="<unk>")


def randomise(model):
    with torch.no_grad():
        for name, p in model.named_parameters():
            scale = 1 if "embed" in name or "shared" in name else 0.9 / p.shape[-1] ** 0.5
            if name.endswith(".q.weight"):
                scale /= model.config.d_kv ** 0.5
            p.copy_(1 + 0.2 * torch.randn_like(p) if "norm" in name else torch.randn_like(p) * scale)


REFERENCES = {
    "": {},
    "ends": dict(ends_every=3),
    "min_new_tokens": dict(ends_every=3, min_new_tokens=6),
    "processors": dict(repetition_penalty=1.4, no_repeat_ngram_size=2, bad_words_ids=[[20], [50, 51]],
                       suppress_tokens=[30, 31, 32]),
    "beams": dict(num_beams=4, num_return_sequences=3, ends_every=7),
    "beams_early": dict(num_beams=3, early_stopping=True, length_penalty=2.0, ends_every=5),
    "beams_never": dict(num_beams=2, early_stopping="never", length_penalty=-1.0, ends_every=4,
                        repetition_penalty=1.2),
}
PROMPTS = ["The cat", "Grüße, 世界! the other", "x"]
CHATS = [[{"role": "user", "content": "Where is the cat? "}],
         [{"role": "system", "content": "think"}, {"role": "user", "content": "你好"}, {"role": "assistant", "content": "hi"},
          {"role": "user", "content": "and the dog?"}]]


def write_model(name, model, tokenizer, **generation):
    directory = HERE / name
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    torch.manual_seed(sum(map(ord, name)))
    model = model.eval()
    if model.config.is_encoder_decoder:  # T5 1.1
        model.config.tie_word_embeddings = False
        model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.shared.weight))
    randomise(model)
    model.generation_config = GenerationConfig(**generation)
    model.save_pretrained(directory)
    if tokenizer:
        tokenizer.save_pretrained(directory)
        inputs = dict(tokenizer(PROMPTS, padding=True, return_tensors="pt"))
    else:
        ids = torch.randint(3, model.config.vocab_size, (3, 7))
        mask = torch.tensor([[0] * 3 + [1] * 4, [1] * 7, [0] * 5 + [1] * 2])
        inputs = dict(input_ids=ids * mask, attention_mask=mask)
    inputs.pop("token_type_ids", None)
    for case, config in REFERENCES.items():
        config = dict(config)
        if every := config.pop("ends_every", None):
            vocabulary = model.config.vocab_size
            config["eos_token_id"] = [1] + list(range(40 if vocabulary > 100 else 5, vocabulary, every))
        with torch.no_grad():
            out = model.generate(**inputs, max_new_tokens=12, do_sample=False, **config)
        tensors = {f"inputs.{k}": v for k, v in inputs.items()} | {"outputs.sequences": out}
        save_file({k: v.contiguous().clone() for k, v in tensors.items()},
                  directory / f"reference{'-' if case else ''}{case}.safetensors",
                  {"format": "silica-reference-1", "task": "generate", "max_new_tokens": "12", "atol": "0", "rtol": "0",
                   "architecture": type(model).__name__} | ({"generation_config": json.dumps(config)} if config else {}))
    if not tokenizer:
        return

    def text(ids, mask=None, **config):
        ids = torch.tensor([ids]) if isinstance(ids, list) else ids
        with torch.no_grad():
            out = model.generate(ids, attention_mask=torch.ones_like(ids) if mask is None else mask, **config)
        start = 1 if model.config.is_encoder_decoder else ids.shape[1]
        return [tokenizer.decode(row[start:], skip_special_tokens=True) for row in out]

    texts = []
    for config in (dict(max_new_tokens=30), dict(max_new_tokens=30, repetition_penalty=1.5),
                   dict(max_new_tokens=15, num_beams=3)):
        together = text(inputs["input_ids"], inputs["attention_mask"], **config)
        texts.append(dict(prompts=PROMPTS, config=config, texts=together))
        texts += [dict(prompts=[p], config=config, texts=text(tokenizer(p).input_ids, **config)) for p in PROMPTS]
        for chat in CHATS if tokenizer.chat_template else []:
            ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True)
            ids = ids["input_ids"] if not isinstance(ids, list) else ids
            texts.append(dict(messages=chat, config=config, texts=text(ids, **config)))
    save(f"{name}/texts.json", texts)


def write_models():
    llama, t5 = byte_level(), pieces()
    ends = dict(bos_token_id=0, eos_token_id=1, pad_token_id=2)
    write_model("llama", LlamaForCausalLM(LlamaConfig(vocab_size=len(llama), **SIZES, **ends)), llama,
                **ends)
    write_model("qwen2", Qwen2ForCausalLM(Qwen2Config(vocab_size=64, **SIZES)), None,
                eos_token_id=[1, 2], pad_token_id=0, repetition_penalty=1.1)
    write_model("t5", T5ForConditionalGeneration(T5Config(
        vocab_size=len(t5), d_model=16, d_kv=6, d_ff=20, num_layers=3, num_decoder_layers=2, num_heads=2,
        relative_attention_num_buckets=8, relative_attention_max_distance=12, feed_forward_proj="gated-gelu",
        tie_word_embeddings=False)), t5,
        decoder_start_token_id=0, eos_token_id=1, pad_token_id=0)


def short(t):
    return [[None if v == -float("inf") else float(str(numpy.float32(v))) for v in row] for row in t.tolist()]


def save(name, value):
    HERE.mkdir(exist_ok=True)
    """JSON, a case on each line."""
    head, end = "[\n", "\n]\n"
    if isinstance(value, dict):
        cases = value.pop("cases")
        head, end, value = json.dumps(value)[:-1] + ', "cases": [\n', "\n]}\n", cases
    (HERE / name).write_text(head + ",\n".join(map(json.dumps, value)) + end)
    print(name, (HERE / name).stat().st_size, "bytes")


def main():
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    parts = {"toy": write_toy, "processors": write_processors, "models": write_models}
    for part in sys.argv[1:] or parts:
        parts[part]()


if __name__ == "__main__":
    main()
