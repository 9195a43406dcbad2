// The tree against everything that is served of it: leaves, tiles of every level, the root, and earlier heads.
import { equal, Unreadable } from "./bytes.mjs";
import { Edge, leafHash, nodeHash, rootOf, TILE_WIDTH, tileNumber } from "./tree.mjs";

/** {path, bytes, exact}: a tile, or the front of a wider one where it is gone; `exact` where nothing may follow. */
export async function readTile(source, how, prefix, n, width) {
  const number = tileNumber(n), base = prefix ? `${prefix}/${number}` : number;
  const names = [base];
  if (width < TILE_WIDTH) {
    names.unshift(`${base}.p/${width}`);
    for (let w = width + 1; w < TILE_WIDTH; w++) names.push(`${base}.p/${w}`);
  }
  for (const path of names) {
    const bytes = await source[how](path);
    if (bytes) return { path, bytes, exact: path === names[0] };
  }
  throw new Unreadable(`${how === "rows" ? "rows " : ""}${names[0]}: it is not there`);
}

export class Tree {
  constructor(replay) {
    this.replay = replay;
    this.edge = new Edge();
    this.differs = false; // whether a hash of a tile did
    this.heads = 0; // earlier heads that the log extends
    this.levels = []; // of each level: {n, hashes} of the tile that is being filled
    this.roots = []; // of each level: the roots of its full tiles
  }

  read(how, prefix, n, width) {
    return readTile(this.replay.source, how, prefix, n, width);
  }

  /** Takes the next entry; its leaf. */
  async append(bytes) {
    const leaf = leafHash(bytes);
    this.edge.append(leaf);
    await this.add(0, leaf);
    for (const head of this.replay.heads) if (head.size === this.edge.size) this.checkHead(head);
    for (const head of this.replay.foreign) if (head.size === this.edge.size) head.root = this.edge.root();
    return leaf;
  }

  async add(level, hash) {
    const tile = (this.levels[level] ??= { n: 0, hashes: [] });
    tile.hashes.push(hash);
    if (tile.hashes.length < TILE_WIDTH) return;
    await this.check(level, tile);
    this.levels[level] = { n: tile.n + 1, hashes: [] };
    const root = rootOf(tile.hashes);
    (this.roots[level] ??= []).push(root);
    await this.add(level + 1, root);
  }

  /** The root at an earlier size. A full tile that is read again for it must give the root that the entries gave. */
  async rootAt(size) {
    const parts = [];
    for (let level = this.roots.length, at = 0; level > 0; level--) {
      const each = TILE_WIDTH ** level, n = Math.floor(size / each) - at / each, from = at / each;
      for (let bit = TILE_WIDTH / 2, i = from; bit >= 1; bit /= 2)
        if (n % (2 * bit) >= bit) {
          parts.push(rootOf(this.roots[level - 1].slice(i, i + bit)));
          i += bit;
        }
      at += n * each;
    }
    if (size % TILE_WIDTH) parts.push(rootOf((await this.leaves(Math.floor(size / TILE_WIDTH))).slice(0, size % TILE_WIDTH)));
    return parts.reduceRight((right, left) => nodeHash(left, right));
  }

  /** Those of one tile, which may be the open one. */
  async leaves(n) {
    const open = this.levels[0];
    if (n === open.n) return open.hashes;
    const { path, bytes } = await this.read("read", "tile/0", n, TILE_WIDTH);
    const hashes = Array.from({ length: TILE_WIDTH }, (_, i) => bytes.subarray(32 * i, 32 * i + 32));
    if (bytes.length !== 32 * TILE_WIDTH || !equal(rootOf(hashes), this.roots[0][n])) throw new Unreadable(`${path} is another one than before`);
    return hashes;
  }

  /** The tiles that are not full, at the size of a checkpoint, and its root. */
  async finish(checkpoint) {
    for (const [level, tile] of this.levels.entries())
      if (tile.hashes.length) await this.check(level, tile);
    if (this.edge.size === checkpoint.size && !equal(this.edge.root(), checkpoint.root))
      this.replay.tally.violated("S1", { size: checkpoint.size }, "the checkpoint has another root than its entries");
  }

  /** Holds a tile against what is served of it. Once a hash differs, those above it do too, and are not looked at. */
  async check(level, tile) {
    const { tally } = this.replay, width = tile.hashes.length, each = TILE_WIDTH ** level;
    const file = await this.read("read", `tile/${level}`, tile.n, width);
    const first = tile.n * TILE_WIDTH * each;
    tally.count(["S1", "V1"], "examined");
    if (file.bytes.length < 32 * width || (file.exact && file.bytes.length > 32 * width))
      return tally.violated("S1", { entry: first }, `${file.path} is not ${width} hashes long`);
    if (level > 0 && this.differs) return;
    for (let i = 0; i < width; i++) {
      if (equal(file.bytes.subarray(32 * i, 32 * i + 32), tile.hashes[i])) continue;
      this.differs = true;
      tally.violated("S1", { entry: first + i * each }, `it is not what ${file.path} says`);
    }
  }

  checkHead(head) {
    const { tally } = this.replay;
    tally.count(["S1", "V1"], "examined");
    if (equal(head.root, this.edge.root())) this.heads += head.size > 0 ? 1 : 0; // that of no entries says nothing
    else tally.violated("V1", { size: head.size }, "the log does not extend the earlier head of this size");
  }

  /** Heads of a log that is longer than this one, which no append meets. */
  checkHeads(size) {
    const { tally, heads } = this.replay;
    for (const head of heads) if (head.size > size) tally.violated("V1", { size: head.size }, `the log has gone back to ${size} entries`);
  }
}
