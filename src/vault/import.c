/* Importing: many records in one request, by the path of a single write. A row that is there already, equal
 * byte by byte, is skipped, so that an import that was cut off can be made again. */
#include "vault/plan.h"

#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

struct import {
    struct plan plan;
    struct slice *ids; /* by position in plan.people */
    size_t stored, skipped, rejected;
    bool refused;       /* some, by the gate */
    struct buf *report; /* the "rejected" array's elements */
};

static void reject(struct import *im, size_t row, struct slice why)
{
    while (why.n && !utf8_valid(why)) /* a pointer to a long name may have been cut within a character */
        why.n--;
    buf_printf(im->report, "%s{\"row\":%zu,\"reason\":", im->rejected++ ? "," : "", row);
    json_put_string(im->report, why);
    buf_put_str(im->report, "}");
}

/* The member that `path` names: one with the whole name, or else one within the object that the part before a
 * dot names ("id.bioguide"). The scanner refused deeper records than the names can have parts. */
static bool find_path(struct json_value object, struct slice path, struct json_value *out)
{
    char name[65];
    if (path.n >= sizeof name)
        return false;
    snprintf(name, sizeof name, "%.*s", SLICE_ARG(path));
    if (json_find(object, name, out))
        return true;
    for (size_t i = 1; i + 1 < path.n; i++) {
        struct json_value inner;
        if (path.p[i] != '.')
            continue;
        snprintf(name, sizeof name, "%.*s", (int)i, (const char *)path.p);
        if (json_find(object, name, &inner) &&
            find_path(inner, slice_of(path.p + i + 1, path.n - i - 1), out))
            return true;
    }
    return false;
}

/* Decodes the subject's identifier out of a record; false with a reason. */
static bool subject_id_of(struct vault *v, struct json_value record, const char *field, struct slice *id)
{
    struct json_value value;
    struct buf text;
    if (!find_path(record, slice_str(field), &value) ||
        (value.type != JSON_STRING && value.type != JSON_NUMBER))
        return false;
    if (value.type == JSON_NUMBER) {
        *id = value.raw;
        return id->n <= SUBJECT_ID_BYTES_MAX;
    }
    if (value.raw.n - 2 > 6 * SUBJECT_ID_BYTES_MAX)
        return false;
    uint8_t *room = arena_alloc(&v->arena, value.raw.n);
    if (!room)
        return false;
    buf_init_secret(&text, value.raw.n);
    json_string_decode(value.raw, &text);
    memcpy(room, text.p ? text.p : room, text.n);
    *id = slice_of(room, text.n);
    buf_release(&text);
    return id->n > 0 && id->n <= SUBJECT_ID_BYTES_MAX;
}

static enum bourn_err import_row(struct import *im, const char *field, size_t row, struct slice line)
{
    struct plan *p = &im->plan;
    struct json_value json;
    struct buf why;
    const char *code;
    struct item *it = &p->items[p->items_n];
    size_t before = p->people_n;
    *it = (struct item){.row = row};
    if (json_check(line, &json) != BOURN_OK) {
        reject(im, row, slice_str(err_text()));
        return BOURN_OK;
    }
    if (json.raw.n > RECORD_BYTES_MAX) {
        reject(im, row, slice_str("the record is too large"));
        return BOURN_OK;
    }
    buf_init(&why, 1024);
    bool good = schema_check(p->q.collection, json, &why, &code);
    if (!good)
        reject(im, row, buf_slice(&why));
    buf_release(&why);
    if (!good)
        return BOURN_OK;
    if (!subject_id_of(p->v, json, field, &it->id)) {
        reject(im, row, slice_str("the subject's field is missing, empty or too long"));
        return BOURN_OK;
    }
    if (subject_id_opaque(it->id)) {
        reject(im, row, slice_str("an identifier of a person does not begin with ~"));
        return BOURN_OK;
    }
    it->json = json;
    enum bourn_err err = plan_person(p, it->id, &it->person);
    if (err)
        return err;
    if (p->people_n > before)
        im->ids[it->person] = it->id;
    p->items_n++;
    return BOURN_OK;
}

/* Rows that are there already are skipped; then those that the gate refuses. */
static enum bourn_err import_sort_out(struct import *im)
{
    struct plan *p = &im->plan;
    enum bourn_err err = plan_skip_equal(p);
    for (size_t i = 0; i < p->items_n && !err; i++) {
        struct item *it = &p->items[i];
        im->skipped += it->skip;
        if (p->people[it->person].allowed)
            continue;
        reject(im, it->row,
               slice_str("the gate refuses this write: the party lacks a basis, a right or the purpose"));
        it->skip = it->refused = im->refused = true;
    }
    return err;
}

static enum bourn_err import_refused(const struct plan *p)
{
    enum bourn_err err = BOURN_OK;
    for (size_t i = 0; i < p->items_n && !err; i++)
        if (p->items[i].refused)
            err = refused(p->v, p->people[p->items[i].person].asked, 1);
    return err;
}

static enum bourn_err import_store(struct import *im, struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct plan *p = &im->plan;
    for (size_t i = 0; i < p->people_n; i++) /* nobody is enrolled for rows that are refused or skipped */
        p->people[i].allowed = false;
    for (size_t i = 0; i < p->items_n; i++)
        if (!p->items[i].skip) {
            p->people[p->items[i].person].allowed = true;
            im->stored++;
        }
    if (!im->stored)
        return BOURN_OK;
    TRY(plan_enrol(p, im->ids));
    for (size_t i = 0; i < p->items_n; i++)
        if (!p->items[i].skip)
            TRY(plan_seal(p, &p->items[i]));
    err = plan_store(p, &a->receipt);
out:
    return err;
}

enum bourn_err handle_import(struct vault *v, const struct request *r, const struct gate_party *party,
                             struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct import im = {0};
    struct buf report;
    char field[65] = "";
    size_t lines = 0, row = 0;
    for (const uint8_t *at = r->body.p, *stop = at + r->body.n; at < stop && lines <= IMPORT_BATCH_ROWS_MAX;
         lines++) {
        at = memchr(at, '\n', (size_t)(stop - at));
        if (!at)
            break;
        at++;
    }
    if (lines == 0 || lines > IMPORT_BATCH_ROWS_MAX || r->body.p[r->body.n - 1] != '\n' ||
        !name_valid(r->path)) {
        answer_problem(a, 400, "batch_malformed",
                       "a batch is 1 to %u lines, each ended, and names the subject's field",
                       IMPORT_BATCH_ROWS_MAX);
        return BOURN_OK;
    }
    memcpy(field, r->path.p, r->path.n);
    buf_init(&report, REPLY_BYTES_MAX / 2);
    TRY(plan_init(&im.plan, v, lines, r->body.n));
    im.report = &report;
    im.plan.q = (struct asked){.party = party, .operation = OP_WRITE, .purpose = r->purpose};
    im.ids = calloc(lines + 1, sizeof *im.ids);
    if (!im.ids) {
        err = err_set(BOURN_E_MEMORY, "out of memory for an import");
        goto done;
    }
    if (!plan_collection(&im.plan, r, a)) {
        err = BOURN_OK;
        goto done;
    }
    /* A party that may write for nobody is told so once, not row by row. */
    struct asked probe = im.plan.q;
    decide(v, &probe, NULL);
    if (probe.out.verdict != GATE_ALLOW && probe.out.code != GATE_BASIS_MISSING) {
        err = refuse(v, &probe, a);
        goto done;
    }
    const uint8_t *p = r->body.p, *end = p + r->body.n;
    while (p < end) {
        const uint8_t *stop = memchr(p, '\n', (size_t)(end - p));
        err = import_row(&im, field, row++, slice_of(p, (size_t)(stop - p)));
        if (err)
            goto done;
        p = stop + 1;
    }
    err = plan_decide(&im.plan);
    if (err == BOURN_OK)
        err = import_sort_out(&im);
    if (err == BOURN_OK)
        err = import_store(&im, a);
    if (err == BOURN_OK)
        err = import_refused(&im.plan);
    if (err)
        goto done;
    if (im.refused)
        answer_hold(a, im.plan.people_n);
    answer_json(a, 200);
    buf_printf(&a->body, "{\"stored\":%zu,\"skipped\":%zu,\"rejected\":[", im.stored, im.skipped);
    buf_put_slice(&a->body, buf_slice(&report));
    buf_put_str(&a->body, "]}");
    err = buf_check(&report);
done:
    plan_release(&im.plan);
    free(im.ids);
out:
    buf_release(&report);
    return err;
}
