// Evidence items, in order, from a saved file or from the server: docs/formats/verify.md, The evidence file.
import { compare, concat, Malformed, Unreadable } from "./bytes.mjs";
import { Reader } from "./cbor.mjs";
import { readOpened } from "./grammar.mjs";

const ITEM_BYTES_MAX = 17000;
const RANGE_MAX = 1024;

const before = (a, index, label) => a.index < index || (a.index === index && compare(a.label, label) < 0);

class Items {
  constructor() {
    this.held = new Uint8Array(0);
    this.last = null;
    this.next = null;
  }

  /** Parses the first item of `held` into `next`. */
  parse() {
    const r = new Reader(this.held);
    try {
      this.next = readOpened(r);
    } catch (e) {
      if (e instanceof Malformed) throw new Unreadable(`an evidence item is malformed: ${e.message}`);
      throw e;
    }
    this.held = this.held.subarray(r.at);
    if (this.last && !before(this.last, this.next.index, this.next.label)) throw new Unreadable("evidence items are out of order");
    this.last = this.next;
  }
}

/** From an async iterable of chunks: a saved file. Never holds more than an item and a chunk. */
export class SavedEvidence extends Items {
  constructor(chunks) {
    super();
    this.chunks = chunks[Symbol.asyncIterator]();
    this.ended = false;
  }

  async fill() {
    while (!this.ended && this.held.length < ITEM_BYTES_MAX) {
      const { done, value } = await this.chunks.next();
      if (done) this.ended = true;
      else this.held = this.held.length ? concat(this.held, value) : value;
    }
  }

  /** The item for this row, or null. Items for other rows before it are passed over. */
  async take(index, label) {
    for (;;) {
      if (!this.next) {
        await this.fill();
        if (!this.held.length) return null;
        this.parse();
      }
      if (before(this.next, index, label)) this.next = null;
      else break;
    }
    if (this.next.index !== index || compare(this.next.label, label) !== 0) return null;
    const item = this.next;
    this.next = null;
    return item;
  }

  async close() {
    await this.chunks.return?.();
  }

  /** What is left has to be well-formed too. */
  async end() {
    for (;;) {
      this.next = null;
      await this.fill();
      if (!this.held.length) return;
      this.parse();
    }
  }
}

/** From a server that is asked for ranges of entries: `range(from, to)` gives the bytes of its answer. */
export class AskedEvidence extends Items {
  constructor(range, keep) {
    super();
    this.range = range;
    this.keep = keep;
    this.asked = 0; // entries below this were asked for
  }

  async fill() {}

  /** `size` is that of the checkpoint: nothing behind it is asked for. */
  async take(index, label, size) {
    if (index >= this.asked) {
      this.asked = Math.min(index + RANGE_MAX, size);
      const answer = await this.range(index, this.asked);
      this.from = index;
      if (this.keep) await this.keep(answer);
      this.held = answer;
      this.next = null;
    }
    for (;;) {
      if (!this.next) {
        if (!this.held.length) return null;
        this.parse();
        if (this.next.index < this.from || this.next.index >= this.asked)
          throw new Unreadable("the server answered evidence of entries that it was not asked for");
      }
      if (before(this.next, index, label)) this.next = null;
      else break;
    }
    if (this.next.index !== index || compare(this.next.label, label) !== 0) return null;
    const item = this.next;
    this.next = null;
    return item;
  }

  async end() {
    while (this.held.length) this.parse();
  }

  async close() {}
}
