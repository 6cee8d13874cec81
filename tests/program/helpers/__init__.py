"""Helpers of the program's tests: running it, and writing tiny checkpoints. Python's standard library only."""
import atexit
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

PROGRAM = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
SIMULATED = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None  # with a simulated MPS device
GOLDEN = pathlib.Path(__file__).resolve().parent.parent.parent / "golden" / "bert"
BASE = GOLDEN / "base"
STORE = tempfile.mkdtemp(prefix="silica-store-")  # of all runs that name no other
atexit.register(shutil.rmtree, STORE, ignore_errors=True)


def run(*args, program=None, stdin=None, env=None):
    """The finished process; text in and out."""
    import os
    environment = {**os.environ, "HF_HUB_CACHE": "/nonexistent-hub-cache", "SILICA_STORE": STORE + "/runs.sqlite",
                   **(env or {})}
    return subprocess.run([str(program or PROGRAM), *map(str, args)], input=stdin, capture_output=True, text=True,
                          errors="replace", env=environment, timeout=300)


def last_json(process):
    """The object on the last line of stdout, as compare.py reads it."""
    return json.loads(process.stdout.strip().splitlines()[-1])


def read_safetensors(path):
    """{name: (dtype, shape, bytes)}, metadata."""
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", {})
    at = lambda offsets: data[8 + length + offsets[0]:8 + length + offsets[1]]
    return {k: (v["dtype"], v["shape"], at(v["data_offsets"])) for k, v in header.items()}, metadata


def write_safetensors(path, tensors, metadata):
    header, blobs, end = {"__metadata__": metadata} if metadata is not None else {}, [], 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + len(data)]}
        blobs.append(data)
        end += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def level(x, y, t, c):
    """The pixels of golden pictures and videos: see tests/golden/make_videos.py and make_image_text.py."""
    return (3 * x + 2 * y + 20 * t + 30 * c) % 256


def png(path, height, width, seed=0):
    """A PNG file of these pixels."""
    rows = b"".join(b"\0" + bytes(level(x, y, seed, c) for x in range(width) for c in range(3)) for y in range(height))
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


class ProgramTest(unittest.TestCase):
    """A test with a directory of its own."""

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="silica-test-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def copy(self, case=BASE, **config):
        """A golden checkpoint to spoil; keys of config.json to set (None: to remove)."""
        to = self.directory / f"checkpoint{len(list(self.directory.iterdir()))}"
        to.mkdir()
        for file in ("config.json", "model.safetensors", "reference.safetensors"):
            if (case / file).exists():
                shutil.copyfile(case / file, to / file)
        if config:
            document = json.loads((to / "config.json").read_text())
            for key, value in config.items():
                document.pop(key, None) if value is None else document.update({key: value})
            (to / "config.json").write_text(json.dumps(document))
        return to

    def spoil_reference(self, change, case=BASE):
        """A checkpoint whose reference file went through `change(tensors, metadata)`."""
        to = self.copy(case)
        tensors, metadata = read_safetensors(to / "reference.safetensors")
        change(tensors, metadata)
        write_safetensors(to / "reference.safetensors", tensors, metadata)
        return to

    def refused(self, *args, says=(), code=2, **kw):
        """The program says why in one sentence with a remedy, and ends with `code`."""
        process = run(*args, **kw)
        self.assertEqual(process.returncode, code, f"{args}\n{process.stdout}\n{process.stderr}")
        lines = [line for line in process.stderr.splitlines() if line.startswith("silica: ")]
        self.assertTrue(lines, f"{args}: no sentence in {process.stderr!r}")
        for word in ("terminate", "Aborted", "frame #", "Exception raised from", "what():"):
            self.assertNotIn(word, process.stderr, args)
        if code == 2:
            self.assertIn("Remedy: ", lines[-1], args)
        for word in [says] if isinstance(says, str) else says:
            self.assertIn(word, lines[-1], args)
        return process

    def done(self, *args, **kw):
        process = run(*args, **kw)
        self.assertEqual(process.returncode, 0, f"{args}\n{process.stdout}\n{process.stderr}")
        return process


def main():
    if PROGRAM is None or not PROGRAM.exists():
        print("skipped: the silica program is not built")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=1)
