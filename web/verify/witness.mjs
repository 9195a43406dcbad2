// What witnesses say of the log: `witnessed` entries, and the cosignatures on the checkpoint at hand. docs/formats/verify.md,
// Cosignatures.
import { equal, Malformed, toBase64, utf8 } from "./bytes.mjs";
import { cosignedAt, splitNote } from "./note.mjs";
import { Policy } from "./policy.mjs";

const SKEW_S = 60;

export class Witnesses {
  /** `policy`: the one that the user trusts, or null. */
  constructor(replay, policy) {
    this.replay = replay;
    this.policy = policy;
    this.times = []; // [first entry, time]: from there on entries have this time
    this.last = 0; // what the `witnessed` entry before was about
    this.entries = 0;
    this.cosigned = 0; // the largest size that a quorum of the user's policy has cosigned
  }

  /** Each entry tells its time. */
  note(index, time) {
    if (this.times.at(-1)?.[1] !== time) this.times.push([index, time]);
  }

  timeOf(index) {
    let low = 0, high = this.times.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.times[middle][0] <= index) low = middle;
      else high = middle;
    }
    return this.times[low][1];
  }

  /** The policy's witnesses that cosigned it well; what is wrong is found. `behind`: the time of the entry that logs it. */
  async signers(policy, note, size, behind, find) {
    const out = new Set(), before = size ? this.timeOf(size - 1) : 0;
    for (const [i, key] of policy.witnesses.entries()) {
      let time;
      try {
        time = await cosignedAt(note, key);
      } catch (e) {
        if (!(e instanceof Malformed)) throw e;
        find("V1", `a cosignature of ${key.name} does not verify`);
        return new Set();
      }
      if (time === null) continue;
      if (time + SKEW_S < before) find("V1", `${key.name} cosigned ${size} entries at ${time}, the last of them says ${before}: time is not true`);
      else if (behind !== null && time > behind + SKEW_S)
        find("V1", `${key.name} cosigned at ${time}, and this entry behind it says ${behind}: time stood still or ran back`);
      else out.add(i);
    }
    return out;
  }

  noteQuorum(signers, size) {
    if (this.policy.met(signers)) this.cosigned = Math.max(this.cosigned, size);
  }

  /** A `witnessed` entry. */
  async entry(index, e, find) {
    if (e.treeSize > index || e.treeSize <= this.last)
      return find("V1", `what was cosigned (${e.treeSize} entries) is not before it, or not behind what was before`);
    this.last = e.treeSize;
    const root = await this.replay.tree.rootAt(e.treeSize);
    this.entries++;
    if (!equal(root, e.treeRoot)) return find("V1", `witnesses cosigned another history: the root of ${e.treeSize} entries differs`);
    const note = noteOf(`${this.replay.key.name}\n${e.treeSize}\n${toBase64(root)}\n`, e.cosignatures);
    const own = policyOf(this.replay.world.settings.get("witness_policy"));
    if (!own) find("V1", "no witness policy that can be read is in force for it");
    else if (!note || !own.met(await this.signers(own, note, e.treeSize, e.time, find))) find("V1", "no quorum of the policy in force has well cosigned it");
    if (this.policy && note) this.noteQuorum(await this.signers(this.policy, note, e.treeSize, e.time, find), e.treeSize);
  }

  /** At the end: the checkpoint at hand, by the user's own policy. Findings are of the last entry. */
  async checkpoint({ size, bytes }) {
    if (!this.policy || !size) return;
    const find = (clause, reason) => this.replay.tally.violated(clause, { entry: size - 1 }, reason);
    this.noteQuorum(await this.signers(this.policy, splitNote(bytes), size, null, find), size);
  }

  /** Whether cosignatures may still come on this checkpoint. */
  async isMissing({ bytes }) {
    if (!this.policy) return false;
    const signed = new Set(), note = splitNote(bytes);
    for (const [i, key] of this.policy.witnesses.entries())
      if ((await cosignedAt(note, key).catch(() => null)) !== null) signed.add(i);
    return !this.policy.met(signed);
  }
}

function policyOf(text) {
  try {
    return text === undefined ? null : new Policy(text);
  } catch (e) {
    if (e instanceof Malformed) return null;
    throw e;
  }
}

/** The checkpoint with these signature lines, or null where they are malformed. */
function noteOf(text, lines) {
  try {
    return splitNote(utf8(`${text}\n${lines}`));
  } catch (e) {
    if (e instanceof Malformed) return null;
    throw e;
  }
}
