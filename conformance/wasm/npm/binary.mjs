// What a recording has to know of a module: the types of its imports and exports, which JavaScript does not tell.

const VALUE_TYPES = { 0x7f: "i32", 0x7e: "i64", 0x7d: "f32", 0x7c: "f64", 0x70: "funcref", 0x6f: "externref" };
const KINDS = ["func", "table", "memory", "global"];

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  byte() {
    return this.bytes[this.at++];
  }
  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }
  text() {
    const length = this.number();
    this.at += length;
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at));
  }
  list(item) {
    return Array.from({ length: this.number() }, () => item());
  }
  limits() {
    const flags = this.byte();
    const min = this.number();
    return { min, max: flags & 1 ? this.number() : undefined };
  }
}

/// Imports and exports with their types.
export function describe(bytes) {
  const reader = new Reader(bytes);
  reader.at = 8;
  const module = { imports: [], exports: [] };
  let types = [];
  const functions = [];
  const types_of = () => reader.list(() => VALUE_TYPES[reader.byte()]);
  while (reader.at < bytes.length) {
    const id = reader.byte();
    const end = reader.number() + reader.at;
    if (id === 1) {
      types = reader.list(() => (reader.byte(), { params: types_of(), results: types_of() }));
    } else if (id === 2) {
      module.imports = reader.list(() => {
        const entry = { module: reader.text(), name: reader.text(), kind: KINDS[reader.byte()] };
        if (entry.kind === "func") functions.push((entry.type = types[reader.number()]));
        if (entry.kind === "table") entry.type = { element: VALUE_TYPES[reader.byte()], ...reader.limits() };
        if (entry.kind === "memory") entry.type = reader.limits();
        if (entry.kind === "global") entry.type = { value: VALUE_TYPES[reader.byte()], mutable: reader.byte() };
        return entry;
      });
    } else if (id === 3) {
      functions.push(...reader.list(() => types[reader.number()]));
    } else if (id === 7) {
      module.exports = reader.list(() => {
        const entry = { name: reader.text(), kind: KINDS[reader.byte()] };
        const index = reader.number();
        return entry.kind === "func" ? { ...entry, type: functions[index] } : entry;
      });
    }
    reader.at = end;
  }
  return module;
}
