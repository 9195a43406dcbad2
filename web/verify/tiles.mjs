// The tree against everything that is served of it: leaves, tiles of every level, the root, and earlier heads.
import { equal, Unreadable } from "./bytes.mjs";
import { Edge, leafHash, rootOf, TILE_WIDTH, tileNumber } from "./tree.mjs";

export class Tree {
  constructor(replay) {
    this.replay = replay;
    this.edge = new Edge();
    this.differs = false; // whether a hash of a tile did
    this.heads = 0; // earlier heads that the log extends
    this.levels = []; // of each level: {n, hashes} of the tile that is being filled
  }

  /** {path, bytes, exact}: a tile, or the front of a wider one where it is gone; `exact` where nothing may follow. */
  async read(how, prefix, n, width) {
    const { source } = this.replay, number = tileNumber(n), base = prefix ? `${prefix}/${number}` : number;
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

  async append(bytes) {
    const leaf = leafHash(bytes);
    this.edge.append(leaf);
    await this.add(0, leaf);
    for (const head of this.replay.heads) if (head.size === this.edge.size) this.checkHead(head);
  }

  async add(level, hash) {
    const tile = (this.levels[level] ??= { n: 0, hashes: [] });
    tile.hashes.push(hash);
    if (tile.hashes.length < TILE_WIDTH) return;
    await this.check(level, tile);
    this.levels[level] = { n: tile.n + 1, hashes: [] };
    await this.add(level + 1, rootOf(tile.hashes));
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
    if (equal(head.root, this.edge.root())) this.heads++;
    else tally.violated("V1", { size: head.size }, "the log does not extend the earlier head of this size");
  }

  /** Heads of a log that is longer than this one, which no append meets. */
  checkHeads(size) {
    const { tally, heads } = this.replay;
    for (const head of heads) if (head.size > size) tally.violated("V1", { size: head.size }, `the log has gone back to ${size} entries`);
  }
}
