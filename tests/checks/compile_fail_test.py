#!/usr/bin/env python3
"""Shows that compile_fail.py notices a file that compiles, a missing word, and a control that is wrong for another reason.

    compile_fail_test.py <compiler>
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

FAILS = "int main() { return missing_name; }\n"
CASES = [  # (name, text, whether compile_fail.py should be content)
    ("fails", "// expect: missing_name\n" + FAILS, True),
    ("compiles", "// expect: main\nint main() {}\n", False),
    ("says something else", "// expect: missing_name other_name\n" + FAILS, False),
    ("expects nothing", FAILS, False),
    ("has a good control", "// expect: missing_name\n#ifdef SILICA_CONTROL\nint missing_name = 0;\n#endif\n" + FAILS, True),
    ("has a bad control", "// expect: missing_name\n#ifdef SILICA_CONTROL\nint other = 1\n#endif\n" + FAILS, False),
]


def main():
    runner = Path(__file__).with_name("compile_fail.py")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        # The bare compiler, which is quick.
        reference, commands = Path(folder) / "reference.cpp", Path(folder) / "compile_commands.json"
        reference.write_text("")
        command = f"{sys.argv[1]} -c {reference} -o reference.o"
        commands.write_text(json.dumps([{"file": str(reference), "directory": folder, "command": command}]))
        for name, text, content in CASES:
            source = Path(folder) / "case.cpp"
            source.write_text(text)
            words = [sys.executable, runner, commands, reference, source]
            result = subprocess.run([str(word) for word in words], capture_output=True, text=True)
            if (result.returncode == 0) != content or "Traceback" in result.stderr:
                failed += 1
                print(f"a file that {name}: {result.stdout}{result.stderr}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
