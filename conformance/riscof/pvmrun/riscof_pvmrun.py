"""pvmrun as the device under test."""

import os
import shlex
import subprocess
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from model import Model  # noqa: E402


class pvmrun(Model):
    __model__ = "pvmrun"
    __version__ = "0.1.0"

    def signature(self, entry, elf, path):
        program = self.config.get("program", "pvmrun")
        options = shlex.split(self.config.get("options", ""))
        subprocess.run([program, "run", *options, "--signature", path, elf], check=True, timeout=300)
