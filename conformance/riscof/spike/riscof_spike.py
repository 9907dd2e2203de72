"""Spike as the reference: bare machine, load address 0x80000000, end by a write to `tohost`."""

import os
import subprocess
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from model import Model  # noqa: E402


class spike(Model):
    __model__ = "spike"
    __version__ = "1"
    environment = os.path.join(os.path.dirname(os.path.abspath(__file__)), "env")

    def signature(self, entry, elf, path):
        program = self.config.get("program", "spike")
        command = [program, f"--isa={entry['isa'].lower()}", f"+signature={path}", "+signature-granularity=4", elf]
        subprocess.run(command, check=True, timeout=300)
