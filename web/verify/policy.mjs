// Which witnesses count, and how many of them make a checkpoint valid: docs/formats/policy.md (C2SP tlog-policy).
import { Malformed, refuse, toHex, utf8 } from "./bytes.mjs";
import { parseKey, TYPE_LOG, TYPE_WITNESS } from "./note.mjs";

const POLICY_BYTES_MAX = 65536, NAME_BYTES_MAX = 255, URL_BYTES_MAX = 512, EACH_MAX = 32;

/** A character for each byte: names and URLs are octets. */
const octets = (bytes) => Array.from(bytes, (b) => String.fromCharCode(b)).join("");

class Reading {
  constructor() {
    this.names = new Map(); // of witnesses and groups: {witness} or {k, members}
    this.used = new Set(); // names that are members of a group
    this.keys = new Set();
    this.logs = [];
    this.witnesses = [];
    this.groups = 0;
    this.quorum = undefined; // null: none
  }

  key(text, type, what) {
    if (text !== text.trimEnd()) refuse("a key with something behind it");
    const key = parseKey(text, type), seen = `${what} ${toHex(key.key)}`;
    if (this.keys.has(seen)) refuse("a key that stands in two lines");
    this.keys.add(seen);
    return key;
  }

  define(name, what) {
    if (name.length > NAME_BYTES_MAX) refuse("a name that is too long");
    if (name === "none" || this.names.has(name)) refuse("a name that is taken");
    this.names.set(name, what);
  }

  url(words) {
    if (words.length > 1 || (words.length && words[0].length > URL_BYTES_MAX)) refuse("a URL that is too long, or something behind it");
  }

  take(word, words) {
    if (word === "log") this.log(words);
    else if (word === "witness") this.witness(words);
    else if (word === "group") this.group(words);
    else if (word === "quorum") this.takeQuorum(words);
    else refuse("a line that begins with neither log, witness, group, quorum nor #");
  }

  log([key, ...url]) {
    if (key === undefined || this.logs.length === EACH_MAX) refuse("a log without a key, or too many");
    this.logs.push(this.key(key, TYPE_LOG, "log"));
    this.url(url);
  }

  witness([name, key, ...url]) {
    if (key === undefined || this.witnesses.length === EACH_MAX) refuse("a witness without name and key, or too many");
    this.define(name, { witness: this.witnesses.length });
    this.witnesses.push(this.key(key, TYPE_WITNESS, "witness"));
    this.url(url);
  }

  group([name, many, ...members]) {
    if (!members.length || ++this.groups > EACH_MAX) refuse("a group without members, or too many");
    for (const m of members) {
      if (!this.names.has(m)) refuse("a member that is not defined above");
      if (this.used.has(m)) refuse("a member of two groups, or twice of one");
      this.used.add(m);
    }
    const k = many === "any" ? 1 : many === "all" ? members.length : /^[1-9][0-9]{0,2}$/.test(many) ? Number(many) : 0;
    if (k < 1 || k > members.length) refuse("a group needs any, all, or a number up to that of its members");
    this.define(name, { k, members });
  }

  takeQuorum(words) {
    if (words.length !== 1 || this.quorum !== undefined) refuse("a second quorum, or one that is not one name");
    if (words[0] !== "none" && !this.names.has(words[0])) refuse("a quorum that is not defined above");
    this.quorum = words[0] === "none" ? null : words[0];
  }
}

export class Policy {
  /** Reads text or bytes; throws Malformed. */
  constructor(text) {
    const r = new Reading(), whole = octets(typeof text === "string" ? utf8(text) : text);
    if (whole.length > POLICY_BYTES_MAX) refuse("a witness policy that is too long");
    const lines = whole.split("\n");
    if (lines.pop() !== "") refuse("the last line of a witness policy does not end");
    for (const [i, line] of lines.entries()) {
      try {
        if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(line)) refuse("a control character");
        const [word, ...words] = line.split(/[ \t]+/).filter((w) => w);
        if (word !== undefined && !word.startsWith("#")) r.take(word, words);
      } catch (e) {
        if (!(e instanceof Malformed)) throw e;
        refuse(`witness policy, line ${i + 1}: ${e.message}`);
      }
    }
    if (r.quorum === undefined) refuse("a witness policy without a quorum");
    Object.assign(this, { logs: r.logs, witnesses: r.witnesses, names: r.names, quorum: r.quorum });
  }

  /** Whether these witnesses (a Set of positions) are a quorum. */
  met(signed) {
    const has = (name) => {
      const { witness, k, members } = this.names.get(name);
      return witness !== undefined ? signed.has(witness) : members.filter(has).length >= k;
    };
    return this.quorum !== null && has(this.quorum);
  }
}
