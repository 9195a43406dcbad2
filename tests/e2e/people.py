"""The people that the tests import: those of BOURN_DATA, or 12,230 made-up ones of the same shape."""

import csv
import os
import random
import sys

NAME = "legislators-historical.csv"
COUNT = 12230
ALICE = "B000944"  # the person of the tour

COLUMNS = (
    "last_name first_name middle_name suffix nickname full_name birthday gender type state district senate_class "
    "party url address phone contact_form rss_url twitter twitter_id facebook youtube youtube_id mastodon "
    "bioguide_id thomas_id opensecrets_id lis_id fec_ids cspan_id govtrack_id votesmart_id ballotpedia_id "
    "washington_post_id icpsr_id wikipedia_id"
).split()

_STARTS = "Bar Cal Dor El Fen Gar Hol Il Jor Kel Lun Mar Nor Os Per Quil Ros Sel Tor Ul Ver Wen Yar Zel Ång Éve".split()
_MIDDLES = "a e i o u an en in on ar er or al el il".split()
_ENDS = "ton berg field mann sen ski well worth dale hurst ford smith ley ström ñez brück".split()
_STATES = "AK CA DE FL GA HI IA KS LA MA NC OH PA RI SC TX UT VA WA".split()
_PARTIES = "Ad Interim Unity;Northern Reform;Labour Farmers;Constitution Guard;Whiggish;".split(";")


def _word(rng):
    return rng.choice(_STARTS) + rng.choice(_MIDDLES) + rng.choice(_ENDS)


def _person(rng, number, ident):
    first, last = _word(rng), _word(rng)
    slug = f"{first}{last}".encode("ascii", "ignore").decode().lower()
    senator, modern = rng.random() < 0.15, rng.random() < 0.08
    row = dict.fromkeys(COLUMNS, "")
    row.update(
        last_name=last,
        first_name=first,
        middle_name=_word(rng) if rng.random() < 0.7 else "",
        suffix=rng.choice(["Jr.", "Sr.", "III"]) if rng.random() < 0.04 else "",
        nickname=f'the "{_word(rng)}"' if rng.random() < 0.02 else "",
        birthday=f"{rng.randint(1740, 1990)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}" if rng.random() < 0.95 else "",
        gender=rng.choice("MF"),
        type="sen" if senator else "rep",
        state=rng.choice(_STATES),
        district="" if senator else str(rng.randint(0, 52)),
        senate_class=str(rng.randint(1, 3)) if senator else "",
        party=rng.choice(_PARTIES),
        bioguide_id=ident,
        govtrack_id=str(400000 + number),
        icpsr_id=str(number) if rng.random() < 0.98 else "",
        wikipedia_id=f"{first} {last} ({_word(rng)} politician)",
    )
    if modern:
        row.update(
            full_name=f"{first} {last}",
            url=f"https://{slug}.house.example",
            address=f"{rng.randint(100, 3000)} {_word(rng)} House Office Building, {_word(rng)} {rng.randint(10000, 99999)}",
            phone=f"202-225-{rng.randint(1000, 9999)}",
            contact_form=f"https://{slug}.house.example/contact?form=1&lang=en",
            rss_url=f"https://{slug}.house.example/rss?type=all&amp;n={number}",
            thomas_id=f"{number:05}",
            opensecrets_id=f"N{number:08}",
            fec_ids=f"H{number:08},S{number:08}",
            cspan_id=str(1000000 + number),
            votesmart_id=str(20000 + number),
            ballotpedia_id=f"{first} {last} ({_word(rng)})",
        )
    return row


def made_up(count=COUNT):
    """`count` rows of people who do not exist, the same ones every time; ALICE is the first."""
    rng = random.Random("bourn people 1")
    idents = dict.fromkeys([ALICE])
    while len(idents) < count:
        idents[f"{rng.choice('ABCDEFGHJKLMNPRSTVWYZ')}{rng.randint(0, 999999):06}"] = None
    return [_person(rng, number, ident) for number, ident in enumerate(idents, 1)]


def write(path, rows):
    """RFC 4180: commas quoted, quotes doubled, CRLF."""
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.DictWriter(f, rows[0].keys())
        out.writeheader()
        out.writerows(rows)


def schema(searchable=(), more=""):
    """A schema of all columns as text, of which some can be searched for."""
    flag = {name: ", searchable: true" for name in searchable}
    return "fields:\n" + "".join(f"  - {{name: {c}, type: text{flag.get(c, '')}}}\n" for c in COLUMNS) + more


def folder(scratch):
    """The folder that holds legislators-historical.csv: BOURN_DATA, or `scratch` after generating it there."""
    given = os.environ.get("BOURN_DATA")
    if given:
        if not os.path.exists(os.path.join(given, NAME)):
            raise SystemExit(f"BOURN_DATA={given} holds no {NAME}; unset it to use generated people")
        return given
    path = os.path.join(scratch, NAME)
    if not os.path.exists(path):
        print(f"BOURN_DATA is unset: {COUNT:,} generated people of the same {len(COLUMNS)} columns", file=sys.stderr)
        write(path, made_up())
    return scratch


def read(path):
    """The rows of a CSV file as dictionaries of strings."""
    with open(path, newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))
