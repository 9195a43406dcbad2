/* What the operator's monitoring reads: counts and sizes, nothing about a person, a party or a token. The
 * names stand in docs/METRICS.md. */
#include "vault/internal.h"

#include "base/clock.h"

static const struct {
    const char *text; /* seconds */
    uint64_t us;
} buckets[METRICS_BUCKETS] = {
    {"0.0005", 500}, {"0.001", 1000}, {"0.0025", 2500}, {"0.005", 5000}, {"0.01", 10000}, {"0.025", 25000},
    {"0.05", 50000}, {"0.1", 100000}, {"0.25", 250000}, {"0.5", 500000}, {"1", 1000000},  {"2.5", 2500000},
};

void metrics_answer(struct vault *v, const struct answer *a)
{
    unsigned class = a->status / 100;
    v->metrics.answers[a->op][class < METRICS_CLASSES ? class : 0]++;
}

void metrics_commit(struct vault *v, uint64_t us)
{
    size_t i = 0;
    while (i < METRICS_BUCKETS && us > buckets[i].us)
        i++;
    v->metrics.batches++;
    v->metrics.commits[i]++;
    v->metrics.commit_us += us;
}

void metrics_published(struct vault *v, uint64_t signed_size)
{
    if (signed_size == v->metrics.signed_size)
        return;
    v->metrics.signed_size = signed_size;
    v->metrics.signed_ms = clock_mono_ms();
}

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP bourn_%s %s\n# TYPE bourn_%s %s\n", name, help, name, type);
}

static void one(struct buf *b, const char *name, const char *type, const char *help, uint64_t value)
{
    head(b, name, type, help);
    buf_printf(b, "bourn_%s %llu\n", name, (unsigned long long)value);
}

static void put_answers(struct buf *b, const struct metrics *m)
{
    head(b, "requests_total", "counter", "Answers by operation and class of the status.");
    for (uint32_t op = 1; op <= REQ_OP_MAX; op++)
        for (unsigned i = 0; i < METRICS_CLASSES; i++)
            if (m->answers[op][i])
                buf_printf(b, "bourn_requests_total{operation=\"%s\",class=\"%uxx\"} %llu\n",
                           request_op_name(op), i, (unsigned long long)m->answers[op][i]);
}

static void put_commits(struct buf *b, const struct metrics *m)
{
    uint64_t sum = 0;
    head(b, "commit_seconds", "histogram", "Time to make a batch durable: the journal's write and sync.");
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        sum += m->commits[i];
        buf_printf(b, "bourn_commit_seconds_bucket{le=\"%s\"} %llu\n", buckets[i].text,
                   (unsigned long long)sum);
    }
    sum += m->commits[METRICS_BUCKETS];
    buf_printf(b, "bourn_commit_seconds_bucket{le=\"+Inf\"} %llu\n", (unsigned long long)sum);
    buf_printf(b, "bourn_commit_seconds_sum %llu.%06llu\nbourn_commit_seconds_count %llu\n",
               (unsigned long long)(m->commit_us / 1000000), (unsigned long long)(m->commit_us % 1000000),
               (unsigned long long)sum);
}

static uint64_t waiting(const struct vault *v)
{
    uint64_t n = 0;
    for (const struct answer *a = v->waiting; a; a = a->next)
        n++;
    return n;
}

enum bourn_err handle_metrics(struct vault *v, const struct request *r, const struct gate_party *p,
                              struct answer *a)
{
    const struct metrics *m = &v->metrics;
    struct buf *b = &a->body;
    struct worker_state ws;
    (void)r;
    (void)p;
    worker_state(v->worker, &ws);
    metrics_published(v, ws.signed_size);
    put_answers(b, m);
    one(b, "disclosures_total", "counter", "Disclosures in the ledger, ever.", v->disclosures);
    one(b, "refusals_total", "counter", "Refusals by the gate since the start.", v->refusals_counted);
    one(b, "batches_total", "counter", "Batches made durable since the start.", m->batches);
    one(b, "refused_batches_total", "counter", "Batches rolled back and refused since the start.",
        m->refused_batches);
    put_commits(b, m);
    one(b, "entries", "gauge", "Entries of the ledger.", v->next_index);
    one(b, "signed_entries", "gauge", "Entries under the last published checkpoint.", ws.signed_size);
    head(b, "checkpoint_age_seconds", "gauge",
         "Since the last checkpoint was published; 0 while it covers every entry.");
    uint64_t age = ws.signed_size >= v->next_index ? 0 : v->now_ms - m->signed_ms;
    buf_printf(b, "bourn_checkpoint_age_seconds %llu.%03llu\n", (unsigned long long)(age / 1000),
               (unsigned long long)(age % 1000));
    one(b, "waiting_answers", "gauge", "Answers that wait for a checkpoint over their entry.", waiting(v));
    one(b, "backlog_bytes", "gauge", "Durable entries and rows that wait for their files.", ws.backlog_bytes);
    one(b, "journal_free_bytes", "gauge", "Room in the journal; disclosures stop when it runs out.",
        journal_free_bytes(v->journal, false));
    one(b, "people", "gauge", "People in the cell.", prev_living(v->prev));
    one(b, "records", "gauge", "Records in the cell.", records_count(v));
    one(b, "erased_rows_pending", "gauge", "People erased whose sealed records are still to be deleted.",
        store_count(v->store, STORE_SWEEP));
    one(b, "disclosing", "gauge", "1 while the cell has room to disclose and store, and witnesses keep up.",
        v->now_ms >= v->full_until_ms && !witnesses_late(v) && vault_asked(v));
    witnesses_metrics(v, b);
    webhooks_metrics(v, b);
    a->status = 200;
    a->code = "";
    a->type = REPLY_TEXT;
    return buf_check(b);
}
