// The tree of RFC 6962 with SHA-256, and how C2SP tlog-tiles names its tiles.
import { sha256 } from "./sha256.mjs";

const LEAF = Uint8Array.of(0), NODE = Uint8Array.of(1);

export const TILE_WIDTH = 256;
export const leafHash = (bytes) => sha256(LEAF, bytes);
export const nodeHash = (left, right) => sha256(NODE, left, right);
export const emptyRoot = () => sha256();

/** The right edge of a growing tree: the roots of its full subtrees, largest first. */
export class Edge {
  constructor() {
    this.size = 0;
    this.hashes = [];
  }
  append(leaf) {
    let hash = leaf;
    for (let n = this.size; n % 2 === 1; n = (n - 1) / 2) hash = nodeHash(this.hashes.pop(), hash);
    this.hashes.push(hash);
    this.size++;
  }
  root() {
    return rootOver(this.hashes);
  }
}

/** The root over those of full subtrees, largest first. */
export const rootOver = (hashes) => (hashes.length ? hashes.reduceRight((right, left) => nodeHash(left, right)) : emptyRoot());

export function rootOf(leaves) {
  const edge = new Edge();
  for (const leaf of leaves) edge.append(leaf);
  return edge.root();
}

/** 1234067 is x001/x234/067. */
export function tileNumber(n) {
  let out = String(n % 1000).padStart(3, "0");
  for (n = Math.floor(n / 1000); n > 0; n = Math.floor(n / 1000)) out = `x${String(n % 1000).padStart(3, "0")}/${out}`;
  return out;
}
