#!/usr/bin/env python3
"""`./run` configures the program for the families that a command names and for those it has, and with every command once one
asked for it: with a cmake and a program that only write down how they were called.

    run_families.py <source directory>
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(sys.argv.pop() if len(sys.argv) > 1 else ".").resolve()

CMAKE = """#!/bin/sh
echo "$*" >>calls
mkdir -p build/release
case "$*" in *-DSILICA_FAMILIES=*) : >build/release/CMakeCache.txt ;; esac
for word in "$@"; do
    case $word in
        -DSILICA_FAMILIES=*) echo "SILICA_FAMILIES:STRING=${word#*=}" >>build/release/CMakeCache.txt ;;
        -DSILICA_EVERY_COMMAND:BOOL=*) echo "${word#-D}" >>build/release/CMakeCache.txt ;;
    esac
done
touch build/release/build.ninja
cp program build/release/silica
"""
# Asks once for the families in the file `ask`, or for every command, as the program does for what it lacks.
PROGRAM = """#!/bin/sh
if [ -s ask ]; then
    wanted=$(cat ask)
    : >ask
    [ "$wanted" = every-command ] && exec "$SILICA_RUN" --every-command "$@"
    exec "$SILICA_RUN" --families "$wanted" "$@"
fi
for word in "$@"; do echo "argument: $word"; done
sed -n 's/^SILICA_FAMILIES:STRING=/families: /p' build/release/CMakeCache.txt
"""


def executable(path, text):
    path.write_text(text)
    path.chmod(0o755)


class RunTest(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="silica-run-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        for name in ("run", "requirements.txt", "CMakePresets.json"):
            shutil.copy(ROOT / name, self.directory)
        (self.directory / "bench/arch").mkdir(parents=True)
        for family in ("bert", "llama", "t5"):
            shutil.copy(ROOT / f"bench/arch/{family}.cpp", self.directory / "bench/arch")
        tools = self.directory / "tools"
        tools.mkdir()
        executable(tools / "cmake", CMAKE)
        executable(tools / "dpkg-query", "#!/bin/sh\necho install ok installed\n")
        executable(tools / "brew", "#!/bin/sh\nexit 0\n")
        executable(self.directory / "program", PROGRAM)
        (self.directory / "torch/include/ATen/core").mkdir(parents=True)
        (self.directory / "torch/include/ATen/core/Tensor.h").write_text("")

    def run_it(self, *arguments, ask=""):
        """(what the program printed, the families that it had, how cmake was called)"""
        (self.directory / "ask").write_text(ask)
        (self.directory / "calls").write_text("")
        path = f"{self.directory / 'tools'}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "CMAKE_PREFIX_PATH": str(self.directory / "torch"),
                       "HF_HUB_CACHE": str(self.directory / "hub"), "SILICA_JOBS": "1"}
        done = subprocess.run([str(self.directory / "run"), *arguments], env=environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        *printed, last = done.stdout.splitlines()
        configured = [call for call in (self.directory / "calls").read_text().splitlines() if "--build" not in call]
        return printed, last.removeprefix("families: ").split(","), configured

    def families(self, *arguments, ask=""):
        return self.run_it(*arguments, ask=ask)[1]

    def test_families_are_those_that_are_named_and_stay(self):
        self.assertEqual(self.families("bench", "--model", "t5"), ["t5"])
        self.assertEqual(self.families("bench", "--model=bert-tiny"), ["bert", "t5"])
        self.assertEqual(self.run_it("bench", "--model", "t5,bert")[1:], (["bert", "t5"], []))
        self.assertEqual(self.families("devices"), ["bert", "t5"])
        self.assertEqual(self.families("bench", "--model", "all"), ["bert", "llama", "t5"])
        self.assertEqual(self.families("bench", "--model", "bert"), ["bert", "llama", "t5"])

    def test_what_names_none_has_one(self):
        self.assertEqual(self.families("devices"), ["bert"])

    def test_a_checkpoint_names_its_family(self):
        self.assertEqual(self.families("verify", str(ROOT / "tests/golden/llama/base")), ["llama"])
        snapshot = self.directory / "hub/models--some--one/snapshots/1"
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_text('{\n  "model_type": "t5",\n  "text_config": {\n      "model_type": "bert"\n  }\n}\n')
        self.assertEqual(self.families("embed", "some/one", "text"), ["llama", "t5"])

    def test_a_part_on_its_own_is_of_the_family_of_the_whole(self):
        (self.directory / "config.json").write_text('{\n  "model_type": "llama_vision_model"\n}\n')
        self.assertEqual(self.families("verify", str(self.directory)), ["llama"])

    def test_a_program_that_lacks_one_gets_it(self):
        self.assertEqual(self.families("bench", "--model", "bert"), ["bert"])
        printed, families, _ = self.run_it("generate", "somewhere", "--prompt", "a  b\n*", ask="llama,t5")
        self.assertEqual(printed, ["argument: generate", "argument: somewhere", "argument: --prompt", "argument: a  b", "*"])
        self.assertEqual(families, ["bert", "llama", "t5"])
        self.assertEqual(self.families("--families", "all", "devices"), ["bert", "llama", "t5"])

    def test_a_program_that_lacks_a_command_gets_all_and_keeps_them(self):
        self.assertIn("-DSILICA_EVERY_COMMAND:BOOL=OFF", self.run_it("bench", "--model", "bert")[2][-1])
        printed, families, configured = self.run_it("embed", "somewhere", "a text", ask="every-command")
        self.assertEqual((printed, families), (["argument: embed", "argument: somewhere", "argument: a text"], ["bert"]))
        self.assertIn("-DSILICA_EVERY_COMMAND:BOOL=ON", configured[-1])
        self.assertIn("-DSILICA_EVERY_COMMAND:BOOL=ON", self.run_it("bench", "--model", "t5")[2][-1])
        self.assertEqual(self.run_it("embed", "somewhere")[2], [])
        self.assertEqual(self.run_it("--every-command", "--families", "llama", "devices")[1], ["bert", "llama", "t5"])

    def test_arguments_are_only_text(self):
        words = ["generate", "x", "--prompt", '$(touch bad) `touch bad` "; touch bad; "', "../bert", "*", "", "-n"]
        printed, families, _ = self.run_it(*words)
        self.assertEqual(printed, [f"argument: {word}" for word in words])
        self.assertEqual(families, ["bert"])
        self.assertFalse((self.directory / "bad").exists())

    def test_a_directory_that_was_removed_starts_again(self):
        self.assertEqual(self.families("bench", "--model", "t5"), ["t5"])
        shutil.rmtree(self.directory / "build/release")
        self.assertEqual(self.families("bench", "--model", "bert"), ["bert"])


if __name__ == "__main__":
    unittest.main()
