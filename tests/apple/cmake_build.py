"""A directory that CMake builds with a toolchain of the Apple checks."""

import os
import re

from places import SOURCE, CheckFailed, demand, jobs, place, run, say

OURS = re.compile(r"(?:^|/)(?:silica|bench|examples|strict|tests)/[^:]*:\d+:\d+: (?:warning|error): ")
PROGRESS = re.compile(r"\[\d+/\d+\] ")
UNDEFINED = re.compile(r"undefined (?:symbol|reference)")


class Build:
    """Configures at once. `roots` are the only places where CMake looks for packages, headers and libraries. `flags` are
    those of the compiler; asserts stay."""

    def __init__(self, name, source, toolchain, environment, options, roots, build_type="Unoptimised", flags="-O0"):
        self.directory = place(name)
        self.log = place("logs") / f"{name}.log"
        self.log.write_text("")
        self.environment = {**os.environ, **environment, "SILICA_APPLE_ROOT": ";".join(map(str, roots))}
        demand(["cmake", "-G", "Ninja", "-S", str(source), "-B", str(self.directory),
                f"-DCMAKE_BUILD_TYPE={build_type}", f"-DCMAKE_CXX_FLAGS_{build_type.upper()}={flags}",
                f"-DCMAKE_TOOLCHAIN_FILE={SOURCE / 'tests' / 'apple' / toolchain}", *options],
               self.log, env=self.environment)

    def build(self, *targets):
        """Fails by the first things that are wrong: errors, warnings in our own files, undefined symbols."""
        say(f"compile and link {self.directory.name} ({self.log})")
        done = run(["ninja", "-C", str(self.directory), "-k", "0", "-j", jobs(), *targets], self.log,
                   show=PROGRESS.match, env=self.environment)
        wrong = [line for line in done.stdout.splitlines() if OURS.search(line) or UNDEFINED.search(line)]
        if wrong or done.returncode != 0:
            shown = wrong[:20] or done.stdout.splitlines()[-25:]
            raise CheckFailed(f"{self.directory.name}: {len(wrong)} warnings, errors and undefined symbols\n"
                              + "\n".join(shown) + f"\nLog: {self.log}")

    def objects(self):
        return len(list(self.directory.rglob("*.o")))
