// Entries, rows and evidence: docs/formats/ledger.cddl as tables, and one reader that goes by them.
import { refuse, toHex } from "./bytes.mjs";
import { Reader } from "./cbor.mjs";

const SECONDS_MAX = 253402300799; // the year 9999
const ENTRY_BYTES_MAX = 65535;
const KIND_MAX = 0xffffffff;

export const KIND = {
  genesis: 1, policy: 2, collection: 3, config: 4, party: 5, notice: 6, enrolled: 7, key: 8, consent: 9, withdrawn: 10,
  stored: 13, deleted: 14, disclosed: 15, refused: 16, erased: 19, expired: 20, exported: 21,
  witnessed: 25, continued: 30, carried: 31,
};
export const KIND_NAME = Object.fromEntries(Object.entries(KIND).map(([k, v]) => [v, k]));
export const OPERATION = { read: 1, search: 2, write: 3, delete: 4, evidence: 5, self: 6 };
export const GRADE = { subject: 1, authority: 2, operator: 3, ground: 4, self: 5 };
export const VOUCHER = { nobody: 0, key: 1, registrar: 2, app: 3, operator: 4 };
export const RIGHT = { read: 1, write: 2, consent: 4, enrol: 8, erase: 16, search: 32, link: 64, audit: 128 };

const uint = (min, max) => (r) => r.uint(min, max);
const any = uint(0);
const seconds = uint(0, SECONDS_MAX);
const hash = (r) => r.bytesOf(32);
const bytes16 = (r) => r.bytesOf(16);
const text = (min, max) => (r) => r.text(min, max);
const pattern = (max, form, what) => (r) => {
  const t = r.text(1, max);
  if (!form.test(t)) refuse(`not ${what}`);
  return t;
};
export const name = pattern(64, /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, "a name");
export const term = pattern(128, /^[!#-+\--[\]-~]{1,128}$/, "a term");
export const country = pattern(128, /^[A-Z]{2}$/, "a country code");
export const bool = (r) => r.bool();
const orNull = (what) => (r) => (r.isNull() ? null : what(r));
const tuple = (fields) => (r) => {
  r.tuple(Object.keys(fields).length);
  const out = {};
  for (const key in fields) out[key] = fields[key](r);
  return out;
};

/** A list; `order` compares two neighbours and must find them ascending, `once` gives what may not stand twice. */
export function list(min, max, item, { order, once } = {}) {
  return (r) => {
    const out = [];
    for (let n = r.array(min, max); n > 0; n--) {
      const x = item(r);
      if (order && out.length && order(out[out.length - 1], x) >= 0) refuse("a list that does not ascend");
      out.push(x);
    }
    if (once && new Set(out.map(once)).size !== out.length) refuse("a list that names something twice");
    return out;
  };
}

const ascending = { order: (a, b) => a - b };
const each = { once: (x) => x };
const records = (item, min, max) => list(min, max, tuple(item));
const field = tuple({ name, type: uint(1, 7), flags: uint(0, 7) });
const isLine = text(1, 4096);

const ENTRY_KEYS = {
  1: ["kind", uint(1, KIND_MAX)], 2: ["time", seconds], 3: ["salt", bytes16], 4: ["count", any], 5: ["root", hash],
  6: ["party", any], 7: ["purpose", term], 8: ["collection", name], 9: ["destination", country],
  10: ["policy", list(0, 32, any, ascending)], 11: ["operation", uint(1, 6)], 12: ["code", name], 13: ["name", name],
  14: ["legalName", isLine], 15: ["contact", text(0, 4096)], 16: ["jurisdiction", country], 17: ["partyKind", name],
  18: ["keys", list(0, 16, hash, { once: toHex })], 19: ["rights", uint(0, 255)],
  20: ["purposes", list(0, 16, tuple({ purpose: term, ground: orNull(term) }), { once: (p) => p.purpose })],
  21: ["ends", any], 22: ["origin", text(1, 255)], 23: ["domicile", country], 24: ["delay", any], 25: ["format", uint(1)],
  26: ["yaml", (r) => r.text(1, 49152)], 27: ["rules", (r) => r.byteString(1, 65535)],
  28: ["fieldsDeclared", list(1, 256, field, { once: (f) => f.name })], 29: ["retention", any], 30: ["version", uint(1)],
  31: ["language", name], 32: ["hash", hash],
  33: ["settings", list(0, 256, tuple({ name, value: text(0, 4096) }), { once: (s) => s.name })],
  34: ["fields", list(1, 256, name, each)], 35: ["askedBy", uint(1, 3)], 36: ["cause", name], 37: ["sensitive", bool],
  38: ["renamed", list(1, 64, tuple({ was: name, now: name }), { once: (x) => x.was })],
  50: ["treeSize", uint(1)], 51: ["treeRoot", hash], 52: ["cosignatures", text(1, 16384)],
  60: ["continues", text(1, 255)], 61: ["known", uint(1)], 62: ["from", any],
};

const ROW_KEYS = {
  1: ["label", bytes16], 2: ["prev", orNull(any)], 3: ["salt", bytes16], 4: ["domicile", country], 5: ["keyCommit", hash],
  6: ["evidence", hash],
  7: ["bases", list(0, 32, tuple({ grade: uint(1, 5), index: any }), { order: (a, b) => a.grade - b.grade || a.index - b.index })],
  8: ["purposes", list(1, 16, term, each)], 9: ["recipients", list(1, 16, any, ascending)],
  10: ["destinations", list(1, 16, country, each)], 11: ["collections", list(1, 1024, name, each)], 12: ["expires", seconds],
  13: ["notice", any], 14: ["grade", any], 15: ["consent", any],
  16: ["stored", records({ id: any, version: uint(1), commitment: hash }, 1, 500)],
  17: ["records", records({ id: any, version: uint(1) }, 0, 4096)],
  18: ["voucher", tuple({ kind: uint(0, 4), reference: any })], 19: ["action", uint(1, 3)], 20: ["key", any],
  21: ["issued", seconds], 22: ["copy", any],
};

// Which keys a kind has beside 1 to 3, "?" behind those that may be absent; several lines are alternatives.
const ENTRY_FORMS = {
  1: ["14 15 18 22 23 24 25"], 2: ["13 26 27 30"], 3: ["13 28 29 30 37 38?"], 4: ["33"],
  5: ["13 14 15 16 17 18 19 20", "21"], 6: ["13 30 31 32"], 7: ["4 5 6 7?"], 8: ["4 5 6?"], 9: ["4 5 6"], 10: ["4 5 6"],
  13: ["4 5 6 7 8 9 10"], 14: ["4 5 6 7 8 9 10"], 15: ["4 5 6 7 8? 9 10 11 34?"], 16: ["4 6 7? 8? 9 11 12"],
  19: ["4 5 6? 35 36"], 20: ["4 5 8 36"], 21: ["4 5 8?", "4 5 11"],
  25: ["50 51 52"], 30: ["18 22 32 60 61"], 31: ["4 5 35? 62"],
};
const ROW_FORMS = {
  7: ["4 5"], 8: ["6 18 19", "6 18 19 20"], 9: ["6 8 9 10 11 12 13 14 20 21", "6 8 9 10 11 12 13 14 21"], 10: ["15"],
  13: ["7 16"], 14: ["7 17"], 15: ["7 17?"], 19: ["11?"], 20: ["17"], 21: ["6 7 17? 20 21", "7 17? 20 22"], 31: ["15?"],
};

function compile(forms) {
  const out = {};
  for (const kind in forms)
    out[kind] = forms[kind].map((form) => {
      const keys = form.split(" ").map((k) => ({ key: parseInt(k, 10), optional: k.endsWith("?") }));
      const needed = keys.filter((k) => !k.optional).map((k) => k.key);
      return { all: new Set([1, 2, 3, ...keys.map((k) => k.key)]), needed: [1, 2, 3, ...needed] };
    });
  return out;
}
const ENTRY_TABLE = compile(ENTRY_FORMS), ROW_TABLE = compile(ROW_FORMS);

function fits(forms, present) {
  return forms.some((f) => present.every((k) => f.all.has(k)) && f.needed.every((k) => present.includes(k)));
}

function readMap(r, keys, known, what) {
  const out = {}, present = [];
  r.map((key) => {
    const entry = keys[key];
    if (!entry) refuse(`an unknown key, ${key}, of ${what}`);
    if (known && !known(key, out)) refuse(`a key that ${what} does not have, ${key}`);
    out[entry[0]] = entry[1](r);
    present.push(key);
  });
  return [out, present];
}

/** A kind that this program does not know, well formed: the rest of the log needs a newer one. */
export class UnknownKind extends Error {}

function checkUnknown(bytes) {
  const r = new Reader(bytes);
  let n = 0n;
  r.bigMap((key) => {
    if (++n <= 3n && key !== n) refuse("an entry that does not begin with kind, time and salt");
    if (n === 1n) r.uint(1, KIND_MAX);
    else if (n === 2n) seconds(r);
    else if (n === 3n) bytes16(r);
    else r.skip();
  });
  if (n < 3n) refuse("an entry that does not begin with kind, time and salt");
  r.close();
}

/** The kind that stands first in the map, or 0. */
function kindOf(bytes) {
  const r = new Reader(bytes);
  const n = r.head(5);
  return n > 0 && r.peek() === 0 && r.uint() === 1 && r.peek() === 0 ? r.uint(1, KIND_MAX) : 0;
}

export function decodeEntry(bytes) {
  if (bytes.length > ENTRY_BYTES_MAX) refuse("an entry that is too long");
  const kind = kindOf(bytes);
  const forms = ENTRY_TABLE[kind];
  if (kind && !forms) {
    checkUnknown(bytes);
    throw new UnknownKind(`an entry of kind ${kind}: this needs a newer program`);
  }
  const r = new Reader(bytes);
  const [e, present] = readMap(r, ENTRY_KEYS, forms && ((key) => forms.some((f) => f.all.has(key))), "this kind");
  r.close();
  if (!forms || !fits(forms, present)) refuse("a key that this kind needs is missing, or two that exclude each other");
  if (e.count !== undefined) checkCount(e);
  if (kind === KIND.exported && e.operation !== undefined && e.operation !== OPERATION.read) refuse("a person's own access of another operation than read");
  if ((kind === KIND.genesis || kind === KIND.continued) && !e.keys.length) refuse("a log without a key");
  return e;
}

function checkCount(e) {
  const least = e.kind === KIND.disclosed ? 0 : 1;
  if (e.count < least || (e.kind !== KIND.refused && e.count > 4096)) refuse("a count out of range");
}

export function decodeRow(bytes, kind) {
  const forms = ROW_TABLE[kind];
  const r = new Reader(bytes);
  const [row, present] = readMap(r, ROW_KEYS, (key) => forms.some((f) => f.all.has(key)), "a row of this kind");
  r.close();
  if (!fits(forms, present)) refuse("a key that a row of this kind needs is missing, or two that exclude each other");
  if (kind === KIND.key) {
    if ((row.action === 1) !== (row.key === undefined)) refuse("a key row that names another key, or names none");
    if (row.voucher.kind === VOUCHER.nobody && row.action !== 3) refuse("a key that nobody vouches for");
  }
  if (kind === KIND.consent) {
    if (row.grade !== GRADE.subject && row.grade !== GRADE.operator) refuse("a grade that a consent cannot have");
    if ((row.grade === GRADE.subject) !== (row.key !== undefined)) refuse("a consent whose key and grade do not agree");
    if (row.collections.length > 16) refuse("a list that is too short or too long");
  }
  return row;
}

export const hasRows = (kind) => kind in ROW_TABLE;

/** {kind, statement, signature, publicKey} of an evidence map; the last two are undefined without a signature. */
export function decodeEvidence(bytes) {
  const r = new Reader(bytes), out = {};
  r.map((key) => {
    if (key === 1) out.kind = r.uint(1, 4);
    else if (key === 2) out.statement = r.text(2, 16384);
    else if (key === 3) out.signature = r.bytesOf(64);
    else if (key === 4) out.publicKey = r.bytesOf(32);
    else refuse(`an unknown key, ${key}, of evidence`);
  });
  r.close();
  if (!out.kind || out.statement === undefined) refuse("evidence without kind or statement");
  if (!out.signature !== !out.publicKey) refuse("evidence with a signature or a key alone");
  if (!out.signature && out.kind !== 1) refuse("evidence without a signature that must have one");
  return out;
}

export const OPENED = 1, ERASED = 2, REFUSED = 3;

/** One item of an evidence answer: {index, label, status, salt, evidence}. */
export function readOpened(r) {
  const out = {};
  r.map((key) => {
    if (key === 1) out.index = r.uint();
    else if (key === 2) out.label = r.bytesOf(16);
    else if (key === 3) out.status = r.uint(1, 3);
    else if (key === 4) out.salt = r.bytesOf(32);
    else if (key === 5) out.evidence = r.byteString(1, 16640);
    else refuse(`an unknown key, ${key}, of an evidence item`);
  });
  if (out.index === undefined || !out.label || !out.status) refuse("an evidence item without index, label or status");
  const whole = out.salt && out.evidence;
  if (out.status === OPENED ? !whole : out.salt || out.evidence) refuse("an evidence item whose status and content do not agree");
  return out;
}
