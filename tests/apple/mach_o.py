"""Just enough of Mach-O, for arm64: what a program or library asks for and what it gives."""

import struct
from pathlib import Path


class MachO:
    """minimum and sdk are pairs (14, 0); rpaths, libraries, weak_libraries and sections are lists; exported and
    undefined are sets of names, local a set of those that only the file itself sees."""

    def __init__(self, path):
        data = self.data = Path(path).read_bytes()
        magic, cpu, _, self.kind, commands, _, self.flags, _ = struct.unpack_from("<8I", data)
        if magic != 0xFEEDFACF or cpu != 0x0100000C:
            raise ValueError(f"{path} is no Mach-O file for arm64")
        self.minimum = self.sdk = self.install_name = None
        self.rpaths, self.libraries, self.weak_libraries, self.sections = [], [], [], []
        self.exported, self.undefined, self.local = set(), set(), set()
        at = 32
        for _ in range(commands):
            command, size = struct.unpack_from("<2I", data, at)
            if command == 0x32:  # LC_BUILD_VERSION
                _, minimum, sdk = struct.unpack_from("<3I", data, at + 8)
                self.minimum, self.sdk = (minimum >> 16, minimum >> 8 & 255), (sdk >> 16, sdk >> 8 & 255)
            elif command == 0x8000001C:  # LC_RPATH
                self.rpaths.append(self._text(at, at + size))
            elif command in (0xC, 0x8000001F):  # LC_LOAD_DYLIB, LC_REEXPORT_DYLIB
                self.libraries.append(self._text(at, at + size))
            elif command == 0x80000018:  # LC_LOAD_WEAK_DYLIB
                self.weak_libraries.append(self._text(at, at + size))
            elif command == 0xD:  # LC_ID_DYLIB
                self.install_name = self._text(at, at + size)
            elif command == 0x19:  # LC_SEGMENT_64
                count = struct.unpack_from("<I", data, at + 64)[0]
                for i in range(count):
                    section, segment, _, length, offset = struct.unpack_from("<16s16sQQI", data, at + 72 + 80 * i)
                    self.sections.append((segment.rstrip(b"\0").decode(), section.rstrip(b"\0").decode(), offset, length))
            elif command == 2:  # LC_SYMTAB
                self._symbols(*struct.unpack_from("<4I", data, at + 8))
            at += size

    def _text(self, at, end):
        start = at + struct.unpack_from("<I", self.data, at + 8)[0]
        return self.data[start:end].split(b"\0", 1)[0].decode()

    def _symbols(self, symbols, count, strings, length):
        table = self.data[strings:strings + length]
        for at, kind, _, _, _ in struct.iter_unpack("<IBBHQ", self.data[symbols:symbols + 16 * count]):
            if kind & 0xE0:  # debugging
                continue
            name = table[at:table.index(b"\0", at)].decode(errors="replace")
            if kind & 0xE == 0 and kind & 1:
                self.undefined.add(name)
            elif kind & 1 and not kind & 0x10:
                self.exported.add(name)
            else:
                self.local.add(name)
