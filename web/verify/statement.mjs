// Statements: what people sign. docs/formats/statements.md. A text is accepted only if it is, byte for byte, what is
// written again from what was understood.
import { compareText, fromBase64Url, fromHex, refuse, utf8 } from "./bytes.mjs";
import { sha256 } from "./sha256.mjs";
import { verifySignature } from "./ed25519.mjs";

const LIST_MAX = 16;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, TERM = /^[!#-+\--[\]-~]{1,128}$/, COUNTRY = /^[A-Z]{2}$/;
// Control characters, separators of lines, and marks that turn the direction of writing.
const NOT_PLAIN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

const LONE = /\p{Surrogate}/u; // half a character: no UTF-8 has it

const text = (test, what) => (v) => (typeof v === "string" && test(v) ? v : refuse(`not ${what}`));
const form = (pattern, what) => text((v) => pattern.test(v), what);
const hex = (n) => (v) => (typeof v === "string" && fromHex(v, n)) || refuse(`not ${n} bytes in lower-case hex`);
const only = (word) => text((v) => v === word, JSON.stringify(word));
const line = (min, max) => text((v) => {
  const n = utf8(v).length;
  return n >= min && n <= max && !LONE.test(v) && !NOT_PLAIN.test(v);
}, "one plain line of text");
const name = form(NAME, "a name"), term = form(TERM, "a term"), country = form(COUNTRY, "a country code");

/** POSIX seconds of `2026-11-21T10:00:00Z`. */
function time(v) {
  if (typeof v !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(v)) refuse("not a time");
  const ms = Date.parse(v);
  if (Number.isNaN(ms) || ms < 0 || new Date(ms).toISOString() !== v.replace("Z", ".000Z")) refuse("not a time");
  return ms / 1000;
}

function number(v) {
  return Number.isSafeInteger(v) && v >= 1 ? v : refuse("not a number from 1");
}

function object(members) {
  return (v) => {
    if (v === null || typeof v !== "object" || Array.isArray(v)) refuse("not an object");
    const keys = Object.keys(v), out = {};
    if (keys.length !== Object.keys(members).length) refuse("a member that is missing, or one too many");
    for (const key in members) {
      if (!Object.hasOwn(v, key)) refuse(`without ${key}`);
      out[key] = members[key](v[key]);
    }
    return out;
  };
}

function list(item, { ascending = false, min = 1, max = LIST_MAX, once = null } = {}) {
  return (v) => {
    if (!Array.isArray(v) || v.length < min || v.length > max) refuse("a list that is too short or too long");
    const out = v.map(item);
    if (ascending && out.some((x, i) => i && compareText(out[i - 1], x) >= 0)) refuse("a list that does not ascend");
    if (once && new Set(out.map(once)).size !== out.length) refuse("a list that names something twice");
    return out;
  };
}

const person = {
  event_time: time, origin: line(1, 255), pii_principal_id: hex(16),
};
const consent = object({
  ...person, expiry_time: time, jurisdiction: country,
  pii_controllers: list(object({ party_contact: line(0, 4096), party_name: line(1, 4096) }), { max: 1 }),
  pii_information: list(name, { ascending: true }),
  privacy_notice: object({ hash: hex(32), language: name, name, version: number }),
  processing_locations: list(country, { ascending: true }),
  purposes: list(object({ purpose: term, purpose_description: line(1, 4096) }), { once: (p) => p.purpose }),
  recipient_third_parties: list(object({
    party_contact: line(0, 4096), party_country: country, party_entry: hex(32), party_id: name, party_name: line(1, 4096),
  })),
  record_id: hex(16), schema_version: only("bourn-consent/1"),
});
const key = object({
  ...person, enrolment_code_hash: hex(32), schema_version: only("bourn-key/1"),
  public_key: (v) => {
    const bytes = typeof v === "string" ? fromBase64Url(v) : null;
    return bytes && bytes.length === 32 ? bytes : refuse("not 32 bytes in base64url");
  },
});
const copy = object({
  ...person, record_id: hex(16), request: only("a copy of all records about me"), schema_version: only("bourn-export/1"),
});
const history = object({
  ...person, record_id: hex(16), request: only("every row of the ledger about me"), schema_version: only("bourn-history/1"),
});

/** RFC 8785 for what statements hold: members sorted, no white space. */
function canonical(v) {
  if (Array.isArray(v)) return `[${v.map(canonical).join(",")}]`;
  if (v !== null && typeof v === "object")
    return `{${Object.keys(v).sort().map((k) => `${JSON.stringify(k)}:${canonical(v[k])}`).join(",")}}`;
  return JSON.stringify(v);
}

function read(shape, source) {
  if (utf8(source).length > 16384) refuse("a statement that is too long");
  let value;
  try {
    value = JSON.parse(source);
  } catch {
    refuse("a statement that is no JSON");
  }
  const out = shape(value);
  if (canonical(value) !== source) refuse("a statement that is not in canonical form");
  return out;
}

const WORDS = {
  "dpv:AcademicResearch": "academic research",
  "dpv:Advertising": "showing advertisements",
  "dpv:CommercialResearch": "research for commercial ends",
  "dpv:CustomerSupport": "answering questions and solving problems with the service",
  "dpv:DirectMarketing": "sending advertisements to you directly",
  "dpv:FraudPreventionAndDetection": "preventing and detecting fraud",
  "dpv:HumanResourceManagement": "managing staff",
  "dpv:LegalCompliance": "complying with the law",
  "dpv:Marketing": "marketing of products and services",
  "dpv:NonCommercialResearch": "research that is not for commercial ends",
  "dpv:PaymentManagement": "handling payments",
  "dpv:Personalisation": "adapting the service to you",
  "dpv:PublicBenefit": "the benefit of the public",
  "dpv:RecordManagement": "keeping records",
  "dpv:ServiceImprovement": "improving the service",
  "dpv:ServiceOptimisation": "making the service work better",
  "dpv:ServiceProvision": "providing the service you asked for",
  "dpv:TargetedAdvertising": "showing advertisements chosen for you",
};

/** What a person reads for a purpose. */
export function purposeWords(purpose) {
  if (Object.hasOwn(WORDS, purpose)) return WORDS[purpose];
  const last = Math.max(...[":", "/", "#"].map((c) => purpose.lastIndexOf(c)));
  const rest = purpose.slice(last + 1);
  if (!rest) return purpose;
  const is = (c, from, to) => c !== undefined && c >= from && c <= to;
  let out = "";
  for (let i = 0; i < rest.length; i++) {
    const c = rest[i];
    if (i > 0 && !out.endsWith(" ") && is(c, "A", "Z") && (!is(rest[i - 1], "A", "Z") || is(rest[i + 1], "a", "z"))) out += " ";
    out += c === "_" || c === "-" ? " " : c.toLowerCase();
  }
  return out;
}

export function readConsent(source) {
  const s = read(consent, source);
  if (s.event_time >= s.expiry_time) refuse("a consent that ends before it begins");
  for (const p of s.purposes)
    if (p.purpose_description !== purposeWords(p.purpose)) refuse("words of a purpose that are not those of the term");
  return s;
}

export const readKey = (source) => read(key, source);
export const readCopy = (source) => read(copy, source);
export const readHistory = (source) => read(history, source);

/** Signatures are over the SHA-256 of the canonical bytes. */
export const verifyStatement = (source, signature, publicKey) => verifySignature(publicKey, sha256(utf8(source)), signature);
