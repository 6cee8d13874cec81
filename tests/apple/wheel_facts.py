"""What LibTorch's macOS wheels say of themselves, against what Silica assumes of them.

Read from the library itself: which ops have a kernel for MPS, which kernels its Metal libraries hold, which texts its
errors have, which functions it exports, and from which macOS on it runs. `--wheel VERSION` (or a file) writes a page of
what is otherwise there than in the LibTorch that Silica is made with.
"""

import re
from pathlib import Path

from mach_o import MachO
from places import SOURCE, TORCH, CheckFailed, macos_torch, place, say, unpacked

SIZES = "to download 110 MB (LibTorch for macOS), 0.5 GB on disk; for each other LibTorch as much again"
MINIMUM = (14, 0)
SIM = SOURCE / "tests" / "support" / "sim_mps"

# Texts that a file of ours knows LibTorch's errors by, or that the simulated device says.
TEXTS = [
    ("include/silica/device/mps.hpp", "MPS backend out of memory"),
    ("include/silica/device/mps.hpp", "Invalid buffer size"),
    ("tests/support/sim_mps/state.cpp", "MPS backend out of memory (MPS allocated: "),
    ("tests/support/sim_mps/state.cpp", " pool. Use PYTORCH_MPS_HIGH_WATERMARK_RATIO=0.0 to disable upper limit for memory "
                                        "allocations (may cause system failure)."),
    ("tests/support/sim_mps/state.cpp", "' is not currently implemented "),
    ("tests/support/sim_mps/state.cpp", "comment on https://github.com/pytorch/pytorch/issues/141287 and mention use-case, "
                                        "that resulted in missing op"),
    ("tests/support/sim_mps/memory.cpp", "Invalid buffer size: "),
    ("tests/support/sim_mps/memory.cpp", "The MPS backend is supported on macOS 14.0+. "),
    ("tests/support/sim_mps/memory.cpp", "Current OS version can be queried using `sw_vers`"),
    ("tests/support/sim_mps/convolution.cpp", "Output channels > 65536 not supported at the MPS device. "),
    ("tests/support/sim_mps/convolution.cpp", "Convolution is supported only for Floating types"),
    ("tests/support/sim_mps/host_view.cpp", "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't "),
    ("tests/support/sim_mps/host_view.cpp", " to the MPS backend but it does not have support for that dtype."),
    ("tests/support/sim_mps/allocator.cpp", "getHostAliasStorage: expected an MPS storage, got device="),
    ("tests/support/sim_mps/allocator.cpp", "getHostAliasStorage: storage is not backed by a shared (unified) MTLBuffer"),
    ("tests/support/sim_mps/factories.cpp", "Attempted to set the storage of a tensor on device \""),
]
SINCE = {text: (2, 13) for _, text in TEXTS if text.startswith("getHostAliasStorage")}
SINCE["The MPS backend is supported on macOS 14.0+. "] = (2, 12)  # "MacOS" before
# What Silica calls through at::detail::getMPSHooks(), and what it asks of the library by name.
HOOKS = ["hasMPS", "isOnMacOSorNewer", "deviceSynchronize", "emptyCache", "getRecommendedMaxMemory",
         "getCurrentAllocatedMemory", "getDriverAllocatedMemory", "getMPSDeviceAllocator"]
EXPORTS = {"__ZN2at6detail11getMPSHooksEv": (2, 11), "__ZN2at3mps16getIMPSAllocatorEv": (2, 12)}


def number(version):
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def ours(sources):
    """The text of a C++ file with its literals joined."""
    return re.sub(r'"\s*\n\s*"', "", (SOURCE / sources).read_text()).replace('\\"', '"')


class Wheel:
    """What one LibTorch for macOS says."""

    def __init__(self, directory, version):
        self.version = version
        self.library = MachO(directory / "lib" / "libtorch_cpu.dylib")
        self.minimum = {path.name: MachO(path).minimum for path in sorted((directory / "lib").glob("*.dylib"))}
        names = self.library.local | self.library.exported
        # at::(anonymous namespace)::(anonymous namespace)::wrapper_MPS_<overload>_<name>, or _<name>_<overload>.
        # Mangled, a name stands behind its length, here after that of an unnamed namespace.
        self.wrappers = {name[match.end():match.start(2) + int(match[1])] for name in names
                         if (match := re.search(r"_GLOBAL__N_1(\d+)(wrapper_MPS_)", name))}
        self.symbols = names
        self.kernels = self._kernels()

    def _kernels(self):
        found = set()
        for _, section, offset, length in self.library.sections:
            if not section.startswith("metal"):
                continue
            data = self.library.data[offset:offset + length]
            for tag in re.finditer(rb"NAME(..)", data, re.S):
                size = int.from_bytes(tag[1], "little")
                text = data[tag.end():tag.end() + size]
                if text.endswith(b"\0") and re.fullmatch(rb"[\w.$]+", text[:-1]):
                    found.add(text[:-1].decode())
        return found

    def has_text(self, text):
        return text.encode() in self.library.data

    def attention(self):
        """Head sizes of the kernels that read all keys for a few queries, and of those for many queries."""
        def sizes(pattern):
            return sorted({int(match[1]) for name in self.kernels if (match := re.match(pattern, name))})
        return {"few": sizes(r"sdpa_vector_(?:2pass_1_)?(?:float|half|bfloat)\w*?_(\d+)(?:_|$)"),
                "many": sizes(r"prefill_attention_\w+?_bd(\d+)_")}


def ops_of_list(version):
    """The op list of the simulated device for a LibTorch, if it has one."""
    path = SIM / f"ops-{'.'.join(map(str, number(version)))}.inc"
    if not path.exists():
        return None
    return {line for line in path.read_text().splitlines() if re.fullmatch(r"[\w.]+", line)}


def spellings(op):
    """torchgen's two names of an op's wrapper."""
    name, _, overload = op.partition(".")
    functions = (name, f"{name}_out")  # the second where the op writes to an argument
    return {spelling for function in functions for spelling in (f"{overload}_{function}", f"{function}_{overload}")} \
        if overload else {f"_{name}", name}


def assumed_sizes():
    """include/silica/device/mps/bundled.hpp: (major, minor) -> {"few": [...], "many": [...]}"""
    text = (SOURCE / "include" / "silica" / "device" / "mps" / "bundled.hpp").read_text()
    rows = re.findall(r"BundledAttention\{(\d+), (\d+), \{([^}]*)\}, \{([^}]*)\}\}", text)
    def numbers(list_of):
        return sorted(int(item) for item in list_of.split(",") if item.strip() and int(item))
    return {(int(major), int(minor)): {"few": numbers(few), "many": numbers(many)} for major, minor, few, many in rows}


def faults(wheel):
    """What is otherwise than assumed, in words."""
    wrong = []
    for file, minimum in wheel.minimum.items():
        if minimum > MINIMUM:
            wrong.append(f"{file} runs from macOS {minimum[0]}.{minimum[1]} on, and 14.0 is what Silica says")
    ops = ops_of_list(wheel.version)
    if ops is not None:
        named = set().union(*(spellings(op) for op in ops))
        missing = sorted(op for op in ops if not spellings(op) & wheel.wrappers)
        more = sorted(wheel.wrappers - named)
        if missing:
            wrong.append(f"ops of the simulated device's list without a kernel in the library: {', '.join(missing)}")
        if more:
            wrong.append(f"kernels of the library that are in no list of the simulated device: {', '.join(more)}")
    for file, text in TEXTS:
        if text not in ours(file):
            wrong.append(f"{file} does not have the text '{text}' any more: change the list in tests/apple/wheel_facts.py")
        if number(wheel.version) >= SINCE.get(text, (0, 0)) and not wheel.has_text(text):
            wrong.append(f"the library does not have the text '{text}' that {file} relies on")
    for hook in HOOKS:
        if not any(f"8MPSHooks{len(hook)}{hook}E" in name for name in wheel.symbols):
            wrong.append(f"at::mps::MPSHooks has no {hook}")
    for symbol, since in EXPORTS.items():
        if number(wheel.version) >= since and symbol not in wheel.library.exported:
            wrong.append(f"{symbol} is not exported")
    sizes = assumed_sizes().get(number(wheel.version))
    if sizes is None:
        wrong.append(f"include/silica/device/mps/bundled.hpp knows nothing of this LibTorch; it has {wheel.attention()}")
    elif sizes != wheel.attention():
        wrong.append(f"include/silica/device/mps/bundled.hpp has attention for head sizes {sizes}, the library for "
                     f"{wheel.attention()}")
    return wrong


def page(new, old, wrong):
    """What is otherwise in `new` than in `old`, as Markdown."""
    def names(title, values):
        values = sorted(values)
        return [f"### {title}: {len(values)}", "", ", ".join(f"`{value}`" for value in values[:200]) or "none", ""]
    def families(kernels):
        return {re.sub(r"_(?:float|half|bfloat|int|uint|long|short|char|uchar|bool|complex)\w*$", "", name)
                for name in kernels}
    lines = [f"# LibTorch {new.version} for macOS, beside {old.version}", "",
             "Read from the two libraries by `./run test --apple wheel-facts`; nothing of it ran.", "",
             f"Runs from macOS {new.minimum['libtorch_cpu.dylib'][0]}.{new.minimum['libtorch_cpu.dylib'][1]} on "
             f"(SDK {new.library.sdk[0]}.{new.library.sdk[1]}); {len(new.wrappers)} ops with an MPS kernel, "
             f"{len(new.kernels)} Metal kernels.", "", "## Otherwise than Silica assumes", ""]
    lines += [f"- {fault}" for fault in wrong] or ["Nothing."]
    lines += ["", "## Ops with an MPS kernel (spelled as in the library)", ""]
    lines += names("New", new.wrappers - old.wrappers) + names("Gone", old.wrappers - new.wrappers)
    lines += ["## Metal kernels, by the beginnings of their names", ""]
    lines += names("New", families(new.kernels) - families(old.kernels))
    lines += names("Gone", families(old.kernels) - families(new.kernels))
    lines += ["## Attention by head size", "", f"{old.version}: {old.attention()}", "", f"{new.version}: {new.attention()}", ""]
    return "\n".join(lines)


def run(arguments):
    base = Wheel(macos_torch(), TORCH)
    if arguments.wheel:
        if Path(arguments.wheel).is_file():
            file = Path(arguments.wheel)
            version = re.search(r"torch-([\d.]+)", file.name)
            if not version:
                raise CheckFailed(f"{file.name} is not named as a wheel of torch is")
            new = Wheel(unpacked(file, f"torch-{version[1]}-given", lambda item: item.startswith("torch/lib/")) / "torch",
                        version[1])
        else:
            new = Wheel(macos_torch(arguments.wheel), arguments.wheel)
        wrong = faults(new)
        path = place() / f"wheel-facts-{new.version}.md"
        path.write_text(page(new, base, wrong))
        say(path.read_text())
        if wrong:
            raise CheckFailed(f"LibTorch {new.version} is otherwise than Silica assumes in {len(wrong)} things: {path}")
        return f"read from LibTorch {new.version}'s libraries, not run: all as assumed; page: {path}"
    wheels = [base] + [Wheel(directory / "torch", directory.name.split("-")[1])
                       for directory in sorted(place().glob("torch-*-macos"))
                       if directory.name != f"torch-{TORCH}-macos" and (directory / "unpacked").exists()]
    wrong = {wheel.version: faults(wheel) for wheel in wheels}
    if any(wrong.values()):
        raise CheckFailed("\n".join(f"LibTorch {version}: {fault}" for version, list_of in wrong.items()
                                    for fault in list_of))
    return ("read from the libraries, not run: " + "; ".join(
        f"LibTorch {wheel.version}: {len(wheel.wrappers)} ops, {len(wheel.kernels)} Metal kernels, from macOS "
        f"{wheel.minimum['libtorch_cpu.dylib'][0]}.{wheel.minimum['libtorch_cpu.dylib'][1]} on" for wheel in wheels)
        + f"; {len(TEXTS)} texts, {len(HOOKS)} hooks and the head sizes of attention as assumed")
