#include "pack/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

#include "base/text.h"

enum { DEPTH_MAX = 24, NODES_MAX = 20000, SHOWN_BYTES_MAX = 60 };

struct parse {
    yaml_parser_t parser;
    struct arena *arena;
    size_t nodes;
};

enum bourn_err tree_error(const struct node *n, const char *fmt, ...)
{
    char why[400];
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return err_set(BOURN_E_FORMAT, "line %u, column %u: %s", n->line, n->column, len < 0 ? "" : why);
}

static enum bourn_err error_at(yaml_mark_t mark, const char *why)
{
    return err_set(BOURN_E_FORMAT, "line %zu, column %zu: %s", mark.line + 1, mark.column + 1, why);
}

static enum bourn_err next_event(struct parse *p, yaml_event_t *ev)
{
    if (yaml_parser_parse(&p->parser, ev))
        return BOURN_OK;
    if (p->parser.error == YAML_MEMORY_ERROR)
        return err_set(BOURN_E_MEMORY, "YAML: out of memory");
    yaml_mark_t mark = p->parser.problem_mark;
    return error_at(mark, p->parser.problem ? p->parser.problem : "no YAML");
}

static const char *refusal(const yaml_event_t *ev)
{
    switch (ev->type) {
    case YAML_ALIAS_EVENT:
        return "an alias (*name): packs have none, write the value out";
    case YAML_SCALAR_EVENT:
        return ev->data.scalar.anchor ? "an anchor (&name): packs have none"
               : ev->data.scalar.tag  ? "a tag (!name): packs have none"
                                      : NULL;
    case YAML_SEQUENCE_START_EVENT:
        return ev->data.sequence_start.anchor || ev->data.sequence_start.tag
                   ? "an anchor or a tag: packs have none"
                   : NULL;
    case YAML_MAPPING_START_EVENT:
        return ev->data.mapping_start.anchor || ev->data.mapping_start.tag
                   ? "an anchor or a tag: packs have none"
                   : NULL;
    default:
        return NULL;
    }
}

static enum bourn_err new_node(struct parse *p, const yaml_event_t *ev, struct node **out)
{
    const char *why = refusal(ev);
    if (why)
        return error_at(ev->start_mark, why);
    if (++p->nodes > NODES_MAX)
        return error_at(ev->start_mark, "too many values");
    struct node *n = *out = arena_alloc(p->arena, sizeof *n);
    if (!n)
        return err_set(BOURN_E_MEMORY, "YAML: out of memory");
    n->line = (unsigned)ev->start_mark.line + 1;
    n->column = (unsigned)ev->start_mark.column + 1;
    n->type = ev->type == YAML_SCALAR_EVENT          ? NODE_SCALAR
              : ev->type == YAML_MAPPING_START_EVENT ? NODE_MAP
                                                     : NODE_LIST;
    if (ev->type != YAML_SCALAR_EVENT)
        return BOURN_OK;
    n->text = arena_copy(p->arena, slice_of(ev->data.scalar.value, ev->data.scalar.length));
    n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return n->text.p ? BOURN_OK : err_set(BOURN_E_MEMORY, "YAML: out of memory");
}

static enum bourn_err parse_node(struct parse *p, const yaml_event_t *ev, unsigned depth, struct node **out);

static enum bourn_err take_key(struct parse *p, const yaml_event_t *ev, const struct node *map,
                               struct node *key)
{
    if (ev->type != YAML_SCALAR_EVENT)
        return error_at(ev->start_mark, "a key must be a word");
    struct node *n;
    enum bourn_err err = new_node(p, ev, &n);
    if (err != BOURN_OK)
        return err;
    *key = *n;
    for (const struct node *c = map->first; c; c = c->next)
        if (slice_eq(c->key, key->text))
            return tree_error(key, "the key %.*s stands twice, first in line %u; keep one",
                              SLICE_ARG(tree_shown(key)), c->key_line);
    return BOURN_OK;
}

static enum bourn_err parse_children(struct parse *p, struct node *n, unsigned depth)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct node **tail = &n->first;
    yaml_event_t ev = {0};
    for (;;) {
        struct node key = {0};
        TRY(next_event(p, &ev));
        if (ev.type == YAML_SEQUENCE_END_EVENT || ev.type == YAML_MAPPING_END_EVENT)
            break;
        if (n->type == NODE_MAP) {
            TRY(take_key(p, &ev, n, &key));
            yaml_event_delete(&ev);
            TRY(next_event(p, &ev));
        }
        struct node *child = NULL;
        TRY(parse_node(p, &ev, depth + 1, &child));
        yaml_event_delete(&ev);
        child->key = key.text;
        child->key_line = key.line;
        child->key_column = key.column;
        *tail = child;
        tail = &child->next;
    }
    err = BOURN_OK;
out:
    yaml_event_delete(&ev);
    return err;
}

static enum bourn_err parse_node(struct parse *p, const yaml_event_t *ev, unsigned depth, struct node **out)
{
    enum bourn_err err =
        depth > DEPTH_MAX ? error_at(ev->start_mark, "nested too deeply") : new_node(p, ev, out);
    if (err != BOURN_OK || (*out)->type == NODE_SCALAR)
        return err;
    return parse_children(p, *out, depth);
}

/* Takes one event of a type, which is dropped. */
static enum bourn_err expect(struct parse *p, yaml_event_type_t type, const char *why)
{
    yaml_event_t ev = {0};
    enum bourn_err err = next_event(p, &ev);
    if (err == BOURN_OK && ev.type != type)
        err = error_at(ev.start_mark, why);
    yaml_event_delete(&ev);
    return err;
}

enum bourn_err tree_parse(struct slice yaml, struct arena *a, struct node **root)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct parse p = {.arena = a};
    yaml_event_t ev = {0};
    *root = NULL;
    if (!utf8_valid(yaml))
        return err_set(BOURN_E_FORMAT, "line 1, column 1: the text is not UTF-8");
    if (!yaml_parser_initialize(&p.parser))
        return err_set(BOURN_E_MEMORY, "YAML: out of memory");
    yaml_parser_set_encoding(&p.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p.parser, yaml.p ? yaml.p : (const unsigned char *)"", yaml.n);
    TRY(expect(&p, YAML_STREAM_START_EVENT, "no YAML"));
    TRY(expect(&p, YAML_DOCUMENT_START_EVENT, "the file is empty"));
    TRY(next_event(&p, &ev));
    TRY(parse_node(&p, &ev, 1, root));
    TRY(expect(&p, YAML_DOCUMENT_END_EVENT, "the document does not end here"));
    TRY(expect(&p, YAML_STREAM_END_EVENT, "a second document: one file is one pack"));
out:
    yaml_event_delete(&ev);
    yaml_parser_delete(&p.parser);
    return err;
}

const struct node *tree_get(const struct node *map, const char *key)
{
    for (const struct node *c = map->type == NODE_MAP ? map->first : NULL; c; c = c->next)
        if (slice_is(c->key, key))
            return c;
    return NULL;
}

size_t tree_count(const struct node *n)
{
    size_t count = 0;
    for (const struct node *c = n->first; c; c = c->next)
        count++;
    return count;
}

bool tree_is_null(const struct node *n)
{
    return n->type == NODE_SCALAR && !n->quoted &&
           (n->text.n == 0 || slice_is(n->text, "null") || slice_is(n->text, "~"));
}

struct slice tree_shown(const struct node *n)
{
    struct slice s = n->type == NODE_SCALAR ? n->text : slice_str(n->type == NODE_MAP ? "a map" : "a list");
    for (size_t i = 0; i < s.n && i < SHOWN_BYTES_MAX; i++)
        if (s.p[i] < ' ' || s.p[i] > '~')
            return slice_of(s.p, i);
    return slice_of(s.p, s.n < SHOWN_BYTES_MAX ? s.n : SHOWN_BYTES_MAX);
}

enum bourn_err tree_check_keys(const struct node *map, const char *where, const char *const *known)
{
    if (map->type != NODE_MAP)
        return tree_error(map, "%s must be a map of keys and values", where);
    for (const struct node *c = map->first; c; c = c->next) {
        size_t i = 0;
        while (known[i] && !slice_is(c->key, known[i]))
            i++;
        if (known[i])
            continue;
        char words[300] = "";
        for (i = 0; known[i]; i++) {
            size_t used = strlen(words);
            snprintf(words + used, sizeof words - used, "%s%s", i ? ", " : "", known[i]);
        }
        struct node key = {.line = c->key_line, .column = c->key_column, .text = c->key};
        return tree_error(&key, "%.*s is no word of %s; it takes: %s", SLICE_ARG(tree_shown(&key)), where,
                          words);
    }
    return BOURN_OK;
}

enum bourn_err tree_bool(const struct node *n, bool *out)
{
    *out = slice_is(n->text, "true");
    if (n->type == NODE_SCALAR && !n->quoted && (*out || slice_is(n->text, "false")))
        return BOURN_OK;
    return tree_error(n, "write true or false");
}

enum bourn_err tree_number(const struct node *n, uint64_t *out)
{
    if (n->type == NODE_SCALAR && !n->quoted && decimal_get(n->text, out) && *out > 0 && *out >> 53 == 0)
        return BOURN_OK;
    return tree_error(n, "write a whole number from 1");
}

enum bourn_err tree_time(const struct node *n, uint64_t *out)
{
    if (n->type == NODE_SCALAR && time_or_date_get(n->text, out))
        return BOURN_OK;
    return tree_error(n, "write a day (2026-01-31) or a time in UTC (2026-01-31T12:00:00Z), from 1970");
}

enum bourn_err tree_text(const struct node *n, bool (*valid)(struct slice), const char *what,
                         struct slice *out)
{
    *out = n->text;
    if (n->type == NODE_SCALAR && valid(n->text))
        return BOURN_OK;
    return tree_error(n, "\"%.*s\" stands where %s is needed", SLICE_ARG(tree_shown(n)), what);
}
