"""The people of the benchmarks: made up, of one shape, the same in every run."""

import json
import os
import random

PURPOSE = "dpv:ServiceProvision"
FIELDS = ("name", "street", "town", "phone", "email", "note", "history", "plan", "contact")
FIRST = 100000  # identifiers are P100000 and on: as long for the first as for the last


def ident(number):
    return f"P{FIRST + number}"


def _line(rng, number, size):
    row = {"id": ident(number)}
    room = (size - len(json.dumps(dict(row, **{f: "" for f in FIELDS}), separators=(",", ":")))) // len(FIELDS)
    for field in FIELDS:
        row[field] = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz     ", k=max(room, 1)))
    return json.dumps(row, separators=(",", ":"))


def write_people(path, people, size):
    """NDJSON, a record of about `size` bytes a person. Values repeat every 5,000 lines, identifiers do not."""
    if os.path.exists(path):
        return path
    rng = random.Random(7)
    kept = [_line(rng, 0, size).split(",", 1)[1] for _ in range(min(people, 5000))]
    with open(path + ".new", "w") as f:
        for number in range(people):
            f.write('{"id":"%s",%s\n' % (ident(number), kept[number % len(kept)]))
    os.rename(path + ".new", path)
    return path


def write_paths(path, idents, after="/records/people"):
    with open(path, "w") as f:
        f.writelines(f"/v1/subjects/{i}{after}\n" for i in idents)
    return path
