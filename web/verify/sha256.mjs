// SHA-256 (FIPS 180-4) and HMAC (RFC 2104) in plain JavaScript.
//
// A replay hashes millions of leaves and nodes of some hundred bytes. WebCrypto's digest answers each by a promise,
// which costs many times what the hash does (docs/formats/verify.md has the figures), so hashes are computed here and
// signatures, where the work is, there. The vectors of the tests hold this against WebCrypto at every length.

const K = new Int32Array(64);
const START = new Int32Array(8);
(() => {
  // The first 32 bits of the fractional parts of the cube and square roots of the first 64 and 8 primes, exactly.
  const root = (n, k) => {
    let low = 0n, high = 1n << 36n;
    while (high - low > 1n) {
      const mid = (low + high) >> 1n;
      if (mid ** k <= n << (32n * k)) low = mid;
      else high = mid;
    }
    return Number(low & 0xffffffffn) | 0;
  };
  for (let p = 2, i = 0; i < 64; p++) {
    let prime = true;
    for (let d = 2; d * d <= p; d++) prime = prime && p % d !== 0;
    if (!prime) continue;
    if (i < 8) START[i] = root(BigInt(p), 2n);
    K[i++] = root(BigInt(p), 3n);
  }
})();

const W = new Int32Array(64);

function block(h, m, at) {
  for (let i = 0; i < 16; i++, at += 4) W[i] = (m[at] << 24) | (m[at + 1] << 16) | (m[at + 2] << 8) | m[at + 3];
  for (let i = 16; i < 64; i++) {
    const x = W[i - 15], y = W[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    W[i] = (W[i - 16] + s0 + W[i - 7] + s1) | 0;
  }
  let a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], k = h[7];
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (k + s1 + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    k = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
  }
  h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e; h[5] += f; h[6] += g; h[7] += k;
}

const state = new Int32Array(8);
const tail = new Uint8Array(128);

/** SHA-256 of the parts one after another. Not reentrant, and need not be: it never waits. */
export function sha256(...parts) {
  let total = 0, held = 0;
  state.set(START);
  for (const part of parts) {
    let at = 0;
    total += part.length;
    if (held) {
      const n = Math.min(64 - held, part.length);
      tail.set(part.subarray(0, n), held);
      held += n;
      at = n;
      if (held < 64) continue;
      block(state, tail, 0);
      held = 0;
    }
    for (; at + 64 <= part.length; at += 64) block(state, part, at);
    if (at < part.length) {
      tail.set(part.subarray(at), 0);
      held = part.length - at;
    }
  }
  const end = held < 56 ? 64 : 128;
  tail.fill(0, held, end);
  tail[held] = 0x80;
  const bits = total * 8;
  for (let i = 1, v = bits; i <= 7; i++, v = Math.floor(v / 256)) tail[end - i] = v % 256;
  block(state, tail, 0);
  if (end === 128) block(state, tail, 64);
  const out = new Uint8Array(32);
  for (let i = 0; i < 8; i++) {
    out[4 * i] = state[i] >>> 24;
    out[4 * i + 1] = state[i] >>> 16;
    out[4 * i + 2] = state[i] >>> 8;
    out[4 * i + 3] = state[i];
  }
  return out;
}

export function hmacSha256(key, ...parts) {
  const inner = new Uint8Array(64).fill(0x36), outer = new Uint8Array(64).fill(0x5c);
  const k = key.length > 64 ? sha256(key) : key;
  for (let i = 0; i < k.length; i++) {
    inner[i] ^= k[i];
    outer[i] ^= k[i];
  }
  return sha256(outer, sha256(inner, ...parts));
}
