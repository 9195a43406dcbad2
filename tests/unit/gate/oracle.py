#!/usr/bin/env python3
"""A second gate, written from the description of the semantics and not from the code: it reads the same YAML, takes
the cases that `cases` writes, and recomputes every answer. Any difference fails.

It also shows that it could fail: each mutant of a pack (one rule changed) must disagree with the gate somewhere.

    oracle.py CASES-PROGRAM PACK.yaml...
"""
import copy
import datetime
import re
import subprocess
import sys

# --- a reader of the small part of YAML that packs use ------------------------------------------------------------


def logical_lines(text):
    """Lines without comments; a line whose brackets or quotes are open goes on in the next."""
    out, held, depth, quote = [], "", 0, False
    for raw in text.splitlines():
        line = ""
        for i, c in enumerate(raw):
            if quote:
                quote = c != '"'
            elif c == '"':
                quote = True
            elif c in "[{":
                depth += 1
            elif c in "]}":
                depth -= 1
            elif c == "#" and (i == 0 or raw[i - 1] in " \t"):
                break
            line += c
        held = held + " " + line.strip() if held else line.rstrip()
        if held.strip() and not depth and not quote:
            out.append((len(held) - len(held.lstrip()), held.strip()))
            held = ""
    return out


def scalar(word):
    if word.startswith('"'):
        return word[1:-1]
    if word in ("true", "false"):
        return word == "true"
    if word in ("null", "~", ""):
        return None
    return int(word) if re.fullmatch("[0-9]+", word) else word


def flow(text):
    """A value in one line: scalar, [..] or {..}."""
    tokens = re.findall(r'"[^"]*"|[\[\]{},]|:(?=[ \]},])|[^\s\[\]{},"](?:[^\[\]{},":]|:(?![ ]))*', text)
    tokens = [t.strip() for t in tokens]
    at = 0

    def value():
        nonlocal at
        token = tokens[at]
        at += 1
        if token == "[":
            items = []
            while tokens[at] != "]":
                items.append(value())
                at += tokens[at] == ","
            at += 1
            return items
        if token == "{":
            items = {}
            while tokens[at] != "}":
                key = tokens[at]
                at += 2
                items[key] = value()
                at += tokens[at] == ","
            at += 1
            return items
        return scalar(token)

    return value() if text[:1] in "[{" and text else scalar(text)


def block(lines):
    """Consumes the lines of one block from the front."""
    indent, first = lines[0]
    if first.startswith("- "):
        items = []
        while lines and lines[0][0] == indent and lines[0][1].startswith("- "):
            rest = lines[0][1][2:]
            lines[0] = (indent + 2, rest)
            if rest[0] in "[{" or not re.match(r"[\w.-]+:( |$)", rest):
                items.append(flow(lines.pop(0)[1]))
            else:
                items.append(block(lines))
        return items
    items = {}
    while lines and lines[0][0] == indent:
        key, _, rest = lines.pop(0)[1].partition(":")
        if rest.strip():
            items[key] = flow(rest.strip())
        else:
            items[key] = block(lines) if lines and lines[0][0] > indent else None
    return items


def moment(value):
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            return int(datetime.datetime.strptime(value, form).replace(tzinfo=datetime.timezone.utc).timestamp())
        except ValueError:
            pass
    raise ValueError(value)


def load(path):
    pack = block(logical_lines(open(path, encoding="utf-8").read()))
    pack["from"] = moment(pack.get("effective_from", "1970-01-01"))
    pack["to"] = moment(pack["effective_to"]) if "effective_to" in pack else None
    return pack


# --- the semantics ---------------------------------------------------------------------------------------------------

OPERATIONS = {1: ("read", 1), 2: ("search", 32), 3: ("write", 2), 4: ("delete", 2), 5: ("evidence", 128), 6: ("self", 0)}
GRADES = {1: "subject-signed", 2: "authority-signed", 3: "operator-attested"}
VOUCHERS = {0: "none", 1: "key", 2: "registrar", 3: "app", 4: "operator"}
DENY, HUMAN, ALLOW = 0, 1, 2


class Question:
    __slots__ = ("packs", "op", "rights", "party", "ended", "to", "purposes", "home", "collection", "sensitive",
                 "purpose", "time", "index", "consents")

    def __init__(self, f):
        self.packs = "" if f[0] == "-" else f[0]
        self.op, self.rights, self.party, self.ended = int(f[1]), int(f[2]), int(f[3]), int(f[4])
        self.to = f[5]
        self.purposes = dict(p.split("=") for p in f[6].split(";"))
        self.home, self.collection, self.sensitive, self.purpose = f[7], f[8], f[9] == "1", f[10]
        self.time, self.index = int(f[11]), int(f[12])
        self.consents = []
        for text in filter(None, f[13].split(";")):
            b = text.split("/")
            number, grade, voucher, start, end, withdrawn = map(int, b[:6])
            # Everything that makes it count here, but for what a rule accepts.
            if (number < self.index and start <= self.time < end and not withdrawn <= self.index
                    and self.purpose in b[6].split(",") and self.to in b[7].split(",")
                    and self.collection and self.collection in b[8].split(",") and str(self.party) in b[9].split(",")):
                self.consents.append((number, grade, voucher))


def crosses(q, pack):
    market = {q.home}
    if q.home in pack.get("market", ()):
        market |= set(pack["market"])
    return q.to not in market


def applies(q, pack, when):
    facts = {"crossing": crosses(q, pack), "sensitive": q.sensitive, "collections": q.collection, "domiciles": q.home,
             "destinations": q.to, "purposes": q.purpose, "operations": OPERATIONS[q.op][0]}
    return all(facts[k] in v if isinstance(v, list) else facts[k] == v for k, v in when.items())


def judge(q, rule, want):
    """(verdict, bases); bases as a set of (index, grade)."""
    if isinstance(want, dict):
        (word, value), = want.items()
    else:
        word, value = want, None
    accept = rule.get("accept", {})
    if word == "all_of":
        parts = [judge(q, rule, w) for w in value]
        worst = min(v for v, _ in parts)
        return worst, set().union(*(b for _, b in parts)) if worst == ALLOW else set()
    if word == "any_of":
        parts = [judge(q, rule, w) for w in value]
        best = max(v for v, _ in parts)
        ways = [b for v, b in parts if v == best]
        return best, min(ways, key=lambda b: min(b)[0] if b else float("inf")) if best == ALLOW else set()
    if word == "subject_consent":
        narrowed = accept.get("subject_consent", {})
        grades = narrowed.get("grades", ["subject-signed", "operator-attested"])
        vouchers = narrowed.get("vouchers")
        fit = {(n, g) for n, g, v in q.consents if GRADES[g] in grades
               and (g != 1 or vouchers is None or VOUCHERS[v] in vouchers)}
        return (ALLOW, {min(fit)}) if fit else (DENY, set())
    if word == "ground":
        declared = q.purposes.get(q.purpose)
        good = declared and declared in accept.get("ground", [declared])
        return (ALLOW, {(q.party, 4)}) if good else (DENY, set())
    if word == "adequacy":
        return (ALLOW if q.to in value else DENY), set()
    if word == "deny_list":
        return (DENY if q.to in value else ALLOW), set()
    if word == "needs_human":
        return HUMAN, set()
    assert word == "authority_approval"
    return DENY, set()  # there are no approvals yet


def answer(q, packs):
    """(verdict, code, bases, results) as the case's line spells them."""
    if q.op not in OPERATIONS or q.rights & OPERATIONS[q.op][1] != OPERATIONS[q.op][1]:
        return DENY, "right_missing", "", ""
    if q.ended <= q.index:
        return DENY, "party_ended", "", ""
    if OPERATIONS[q.op][0] == "self":
        return ALLOW, "ok", "5:0", ""
    if q.purpose not in q.purposes:
        return DENY, "purpose_undeclared", "", ""
    results, used = [], set()
    for letter in sorted(q.packs, key="hpmw".index):
        pack = packs[letter]
        if q.time < pack["from"] or (pack["to"] is not None and q.time >= pack["to"]):
            continue
        for rule in pack["rules"]:
            if applies(q, pack, rule.get("when", {})):
                verdict, bases = judge(q, rule, rule["require"])
                results.append((pack["pack"] + "/" + rule["id"], verdict))
                used |= bases
    said = ",".join("%s=%d" % r for r in results)
    if not results:
        return DENY, "no_rule", "", said
    verdict = min(v for _, v in results)
    code = {ALLOW: "ok", HUMAN: "needs_decision", DENY: "basis_missing"}[verdict]
    spelt = ",".join("%d:%d" % (g, n) for g, n in sorted((g, n) for n, g in used)) if verdict == ALLOW else ""
    return verdict, code, spelt, said


# --- mutants: one rule changed each --------------------------------------------------------------------------------


def mutants(packs):
    def changed(letter, rule, change):
        other = dict(packs)
        other[letter] = copy.deepcopy(packs[letter])
        change(other[letter], other[letter]["rules"][rule])
        return other

    yield "home accepts every ground", changed("h", 0, lambda p, r: r.pop("accept"))
    yield "home counts abroad", changed("h", 0, lambda p, r: r["when"].update(crossing=True))
    yield "the pledge accepts the operator's word abroad", changed("p", 0, lambda p, r: r.pop("accept"))
    yield "the pledge accepts a ground abroad", changed("p", 0, lambda p, r: r["require"]["any_of"].append("ground"))
    yield "the pledge asks for both", changed("p", 1, lambda p, r: r.update(require={"all_of": r["require"]["any_of"]}))
    yield "no market", changed("m", 0, lambda p, r: p.pop("market"))
    yield "another adequate country", changed("m", 0, lambda p, r: r["require"]["all_of"][0]["any_of"][0].update(
        adequacy=["US"]))
    yield "no deny list", changed("m", 0, lambda p, r: r["require"]["all_of"].pop())
    yield "any voucher", changed("m", 0, lambda p, r: r["accept"]["subject_consent"].pop("vouchers"))
    yield "nobody decides", changed("m", 2, lambda p, r: r["require"]["any_of"].pop())
    yield "every operation", changed("m", 2, lambda p, r: r["when"].pop("operations"))
    yield "a day longer", changed("w", 0, lambda p, r: p.update(to=p["to"] + 1))
    yield "either basis", changed("w", 0, lambda p, r: r.update(require={"any_of": r["require"]["all_of"]}))


def main():
    program, paths = sys.argv[1], sys.argv[2:]
    packs = dict(zip("hpmw", map(load, paths)))
    altered = [[name, other, 0] for name, other in mutants(packs)]
    run = subprocess.Popen([program] + paths, stdout=subprocess.PIPE, text=True)
    count, differences, verdicts = 0, 0, [0, 0, 0]
    for line in run.stdout:
        f = line.rstrip("\n").split("\t")
        count += 1
        q = Question(f)
        said = (int(f[14]), f[15], f[16], f[17])
        verdicts[said[0]] += 1
        if answer(q, packs) != said:
            differences += 1
            if differences <= 5:
                print("differs: %s\n  oracle: %s" % (line.strip(), answer(q, packs)))
        if count % 29 == 0:
            for m in altered:
                m[2] += answer(q, m[1]) != said
    bad = run.wait() != 0 or count <= 100000 or differences != 0 or 0 in verdicts
    print("%d combinations (%d deny, %d needs_human, %d allow), %d differ" % (count, *verdicts, differences))
    for name, _, found in altered:
        print("  mutant: %s: %s" % (name, "%d differences found" % found if found else "NOT FOUND"))
        bad |= found == 0
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
