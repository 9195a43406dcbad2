/* What clients knew at a moment of a trace. */
#include "check.h"

#include <string.h>

static void learn(struct known *k, const struct story *s)
{
    if (!s->told) {
        k->asked = *s;
        return;
    }
    k->told = *s;
    if (k->asked.request == s->request)
        k->asked.request = 0;
}

/* Clients began anew: what was made up and not handed in never will be. What was handed in was answered. */
static void forget_asked(struct expectation *out)
{
    out->schema_asked.request = 0;
    for (size_t i = 0; i < PEOPLE; i++)
        out->people[i].asked.request = out->codes[i].asked.request = out->copies[i].asked.request = 0;
    for (size_t i = 0; i < PARTIES; i++)
        out->parties[i].asked.request = 0;
}

static void take(struct expectation *out, const struct story *s)
{
    switch ((enum story_kind)s->kind) {
    case STORY_PERSON:
        learn(&out->people[s->number], s);
        if (s->told && s->once.op)
            out->once[out->onces_n++ % ONCES] = *s;
        break;
    case STORY_PARTY:
        learn(&out->parties[s->number], s);
        break;
    case STORY_COPY:
        learn(&out->copies[s->number], s);
        break;
    case STORY_CODE:
        learn(&out->codes[s->number], s);
        break;
    case STORY_SCHEMA:
        if (s->told)
            out->schema[out->schemas++] = s->size;
        out->schema_asked = *s;
        out->schema_asked.request = s->told ? 0 : s->request;
        break;
    case STORY_HEAD:
        out->heads[out->heads_n++ % HEADS] = *s;
        break;
    case STORY_READY:
        out->ready = true;
        break;
    case STORY_START:
        forget_asked(out);
        break;
    case STORY_ANSWER:
    case STORY_CLOCK:
        break;
    }
    if (s->now > out->now)
        out->now = s->now;
    if (s->told && s->receipt != UINT64_MAX && out->receipts_n < RECEIPTS) {
        out->receipts[out->receipts_n].index = s->receipt;
        out->receipts[out->receipts_n].copy = s->copy;
        out->receipts[out->receipts_n++].records = s->plaintext;
    }
    if (s->told && s->slot != UINT64_MAX && out->erased_n < ERASED)
        out->erased[out->erased_n++] = s->slot;
}

void expect(const struct disk *d, size_t k, uint64_t seed, struct expectation *out)
{
    struct story s;
    memset(out, 0, sizeof *out);
    out->seed = seed;
    for (size_t i = 0; i < k; i++) {
        const struct trace_event *e = disk_event(d, i);
        if (e->type != TRACE_MARK)
            continue;
        memcpy(&s, e->rest, sizeof s);
        take(out, &s);
    }
}
