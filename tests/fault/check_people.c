/* Every person as told, or as asked and not answered: read one by one, found by present values, disclosed
 * together by list, by another identifier and by consent. What each answer says narrows what the next may. */
#include "check_internal.h"

#include "picture.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOME "dpv:ServiceProvision"
#define RESEARCH "dpv:ResearchAndDevelopment"

/* --- what answers say
 * --------------------------------------------------------------------------------------------- */

/* The person that `"p07` or `"p07.1` names; PEOPLE if it is nobody's. */
static size_t who_of(struct slice raw)
{
    const char *p = (const char *)raw.p;
    if (raw.n < 5 || p[0] != '"' || p[1] != 'p')
        return PEOPLE;
    size_t who = (size_t)((p[2] - '0') * 10 + (p[3] - '0'));
    return who < PEOPLE ? who : PEOPLE;
}

/* One record, or the line that says that nothing is disclosed ("-"), to what is seen of its person. False if
 * it is nobody's. */
static bool see(struct checking *c, struct json_value line)
{
    struct json_value id, version, data, subject;
    if (!json_find(line, "data", &data)) {
        if (!json_find(line, "subject", &subject) || who_of(subject.raw) == PEOPLE)
            return false;
        char *text = c->seen[who_of(subject.raw)];
        snprintf(text + strlen(text), SEEN_BYTES - strlen(text), "-");
        return true;
    }
    if (!json_find(data, "id", &subject) || who_of(subject.raw) == PEOPLE || !json_find(line, "id", &id) ||
        !json_find(line, "version", &version))
        return false;
    char *text = c->seen[who_of(subject.raw)];
    snprintf(text + strlen(text), SEEN_BYTES - strlen(text), "%.*s/%.*s/%.*s;", SLICE_ARG(id.raw),
             SLICE_ARG(version.raw), SLICE_ARG(data.raw));
    return true;
}

static bool see_list(struct checking *c, const struct asked_answer *a)
{
    struct json_value body, list;
    struct json_member m;
    size_t at = 0;
    if (a->status != 200 || json_check(slice_of(a->body, a->n), &body) != BOURN_OK ||
        !json_find(body, "records", &list))
        return false;
    while (json_next(list, &at, &m))
        if (!see(c, m.value))
            return false;
    return true;
}

static bool see_lines(struct checking *c, const struct asked_answer *a)
{
    const char *p = a->body, *end = p + a->n;
    struct json_value line;
    while (a->status == 200 && p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        if (!stop || json_check(slice_of(p, (size_t)(stop - p)), &line) != BOURN_OK || !see(c, line))
            return false;
        p = stop + 1;
    }
    return a->status == 200;
}

/* --- narrowing
 * --------------------------------------------------------------------------------------------------- */

/* What an answer should say of a person who is as in the story. */
typedef void picture_of(const struct checking *c, size_t who, const struct story_person *p, int x, char *out);

static bool agree(struct checking *c, size_t who, const char *how, picture_of *picture, int x)
{
    char want[SEEN_BYTES];
    const struct known *k = &c->e->people[who];
    const char *seen = c->seen[who];
    for (unsigned i = 0; i < 2; i++) {
        bool *may = i ? &c->may_asked[who] : &c->may_told[who];
        if (!*may)
            continue;
        picture(c, who, i ? &k->asked.person : &k->told.person, x, want);
        *may = strcmp(seen, want) == 0;
    }
    if (c->may_told[who] || c->may_asked[who])
        return true;
    return check_wrong(c, "p%02zu, %s (%d), schema %u: %.300s; told (request %u) or asked (%u) was %.300s",
                       who, how, x, c->schema, seen, k->told.request, k->asked.request, want);
}

static bool all_agree(struct checking *c, const char *how, picture_of *picture, int x)
{
    for (size_t who = 0; who < PEOPLE; who++)
        if (!agree(c, who, how, picture, x))
            return false;
    return true;
}

static void nothing_seen(struct checking *c)
{
    for (size_t who = 0; who < PEOPLE; who++)
        c->seen[who][0] = '\0';
}

static void or_none(char *out)
{
    if (!out[0])
        strcpy(out, "-");
}

static void as_read(const struct checking *c, size_t who, const struct story_person *p, int x, char *out)
{
    (void)x;
    picture_person(out, SEEN_BYTES, who, p, PERSONS, -1, c->now, c->schema);
    if (!p->there)
        strcpy(out, "404");
}

static void as_found(const struct checking *c, size_t who, const struct story_person *p, int ward, char *out)
{
    picture_person(out, SEEN_BYTES, who, p, PERSONS, ward, c->now, c->schema);
}

static void as_visit_found(const struct checking *c, size_t who, const struct story_person *p, int ward,
                           char *out)
{
    picture_person(out, SEEN_BYTES, who, p, VISITS, ward, c->now, c->schema);
}

static void as_visit_listed(const struct checking *c, size_t who, const struct story_person *p, int x,
                            char *out)
{
    (void)x;
    picture_person(out, SEEN_BYTES, who, p, VISITS, -1, c->now, c->schema);
    or_none(out);
}

static void as_lab_reads(const struct checking *c, size_t who, const struct story_person *p, int x, char *out)
{
    (void)x;
    picture_person(out, SEEN_BYTES, who, p, PERSONS, -1, c->now, c->schema);
    if (!p->there || !p->lab)
        strcpy(out, "403");
}

static void as_consented(const struct checking *c, size_t who, const struct story_person *p, int x, char *out)
{
    (void)x;
    picture_person(out, SEEN_BYTES, who, p, PERSONS, -1, c->now, c->schema);
    if (!p->lab)
        out[0] = '\0';
}

static void as_lab_lists(const struct checking *c, size_t who, const struct story_person *p, int x, char *out)
{
    as_consented(c, who, p, x, out);
    or_none(out);
}

/* Asked for by a name that nobody has, then by one that the person may have. */
static void as_named(const struct checking *c, size_t who, const struct story_person *p, int name, char *out)
{
    strcpy(out, "-");
    if (p->there && (uint32_t)name <= p->aliases)
        picture_person(out + 1, SEEN_BYTES - 1, who, p, PERSONS, -1, c->now, c->schema);
    or_none(out + 1);
}

/* --- asking
 * ------------------------------------------------------------------------------------------------------ */

static struct request of(const struct checking *c, uint32_t op, bool lab)
{
    return (struct request){
        .op = op, .token = slice_str(lab ? c->lab : c->clinic), .purpose = slice_str(lab ? RESEARCH : HOME)};
}

/* Reads n people, one request each. */
static bool read_some(struct checking *c, const size_t *who, size_t n, bool lab)
{
    struct request r[ASKED_MAX];
    char id[ASKED_MAX][16];
    for (size_t i = 0; i < n; i++) {
        snprintf(id[i], sizeof id[i], "p%02zu", who[i]);
        r[i] = of(c, REQ_RECORDS, lab);
        r[i].subject = slice_str(id[i]);
        r[i].collection = slice_str("people");
    }
    if (cell_ask(&c->cell, r, n) != BOURN_OK)
        return check_wrong(c, "reading records: %s", err_text());
    nothing_seen(c);
    for (size_t i = 0; i < n; i++) {
        const struct asked_answer *a = &c->cell.answers[i];
        if (a->status != 200)
            snprintf(c->seen[who[i]], SEEN_BYTES, "%u", a->status);
        else if (!see_list(c, a))
            return check_wrong(c, "reading p%02zu: %.300s", who[i], a->body);
        if (!agree(c, who[i], lab ? "as the lab reads it" : "as the clinic reads it",
                   lab ? as_lab_reads : as_read, 0))
            return false;
    }
    return true;
}

static bool search(struct checking *c, const char *collection, picture_of *picture)
{
    struct request r[WARDS];
    char body[WARDS][100];
    for (int ward = 0; ward < WARDS; ward++) {
        snprintf(body[ward], sizeof body[ward], "{\"collection\":\"%s\",\"where\":{\"ward\":\"w%d\"}}",
                 collection, ward);
        r[ward] = of(c, REQ_SEARCH, false);
        r[ward].body = slice_str(body[ward]);
    }
    if (cell_ask(&c->cell, r, WARDS) != BOURN_OK)
        return check_wrong(c, "searching: %s", err_text());
    for (int ward = 0; ward < WARDS; ward++) {
        nothing_seen(c);
        if (!see_list(c, &c->cell.answers[ward]))
            return check_wrong(c, "a search in %s: %u %s %.300s", collection, c->cell.answers[ward].status,
                               c->cell.answers[ward].code, c->cell.answers[ward].body);
        if (!all_agree(c, "found by ward", picture, ward))
            return false;
    }
    return true;
}

static bool bulk(struct checking *c, bool lab, const char *body, const char *how, picture_of *picture, int x)
{
    struct request r = of(c, REQ_DISCLOSE, lab);
    r.body = slice_str(body);
    if (cell_ask(&c->cell, &r, 1) != BOURN_OK)
        return check_wrong(c, "%s: %s", how, err_text());
    nothing_seen(c);
    if (!see_lines(c, &c->cell.answers[0]))
        return check_wrong(c, "%s: %u %s %.300s", how, c->cell.answers[0].status, c->cell.answers[0].code,
                           c->cell.answers[0].body);
    return all_agree(c, how, picture, x);
}

/* Everybody by name; `name` above 0: twice, as "pNN.4", which nobody is, and as "pNN.<name>". */
static void list_body(char *out, size_t n, const char *collection, int name)
{
    size_t at = (size_t)snprintf(out, n, "{\"collection\":\"%s\",\"subjects\":[", collection);
    for (size_t who = 0; who < PEOPLE; who++)
        at += name ? (size_t)snprintf(out + at, n - at, "%s\"p%02zu.%d\",\"p%02zu.%d\"", who ? "," : "", who,
                                      ALIASES + 1, who, name)
                   : (size_t)snprintf(out + at, n - at, "%s\"p%02zu\"", who ? "," : "", who);
    snprintf(out + at, n - at, "]}");
}

/* The cell holds the records that people have, and no more. */
static bool check_count(struct checking *c)
{
    struct request r = {.op = REQ_ADMIN_STATUS};
    struct json_value status, records;
    const struct asked_answer *a = &c->cell.answers[0];
    c->records = c->visits = 0;
    for (size_t who = 0; who < PEOPLE; who++) {
        const struct known *k = &c->e->people[who];
        const struct story_person *p = c->may_asked[who] ? &k->asked.person : &k->told.person;
        for (uint32_t i = 0; p->there && i < p->records_n; i++) {
            const struct story_record *x = &p->record[i];
            c->records += !x->expires || x->expires > c->now;
            c->visits += x->expires > c->now;
        }
    }
    if (cell_ask(&c->cell, &r, 1) != BOURN_OK || json_check(slice_of(a->body, a->n), &status) != BOURN_OK ||
        !json_find(status, "records", &records))
        return check_wrong(c, "no status");
    if (strtoull((const char *)records.raw.p, NULL, 10) != c->records)
        return check_wrong(c, "the cell holds %.*s records instead of %llu", SLICE_ARG(records.raw),
                           (unsigned long long)c->records);
    return true;
}

bool check_visits(struct checking *c)
{
    char body[PEOPLE * 8 + 100];
    list_body(body, sizeof body, "visits", 0);
    return bulk(c, false, body, "visits", as_visit_listed, 0) && search(c, "visits", as_visit_found);
}

bool check_people(struct checking *c)
{
    char body[PEOPLE * 24 + 100];
    size_t who[PEOPLE], some[2];
    int name = 1 + (int)(fault_random(&c->random) % ALIASES);
    for (size_t i = 0; i < PEOPLE; i++)
        who[i] = i;
    if (!read_some(c, who, PEOPLE / 2, false) || !read_some(c, who + PEOPLE / 2, PEOPLE / 2, false) ||
        !search(c, "people", as_found))
        return false;
    list_body(body, sizeof body, "people", name);
    if (!bulk(c, false, body, "by another name", as_named, name))
        return false;
    if (!c->lab[0]) /* `visits` came before the lab */
        return check_count(c);
    if (!check_visits(c))
        return false;
    list_body(body, sizeof body, "people", 0);
    some[0] = fault_random(&c->random) % (PEOPLE / 2);
    some[1] = some[0] + PEOPLE / 2;
    return read_some(c, some, 2, true) && bulk(c, true, body, "as the lab lists", as_lab_lists, 0) &&
           bulk(c, true, "{\"collection\":\"people\",\"consented\":true}", "who consented to the lab",
                as_consented, 0) &&
           check_count(c);
}
