"""What the plug-ins have in common: how a test of RISCOF is compiled, and a model that runs it.

A plug-in of RISCOF is a class that compiles tests and leaves a signature for each. These differ only in how they come by the
signature, so each is a few lines; see `Model.signature`.
"""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

from riscof.pluginTemplate import pluginTemplate

HERE = os.path.dirname(os.path.abspath(__file__))


class Model(pluginTemplate):
    """A model without floating point, with 32 bits."""

    # Flags for the compiler beside those that all tests need.
    environment = os.path.join(HERE, "env")

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        config = options.get("config") or {}
        self.config = config
        self.jobs = int(config.get("jobs", 1))
        self.compiler = config.get("compiler", "riscv64-unknown-elf-gcc")
        folder = os.path.abspath(config.get("pluginpath", os.path.join(HERE, self.__model__)))
        self.isa_spec = os.path.abspath(config.get("ispec", os.path.join(folder, "isa.yaml")))
        self.platform_spec = os.path.abspath(config.get("pspec", os.path.join(folder, "platform.yaml")))

    def initialise(self, suite, work_dir, archtest_env):
        self.suite = suite
        self.work_dir = work_dir
        self.archtest_env = archtest_env

    def build(self, isa_yaml, platform_yaml):
        if shutil.which(self.compiler) is None:
            raise SystemExit(f"{self.compiler} is not installed (Debian: gcc-riscv64-unknown-elf)")

    def compile(self, entry, elf):
        """Compiles a test for this model."""
        command = [self.compiler, f"-march={entry['isa'].lower()}", "-mabi=ilp32", "-static", "-mcmodel=medany"]
        command += ["-nostdlib", "-nostartfiles", "-T", os.path.join(self.environment, "link.ld")]
        command += ["-I", self.environment, "-I", self.archtest_env]
        command += [f"-D{macro}" for macro in entry["macros"]]
        subprocess.run(command + [entry["test_path"], "-o", elf], check=True, cwd=entry["work_dir"])

    def signature(self, entry, elf, path):
        """Runs the test and writes its signature to `path`."""
        raise NotImplementedError

    def run_test(self, entry):
        folder = entry["work_dir"]
        elf = os.path.join(folder, f"{self.__model__}.elf")
        # RISCOF looks for the signature under the name that it has given to the model.
        path = os.path.join(folder, self.name[:-1] + ".signature")
        self.compile(entry, elf)
        self.signature(entry, elf, path)

    def runTests(self, testList, cgf_file=None, header_file=None):
        with ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(self.run_test, testList.values()))
