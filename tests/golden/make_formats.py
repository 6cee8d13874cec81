#!/usr/bin/env python3
"""Writes golden/formats/<case>/: one tiny LLaMA or Qwen2 in every quantised form that Silica reads, with what transformers
makes of the weights that the codes stand for (reference.safetensors, for `silica verify`).

Run by hand (`make_formats.py [CASE...]`, needs torch, transformers, safetensors, sentencepiece and the packages of the
formats: gguf, compressed-tensors, mlx, bitsandbytes); what it writes is committed. AWQ and GPTQ have no package that packs on
a CPU: theirs are written by the layouts of AutoAWQ and AutoGPTQ. GGUF files carry a tokenizer: `texts.json` has what
transformers makes of texts with it.
"""
import json
import os
import pathlib
import shutil
import sys

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

OUT = pathlib.Path(os.environ.get("FORMATS_OUT", pathlib.Path(__file__).resolve().parent / "formats"))
SIZES = dict(vocab_size=64, hidden_size=64, intermediate_size=96, num_hidden_layers=1, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=128, bos_token_id=1, eos_token_id=2, rms_norm_eps=1e-5)
SMALL = SIZES | dict(hidden_size=32, intermediate_size=64)
K_SIZES = SIZES | dict(hidden_size=256, intermediate_size=256, num_attention_heads=2, num_key_value_heads=1, vocab_size=32)


def tiny(config):
    model = (Qwen2ForCausalLM if config.model_type == "qwen2" else LlamaForCausalLM)(config).half()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                p.copy_(torch.randn_like(p) * 0.2 + 1)
            elif name.endswith("bias"):
                p.copy_(torch.randn_like(p) * 0.3)
            else:
                p.copy_(torch.randn_like(p) * (1 if "embed" in name else 0.9 / p.shape[1] ** 0.5))
    return model


def reference(folder, config, weights):
    """`weights` in float32, as the codes say them."""
    model = (Qwen2ForCausalLM if config.model_type == "qwen2" else LlamaForCausalLM)(config).float().eval()
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    ids = torch.randint(3, config.vocab_size, (2, 9))
    with torch.no_grad():
        logits = model(input_ids=ids).logits
    save_file({"inputs.input_ids": ids, "outputs.logits": logits.contiguous()}, folder / "reference.safetensors",
              {"format": "silica-reference-1", "task": "forward", "atol": "2e-5", "rtol": "1e-4"})


def save(folder, config, tensors, quantization, key="quantization_config", metadata=None):
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "model.safetensors", metadata or {"format": "pt"})
    object = config.to_dict() | {"architectures": [type_of(config)]} | ({key: quantization} if quantization else {})
    (folder / "config.json").write_text(json.dumps(object, indent=1))


def type_of(config):
    return "Qwen2ForCausalLM" if config.model_type == "qwen2" else "LlamaForCausalLM"


def is_linear(name, p):
    return p.dim() == 2 and "embed" not in name and "lm_head" not in name


def pack(codes, bits):
    """(rows, n) -> int32 (rows, n * bits / 32), lowest first."""
    each = 32 // bits
    codes = codes.to(torch.int64).reshape(codes.shape[0], -1, each)
    words = (codes << (torch.arange(each) * bits)).sum(-1)
    return torch.where(words >= 2**31, words - 2**32, words).to(torch.int32)


def affine(w, bits, group_of):
    """codes, zeros and scales of w (N, K), a column's group being group_of[k]; and what they say."""
    groups = int(group_of.max()) + 1
    top = 2**bits - 1
    scales, zeros = torch.empty(w.shape[0], groups), torch.empty(w.shape[0], groups, dtype=torch.long)
    for g in range(groups):
        part = w[:, group_of == g].float()
        low, high = part.amin(1).clamp(max=0), part.amax(1).clamp(min=0)
        scales[:, g] = ((high - low) / top).half().float()
        zeros[:, g] = (-low / scales[:, g]).round().clamp(1, top).long()
    scales = scales.half()
    s, z = scales.float()[:, group_of], zeros[:, group_of]
    codes = ((w.float() / s).round().long() + z).clamp(0, top)
    return codes, zeros, scales, (codes - z).float() * s


def gptq(folder, bits=4, act_order=False, second=False):
    config = LlamaConfig(**SIZES, tie_word_embeddings=False)
    tensors, weights = {}, {}
    for name, p in tiny(config).state_dict().items():
        if not is_linear(name, p):
            tensors[name], weights[name] = p, p.float()
            continue
        module = name.removesuffix(".weight")
        group_of = torch.arange(p.shape[1]) // 32
        if act_order:
            group_of = group_of[torch.randperm(len(group_of))]
        codes, zeros, scales, weights[name] = affine(p, bits, group_of)
        tensors |= {f"{module}.qweight": pack(codes, bits).T, f"{module}.g_idx": group_of.to(torch.int32),
                    f"{module}.qzeros": pack((zeros - (0 if second else 1)).T, bits), f"{module}.scales": scales.T}
    save(folder, config, tensors, {"quant_method": "gptq", "bits": bits, "group_size": 32, "desc_act": act_order,
                                   "sym": False} | ({"checkpoint_format": "gptq_v2"} if second else {}))
    reference(folder, config, weights)


def awq(folder):
    config = Qwen2Config(**SIZES, tie_word_embeddings=True)
    order = torch.tensor([0, 2, 4, 6, 1, 3, 5, 7])
    shuffle = lambda t: t.reshape(t.shape[0], -1, 8)[:, :, order].reshape(t.shape[0], -1)  # noqa: E731
    tensors, weights = {}, {}
    for name, p in tiny(config).state_dict().items():
        if name == "lm_head.weight":
            continue
        if not is_linear(name, p):
            tensors[name], weights[name] = p, p.float()
            continue
        module = name.removesuffix(".weight")
        codes, zeros, scales, weights[name] = affine(p, 4, torch.arange(p.shape[1]) // 32)
        tensors |= {f"{module}.qweight": pack(shuffle(codes.T), 4), f"{module}.qzeros": pack(shuffle(zeros.T), 4),
                    f"{module}.scales": scales.T}
    save(folder, config, tensors, {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm",
                                   "zero_point": True, "modules_to_not_convert": None})
    reference(folder, config, weights | {"lm_head.weight": weights["model.embed_tokens.weight"]})


def compressed(folder, bits, symmetric, format):
    from compressed_tensors.compressors.base import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme

    config = LlamaConfig(**SIZES, tie_word_embeddings=False)
    group = 32 if format == "pack-quantized" else None
    args = QuantizationArgs(num_bits=bits, symmetric=symmetric, strategy="group" if group else "channel", group_size=group)
    scheme = QuantizationScheme(targets=["Linear"], weights=args)
    compressor = BaseCompressor.get_value_from_registry(format)
    tensors, weights = {}, {}
    for name, p in tiny(config).state_dict().items():
        if not is_linear(name, p):
            tensors[name], weights[name] = p, p.float()
            continue
        module = name.removesuffix(".weight")
        group_of = torch.arange(p.shape[1]) // (group or p.shape[1])
        middle = 2 ** (bits - 1)
        if symmetric:
            groups = int(group_of.max()) + 1
            scales = torch.stack([p[:, group_of == g].float().abs().amax(1) / (middle - 1) for g in range(groups)], 1).half()
            state = {"weight": p.float(), "weight_scale": scales.float()}
        else:
            _, zeros, scales, _ = affine(p, bits, group_of)
            state = {"weight": p.float(), "weight_scale": scales.float(), "weight_zero_point": (zeros - middle).to(torch.int8)}
        made = compressor.compress(dict(state), scheme)
        weights[name] = compressor.decompress(dict(made), scheme)["weight"].float()
        tensors |= {f"{module}.{k}": v.half() if k == "weight_scale" else v for k, v in made.items()}
    save(folder, config, tensors, {
        "quant_method": "compressed-tensors", "format": format, "quantization_status": "compressed", "ignore": ["lm_head"],
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": json.loads(args.model_dump_json())}}})
    reference(folder, config, weights)


def bitsandbytes(folder, bits, nested=False):
    import bitsandbytes.functional as F

    config = LlamaConfig(**SIZES, tie_word_embeddings=False)
    tensors, weights = {}, {}
    for name, p in tiny(config).state_dict().items():
        if not is_linear(name, p):
            tensors[name], weights[name] = p, p.float()
        elif bits == 4:
            q, state = F.quantize_4bit(p.float(), blocksize=64, quant_type="nf4", compress_statistics=nested)
            weights[name] = F.dequantize_4bit(q, state)
            if p.shape[1] % 64:  # 0.50.2 dequantises these wrongly on a CPU, though it packs them as on a GPU
                absmax = F.dequantize_blockwise(state.absmax, state.state2) + state.offset if nested else state.absmax
                codes = torch.stack([q.flatten() >> 4, q.flatten() & 15], 1).flatten().long()
                blocks = torch.arange(codes.numel()) // 64
                weights[name] = (state.code[codes] * absmax[blocks]).reshape(p.shape)
            tensors |= {name: q} | {f"{name}.{k}": v for k, v in state.as_dict(packed=True).items()}
        else:
            scb = p.float().abs().amax(1)
            q = (p.float() * 127 / scb[:, None]).round().to(torch.int8)
            weights[name] = q.float() * scb[:, None] / 127
            tensors |= {name: q, name.removesuffix("weight") + "SCB": scb,
                        name.removesuffix("weight") + "weight_format": torch.zeros((), dtype=torch.uint8)}
    save(folder, config, tensors, {"quant_method": "bitsandbytes", "load_in_4bit": bits == 4, "load_in_8bit": bits == 8} |
         ({"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": nested} if bits == 4 else {}))
    reference(folder, config, weights)


def mlx(folder, bits):
    import mlx.core as mx

    config = LlamaConfig(**SIZES, tie_word_embeddings=True)
    tensors, weights = {}, {}
    for name, p in tiny(config).state_dict().items():
        if name == "lm_head.weight":
            continue
        a = mx.array(p.numpy())
        if p.dim() != 2:
            tensors[name], weights[name] = a, p.float()
            continue
        group = 64 if p.shape[1] % 64 == 0 else 32
        module = name.removesuffix(".weight")
        q, scales, biases = mx.quantize(a, group_size=group, bits=bits)
        tensors |= {name: q, f"{module}.scales": scales, f"{module}.biases": biases}
        s, b = (torch.from_numpy(np.array(t.astype(mx.float32))).repeat_interleave(group, 1) for t in (scales, biases))
        codes = torch.from_numpy(np.array(q).astype(np.int64))
        codes = (codes[:, :, None] >> (torch.arange(32 // bits) * bits)).bitwise_and(2**bits - 1).reshape(p.shape)
        weights[name] = codes.float() * s + b
    mx.save_safetensors(str(folder / "model.safetensors"), tensors, {"format": "mlx"})
    object = {"group_size": 64, "bits": bits, "model.layers.0.mlp.down_proj": {"group_size": 32, "bits": bits}}
    text = config.to_dict() | {"architectures": [type_of(config)], "quantization": object, "quantization_config": object}
    (folder / "config.json").write_text(json.dumps(text, indent=1))
    reference(folder, config, weights | {"lm_head.weight": weights["model.embed_tokens.weight"]})


TEXTS = ["Hello, world!", "  two  spaces and\na line", "don't stop 12345 times", "naïve café über straße", "日本語 emoji 😀!",
         "", " ", "A", "the quick brown fox jumps over the lazy dog", "<s> special </s> text", "<|end|>then on"]
CORPUS = ["the quick brown fox jumps over the lazy dog", "hello world, this is a small text about nothing", "don't stop 123",
          "a line\nand another line with numbers 12345 and 678", "naïve café über straße", "two  spaces"] * 4


def sentencepiece_keys(writer, gguf, vocab_size):
    import io

    import sentencepiece
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS * 5), model_writer=model, vocab_size=vocab_size,
                                             model_type="bpe", byte_fallback=True, user_defined_symbols=["<|end|>"],
                                             minloglevel=2, normalization_rule_name="identity",
                                             remove_extra_whitespaces=False)
    sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    n = sp.get_piece_size()
    types = [2 if sp.is_unknown(i) else 6 if sp.is_byte(i) else 3 if sp.is_control(i) else
             4 if sp.id_to_piece(i) == "<|end|>" else 1 for i in range(n)]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([sp.id_to_piece(i) for i in range(n)])
    writer.add_token_scores([sp.get_score(i) for i in range(n)])
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template("{% for m in messages %}{{ bos_token }}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}")


def byte_level_keys(writer, gguf, vocab_size, pre, pattern):
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)])
    special = ["<|begin|>", "<|end|>"]
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if t in special else 1 for t in tokens])
    writer.add_token_merges([" ".join(m) for m in model["merges"]])
    writer.add_bos_token_id(tokens.index("<|begin|>"))
    writer.add_eos_token_id(tokens.index("<|end|>"))
    writer.add_pad_token_id(tokens.index("<|end|>"))
    writer.add_add_bos_token(pre == "llama-bpe")


def gguf_file(folder, type, qwen=False, tied=False, tokenizer=None, sizes=SIZES, rope=None):
    """`type` of the matrices; random blocks for types that the package only reads."""
    import gguf

    sizes = dict(sizes)
    if tokenizer:
        sizes["vocab_size"] = 330 if tokenizer == "llama" else 300
    config = (Qwen2Config if qwen else LlamaConfig)(**sizes, tie_word_embeddings=tied, rope_theta=500000.0,
                                                    **({} if not rope else {"rope_scaling": rope}))
    arch = "qwen2" if qwen else "llama"
    writer = gguf.GGUFWriter(str(folder / "model.gguf"), arch)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(500000.0)
    writer.add_vocab_size(config.vocab_size)
    if tokenizer == "llama":
        sentencepiece_keys(writer, gguf, config.vocab_size)
    elif tokenizer:
        from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS
        byte_level_keys(writer, gguf, config.vocab_size, tokenizer, GGUF_PRE_TOKENIZER_SPLITS[tokenizer])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2 if qwen else gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    weights = {}
    for name, p in tiny(config).state_dict().items():
        if name == "lm_head.weight" and tied:
            continue
        heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(name.split(".")[-2])
        order = lambda t, there: t  # noqa: E731
        if heads and not qwen:  # convert_hf_to_gguf.py, LlamaModel.permute, and back
            order = lambda t, there: (t.reshape(heads, *((2, -1) if there else (-1, 2)), *t.shape[1:])  # noqa: E731
                                      .transpose(1, 2).reshape(t.shape))
        data = order(p.float(), True).numpy()
        kind = gguf.GGMLQuantizationType[type if p.dim() == 2 else "F32"]
        if kind.name in ("Q4_K", "Q6_K"):
            block, size = gguf.GGML_QUANT_SIZES[kind]
            raw = np.random.randint(0, 256, (data.shape[0], data.shape[1] // block, size), dtype=np.uint8)
            scales = {"Q4_K": (0, 2), "Q6_K": (208,)}[kind.name]
            for at in scales:
                raw[:, :, at:at + 2] = (np.random.rand(*raw.shape[:2], 1) * 2e-4 + 1e-4).astype(np.float16).view(np.uint8)
            raw = raw.reshape(data.shape[0], -1)
        else:
            raw = gguf.quants.quantize(data, kind)
        writer.add_tensor(names.get_name(name, (".weight", ".bias")), raw, raw_dtype=kind)
        weights[name] = order(torch.from_numpy(gguf.quants.dequantize(raw, kind)).reshape(p.shape), False)
    if rope:
        import math
        d = config.hidden_size // config.num_attention_heads
        factors = []
        for i in range(d // 2):  # as convert_hf_to_gguf.py writes llama3's scaling
            wave = 2 * math.pi * 500000.0 ** (2 * i / d)
            low, high = (rope["original_max_position_embeddings"] / rope[f"{x}_freq_factor"] for x in ("low", "high"))
            smooth = (rope["original_max_position_embeddings"] / wave - rope["low_freq_factor"]) / (
                rope["high_freq_factor"] - rope["low_freq_factor"])
            factors.append(1 if wave < high else rope["factor"] if wave > low else 1 / ((1 - smooth) / rope["factor"] + smooth))
        writer.add_tensor("rope_freqs.weight", np.array(factors, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if tied:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    reference(folder, config, weights)
    if tokenizer:
        t = AutoTokenizer.from_pretrained(str(folder), gguf_file="model.gguf")
        cases = []
        for text in TEXTS:
            ids = t(text).input_ids
            cases.append({"text": text, "ids": ids, "decoded": t.decode(ids),
                          "skipped": t.decode(ids, skip_special_tokens=True)})
        (folder / "texts.json").write_text(json.dumps(cases, ensure_ascii=False, indent=1))


LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
CASES = {
    "gptq": lambda f: gptq(f),
    "gptq_act_order": lambda f: gptq(f, act_order=True),
    "gptq_8_v2": lambda f: gptq(f, bits=8, second=True),
    "awq_qwen2": awq,
    "pack_quantized": lambda f: compressed(f, 4, True, "pack-quantized"),
    "pack_quantized_zeros": lambda f: compressed(f, 4, False, "pack-quantized"),
    "int_quantized": lambda f: compressed(f, 8, True, "int-quantized"),
    "nf4": lambda f: bitsandbytes(f, 4),
    "nf4_nested": lambda f: bitsandbytes(f, 4, nested=True),
    "int8": lambda f: bitsandbytes(f, 8),
    "mlx_4": lambda f: mlx(f, 4),
    "mlx_8": lambda f: mlx(f, 8),
    "gguf_q8_0": lambda f: gguf_file(f, "Q8_0", tied=True, tokenizer="llama", sizes=SMALL),
    "gguf_q4_0": lambda f: gguf_file(f, "Q4_0", tokenizer="llama-bpe", sizes=SMALL),
    "gguf_q4_1_qwen2": lambda f: gguf_file(f, "Q4_1", qwen=True, tokenizer="qwen2", sizes=SMALL),
    "gguf_bf16": lambda f: gguf_file(f, "BF16", rope=LLAMA3, sizes=SMALL),
    "gguf_f16_qwen2": lambda f: gguf_file(f, "F16", qwen=True, tied=True, sizes=SMALL),
}
LARGE = {  # of some hundred kilobytes: not committed
    "gguf_f32": lambda f: gguf_file(f, "F32"),
    "gguf_q4_k": lambda f: gguf_file(f, "Q4_K", sizes=K_SIZES),
    "gguf_q6_k": lambda f: gguf_file(f, "Q6_K", sizes=K_SIZES, qwen=True),
    "gptq_8_act_order": lambda f: gptq(f, bits=8, act_order=True),
}

for number, (case, make) in enumerate((CASES | LARGE).items()):
    if case not in (sys.argv[1:] or CASES):
        continue
    torch.manual_seed(number)
    np.random.seed(number)
    shutil.rmtree(OUT / case, ignore_errors=True)
    (OUT / case).mkdir(parents=True)
    make(OUT / case)
    print(case, sum(p.stat().st_size for p in (OUT / case).iterdir()), transformers.__version__)
