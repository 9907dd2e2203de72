// An interpreter for PVM, written in AssemblyScript (npm `@fluffylabs/anan-as`), compiled to PVM: it runs programs inside,
// with the same results as outside.
//
// usage: PVMRUN=… node pvm-in-pvm.mjs EXAMPLES [VECTORS]

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { by_node, by_pvmrun, pvmrun } from "./service.mjs";

const [examples, vectors] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const interpreter = join(dirname(require.resolve("@fluffylabs/anan-as/compiler.wasm")), "compiler.wasm");
const inner = join(tmpdir(), `pvm-in-pvm-${process.pid}.jam`);
const outer = join(tmpdir(), `pvm-in-pvm-${process.pid}-program.jam`);
execFileSync(pvmrun, ["compile", "--import", "console.log=nop", interpreter, "-o", inner], { stdio: ["ignore", "ignore", "inherit"] });
const bytes = readFileSync(interpreter);

const STATUS = ["halt", "panic", "page-fault", "host-call", "out-of-gas"];

/// Runs a program inside and outside. What the interpreter gives is status, exit code, gas, program counter, result.
function compare(name, program, args, gas) {
  const input = Buffer.alloc(20);
  input.writeBigUInt64LE(BigInt(gas), 0);
  input.writeUInt32LE(program.length, 12);
  input.writeUInt32LE(args.length, 16);
  const all = Buffer.concat([input, program, args]);
  const inside = by_pvmrun(inner, all, ["--gas", "1000000000000"]);
  assert.equal(inside.status, "halt", name);
  assert.equal(inside.output, by_node(bytes, all), `${name}: as node has it`);
  writeFileSync(outer, program);
  const outside = by_pvmrun(outer, args, ["--gas", String(gas), "--host=none"]);
  const output = Buffer.from(inside.output, "hex");
  const found = { status: STATUS[output[0]], gas: Number(output.readBigInt64LE(5)), pc: output.readUInt32LE(13) };
  const expected = { status: outside.status, gas: outside.gas_left, pc: outside.pc };
  // It names the fault's address, and the number of a host call.
  if (outside.status === "page-fault") [found.code, expected.code] = [output.readUInt32LE(1), outside.fault_address];
  if (outside.status === "host-call") [found.code, expected.code] = [output.readUInt32LE(1), outside.host_call];
  assert.deepEqual(found, expected, name);
}

let count = 0;
// Enough for the beginning of each; out of gas is a result, too.
for (const gas of [100000, 3000]) {
  for (const file of readdirSync(examples).filter((file) => file.endsWith(".jam"))) {
    for (const args of ["", "0a000000"]) {
      compare(`${file} ${args}`, readFileSync(join(examples, file)), Buffer.from(args, "hex"), gas);
      count++;
    }
  }
}
console.log(`${count} runs of examples inside, all as outside`);

/// A vector as a service: registers are loaded first. None if it cannot be said so.
function service(vector) {
  const pages = vector["initial-page-map"];
  const is_expressible =
    vector["initial-pc"] === 0 &&
    pages.every(({ address, length, "is-writable": writable }) => address === 0x20000 && length <= 0x10000 && writable);
  if (!is_expressible) return undefined;
  const blob = Uint8Array.from(vector.program);
  const [jumps, size, code_length] = [blob[0], blob[1], blob[2]];
  // Longer lengths have more bytes.
  if (jumps >= 128 || code_length >= 128 || size > 1) return undefined;
  const table = blob.subarray(3, 3 + jumps * size);
  const code = blob.subarray(3 + table.length, 3 + table.length + code_length);
  const mask = blob.subarray(3 + table.length + code_length);
  const prologue = vector["initial-regs"].flatMap((value, register) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
    return [20, register, ...bytes];
  });
  // What follows is a block of its own, which can be jumped to.
  prologue.push(1);
  const starts = Array.from(prologue, (_, at) => at % 10 === 0 || at === prologue.length - 1);
  const is_start = (at) => (mask[at >> 3] >> (at & 7)) & 1;
  const all_starts = [...starts, ...Array.from(code, (_, at) => is_start(at))];
  const all_mask = Buffer.alloc(Math.ceil(all_starts.length / 8));
  all_starts.forEach((start, at) => (all_mask[at >> 3] |= start ? 1 << (at & 7) : 0));
  const length = all_starts.length;
  const natural = length < 128 ? [length] : [0x80 + (length >> 8), length & 0xff];
  const words = Array.from(table, (target) => [(target + prologue.length) & 0xff, (target + prologue.length) >> 8]).flat();
  const program = Buffer.from([jumps, 2, ...natural, ...words, ...prologue, ...code, ...all_mask]);
  const memory = Buffer.alloc(Math.max(0, ...pages.map(({ length }) => length)));
  for (const { address, contents } of vector["initial-memory"]) memory.set(contents, address - 0x20000);
  const head = Buffer.alloc(16);
  // No metadata, then lengths of three bytes each, heap pages, and the stack.
  head.writeUIntLE(memory.length, 4, 3);
  head.writeUInt32LE(program.length, 12);
  return Buffer.concat([head.subarray(0, 12), memory, head.subarray(12), program]);
}

if (vectors) {
  let left_out = 0;
  let tried = 0;
  for (const file of readdirSync(vectors).filter((file) => file.endsWith(".json"))) {
    // Registers have 64 bits, which numbers of JavaScript do not.
    const text = readFileSync(join(vectors, file), "utf8").replace(/(?<=[\[,]\s*)(\d{16,})(?=\s*[,\]])/g, '"$1"');
    const program = service(JSON.parse(text));
    if (program === undefined) {
      left_out++;
      continue;
    }
    compare(basename(file), program, Buffer.alloc(0), 100000);
    tried++;
  }
  console.log(`${tried} vectors inside, all as outside; ${left_out} cannot be written as services`);
}
