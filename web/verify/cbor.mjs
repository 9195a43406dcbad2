// Deterministic CBOR (RFC 8949 section 4.2.1) as far as the ledger uses it: docs/formats/ledger.md, Encoding.
import { fromBe, fromUtf8, refuse } from "./bytes.mjs";

const MAX = Number.MAX_SAFE_INTEGER;
const DEPTH_MAX = 16;
export const UINT = 0, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5, SIMPLE = 7;
const WORD = ["an unsigned integer", "a negative number", "a byte string", "a text", "an array", "a map", "a tag", "a simple value"];

export class Reader {
  constructor(bytes, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get done() {
    return this.at === this.end;
  }

  /** The major type of what comes next, or -1 at the end. */
  peek() {
    return this.done ? -1 : this.bytes[this.at] >> 5;
  }

  /** Reads a head of this type and gives its number, which is Infinity beyond 2^53 - 1. */
  head(type) {
    if (this.done) refuse("the bytes end too early");
    const first = this.bytes[this.at];
    if (first >> 5 !== type) refuse(`${WORD[type]} was expected`);
    const low = first & 31;
    if (low < 24) {
      this.at++;
      return low;
    }
    if (low > 27) refuse(low === 31 ? "an indefinite length" : "a reserved head");
    const n = 1 << (low - 24);
    if (this.at + 1 + n > this.end) refuse("the bytes end too early");
    const at = this.at + 1;
    this.at = at + n;
    if (n < 8) {
      const v = fromBe(this.bytes, at, n);
      if (v < (n === 1 ? 24 : n === 2 ? 0x100 : 0x10000)) refuse("a number that is not in its shortest form");
      return v;
    }
    const high = fromBe(this.bytes, at, 4);
    if (high === 0) refuse("a number that is not in its shortest form");
    return high >= 1 << 21 ? Infinity : high * 0x100000000 + fromBe(this.bytes, at + 4, 4);
  }

  uint(min = 0, max = MAX) {
    const v = this.head(UINT);
    if (v < min || v > max || v === Infinity) refuse("a number out of range");
    return v;
  }

  run(type) {
    const n = this.head(type);
    if (n > this.end - this.at) refuse("the bytes end too early");
    this.at += n;
    return this.bytes.subarray(this.at - n, this.at);
  }

  bytesOf(n) {
    const out = this.run(BYTES);
    if (out.length !== n) refuse(`a byte string of another length than ${n}`);
    return out;
  }

  byteString(min, max) {
    const out = this.run(BYTES);
    if (out.length < min || out.length > max) refuse("a byte string that is too short or too long");
    return out;
  }

  /** A text of min to max bytes. */
  text(min, max) {
    const bytes = this.run(TEXT);
    if (bytes.length < min || bytes.length > max) refuse("a text that is too short or too long");
    const out = fromUtf8(bytes);
    if (out === null) refuse("a text that is not UTF-8");
    return out;
  }

  array(min, max) {
    const n = this.head(ARRAY);
    if (n < min || n > max) refuse("a list that is too short or too long");
    return n;
  }

  tuple(n) {
    if (this.head(ARRAY) !== n) refuse("a tuple of another length");
  }

  isNull() {
    if (this.bytes[this.at] !== 0xf6 || this.done) return false;
    this.at++;
    return true;
  }

  bool() {
    if (this.done) refuse("the bytes end too early");
    const b = this.bytes[this.at++];
    if (b !== 0xf4 && b !== 0xf5) refuse("true or false was expected");
    return b === 0xf5;
  }

  /** Passes over one well-formed item of whatever form this encoding has. */
  skip(depth = 0) {
    if (depth > DEPTH_MAX) refuse("nested too deeply");
    const type = this.peek();
    if (type === UINT) this.bigHead(UINT);
    else if (type === BYTES) this.run(BYTES);
    else if (type === TEXT) this.text(0, MAX);
    else if (type === ARRAY) for (let n = this.array(0, this.end); n > 0; n--) this.skip(depth + 1);
    else if (type === MAP) this.bigMap(() => this.skip(depth + 1));
    else if (type === SIMPLE && this.isNull()) return;
    else if (type === SIMPLE) this.bool();
    else refuse("a form that this encoding does not have");
  }

  /** As head, but for numbers of any size, as a BigInt. */
  bigHead(type) {
    const at = this.at, v = this.head(type);
    return v !== Infinity ? BigInt(v) : (BigInt(fromBe(this.bytes, at + 1, 4)) << 32n) | BigInt(fromBe(this.bytes, at + 5, 4));
  }

  /** As map, but for keys of any size, which are BigInts; `value` reads or skips each value. */
  bigMap(value) {
    for (let n = this.head(MAP), last = -1n; n > 0; n--) {
      const key = this.bigHead(UINT);
      if (key <= last) refuse("keys that do not ascend");
      last = key;
      value(key);
    }
  }

  /** Calls field(key) for each key of a map, which ascend; the callee reads the value. */
  map(field) {
    const n = this.head(MAP);
    if (n > this.end - this.at) refuse("the bytes end too early");
    for (let i = 0, last = -1; i < n; i++) {
      const key = this.uint();
      if (key <= last) refuse("keys that do not ascend");
      last = key;
      field(key);
    }
  }

  close() {
    if (!this.done) refuse("bytes after the end");
  }
}
