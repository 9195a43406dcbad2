#include "vectors.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void parse(char *line, struct vector *v)
{
    char *save, *what = strtok_r(line, " \n", &save), *name = strtok_r(NULL, " \n", &save),
                *hex = strtok_r(NULL, " \n", &save), *reason = strtok_r(NULL, "\n", &save);
    assert_non_null(hex);
    assert_int_equal(strncmp(what, "bad-", 4) == 0, reason != NULL);
    snprintf(v->what, sizeof v->what, "%s", what);
    snprintf(v->name, sizeof v->name, "%s", name);
    snprintf(v->reason, sizeof v->reason, "%s", reason ? reason : "");
    size_t n = strlen(hex) / 2;
    uint8_t *p = malloc(n + 1);
    assert_non_null(p);
    assert_true(hex_get(slice_str(hex), p, n));
    v->bytes = slice_of(p, n);
}

struct vector *vectors_load(const char *path, size_t *n)
{
    enum { MOST = 512 };
    struct vector *v = calloc(MOST, sizeof *v);
    char name[4096], *line = NULL;
    size_t size = 0;
    bool document = strstr(path, ".md"), inside = !document;
    assert_non_null(getenv("BOURN_SOURCE"));
    snprintf(name, sizeof name, "%s/%s", getenv("BOURN_SOURCE"), path);
    FILE *f = fopen(name, "r");
    assert_non_null(f);
    *n = 0;
    while (getline(&line, &size, f) > 0) {
        if (document && strncmp(line, "```", 3) == 0)
            inside = !inside && strcmp(line, "```vectors\n") == 0;
        else if (inside && line[0] != '#' && line[0] != '\n' && *n < MOST)
            parse(line, &v[(*n)++]);
    }
    free(line);
    fclose(f);
    assert_in_range(*n, 1, MOST - 1);
    return v;
}

void vectors_free(struct vector *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((void *)(uintptr_t)v[i].bytes.p);
    free(v);
}
