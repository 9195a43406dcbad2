// The tree against everything that is served of it: leaves, tiles of every level, the root, and earlier heads.
import { equal, Unreadable } from "./bytes.mjs";
import { Edge, firstDifference, leafHash, rootOf, TILE_WIDTH, tileNumber } from "./tree.mjs";

export class Tree {
  constructor(replay) {
    this.replay = replay;
    this.edge = new Edge();
    this.levels = []; // of each level: {n, hashes, seen} of the tile that is being filled
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
    const tile = (this.levels[level] ??= { n: 0, hashes: [], seen: 0 });
    tile.hashes.push(hash);
    if (tile.hashes.length < TILE_WIDTH) return;
    await this.check(level, tile);
    const root = rootOf(tile.hashes);
    this.levels[level] = { n: tile.n + 1, hashes: [], seen: 0 };
    await this.add(level + 1, root);
  }

  /** The tiles that are not full, at the size of a checkpoint, and its root. */
  async finish(checkpoint) {
    for (const [level, tile] of this.levels.entries())
      if (tile.hashes.length) await this.check(level, tile);
    if (this.edge.size === checkpoint.size && !equal(this.edge.root(), checkpoint.root))
      this.replay.tally.violated("S1", { size: checkpoint.size }, "the checkpoint has another root than its entries");
  }

  async check(level, tile) {
    const { tally } = this.replay, width = tile.hashes.length, each = TILE_WIDTH ** level;
    const file = await this.read("read", `tile/${level}`, tile.n, width);
    const first = tile.n * TILE_WIDTH * each;
    tally.count(["S1", "V1"], "examined");
    if (file.bytes.length < 32 * width || (file.exact && file.bytes.length > 32 * width))
      return tally.violated("S1", { entry: first }, `${file.path} is not ${width} hashes long`);
    const i = firstDifference(file.bytes, tile.hashes);
    if (i >= 0) tally.violated("S1", { entry: first + i * each }, `it is not what ${file.path} says`);
  }

  checkHead(head) {
    const { tally } = this.replay;
    if (!equal(head.root, this.edge.root())) tally.violated("V1", { size: head.size }, "the log does not extend the earlier head of this size");
  }

  /** Heads that no append meets: those of an empty log, and of one longer than this. */
  checkHeads(size) {
    const { tally, heads } = this.replay;
    for (const head of heads) {
      tally.count(["S1", "V1"], "examined");
      if (head.size > size) tally.violated("V1", { size: head.size }, `the log has gone back to ${size} entries`);
    }
  }
}
