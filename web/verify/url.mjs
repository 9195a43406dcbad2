// A ledger behind a URL. Everything that comes back is hostile; a token goes to that server alone.
import { Unreadable } from "./bytes.mjs";

const LOCAL = new Set(["localhost", "127.0.0.1", "[::1]"]);
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;

async function bodyOf(answer, path) {
  const parts = [];
  let n = 0;
  for await (const part of chunks(answer.body)) {
    n += part.length;
    if (n > ANSWER_BYTES_MAX) throw new Unreadable(`${path}: the answer is too long`);
    parts.push(part);
  }
  const out = new Uint8Array(n);
  parts.reduce((at, p) => (out.set(p, at), at + p.length), 0);
  return out;
}

async function* chunks(body) {
  if (!body) return;
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

async function ask(url, path, init) {
  let answer;
  try {
    answer = await fetch(url, { redirect: "error", cache: "no-store", ...init });
  } catch (e) {
    throw new Unreadable(`${path}: ${e.cause?.message ?? e.message}`);
  }
  return answer;
}

async function read(url, path, init) {
  const answer = await ask(url, path, init);
  if (answer.status === 404) return null;
  if (answer.status !== 200) throw new Unreadable(`${path}: the server answered ${answer.status}`);
  return bodyOf(answer, path);
}

/**
 * A source (see verify.mjs) behind the URL of a ledger. With a token also rows and evidence, as the party that it is of;
 * `purpose` chooses where that party has several.
 */
export async function urlSource(address, { token = null, purpose = null } = {}) {
  const base = new URL(address.replace(/\/*$/, "/"));
  if (token && base.protocol !== "https:" && !LOCAL.has(base.hostname)) throw new RangeError("a token goes over https, or to the same machine");
  if (token && !base.pathname.endsWith("/ledger/")) throw new RangeError("the address does not end in /ledger: a token is of no use there");
  const source = { live: true, read: (path) => read(new URL(path, base), path) };
  if (!token) return source;
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await ask(new URL("../v1/party", base), "v1/party", { headers });
  if (answer.status !== 200) throw new Unreadable(`v1/party: the server answered ${answer.status}`);
  const party = await answer.json().catch(() => ({}));
  const purposes = (party.purposes ?? []).map((p) => p.purpose);
  if (purpose === null && purposes.length !== 1) throw new RangeError(`the party has several purposes: ${purposes.join(", ")}`);
  source.party = { index: party.index, purpose: purpose ?? purposes[0] };
  source.rows = (path) => read(new URL(`tile/rows/${path}`, base), `tile/rows/${path}`, { headers });
  source.evidence = {
    async range(from, to) {
      const body = JSON.stringify({ from, to });
      const sent = { method: "POST", body, headers: { ...headers, "Content-Type": "application/json", "Bourn-Purpose": source.party.purpose } };
      const bytes = await read(new URL("evidence", base), "evidence", sent);
      if (!bytes) throw new Unreadable("evidence: the server answered 404");
      return bytes;
    },
  };
  return source;
}
