// Bytes: hex, base64, UTF-8, comparison, big-endian numbers. Nothing here knows of a ledger.

/** What is wrong with something that was read: the sentence is for people. */
export class Malformed extends Error {}

/** Something that is not there or could not be read, which is no violation by itself. */
export class Unreadable extends Error {}

export function refuse(sentence) {
  throw new Malformed(sentence);
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

export function toHex(bytes) {
  let out = "";
  for (const b of bytes) out += HEX[b];
  return out;
}

/** Lower-case hex of exactly n bytes, or null. */
export function fromHex(text, n) {
  if (text.length !== 2 * n || !/^[0-9a-f]*$/.test(text)) return null;
  const out = new Uint8Array(n);
  for (let i = 0; i < n; i++) out[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return out;
}

const STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE = STANDARD.slice(0, 62) + "-_";

function encode(bytes, alphabet, pad) {
  let out = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const n = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    out += alphabet[n >> 18] + alphabet[(n >> 12) & 63];
    if (left > 1) out += alphabet[(n >> 6) & 63];
    if (left > 2) out += alphabet[n & 63];
    if (pad && left < 3) out += left === 1 ? "==" : "=";
  }
  return out;
}

/** Reads what `encode` writes and nothing else: another spelling of the same bytes is null. */
function decode(text, alphabet, pad) {
  const bare = pad ? text.replace(/={1,2}$/, "") : text;
  const out = new Uint8Array(Math.floor((bare.length * 3) / 4));
  let bits = 0, held = 0, at = 0;
  for (const c of bare) {
    const v = alphabet.indexOf(c);
    if (v < 0) return null;
    bits = ((bits << 6) | v) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out[at++] = (bits >> held) & 255;
    }
  }
  return encode(out, alphabet, pad) === text ? out : null;
}

export const toBase64 = (bytes) => encode(bytes, STANDARD, true);
export const fromBase64 = (text) => decode(text, STANDARD, true);
export const toBase64Url = (bytes) => encode(bytes, URL_SAFE, false);
export const fromBase64Url = (text) => decode(text, URL_SAFE, false);

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export const utf8 = (text) => encoder.encode(text);

/** The text, or null where the bytes are not UTF-8. */
export function fromUtf8(bytes) {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

export function equal(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Negative, 0, positive: as bytes, and the shorter of two first. */
export function compare(a, b) {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

export const compareText = (a, b) => compare(utf8(a), utf8(b));

export function concat(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

/** n big-endian bytes as a number; n is at most 6. */
export function fromBe(bytes, at, n) {
  let v = 0;
  for (let i = 0; i < n; i++) v = v * 256 + bytes[at + i];
  return v;
}
