// Services twice: by node's WebAssembly, and by pvmrun.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PAGE = 65536;
/// Pages between what a module has and its arguments, as docs/wasm.md says.
const GAP = 256;

export const pvmrun = process.env.PVMRUN ?? "pvmrun";

/// Calls `main` of a module with arguments, and gives the result.
export function by_node(bytes, args) {
  const module = new WebAssembly.Module(bytes);
  const imports = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {};
    imports[from][name] = () => {
      if (name === "abort") throw new Error("abort");
    };
  }
  const { exports } = new WebAssembly.Instance(module, imports);
  let at = exports.memory.buffer.byteLength;
  if (args.length > 0) {
    exports.memory.grow(GAP + Math.ceil((args.length + 16) / PAGE));
    at += GAP * PAGE;
    new Uint8Array(exports.memory.buffer).set(args, at);
  }
  const result = exports.main(at, args.length);
  const [offset, length] =
    result === undefined
      ? [exports.result_ptr.value, exports.result_len.value]
      : [Number(BigInt.asUintN(32, result)), Number(BigInt.asUintN(64, result) >> 32n)];
  return Buffer.from(exports.memory.buffer, offset >>> 0, length).toString("hex");
}

/// Runs a program: what pvmrun says of it.
export function by_pvmrun(program, args, options = []) {
  const file = join(tmpdir(), `pvmrun-arguments-${process.pid}`);
  writeFileSync(file, args);
  const command = ["run", "--json", ...options, program, ...(args.length > 0 ? [`@${file}`] : [])];
  try {
    return JSON.parse(execFileSync(pvmrun, command, { stdio: ["ignore", "pipe", "ignore"] }));
  } catch (error) {
    // Any end but a halt has an exit code of its own.
    if (error.stdout?.length > 0) return JSON.parse(error.stdout);
    throw error;
  }
}
