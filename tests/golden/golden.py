"""What the scripts share that write the golden cases of families (make_bert.py, make_clip.py, ...).

A case is a directory: a checkpoint as transformers writes it, and what transformers makes of inputs.
`reference.safetensors` has the main ones, `reference-<name>.safetensors` others, or what transformers makes of the main
ones in float16 and bfloat16. Format of a reference file: string metadata `format`, `task`, `atol`, `rtol`,
`architecture`, tensors `inputs.<field>` and `outputs.<field>`; outputs inside outputs are `outputs.<field>.<field>`.

Weights are large (logits differ by whole numbers, attention is far from uniform), so that an error anywhere shows: a
checkpoint with transformers' own initialisation gives nearly the same output for every input.
"""
import json
import pathlib
import shutil
import sys

import torch
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent


def is_norm(name, p):
    return "norm" in name.lower()


def randomise(model, vectors=(), special=lambda name, p: None, norm=is_norm, gain=1.5):
    """Products keep the size of their input, times `gain`; biases and norms are nowhere near 0 and 1; what has one of
    `vectors` in its name is normal. `special` gives the values of what is none of these, and None of the others."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            values = special(name, p)
            if values is not None:
                p.copy_(values)
            elif norm(name, p):
                p.copy_(torch.randn_like(p) * 0.2 + (1 if name.endswith("weight") else 0))
            elif name.endswith("bias"):
                p.copy_(torch.randn_like(p) * 0.3)
            elif p.dim() == 1 or any(part in name for part in vectors):
                p.copy_(torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * gain / p[0].numel() ** 0.5)


def rows(lengths, low, high, left=(), pad=0):
    """Rows of these lengths of ids in [low, high), padded on the right, or on the left for the rows in `left`; and
    their mask."""
    tokens = max(lengths)
    ids = torch.full((len(lengths), tokens), pad)
    mask = torch.zeros_like(ids)
    for row, n in enumerate(lengths):
        at = slice(tokens - n, tokens) if row in left else slice(0, n)
        ids[row, at] = torch.randint(low, high, (n,))
        mask[row, at] = 1
    return ids, mask


def changed(inputs, **values):
    """Inputs with other values; without those that are None."""
    kept = {k: v.clone() for k, v in inputs.items() if k not in values}
    return kept | {k: v for k, v in values.items() if v is not None}


def cast(inputs, dtype):
    """Inputs with floating numbers of this type."""
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in inputs.items()}


def flat(outputs, inside=""):
    """Fields of a model's output that are tensors, losses left out; lists become numbered fields, outputs inside it fields
    with dots."""
    for name, value in outputs.items():
        if name == "loss":
            continue
        name = inside + name
        if torch.is_tensor(value):
            yield name, value
        elif hasattr(value, "items"):
            yield from flat(value, name + ".")
        elif isinstance(value, (list, tuple)) and all(torch.is_tensor(v) for v in value):
            for i, v in enumerate(value):
                yield f"{name}.{i}", v


def run(model, inputs):
    """Its outputs. Inputs of no dimension are said as numbers: transformers asks whether they are True."""
    with torch.no_grad():
        return dict(flat(model(**{k: v if v.dim() else v.item() for k, v in inputs.items()})))


def save(path, model, inputs, outputs=None, task="forward", **metadata):
    """A reference file: `outputs`, or those of the model."""
    outputs = run(model, inputs) if outputs is None else outputs
    tensors = {f"inputs.{k}": v for k, v in inputs.items()} | {f"outputs.{k}": v for k, v in outputs.items()}
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, path,
              {"format": "silica-reference-1", "task": task, "architecture": type(model).__name__} |
              {k: str(v) for k, v in metadata.items()})


def fresh(directory, seed):
    """An empty directory, and random numbers that follow from a name, or a number."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    torch.manual_seed(sum(map(ord, seed)) if isinstance(seed, str) else seed)
    return directory


def write(directory, seed, make, randomise, main, atol, rtol, others=(), changes=(), halves=False,
          half_stores=lambda inputs, dtype: inputs, reread=False, change=lambda model: None, stored=None):
    """A case of the model that `make` makes, changed by `change` once it is random.

    `main`, and in `others` by name: makes inputs, of the configuration; in `changes`: of the main inputs. `halves`:
    also run in float16 and bfloat16, on the main inputs, of which `half_stores` are in the file; with `reread` by a
    model that was read in that type, of which transformers may keep parts in float32. `stored`: makes the model whose
    file is written, which holds the weights of the one that runs.
    """
    fresh(directory, seed)
    model = make().eval()
    randomise(model)
    change(model)
    model.tie_weights()
    whole = model
    if stored:
        whole = stored()
        randomise(whole)
        whole.base_model.load_state_dict(model.state_dict())
    whole.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    inputs = main(model.config)
    within = dict(atol=atol, rtol=rtol)
    save(directory / "reference.safetensors", model, inputs, **within)
    for name, more in dict(others).items():
        save(directory / f"reference-{name}.safetensors", model, more(model.config), **within)
    for name, more in dict(changes).items():
        save(directory / f"reference-{name}.safetensors", model, more(inputs), **within)
    for dtype in (torch.float16, torch.bfloat16) if halves else ():
        if reread:
            half = type(model).from_pretrained(directory, dtype=dtype).eval()
        else:
            half = make().eval()
            half.load_state_dict(model.state_dict())
            half = half.to(dtype)
        save(directory / f"reference-{str(dtype)[6:]}.safetensors", half, half_stores(inputs, dtype),
             run(half, cast(inputs, dtype)), **within)
    return directory, model, inputs


def as_torch_file(directory, state):
    """What the hub's oldest checkpoints are: a file of torch.save."""
    torch.save(state, directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()


def main(cases, directory, families=("",)):
    """Writes the cases of the command line, or all; and beside those of each family which versions wrote them."""
    torch.set_num_threads(1)
    for case in sys.argv[1:] or cases:
        cases[case](case)
        size = sum(f.stat().st_size for f in (directory / case).rglob("*") if f.is_file())
        print(f"{case}: {len(list((directory / case).glob('reference*')))} references, {size} bytes")
    for family in families:
        (directory / family / "versions.json").write_text(json.dumps(
            {"torch": torch.__version__, "transformers": transformers.__version__}, indent=2) + "\n")
