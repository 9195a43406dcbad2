// Everything a verdict reads that is about no person: genesis, packs, schemas, parties, notices. docs/formats/findings.md
// says what each entry must be, and which clause one violates that is not.
import { KIND } from "./grammar.mjs";
import { decodePack, pinOf } from "./pack.mjs";
import { sha256 } from "./sha256.mjs";

const FORMAT = 1;
const PACKS_MAX = 32, COLLECTIONS_MAX = 1024, PARTIES_MAX = 4096, RENAMES_MAX = 64;

/** An entry that the world does not take: it changes nothing. */
export class Refused extends Error {
  constructor(clause, sentence) {
    super(sentence);
    this.clause = clause;
  }
}

export class NewerFormat extends Error {}

function must(condition, clause, sentence) {
  if (!condition) throw new Refused(clause, sentence);
}

export class World {
  constructor() {
    this.genesis = null;
    this.continued = null; // {index, entry, before (genesis or the `continued` entry before it), root, carriedUntil}
    this.time = 0;
    this.policies = []; // {index, pack, pin, effect}
    this.setup = 0; // the last of the entries directly behind genesis that are policies
    this.schemas = new Map(); // name: [{version, effect, sensitive, retention, fields, order, renames}]
    this.parties = new Map(); // index: {index, ended, …}
    this.living = new Map(); // name: party
    this.settings = new Map(); // name: value
    this.notices = new Map(); // index: {name, language, version, hash}
    this.newestNotice = new Map(); // name and language: version
  }

  /** The name that the log has. */
  get origin() {
    return (this.continued?.entry ?? this.genesis).origin;
  }

  /** Takes entry `index`; throws Refused. `rootBefore()` is that of the entries before it. */
  apply(index, e, bytes, rootBefore) {
    if (e.kind === KIND.genesis) must(!this.genesis && index === 0, "V1", "a second genesis");
    else must(this.genesis, "V1", "the first entry is no genesis");
    must(e.time >= this.time, "V1", "its time is earlier than that of the entry before");
    const take = { 1: "takeGenesis", 2: "takePolicy", 3: "takeCollection", 5: "takeParty", 6: "takeNotice" }[e.kind];
    if (take) this[take](index, e, bytes);
    else if (e.kind === KIND.config) for (const x of e.settings) this.settings.set(x.name, x.value);
    else if (e.kind === KIND.continued) this.takeContinued(index, e, rootBefore);
    else if (e.kind === KIND.carried) this.takeCarried(index, e);
    this.time = e.time;
  }

  takeGenesis(index, e) {
    if (e.format > FORMAT) throw new NewerFormat(`format version ${e.format}: this program reads ${FORMAT}`);
    this.genesis = e;
  }

  takeContinued(index, e, rootBefore) {
    must(e.continues === this.origin && e.origin !== this.origin, "V1", `it continues ${e.continues}, but the log before it is ${this.origin}`);
    must(e.known >= index, "V1", `it knows of ${e.known} entries of the old log, of which more stand before it`);
    this.continued = { index, entry: e, before: this.continued?.entry ?? this.genesis, root: rootBefore(), carriedUntil: index };
  }

  takeCarried(index, e) {
    const c = this.continued;
    must(c && index === c.carriedUntil + 1, "H1", "it carries over, but does not stand directly behind where a log is continued");
    must(e.from >= c.index && e.from < c.entry.known, "H1", `it carries over entry ${e.from}, which is not one that the old log had after this place`);
    c.carriedUntil = index;
  }

  takePolicy(index, e) {
    let pack;
    try {
      pack = decodePack(e.rules);
    } catch (x) {
      throw new Refused("S3", `its compiled rules are malformed: ${x.message}`);
    }
    must(pack.name === e.name && pack.version === e.version, "S3", "name or version differ from those of the compiled pack");
    const same = this.policies.filter((p) => p.pack.name === pack.name);
    must(same.every((p) => p.pack.version < pack.version), "S3", `pack ${pack.name} needs a higher version`);
    const names = new Set(this.policies.map((p) => p.pack.name));
    must(same.length || names.size < PACKS_MAX, "S3", `more than ${PACKS_MAX} packs`);
    const first = index === this.setup + 1;
    if (first) this.setup = index;
    const effect = first ? e.time : e.time + this.genesis.delay;
    this.policies.push({ index, pack, pin: pinOf(e.yaml, e.rules), effect });
  }

  /** The policies in force for the entry at this index and time, by index. */
  packsAt(index, time) {
    const begun = (p) => p.index < index && p.effect <= time && (p.pack.from ?? 0) <= time;
    const superseded = (p, i) => this.policies.some((q, j) => j > i && q.pack.name === p.pack.name && begun(q));
    return this.policies.filter((p, i) => begun(p) && time < (p.pack.to ?? Infinity) && !superseded(p, i));
  }

  takeCollection(index, e) {
    const versions = this.schemas.get(e.name) ?? [];
    const newest = versions[versions.length - 1];
    const version = newest ? newest.version + 1 : 1;
    must(e.version === version, "K1", `the schema of collection ${e.name} must have version ${version}`);
    if (e.renamed) {
      const declared = new Set(e.fieldsDeclared.map((f) => f.name));
      must(newest && e.renamed.every((x) => declared.has(x.now) && !declared.has(x.was)), "K1",
        `collection ${e.name}: a renamed field must be declared by its new name alone`);
    }
    must(newest || this.schemas.size < COLLECTIONS_MAX, "K1", `more than ${COLLECTIONS_MAX} collections`);
    const renames = (newest?.renames ?? 0) + (e.renamed?.length ?? 0);
    must(renames <= RENAMES_MAX, "K1", `more than ${RENAMES_MAX} renamed fields`);
    versions.push({
      name: e.name, version, renames, sensitive: e.sensitive, retention: e.retention,
      effect: newest ? e.time + this.genesis.delay : e.time,
      fields: new Set(e.fieldsDeclared.map((f) => f.name)),
      order: newest ? newest.order : this.schemas.size,
    });
    this.schemas.set(e.name, versions);
  }

  /** The schema of the collection in force at this time, or undefined. */
  schemaAt(name, time) {
    const versions = this.schemas.get(name) ?? [];
    return versions.findLast((s) => s.effect <= time);
  }

  takeParty(index, e, bytes) {
    if (e.ends !== undefined) {
      const party = this.parties.get(e.ends);
      must(party && party.ended === null, "C2", `ends party ${e.ends}, which is no living one`);
      party.ended = index;
      this.living.delete(party.name);
      return;
    }
    must(!this.living.has(e.name), "C2", `a living party is named ${e.name} already`);
    must(this.living.size < PARTIES_MAX, "C2", `more than ${PARTIES_MAX} parties`);
    const party = {
      index, ended: null, name: e.name, legalName: e.legalName, contact: e.contact, jurisdiction: e.jurisdiction,
      kind: e.partyKind, rights: e.rights, purposes: new Map(e.purposes.map((p) => [p.purpose, p.ground])), hash: sha256(bytes),
    };
    this.parties.set(index, party);
    this.living.set(e.name, party);
  }

  takeNotice(index, e) {
    const key = `${e.name} ${e.language}`;
    const version = (this.newestNotice.get(key) ?? 0) + 1;
    must(e.version === version, "K5", `notice ${e.name} must have version ${version} in this language`);
    this.newestNotice.set(key, version);
    this.notices.set(index, { name: e.name, language: e.language, version, hash: e.hash });
  }
}
