// Ed25519 (RFC 8032). WebCrypto does the arithmetic of a verification, but implementations differ in what they let
// pass: keys and R of small order (the identity as key verifies anything), points written in a second way, S beyond the
// group's order. Those are refused here first; docs/formats/statements.md says which.
import { fromHex } from "./bytes.mjs";

const P = (1n << 255n) - 19n;
const L = (1n << 252n) + 27742317777372353535851937790883648493n;

const mod = (a) => ((a %= P) < 0n ? a + P : a);

function power(base, exponent) {
  let out = 1n;
  for (; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) out = (out * base) % P;
    base = (base * base) % P;
  }
  return out;
}

const inverse = (a) => power(mod(a), P - 2n);
const D = mod(-121665n * inverse(121666n));
const SQRT_M1 = power(2n, (P - 1n) / 4n);

function littleEndian(bytes) {
  let v = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) v = (v << 8n) | BigInt(bytes[i]);
  return v;
}

/** The y coordinates of the eight points of small order, as they are written; the sign bit apart. */
const SMALL_Y = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
].map((x) => littleEndian(fromHex(x, 32)));

/** The y coordinate of a point that is written in the one way and not of small order; or null. */
function writtenWell(point) {
  const y = littleEndian(point) & ((1n << 255n) - 1n);
  return y < P && !SMALL_Y.includes(y) ? y : null;
}

function add(a, b) {
  const A = mod((a[1] - a[0]) * (b[1] - b[0])), B = mod((a[1] + a[0]) * (b[1] + b[0]));
  const C = (((2n * a[3] * b[3]) % P) * D) % P, E = (2n * a[2] * b[2]) % P;
  const e = B - A, f = E - C, g = E + C, h = B + A;
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function double(p) {
  const A = (p[0] * p[0]) % P, B = (p[1] * p[1]) % P, C = (2n * p[2] * p[2]) % P;
  const h = A + B, e = h - (p[0] + p[1]) ** 2n, g = A - B, f = C + g;
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

/** x of the point with this y and sign, or null where the curve has none. */
function xOf(y, odd) {
  const yy = (y * y) % P, u = mod(yy - 1n), v = mod(D * yy + 1n);
  let x = (u * v ** 3n % P) * power((u * v ** 7n) % P, (P - 5n) / 8n) % P;
  const vxx = (v * x * x) % P;
  if (vxx !== u) {
    if (vxx !== mod(-u)) return null;
    x = (x * SQRT_M1) % P;
  }
  return (x & 1n) === odd ? x : mod(-x);
}

/**
 * Whether 32 bytes are a public key that may stand in a log: canonical, on the curve, and of the prime-order subgroup
 * (so not of small order either).
 */
export function isSoundKey(key) {
  const y = key.length === 32 ? writtenWell(key) : null;
  if (y === null) return false;
  const x = xOf(y, BigInt(key[31] >> 7));
  if (x === null) return false;
  const point = [x, y, 1n, (x * y) % P];
  let sum = [0n, 1n, 1n, 0n];
  for (let i = 252n; i >= 0n; i--) {
    sum = double(sum);
    if ((L >> i) & 1n) sum = add(sum, point);
  }
  return sum[0] === 0n && sum[1] === sum[2];
}

let subtle = null;

async function webCrypto() {
  subtle ??= globalThis.crypto?.subtle;
  if (!subtle && globalThis.process?.versions?.node) subtle = (await import("node:crypto")).webcrypto.subtle; // Node 18
  if (!subtle) throw new Error("WebCrypto is not there: a page has it over https, or from the same machine");
  return subtle;
}

/** Whether the key signed the message. False too for keys, R and S that must not verify, whatever WebCrypto says. */
export async function verifySignature(key, message, signature) {
  if (key.length !== 32 || signature.length !== 64) return false;
  if (writtenWell(key) === null || writtenWell(signature.subarray(0, 32)) === null) return false;
  if (littleEndian(signature.subarray(32)) >= L) return false;
  const crypto = await webCrypto();
  let imported;
  try {
    imported = await crypto.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  } catch (e) {
    if (e.name === "NotSupportedError") throw new Error("this browser's WebCrypto has no Ed25519");
    return false; // off the curve
  }
  return crypto.verify({ name: "Ed25519" }, imported, signature, message);
}

