"""Recorded signatures as the reference: a JSON file, gzip or not, with `tests`, by `GROUP/NAME`, each with its `signature`
(words in hexadecimal) and the SHA-256 of its source (`source_sha256`)."""

import gzip
import hashlib
import json
import os
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from model import Model  # noqa: E402


class recorded(Model):
    __model__ = "recorded"
    __version__ = "1"

    def build(self, isa_yaml, platform_yaml):
        path = self.config["signatures"]
        with (gzip.open if path.endswith(".gz") else open)(path, "rt") as file:
            self.tests = json.load(file)["tests"]

    def compile(self, entry, elf):
        pass

    def signature(self, entry, elf, path):
        source = entry["test_path"]
        group = os.path.basename(os.path.dirname(os.path.dirname(source)))
        name = f"{group}/{os.path.splitext(os.path.basename(source))[0]}"
        if name not in self.tests:
            raise SystemExit(f"no signature is recorded for {name}; leave it out of the test list")
        test = self.tests[name]
        with open(source, "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() != test["source_sha256"]:
                raise SystemExit(f"{source} is not the source that {name} was recorded of: check out another commit")
        with open(path, "w") as file:
            file.write("".join(f"{word}\n" for word in test["signature"]))
