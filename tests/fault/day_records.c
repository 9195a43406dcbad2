/* Steps of a workload: records are written, changed, deleted, read, found and handed over. */
#include "day.h"

#include "picture.h"

#include <stdio.h>
#include <string.h>

static struct story_record *new_record(struct person *p, unsigned collection)
{
    struct story_record *r = &p->is.record[p->is.records_n++];
    *r =
        (struct story_record){.id = p->next++, .version = 1, .value = ++day->value, .collection = collection};
    r->ward = (uint32_t)day_below(WARDS);
    r->expires = collection == VISITS ? day->now + RETENTION_S : 0;
    r->extra = collection == PERSONS && day_below(2) ? day_schema() : 0;
    return r;
}

/* One of the person's records in the collection, or RECORDS. */
static size_t some_record(const struct person *p, unsigned collection)
{
    size_t n = 0, pick = RECORDS;
    for (size_t i = 0; i < p->is.records_n; i++)
        if (p->is.record[i].collection == collection && day_below(++n) == 0)
            pick = i;
    return pick;
}

static const char *collection_name(unsigned collection)
{
    return collection == VISITS ? "visits" : "people";
}

static void write_new(size_t who, unsigned collection)
{
    struct person p = *day_person(who);
    struct request *r = day_next(REQ_RECORD_NEW, day->clinic, HOME, 201);
    if (!p.is.there)
        p = (struct person){.is.there = true, .next = 1};
    picture_record(day_body(), REQUEST_BYTES, who, new_record(&p, collection), day_schema());
    day_of(r, who, collection_name(collection));
    day_add_once(r, who, &p);
}

/* PUT or PATCH of a record. */
static void change(size_t who, size_t which, uint32_t op)
{
    struct person p = *day_person(who);
    struct story_record *x = &p.is.record[which];
    struct request *r = day_next(op, day->clinic, HOME, 200);
    r->number = x->id;
    if (day_below(2))
        r->version = x->version;
    x->version++;
    x->ward = (uint32_t)day_below(WARDS);
    if (x->collection == VISITS)
        x->expires = day->now + RETENTION_S;
    if (op == REQ_RECORD_PUT) {
        x->value = ++day->value;
        x->extra = x->collection == PERSONS && day_below(2) ? day_schema() : 0;
        picture_record(day_body(), REQUEST_BYTES, who, x, day_schema());
    } else {
        snprintf(day_body(), REQUEST_BYTES, "{\"ward\":\"w%u\"}", x->ward);
        if (x->extra != day_schema())
            x->extra = 0; /* a retired field goes with the first patch */
    }
    day_of(r, who, collection_name(x->collection));
    day_add_once(r, who, &p);
}

static void delete_one(size_t who, size_t which)
{
    struct person p = *day_person(who);
    struct request *r = day_next(REQ_RECORD_DELETE, day->clinic, HOME, 200);
    unsigned collection = p.is.record[which].collection;
    r->number = p.is.record[which].id;
    p.is.records_n--;
    memmove(&p.is.record[which], &p.is.record[which + 1], (p.is.records_n - which) * sizeof p.is.record[0]);
    day_of(r, who, collection_name(collection));
    day_add_once(r, who, &p);
}

void do_import(void)
{
    size_t rows = 1 + day_below(4);
    for (size_t i = 0; i < rows && day_asked() < 6; i++) { /* each in a request of its own, in one batch */
        size_t who = day_somebody(false);
        if (who == PEOPLE)
            return;
        struct request *r = day_next(REQ_IMPORT, day->clinic, HOME, 200);
        struct person p = {.is.there = true, .next = 1};
        picture_record(day_body(), REQUEST_BYTES, who, new_record(&p, PERSONS), day_schema());
        strcat(day_body(), "\n");
        r->collection = slice_str("people");
        r->path = slice_str("id");
        day_person(who)->busy = true;
        day_add_once(r, who, &p);
    }
}

static void write_one(unsigned collection)
{
    size_t who = day_somebody(true);
    if (who == PEOPLE)
        return;
    size_t which = some_record(day_person(who), collection);
    uint64_t what = day_below(6);
    if (which == RECORDS) {
        if (day_person(who)->is.records_n < RECORDS)
            write_new(who, collection);
    } else if (what == 0) {
        delete_one(who, which);
    } else if (what < 3 || day_person(who)->is.records_n == RECORDS) {
        change(who, which, what % 2 ? REQ_RECORD_PUT : REQ_RECORD_PATCH);
    } else {
        write_new(who, collection);
    }
}

void do_write(void)
{
    write_one(PERSONS);
}

void do_visit(void)
{
    write_one(VISITS);
}

/* --- what leaves
 * -------------------------------------------------------------------------------------------------- */

static void read_one(bool lab)
{
    size_t who = day_below(PEOPLE);
    const struct story_person *p = &day_person(who)->is;
    if (day_person(who)->busy)
        return;
    struct request *r = lab ? day_next(REQ_RECORDS, day->lab, RESEARCH, p->there && p->lab ? 200 : 403)
                            : day_next(REQ_RECORDS, day->clinic, HOME, p->there ? 200 : 404);
    day_of(r, who, "people");
    day_story()->kind = STORY_ANSWER;
    day_add(r, who, NULL);
}

void do_read(void)
{
    read_one(false);
}

void do_transfer(void)
{
    read_one(true);
}

void do_search(void)
{
    struct request *r = day_next(REQ_SEARCH, day->clinic, HOME, 200);
    snprintf(day_body(), REQUEST_BYTES, "{\"collection\":\"%s\",\"where\":{\"ward\":\"w%llu\"}}",
             collection_name((unsigned)day_below(2)), (unsigned long long)day_below(WARDS));
    day_story()->kind = STORY_ANSWER;
    day_add(r, 0, NULL);
}

void do_bulk(void)
{
    bool lab = day_below(2);
    struct request *r = lab ? day_next(REQ_DISCLOSE, day->lab, RESEARCH, 200)
                            : day_next(REQ_DISCLOSE, day->clinic, HOME, 200);
    if (day_below(2)) {
        snprintf(day_body(), REQUEST_BYTES, "{\"collection\":\"people\",\"consented\":true}");
    } else {
        size_t n = (size_t)snprintf(day_body(), REQUEST_BYTES,
                                    "{\"collection\":\"people\",\"subjects\":[\"nobody\"");
        for (size_t i = 0; i < 6; i++)
            n += (size_t)snprintf(day_body() + n, REQUEST_BYTES - n, ",\"p%02llu\"",
                                  (unsigned long long)day_below(PEOPLE));
        snprintf(day_body() + n, REQUEST_BYTES - n, "]}");
    }
    day_story()->kind = STORY_ANSWER;
    day_add(r, 0, NULL);
}
