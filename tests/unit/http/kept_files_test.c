/* The files that front keeps: found again, bounded in number and bytes, the least wanted dropped first. */
#include "base/limits.h"
#include "role/kept_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t hash[API_ETAG_BYTES] = "0123456789abcde";
static uint8_t big[FILE_KEPT_BYTES_MAX + 1];

static struct kept_file *put(struct kept_files *k, unsigned n, size_t size)
{
    char path[32];
    snprintf(path, sizeof path, "tile/0/%u", n);
    return kept_files_put(k, slice_str(path), slice_of(big, size), hash);
}

static struct kept_file *find(struct kept_files *k, unsigned n)
{
    char path[32];
    snprintf(path, sizeof path, "tile/0/%u", n);
    return kept_files_get(k, slice_str(path));
}

static void found_again(void **state)
{
    (void)state;
    struct kept_files *k;
    assert_int_equal(kept_files_new(&k), BOURN_OK);
    assert_null(find(k, 1));
    struct kept_file *f = put(k, 1, 100);
    assert_non_null(f);
    assert_null(put(k, 1, 100)); /* it is there */
    assert_ptr_equal(find(k, 1), f);
    assert_int_equal(f->n, 100);
    assert_memory_equal(f->bytes, big, 100);
    assert_memory_equal(f->hash, hash, sizeof hash);
    assert_null(kept_files_get(k, slice_str("tile/0/")));
    assert_null(kept_files_get(k, slice_str("tile/0/11")));
    kept_files_put_gzip(k, f, slice_str("abc"));
    kept_files_put_gzip(k, f, slice_str("defg")); /* the first stays */
    assert_int_equal(f->gzip_n, 3);
    assert_memory_equal(f->gzip, "abc", 3);
    assert_int_equal(kept_files_bytes(k), 103);
    kept_files_free(k);
}

static void edges(void **state)
{
    (void)state;
    struct kept_files *k;
    assert_int_equal(kept_files_new(&k), BOURN_OK);
    assert_null(put(k, 0, 0));
    assert_null(put(k, 0, FILE_KEPT_BYTES_MAX + 1));
    assert_non_null(put(k, 0, FILE_KEPT_BYTES_MAX));
    for (unsigned i = 1; i < 100; i++) {
        assert_non_null(put(k, i, FILE_KEPT_BYTES_MAX));
        assert_true(kept_files_bytes(k) <= FILES_KEPT_BYTES_MAX);
    }
    assert_true(kept_files_bytes(k) > FILES_KEPT_BYTES_MAX - FILE_KEPT_BYTES_MAX);
    struct kept_file *f = find(k, 99);
    kept_files_put_gzip(k, f, slice_of(big, FILE_KEPT_BYTES_MAX)); /* room is made, but not out of f itself */
    assert_ptr_equal(find(k, 99), f);
    assert_int_equal(f->gzip_n, FILE_KEPT_BYTES_MAX);
    assert_true(kept_files_bytes(k) <= FILES_KEPT_BYTES_MAX);
    kept_files_free(k);
}

/* Small files are bounded by their number; one that is asked for all the time stays. */
static void wanted_ones_stay(void **state)
{
    (void)state;
    struct kept_files *k;
    unsigned left = 0;
    assert_int_equal(kept_files_new(&k), BOURN_OK);
    put(k, 7, 1);
    for (unsigned i = 1000; i < 1000 + 4 * FILES_KEPT_MAX; i++) {
        assert_non_null(put(k, i, 1));
        assert_non_null(find(k, 7));
    }
    for (unsigned i = 1000; i < 1000 + 4 * FILES_KEPT_MAX; i++)
        left += find(k, i) != NULL;
    assert_true(left < FILES_KEPT_MAX && left > FILES_KEPT_MAX / 2);
    assert_int_equal(kept_files_bytes(k), left + 1);
    kept_files_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_again),
        cmocka_unit_test(edges),
        cmocka_unit_test(wanted_ones_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
