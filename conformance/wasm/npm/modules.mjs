// Uses modules from npm as their libraries do, and writes what happened as scripts into the folder that is named.
//
// usage: node modules.mjs FOLDER

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { record } from "./record.mjs";

const folder = process.argv[2];
const require = createRequire(import.meta.url);
mkdirSync(folder, { recursive: true });
// Nothing may come by chance.
crypto.getRandomValues = (array) => array.fill(0);

const text = "The quick brown fox jumps over the lazy dog";
const long = Uint8Array.from({ length: 3000 }, (_, index) => (index * index) >> 3);

async function write(name, use) {
  const scripts = await record(use);
  assert(scripts.length > 0, `${name}: no instance was made`);
  scripts.forEach((script, index) => writeFileSync(join(folder, `${name}-${index}.wast`), script));
  console.log(`${name}: ${scripts.length} scripts`);
}

/// Digests that are known from elsewhere: of the text above.
const KNOWN = {
  adler32: "5bdc0fda",
  crc32: "414fa339",
  md4: "1bee69a46ba811185c194762abaeae90",
  blake3: "2f1514181aadccd913abd94cfa592701a5686ab23f8df1dff1b74710febc6d4a",
};

await write("hash-wasm", async () => {
  const hashes = await import("hash-wasm");
  for (const [name, digest] of Object.entries(KNOWN)) assert.equal(await hashes[name](text), digest, name);
  const of_node = { md5: "md5", sha1: "sha1", sha224: "sha224", sha256: "sha256", sha384: "sha384", sha512: "sha512", ripemd160: "ripemd160", blake2b: "blake2b512", blake2s: "blake2s256", sm3: "sm3", sha3: "sha3-512" };
  for (const [name, theirs] of Object.entries(of_node)) {
    for (const data of [text, long, new Uint8Array()]) {
      assert.equal(await hashes[name](data), createHash(theirs).update(data).digest("hex"), name);
    }
  }
  await hashes.xxhash64(text);
  await hashes.xxhash128(long);
  await hashes.whirlpool(text);
  await hashes.keccak(text);
  const salt = long.slice(0, 16);
  await hashes.argon2id({ password: text, salt, parallelism: 1, iterations: 1, memorySize: 32, hashLength: 32 });
  await hashes.bcrypt({ password: text, salt, costFactor: 4 });
  await hashes.scrypt({ password: text, salt, costFactor: 16, blockSize: 4, parallelism: 1, hashLength: 32 });
});

await write("cjs-module-lexer", async () => {
  const { init, parse } = await import("cjs-module-lexer");
  await init();
  const found = parse("exports.a = 1; module.exports = { b, c: 'd' }; Object.defineProperty(exports, 'f', { value: 0 });");
  // A string ends the list of names that it looks for.
  assert.deepEqual([...found.exports].sort(), ["a", "b", "f"]);
  const source = Array.from({ length: 300 }, (_, index) => `exports.name${index} = /a[/]b/.test('\\u00e9') ? \`\${${index}}\` : 1;`).join("\n");
  assert.equal(parse(source).exports.length, 300);
});

await write("source-map", async () => {
  const { SourceMapConsumer, SourceMapGenerator } = require("source-map");
  const generator = new SourceMapGenerator({ file: "out.js" });
  for (let line = 1; line <= 200; line++) {
    for (let column = 0; column < 5; column++) {
      generator.addMapping({ source: `in${line % 3}.js`, original: { line: line + column, column: column * 7 }, generated: { line, column: column * 4 } });
    }
  }
  const consumer = await new SourceMapConsumer(generator.toJSON());
  assert.deepEqual(consumer.originalPositionFor({ line: 100, column: 9 }), { source: "in1.js", line: 102, column: 14, name: null });
  assert.equal(consumer.generatedPositionFor({ source: "in1.js", line: 102, column: 14 }).line, 100);
  consumer.destroy();
});

await write("zstd", async () => {
  const zstd = require("@bokuweb/zstd-wasm");
  await zstd.init();
  const packed = zstd.compress(long, 3);
  assert(packed.length < long.length);
  assert.deepEqual(Uint8Array.from(zstd.decompress(packed)), long);
});

await write("libsodium", async () => {
  const sodium = require("libsodium");
  await sodium.ready;
  const put = (bytes) => {
    const at = sodium._malloc(bytes.length);
    sodium.HEAPU8.set(bytes, at);
    return at;
  };
  const message = put(long);
  const out = sodium._malloc(4096);
  const get = (length) => Buffer.from(sodium.HEAPU8.slice(out, out + length)).toString("hex");
  assert.equal(sodium._crypto_hash(out, message, long.length, 0), 0);
  assert.equal(get(64), createHash("sha512").update(long).digest("hex"));
  assert.equal(sodium._crypto_hash_sha3256(out, message, long.length, 0), 0);
  assert.equal(get(32), createHash("sha3-256").update(long).digest("hex"));
  const [nonce, key] = [put(long.slice(100, 124)), put(long.slice(200, 232))];
  assert.equal(sodium._crypto_secretbox_easy(out, message, 1000, 0, nonce, key), 0);
  assert.equal(sodium._crypto_secretbox_open_easy(message, out, 1016, 0, nonce, key), 0);
  const [pk, sk] = [sodium._malloc(32), sodium._malloc(64)];
  assert.equal(sodium._crypto_sign_seed_keypair(pk, sk, key), 0);
  assert.equal(sodium._crypto_sign_detached(out, 0, message, 100, 0, sk), 0);
  assert.equal(sodium._crypto_sign_verify_detached(out, message, 100, 0, pk), 0);
});
