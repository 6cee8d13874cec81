"""Writes the golden files of tests/checkpoint. Run by hand in this directory: python make_golden.py
Written with torch 2.13 and safetensors 0.8.

  plain.safetensors       one tensor of every type that safetensors and torch share, a scalar, an empty tensor
  float32.safetensors     float32 only: write_safetensors must produce the same bytes
  sharded/, sharded_bin/  the same tensors in three files with an index
  zip.bin                 torch.save of a state dict with views, tied and shared storages, parameters, every storage type
  legacy.bin              the same in the format of torch < 1.6
  wrapped4.bin            {"state_dict": ..., "epoch": 3} with pickle protocol 4
  expected.safetensors    what the three torch files hold, contiguous
  verdicts.json           files that the reference implementation accepts or refuses, with its verdict
"""

import base64
import json
import os
import struct

import torch
from safetensors import deserialize
from safetensors.torch import save_file

torch.manual_seed(0)


def plain():
    g = torch.arange(12).reshape(3, 4)
    types = dict(bool=torch.bool, u8=torch.uint8, i8=torch.int8, i16=torch.int16, u16=torch.uint16, f16=torch.float16,
                 bf16=torch.bfloat16, i32=torch.int32, u32=torch.uint32, f32=torch.float32, f64=torch.float64,
                 i64=torch.int64, u64=torch.uint64, f8_e4m3=torch.float8_e4m3fn, f8_e5m2=torch.float8_e5m2,
                 c64=torch.complex64)
    out = {name: g.to(dtype) for name, dtype in types.items()}
    out["scalar"] = torch.tensor(2.5)
    out["empty"] = torch.empty(0, 7)
    out["name with \"quotes\", \u00e9 and \U0001f600"] = torch.tensor([1.0])
    return out


def state_dict():
    base = torch.randn(6, 8)
    linear = torch.nn.Linear(4, 3)
    sd = linear.state_dict()
    sd["tied"] = sd["weight"]
    sd["view.rows"] = base[1:3]
    sd["view.columns"] = base[:, 2:5]
    sd["view.transposed"] = base.t()
    sd["view.step"] = base[::2, 1::3]
    sd["view.expanded"] = base[0, :1].expand(5)
    sd["parameter"] = torch.nn.Parameter(torch.randn(2, 2))
    sd["position_ids"] = torch.arange(10).expand((1, -1))
    sd["scalar"] = torch.tensor(3)
    sd["empty"] = torch.empty(0, 3)
    for name in "half bfloat16 double int32 int16 int8 uint8 bool cfloat".split():
        sd["type." + name] = torch.arange(4).to(getattr(torch, name))
    return sd


def verdicts():
    def f32(name="a", begin=0, end=4, shape="[1]"):
        return '"%s":{"dtype":"F32","shape":%s,"data_offsets":[%d,%d]}' % (name, shape, begin, end)

    a = f32()
    cases = [
        ("one tensor", "{" + a + "}", 4), ("no tensors", "{}", 0), ("blank before", " {" + a + "}", 4),
        ("blanks after", "{" + a + "}  \n", 4), ("zero byte after", "{" + a + "}\0", 4), ("letter after", "{" + a + "}x", 4),
        ("twice the same", "{" + a + "," + a + "}", 4), ("twice, other bytes", "{" + a + "," + f32("a", 4, 8) + "}", 8),
        ("bytes after the last", "{" + a + "}", 5), ("hole before", "{" + f32(begin=4, end=8) + "}", 8),
        ("hole between", "{" + a + "," + f32("b", 8, 12) + "}", 12), ("overlap", "{" + a + "," + f32("b") + "}", 4),
        ("partial overlap", "{" + a + "," + f32("b", 2, 6) + "}", 6), ("reversed", "{" + f32(begin=4, end=0) + "}", 4),
        ("empty at the end", "{" + a + "," + f32("b", 4, 4, "[0]") + "}", 4),
        ("empty in the middle of another", "{" + a + "," + f32("b", 2, 2, "[0]") + "}", 4),
        ("empty at the start", "{" + f32("b", 0, 0, "[0]") + "," + a + "}", 4),
        ("other order", "{" + f32("b", 4, 8) + "," + a + "}", 8), ("cut short", "{" + a + "}", 3),
        ("end beyond 2^63", "{" + f32(end=2**63) + "}", 4), ("offset 2^64", "{" + f32(end=2**64) + "}", 4),
        ("wrong size", "{" + f32(shape="[2]") + "}", 4), ("scalar", "{" + f32(shape="[]") + "}", 4),
        ("product over 2^64", "{" + f32(shape="[4294967296,4294967296,4]") + "}", 4),
        ("bits over 2^64", "{" + f32(shape="[4611686018427387904]") + "}", 4),
        ("product over 2^64, then 0", "{" + f32(end=0, shape="[4294967296,4294967296,4,0]") + "}", 0),
        ("0, then product over 2^64", "{" + f32(end=0, shape="[0,4294967296,4294967296,4]") + "}", 0),
        ("dimension 2^63 and 0", "{" + f32(end=0, shape="[9223372036854775808,0]") + "}", 0),
        ("65 dimensions", "{" + f32(shape="[" + ",".join(["1"] * 65) + "]") + "}", 4),
        ("unknown member", '{"a":{"dtype":"F32","x":[1,{"y":null}],"shape":[1],"data_offsets":[0,4]}}', 4),
        ("dtype twice", '{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
        ("no dtype", '{"a":{"shape":[1],"data_offsets":[0,4]}}', 4), ("no shape", '{"a":{"dtype":"F32","data_offsets":[0,4]}}', 4),
        ("no offsets", '{"a":{"dtype":"F32","shape":[1]}}', 4),
        ("three offsets", '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}', 4),
        ("one offset", '{"a":{"dtype":"F32","shape":[1],"data_offsets":[4]}}', 4),
        ("dtype a number", '{"a":{"dtype":7,"shape":[1],"data_offsets":[0,4]}}', 4),
        ("shape a number", "{" + f32(shape="1") + "}", 4), ("shape of fractions", "{" + f32(shape="[1.0]") + "}", 4),
        ("shape with exponent", "{" + f32(shape="[1e0]") + "}", 4), ("negative shape", "{" + f32(shape="[-1]") + "}", 4),
        ("leading zero", "{" + f32(shape="[01]") + "}", 4), ("shape of text", "{" + f32(shape='["1"]') + "}", 4),
        ("metadata", '{"__metadata__":{"a":"b"},' + a + "}", 4), ("metadata null", '{"__metadata__":null,' + a + "}", 4),
        ("metadata of numbers", '{"__metadata__":{"a":1},' + a + "}", 4), ("metadata a list", '{"__metadata__":[],' + a + "}", 4),
        ("metadata twice", '{"__metadata__":{},"__metadata__":{},' + a + "}", 4),
        ("metadata key twice", '{"__metadata__":{"a":"b","a":"c"},' + a + "}", 4),
        ("a list", "[1]", 0), ("a number", "1", 0), ("nothing", "", 0), ("null", "null", 0), ("not JSON", "hello", 0),
        ("unfinished", "{" + a, 4), ("unfinished text", '{"a', 0), ("comma at the end", "{" + a + ",}", 4),
        ("comma first", "{," + a + "}", 4), ("tensor null", '{"a":null}', 0), ("tensor a list", '{"a":[]}', 0),
        ("not UTF-8", b'{"\xff":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
        ("overlong UTF-8", b'{"\xc0\xaf":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
        ("surrogate in UTF-8", b'{"\xed\xa0\x80":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
        ("half a pair", "{" + f32("\\ud800") + "}", 4), ("two low halves", "{" + f32("\\udc00\\udc00") + "}", 4),
        ("escapes", "{" + f32("\\u00e9\\n\\\"\\\\\\/\\ud83d\\ude00") + "}", 4), ("bad escape", "{" + f32("\\x41") + "}", 4),
        ("empty name", "{" + f32("") + "}", 4), ("control character", "{" + f32("a\x01") + "}", 4),
        ("name with a zero", "{" + f32("a\\u0000b") + "}", 4),
        ("unaligned", '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},' + f32("b", 1, 5) + "}", 5),
        ("unknown type", '{"a":{"dtype":"F9","shape":[1],"data_offsets":[0,4]}}', 4),
        ("type in small letters", '{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}', 4),
        ("complex128", '{"a":{"dtype":"C128","shape":[1],"data_offsets":[0,16]}}', 16),
        ("half a byte", '{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}', 1),
        ("two half bytes", '{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}', 1),
        ("four times six bits", '{"a":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[0,3]}}', 3),
    ]
    for dtype, size in dict(BOOL=1, U8=1, I8=1, F8_E5M2=1, F8_E4M3=1, F8_E8M0=1, F8_E4M3FNUZ=1, F8_E5M2FNUZ=1, I16=2,
                            U16=2, F16=2, BF16=2, I32=4, U32=4, F32=4, C64=8, F64=8, I64=8, U64=8).items():
        cases.append((dtype, '{"a":{"dtype":"%s","shape":[2],"data_offsets":[0,%d]}}' % (dtype, 2 * size), 2 * size))
    files = []
    for label, header, size in cases:
        header = header if isinstance(header, bytes) else header.encode()
        files.append((label, struct.pack("<Q", len(header)) + header + b"\1" * size))
    good = b"{" + a.encode() + b"}"
    for label, length in [("length one too many", len(good) + 5), ("length over 100 MB", 100_000_001),
                          ("length 2^63", 2**63), ("length 2^64 - 1", 2**64 - 1), ("length one too few", len(good) - 1),
                          ("length 0", 0)]:
        files.append((label, struct.pack("<Q", length) + good + b"\1" * 4))
    files += [("no bytes", b""), ("seven bytes", b"\0" * 7), ("eight zeros", b"\0" * 8)]
    out = []
    for label, data in files:
        try:
            names = sorted(name for name, _ in deserialize(data))
        except Exception:
            names = None
        out.append(dict(label=label, data=base64.b64encode(data).decode(), names=names))
    return out


def shards(directory, index, write, extension):
    os.makedirs(directory, exist_ok=True)
    tensors = {k: v for k, v in plain().items() if k in ("f32", "f16", "bf16", "i64", "scalar", "empty")}
    names, weight_map = sorted(tensors), {}
    for i in range(3):
        shard = f"{extension[0]}-{i + 1:05}-of-00003{extension[1]}"
        part = {k: tensors[k] for k in names[2 * i:2 * i + 2]}
        write(part, os.path.join(directory, shard))
        weight_map.update({k: shard for k in part})
    with open(os.path.join(directory, index), "w") as f:
        json.dump({"metadata": {"total_size": 1}, "weight_map": weight_map}, f, indent=1)


save_file(plain(), "plain.safetensors", {"format": "pt", "note": "golden"})
save_file({f"layer.{i}.weight": torch.randn(2, 3) for i in range(3)} | {"b": torch.zeros(0), "a": torch.tensor(1.5)},
          "float32.safetensors", {"format": "pt"})
shards("sharded", "model.safetensors.index.json", lambda t, p: save_file(t, p, {"format": "pt"}), ("model", ".safetensors"))
shards("sharded_bin", "pytorch_model.bin.index.json", torch.save, ("pytorch_model", ".bin"))
torch.save(state_dict(), "zip.bin")
sd = torch.load("zip.bin")
torch.save(sd, "legacy.bin", _use_new_zipfile_serialization=False)
torch.save({"state_dict": sd, "epoch": 3, "rate": 0.5, "names": ["a", ("b", None, True)], "big": -2**40},
           "wrapped4.bin", pickle_protocol=4)
save_file({k: v.detach().clone().contiguous() for k, v in sd.items()}, "expected.safetensors")
with open("verdicts.json", "w") as f:
    json.dump(verdicts(), f, indent=0)
