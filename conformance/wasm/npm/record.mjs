// Records what a library does with its WebAssembly instances, as scripts (.wast) that do the same again.
//
// Node's WebAssembly runs the modules, so each script asserts what another engine has found: the results of all calls, and
// what they left in memory. What JavaScript writes to memory in between is written by the script, too. Imports are
// functions that always give the same result; a library whose imports do more is not recorded, but refused.

import { describe } from "./binary.mjs";

const PAGE = 65536;
const native = { ...WebAssembly, instantiate: WebAssembly.instantiate, Instance: WebAssembly.Instance, Module: WebAssembly.Module };

/// Runs `use`, and gives the recordings of all instances that were made meanwhile.
export async function record(use) {
  const recordings = [];
  const bytes_of = new WeakMap();
  const make = (bytes, imports, create) => {
    const recording = new Recording(new Uint8Array(bytes.buffer ?? bytes, bytes.byteOffset ?? 0, bytes.byteLength));
    recordings.push(recording);
    return recording.wrap(create(recording.imports(imports ?? {})));
  };
  WebAssembly.Module = function (bytes) {
    const module = new native.Module(bytes);
    bytes_of.set(module, bytes);
    return module;
  };
  Object.assign(WebAssembly.Module, { exports: native.Module.exports, imports: native.Module.imports, prototype: native.Module.prototype });
  WebAssembly.compile = async (bytes) => new WebAssembly.Module(bytes);
  WebAssembly.Instance = function (module, imports) {
    return make(bytes_of.get(module), imports, (imports) => new native.Instance(module, imports));
  };
  WebAssembly.instantiate = async (source, imports) => {
    const module = source instanceof native.Module ? source : new WebAssembly.Module(source);
    const instance = new WebAssembly.Instance(module, imports);
    return source instanceof native.Module ? instance : { module, instance };
  };
  delete WebAssembly.instantiateStreaming;
  await use();
  Object.assign(WebAssembly, native);
  return recordings.map((recording) => recording.finish());
}

class Recording {
  constructor(bytes) {
    this.bytes = bytes.slice();
    this.module = describe(this.bytes);
    this.lines = [];
    this.constants = new Map();
    this.depth = 0;
  }

  imports(given) {
    const imports = {};
    for (const { module, name, kind } of this.module.imports) {
      imports[module] ??= {};
      const value = given[module][name];
      imports[module][name] = kind === "func" ? this.imported(`${module}.${name}`, value) : value;
      if (kind === "memory") this.memory = value;
    }
    return imports;
  }

  /// An imported function: it may do what it wants, as long as nobody but JavaScript notices.
  imported(name, original) {
    return (...values) => {
      const before = this.memory && this.copy();
      const result = original(...values);
      if (before && this.difference(before).length > 0) throw new Error(`import ${name} writes to memory`);
      const before_result = this.constants.get(name);
      const number = Number(result ?? 0);
      if (before_result !== undefined && before_result !== number) throw new Error(`import ${name} gives other results`);
      this.constants.set(name, number);
      return result;
    };
  }

  wrap(instance) {
    const exports = {};
    for (const { name, kind, type } of this.module.exports) {
      const value = instance.exports[name];
      if (kind === "memory") {
        this.memory = value;
        this.memory_name = name;
      }
      exports[name] = kind === "func" ? (...values) => this.call(name, type, value, values) : value;
    }
    this.after = this.memory && this.copy();
    return { exports };
  }

  copy() {
    return new BigInt64Array(this.memory.buffer.slice(0));
  }

  /// Ranges of words that are not as they were, as pairs of beginning and end.
  difference(before) {
    const now = new BigInt64Array(this.memory.buffer);
    const ranges = [];
    for (let at = 0; at < now.length; at++) {
      if (now[at] === (before[at] ?? 0n)) continue;
      const last = ranges.at(-1);
      if (last && at - last[1] < 16) last[1] = at + 1;
      else ranges.push([at, at + 1]);
    }
    return ranges;
  }

  call(name, type, original, values) {
    // What a call from within an import does is part of the call around it.
    if (this.depth > 0) throw new Error(`${name} is called from an import`);
    if (this.memory) {
      const now = new BigInt64Array(this.memory.buffer);
      const pages = (now.length - this.after.length) / (PAGE / 8);
      if (pages > 0) this.lines.push(`(invoke $tool "grow" (i32.const ${pages}))`);
      for (const [from, to] of this.difference(this.after)) {
        for (let at = from; at < to; at++) this.lines.push(`(invoke $tool "poke" (i32.const ${at * 8}) (i64.const ${now[at]}))`);
      }
    }
    const before = this.memory && this.copy();
    this.depth++;
    const result = original(...values);
    this.depth--;
    const list = (types, values) => types.map((type, index) => constant(type, values[index])).join(" ");
    const results = type.results.length > 1 ? result : [result];
    const text = `(invoke $m ${quote(name)} ${list(type.params, values)})`;
    this.lines.push(`(assert_return ${text} ${list(type.results, results)})`);
    if (this.memory) {
      this.difference(before).forEach(([from, to]) => this.check(from, to));
      this.after = this.copy();
    }
    return result;
  }

  /// Asserts what a range of memory holds.
  check(from, to) {
    const now = new BigInt64Array(this.memory.buffer);
    let hash = 0n;
    for (let at = from; at < to; at++) hash = BigInt.asIntN(64, hash * 31n + now[at]);
    this.lines.push(`(assert_return (invoke $tool "hash" (i32.const ${from * 8}) (i32.const ${to * 8})) (i64.const ${hash}))`);
  }

  finish() {
    if (this.memory) this.check(0, this.memory.buffer.byteLength / 8);
    const hex = Array.from(this.bytes, (byte) => "\\" + byte.toString(16).padStart(2, "0")).join("");
    const memory = this.module.imports.find(({ kind }) => kind === "memory");
    const place = memory ? [memory.module, memory.name] : ["recorded", this.memory_name];
    const tool = this.memory ? tool_text(place) : "";
    return [...this.import_modules(), `(module $m binary "${hex}")`, `(register "recorded" $m)`, tool, ...this.lines, ""].join("\n");
  }

  import_modules() {
    const names = [...new Set(this.module.imports.map(({ module }) => module))];
    return names.map((name) => {
      const items = this.module.imports.filter(({ module }) => module === name);
      return `(module ${items.map((item) => this.import_text(item)).join(" ")})\n(register ${quote(name)})`;
    });
  }

  import_text({ module, name, kind, type }) {
    const limits = ({ min, max }) => `${min} ${max ?? ""}`;
    if (kind === "memory") return `(memory (export ${quote(name)}) ${limits(type)})`;
    if (kind === "table") return `(table (export ${quote(name)}) ${limits(type)} ${type.element})`;
    if (kind === "global") throw new Error(`global ${name} is imported`);
    const result = this.constants.get(`${module}.${name}`) ?? 0;
    const body = type.results.map((type) => `(${type}.const ${result})`).join(" ");
    return `(func (export ${quote(name)}) (param ${type.params.join(" ")}) (result ${type.results.join(" ")}) ${body})`;
  }
}

/// A module that writes to and looks at a memory.
function tool_text([module, name]) {
  return `(module $tool
  (import ${quote(module)} ${quote(name)} (memory 0))
  (func (export "poke") (param i32 i64) (i64.store (local.get 0) (local.get 1)))
  (func (export "grow") (param i32) (if (i32.eq (memory.grow (local.get 0)) (i32.const -1)) (then unreachable)))
  (func (export "hash") (param $at i32) (param $end i32) (result i64) (local $hash i64)
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (local.set $hash (i64.add (i64.mul (local.get $hash) (i64.const 31)) (i64.load (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br $next)))
    (local.get $hash)))`;
}

function constant(type, value) {
  if (type === "i64") return `(i64.const ${value ?? 0n})`;
  if (type === "i32") return `(i32.const ${value | 0})`;
  throw new Error(`a value of type ${type}`);
}

function quote(text) {
  const bytes = new TextEncoder().encode(text);
  return `"${Array.from(bytes, (byte) => "\\" + byte.toString(16).padStart(2, "0")).join("")}"`;
}
