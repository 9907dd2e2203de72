// Sizes and gas beside those of another compiler, wasm-pvm 0.10.0, on the programs in its repository.
//
// usage: PVMRUN=… node peer.mjs CHECKOUT FIGURES
//
// CHECKOUT is https://github.com/tomusdrw/wasm-pvm at cf2ff15; of it only tests/fixtures is read. FIGURES says what that
// compiler has made of them. A run counts if both give the same; a module counts if its bytes are those that were measured.

import { createHash } from "node:crypto";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import asc from "assemblyscript-0.27/asc";
import { pvmrun } from "./service.mjs";

const [checkout, figures] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "peer-"));
/// How its AssemblyScript is compiled there.
const ASC = "--noAssert --optimizeLevel 3 --shrinkLevel 2 --converge --use abort= --maximumMemory 16 --baseDir /".split(" ");

/// The module of a program, compiled from AssemblyScript if need be.
async function module_of({ input, as_source }) {
  if (as_source === undefined) return input && join(checkout, input.replace("wasm-pvm:", ""));
  const name = basename(input, ".wasm");
  const [source, runtime] = name.split(/-(?=(?:stub|minimal|incremental)$)/);
  const text = join(checkout, "tests/fixtures/assembly", `${source}.ts`);
  const file = join(folder, `${name}.wasm`);
  const { error } = await asc.main([text, "--outFile", file, "--runtime", runtime ?? "stub", ...ASC]);
  if (error) throw error;
  return file;
}

/// The options for what stands for its imports.
function adapters_of({ adapters = [] }) {
  const files = adapters.map((file) => join(checkout, file.replace("wasm-pvm:", "")));
  return files.flatMap((file) => [file.endsWith(".wat") ? "--adapter" : "--imports", file]);
}

const rows = [];
const counts = { refused: 0, absent: 0, other_result: 0 };
for (const program of JSON.parse(readFileSync(figures)).fixtures) {
  const file = await module_of(program);
  const is_same = file && existsSync(file) && createHash("sha256").update(readFileSync(file)).digest("hex") === program.input_sha256;
  if (!is_same) {
    counts.absent++;
    continue;
  }
  const service = join(folder, `${program.name}.jam`);
  if (spawnSync(pvmrun, ["compile", ...adapters_of(program), file, "-o", service]).status !== 0) {
    counts.refused++;
    continue;
  }
  const info = JSON.parse(execFileSync(pvmrun, ["info", "--json", service]));
  const gas = [];
  for (const { args, pc, status, result, gas_used } of program.runs.filter(({ status }) => status === "halt")) {
    const entry = pc === 5 ? ["--entry", "accumulate"] : [];
    const { stdout } = spawnSync(pvmrun, ["run", "--json", "--jit=off", ...entry, service, ...(args ? [`0x${args}`] : [])]);
    const ours = JSON.parse(stdout);
    if (ours.status === status && ours.output === result) gas.push(ours.gas_used / gas_used);
    else counts.other_result++;
  }
  rows.push({ name: program.name, size: info.code_bytes / program.code_size, file: readFileSync(service).length / program.jam_size, gas });
}

const mean = (numbers) => Math.exp(numbers.reduce((sum, number) => sum + Math.log(number), 0) / numbers.length);
const all_gas = rows.filter(({ gas }) => gas.length > 0).map(({ name, gas }) => ({ name, ratio: mean(gas) }));
const tables = {
  gas: all_gas,
  "code size": rows.map(({ name, size }) => ({ name, ratio: size })),
  "file size": rows.map(({ name, file }) => ({ name, ratio: file })),
};
console.log("ours by theirs | programs | mean | better | worse | worst | best");
for (const [what, list] of Object.entries(tables)) {
  list.sort((a, b) => b.ratio - a.ratio);
  const name = ({ name, ratio }) => `${name} ${ratio.toFixed(2)}`;
  const better = list.filter(({ ratio }) => ratio < 1).length;
  const worse = list.filter(({ ratio }) => ratio > 1).length;
  const ends = [list.slice(0, 5), list.slice(-5).reverse()].map((part) => part.map(name).join(", "));
  console.log([what, list.length, mean(list.map(({ ratio }) => ratio)).toFixed(3), better, worse, ...ends].join(" | "));
}
console.log(JSON.stringify(counts));
