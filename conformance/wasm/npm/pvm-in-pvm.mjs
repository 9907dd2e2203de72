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
  const memory = areas(vector);
  if (memory === undefined) return undefined;
  const blob = parse_blob(Uint8Array.from(vector.program));
  const prologue = vector["initial-regs"].flatMap((value, register) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
    return [20, register, ...bytes];
  });
  // A jump ends the block, so that what follows can be jumped to, too.
  const jump = Buffer.alloc(5, 40);
  jump.writeUInt32LE(jump.length + vector["initial-pc"], 1);
  const starts = [...prologue.map((_, at) => at % 10 === 0), true, false, false, false, false];
  prologue.push(...jump);
  const is_start = (at) => (blob.mask[at >> 3] >> (at & 7)) & 1;
  const all_starts = [...starts, ...Array.from(blob.code, (_, at) => is_start(at))];
  const mask = Buffer.alloc(Math.ceil(all_starts.length / 8));
  all_starts.forEach((start, at) => (mask[at >> 3] |= start ? 1 << (at & 7) : 0));
  const words = blob.jumps.flatMap((target) => [(target + prologue.length) & 0xff, (target + prologue.length) >> 8]);
  const code = [...prologue, ...blob.code];
  const program = Buffer.from([...natural(blob.jumps.length), 2, ...natural(code.length), ...words, ...code, ...mask]);
  // No metadata, then lengths of three bytes each, heap pages, and the stack.
  const head = Buffer.alloc(16);
  head.writeUIntLE(memory.read_only.length, 1, 3);
  head.writeUIntLE(memory.read_write.length, 4, 3);
  head.writeUInt32LE(program.length, 12);
  return Buffer.concat([head.subarray(0, 12), memory.read_only, memory.read_write, head.subarray(12), program]);
}

/// The memory of a vector as the areas of a standard program, if it is like that.
function areas(vector) {
  const pages = vector["initial-page-map"];
  const find = (is_writable) => pages.filter((page) => page["is-writable"] === is_writable);
  const [[read_only], [read_write]] = [find(false), find(true)];
  const fits = (page, address) => page === undefined || (page.address === address && page.length <= 0x10000);
  const base = read_only ? 0x30000 : 0x20000;
  if (pages.length > 2 || find(true).length > 1 || !fits(read_only, 0x10000) || !fits(read_write, base)) return undefined;
  const areas = { read_only: Buffer.alloc(read_only?.length ?? 0), read_write: Buffer.alloc(read_write?.length ?? 0) };
  for (const { address, contents } of vector["initial-memory"]) {
    if (address < 0x20000) areas.read_only.set(contents, address - 0x10000);
    else areas.read_write.set(contents, address - base);
  }
  return areas;
}

/// Jump table, code and bitmask of a blob (Gray Paper A.2).
function parse_blob(blob) {
  let at = 0;
  // The numbers of these programs have one byte or two.
  const number = () => (blob[at] < 0x80 ? blob[at++] : ((at += 2), ((blob[at - 2] & 0x7f) << 8) | blob[at - 1]));
  const [count, size, length] = [number(), blob[at++], number()];
  const jumps = Array.from({ length: count }, () => {
    const bytes = blob.subarray(at, (at += size));
    return bytes.reduceRight((value, byte) => (value << 8) | byte, 0);
  });
  return { jumps, code: blob.subarray(at, at + length), mask: blob.subarray(at + length) };
}

/// A number below 2^14 as the Gray Paper encodes it.
function natural(value) {
  return value < 0x80 ? [value] : [0x80 + (value >> 8), value & 0xff];
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
