// shapes.mjs GOOD OUT: variations of a good log that its operator could have made, signed as they stand. One line each:
// name, exit code, place and clause of the first finding ("-": none), "error" where reading stops; written by hand.
import { join } from "node:path";
import { Cell, encode, get, set } from "./cell.mjs";

const text = (s) => ["t", Buffer.from(s)];
const number = (n) => ["u", BigInt(n)];

/** Changes entry i by f(tree). */
function edit(c, i, f) {
  const tree = c.tree(i);
  f(tree);
  c.entries[i].bytes = encode(tree);
}

function append(c, ...pairs) {
  const last = c.tree(c.entries.length - 1), tree = ["m", []];
  set(tree, 2, get(last, 2));
  set(tree, 3, ["b", Buffer.alloc(16, 5)]);
  for (const [key, value] of pairs) set(tree, key, value);
  c.entries.push({ bytes: encode(tree), rows: [] });
}

/** Entry i once more, at the time of the last one. */
function again(c, i) {
  const tree = c.tree(i);
  set(tree, 2, get(c.tree(c.entries.length - 1), 2));
  c.entries.push({ bytes: encode(tree), rows: [] });
}

/** Index of the first entry of a kind. */
const first = (c, kind) => c.entries.findIndex((_, i) => Number(get(c.tree(i), 1)[1]) === kind);

function truncate(c, n) {
  c.entries.length = n;
  c.items = [];
}

const SHAPES = [
  ["empty", 0, "-", "-", "", (c) => truncate(c, 0)],
  ["genesis-alone", 0, "-", "-", "", (c) => truncate(c, 1)],
  ["no-genesis", 1, "entry 0", "V1", "error", (c) => c.entries.shift()],
  ["genesis-of-another-log", 1, "entry 0", "V1", "", (c) => edit(c, 0, (t) => set(t, 22, text("de.example/ledger")))],
  ["genesis-of-another-key", 1, "entry 0", "V1", "", (c) => edit(c, 0, (t) => set(t, 18, ["a", [["b", Buffer.alloc(32, 9)]]]))],
  ["newer-format", 2, "-", "-", "error", (c) => edit(c, 0, (t) => set(t, 25, number(2)))],
  // A kind that is reserved, and one that nobody has thought of: the reader needs a newer program.
  ["reserved-kind", 2, "-", "-", "error", (c) => append(c, [1, number(11)])],
  ["newer-kind", 2, "-", "-", "error", (c) => append(c, [1, number(1000)], [40, ["a", [text("x"), ["s", 0xf6]]]])],
  ["newer-kind-malformed", 1, "entry 600", "V3", "", (c) => c.entries.push({ bytes: Buffer.from("a20118640200", "hex"), rows: [] })],
  ["kind-zero", 1, "entry 600", "V3", "", (c) => append(c, [1, number(0)])],
  ["no-entry-at-all", 1, "entry 600", "V3", "", (c) => c.entries.push({ bytes: Buffer.alloc(0), rows: [] })],
  // A comment in a pack is another pin: what the gate decided stands under a pack that nobody trusts.
  ["unpinned", 2, "-", "-", "", (c) => edit(c, 1, (t) => set(t, 26, ["t", Buffer.concat([get(t, 26)[1], Buffer.from("# more\n")])]))],
  ["delay-zero", 0, "-", "-", "", (c) => edit(c, 0, (t) => set(t, 24, number(0)))],
  ["notice-again", 1, "entry 600", "K5", "", (c) => again(c, first(c, 6))],
  ["collection-again", 1, "entry 600", "K1", "", (c) => again(c, first(c, 3))],
  ["pack-again", 1, "entry 600", "S3", "", (c) => again(c, 1)],
  ["party-that-ends-twice", 1, "entry 601", "C2", "", (c) => {
    append(c, [1, number(5)], [21, number(first(c, 5))]);
    append(c, [1, number(5)], [21, number(first(c, 5))]);
  }],
  ["ends-nobody", 1, "entry 600", "C2", "", (c) => append(c, [1, number(5)], [21, number(1)])],
  ["refused-elsewhere", 1, "entry 600", "S2", "", (c) => append(c, [1, number(16)], [4, number(1)], [6, number(first(c, 5))], [9, text("FR")], [11, number(1)], [12, text("no_rule")])],
  ["refused-after-its-end", 0, "-", "-", "", (c) => {
    append(c, [1, number(5)], [21, number(first(c, 5))]);
    append(c, [1, number(16)], [4, number(1)], [6, number(first(c, 5))], [9, text("CN")], [11, number(1)], [12, text("party_ended")]);
  }],
  ["search-that-found-nobody", 0, "-", "-", "", (c) => append(c, [1, number(15)], [4, number(0)], [5, ["b", Buffer.from("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "hex")]],
    [6, number(first(c, 5))], [7, text("dpv:ServiceProvision")], [8, text("people")], [9, text("CN")], [10, ["a", [number(1), number(2)]]], [11, number(2)])],
  ["nobody-under-another-root", 1, "entry 600", "S1", "", (c) => append(c, [1, number(15)], [4, number(0)], [5, ["b", Buffer.alloc(32)]],
    [6, number(first(c, 5))], [7, text("dpv:ServiceProvision")], [8, text("people")], [9, text("CN")], [10, ["a", [number(1), number(2)]]], [11, number(2)])],
  ["time-stands-still", 0, "-", "-", "", (c) => append(c, [1, number(4)], [33, ["a", []]])],
];

const [good, out] = process.argv.slice(2);
for (const [name, exit, place, clause, error, build] of SHAPES) {
  const cell = new Cell(good);
  build(cell);
  cell.write(join(out, name));
  process.stdout.write(`${name}\t${exit}\t${place}\t${clause}\t${error}\n`);
}
