// Compiles the examples in assembly/ with the AssemblyScript compiler, in many ways, and compares what they give.
//
// usage: PVMRUN=… node assemblyscript.mjs FOLDER

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import { by_node, by_pvmrun } from "./service.mjs";

// The compiler takes what is relative for relative to its own base.
const folder = resolve(process.argv[2]);
mkdirSync(folder, { recursive: true });
const sources = fileURLToPath(new URL("assembly", import.meta.url));

const WAYS = {
  debug: ["--debug"],
  stub: ["-O3", "--runtime", "stub"],
  minimal: ["-O1", "--runtime", "minimal"],
  incremental: ["-O3", "--runtime", "incremental"],
  small: ["-Oz", "--runtime", "stub", "--noAssert"],
  early: ["-O2", "--disable", "bulk-memory", "--disable", "sign-extension"],
};
const ARGUMENTS = ["", "2a", "00010203fffefdfc7f80", "11".repeat(5000)];

let count = 0;
for (const source of readdirSync(sources)) {
  for (const [way, options] of Object.entries(WAYS)) {
    const file = join(folder, `${source}-${way}.wasm`);
    const { error, stderr } = await asc.main([join(sources, source), "--outFile", file, "--baseDir", "/", ...options]);
    assert(!error, stderr.toString());
    for (const hex of ARGUMENTS) {
      const args = Buffer.from(hex, "hex");
      const expected = by_node(readFileSync(file), args);
      for (const jit of ["--jit=off", "--jit-threshold=0"]) {
        for (const bounds of ["strict", "guard"]) {
          const found = by_pvmrun(file, args, [jit, `--bounds=${bounds}`]);
          assert.deepEqual([found.status, found.output], ["halt", expected], `${file} ${jit} ${bounds} ${hex.slice(0, 20)}`);
          count++;
        }
      }
    }
  }
}
console.log(`${count} runs of AssemblyScript programs, all right`);
