// Arrays with unshift and overlapping copies, arithmetic of small integers, strings, classes, recursion. Everything goes
// into one result, so that whatever comes out wrong is seen.

const out = new Array<u32>();

function arrays(seed: u32): void {
  const list: i32[] = [];
  for (let i: u32 = 0; i < 40; i++) {
    if (i % 3 == 0) list.unshift(<i32>(seed + i));
    else list.push(<i32>(seed ^ i));
  }
  list.copyWithin(3, 0, 20);
  list.copyWithin(0, 5, 30);
  list.reverse();
  list.sort((a, b) => a - b);
  list.splice(4, 7);
  for (let i = 0; i < list.length; i++) out.push(list[i]);
  const bytes = new Uint8Array(64);
  for (let i = 0; i < 64; i++) bytes[i] = <u8>(i * 7);
  memory.copy(bytes.dataStart + 1, bytes.dataStart, 63);
  memory.copy(bytes.dataStart, bytes.dataStart + 5, 50);
  memory.fill(bytes.dataStart + 60, 0xab, 3);
  for (let i = 0; i < 64; i++) out.push(bytes[i]);
}

function small(seed: u32): void {
  let a: u8 = <u8>seed;
  let b: i8 = <i8>seed;
  let c: u16 = <u16>seed;
  let d: i16 = <i16>(seed * 3);
  for (let i = 0; i < 20; i++) {
    a = a * 3 + 200;
    b = b * 5 - 100;
    c = (c << 3) | (c >> 13);
    d = d / 3 - 20000;
    out.push(a);
    out.push(<u32>b);
    out.push(c);
    out.push(<u32>d);
    out.push(<u32>(a % 7 < 3));
    out.push(<u32>(b >> 2) ^ rotl<u32>(c, i));
    out.push(clz<u32>(a) + ctz<u32>(c) + popcnt<u32>(d));
  }
  let wide: i64 = <i64>seed * -0x123456789;
  for (let i = 0; i < 10; i++) {
    wide = wide / 3 + (wide % 1000) * 77;
    out.push(<u32>wide);
    out.push(<u32>(wide >>> 32));
  }
}

function strings(seed: u32): void {
  let text = "";
  for (let i: u32 = 0; i < 20; i++) text += String.fromCharCode(97 + ((seed + i) % 26)) + i.toString();
  out.push(text.length);
  out.push(text.indexOf("9"));
  out.push(text.lastIndexOf("1"));
  const parts = text.toUpperCase().split("1");
  for (let i = 0; i < parts.length; i++) {
    out.push(parts[i].length);
    for (let j = 0; j < parts[i].length; j++) out.push(parts[i].charCodeAt(j));
  }
  out.push(I32.parseInt("-1234") as u32);
  out.push("größer".length);
  out.push(parts.join("-").replaceAll("A", "bb").substring(3, 30).length);
}

abstract class Shape {
  abstract area(): u32;
  name(): string {
    return "shape";
  }
}

class Square extends Shape {
  constructor(private side: u32) {
    super();
  }
  area(): u32 {
    return this.side * this.side;
  }
}

class Box extends Shape {
  constructor(
    private width: u32,
    private height: u32,
  ) {
    super();
  }
  area(): u32 {
    return this.width * this.height;
  }
  name(): string {
    return "box";
  }
}

function classes(seed: u32): void {
  const shapes: Shape[] = [];
  for (let i: u32 = 0; i < 10; i++) shapes.push(i % 2 == 0 ? new Square(seed % 100 + i) : new Box(i, seed % 50));
  const names = new Map<string, u32>();
  for (let i = 0; i < shapes.length; i++) {
    const name = shapes[i].name();
    names.set(name, (names.has(name) ? names.get(name) : 0) + shapes[i].area());
    out.push(shapes[i].area());
  }
  out.push(names.get("shape"));
  out.push(names.get("box"));
}

function ackermann(m: u32, n: u32): u32 {
  if (m == 0) return n + 1;
  return n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

function hanoi(n: i32, from: i32, to: i32, moves: i32[]): void {
  if (n == 0) return;
  hanoi(n - 1, from, 6 - from - to, moves);
  moves.push(from * 10 + to);
  hanoi(n - 1, 6 - from - to, to, moves);
}

function recursion(seed: u32): void {
  out.push(ackermann(2, seed % 10));
  const moves: i32[] = [];
  hanoi(6, 1, 3, moves);
  for (let i = 0; i < moves.length; i++) out.push(moves[i]);
}

export function main(args_ptr: usize, args_len: i32): i64 {
  let seed: u32 = args_len;
  // Reads the arguments while it allocates: nothing may have come in between.
  for (let i = 0; i < args_len; i++) {
    seed = seed * 31 + load<u8>(args_ptr + i);
    const copy = new Uint8Array(64);
    copy[i & 63] = <u8>seed;
    out.push(copy[i & 63]);
  }
  arrays(seed);
  small(seed);
  strings(seed);
  classes(seed);
  recursion(seed);
  return (<i64>out.length * 4 << 32) | <i64>out.dataStart;
}
