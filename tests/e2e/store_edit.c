/* store-edit FOLDER: changes rows of a cell's store behind bourn's back, while the cell is down. Commands on
 * standard input, a line each, in one transaction; keys and values are hex: dump SPACE            prints "KEY
 * VALUE" of every row put SPACE KEY VALUE del SPACE KEY Exit 0: done; 1: not, and nothing was changed. */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes in place; a missing word is an empty value. */
static int bytes(char *hex, MDB_val *out)
{
    size_t n = hex ? strlen(hex) : 0;
    out->mv_size = n / 2;
    out->mv_data = hex;
    for (size_t i = 0; i < n / 2; i++) {
        int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return -1;
        hex[i] = (char)(high << 4 | low);
    }
    return n % 2 ? -1 : 0;
}

static void print(const MDB_val *v)
{
    for (size_t i = 0; i < v->mv_size; i++)
        printf("%02x", ((const unsigned char *)v->mv_data)[i]);
}

static int dump(MDB_txn *txn, MDB_dbi dbi)
{
    MDB_cursor *c;
    MDB_val key, value;
    int rc = mdb_cursor_open(txn, dbi, &c);
    if (rc)
        return rc;
    while ((rc = mdb_cursor_get(c, &key, &value, MDB_NEXT)) == 0) {
        print(&key);
        putchar(' ');
        print(&value);
        putchar('\n');
    }
    mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int command(MDB_txn *txn, char *line)
{
    MDB_dbi dbi;
    MDB_val key, value;
    const char *what = strtok(line, " \n"), *space = strtok(NULL, " \n");
    char *key_hex = strtok(NULL, " \n"), *value_hex = strtok(NULL, " \n");
    if (!what || !space)
        return 0;
    int rc = mdb_dbi_open(txn, space, 0, &dbi);
    if (rc)
        return rc;
    if (strcmp(what, "dump") == 0)
        return dump(txn, dbi);
    if (bytes(key_hex, &key) != 0 || bytes(value_hex, &value) != 0)
        return -1;
    return strcmp(what, "put") == 0   ? mdb_put(txn, dbi, &key, &value, 0)
           : strcmp(what, "del") == 0 ? mdb_del(txn, dbi, &key, NULL)
                                      : -1;
}

int main(int argc, char **argv)
{
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    char *line = NULL;
    size_t room = 0;
    int rc = argc == 2 ? mdb_env_create(&env) : -1;
    if (!rc)
        rc = mdb_env_set_mapsize(env, (size_t)1 << 33);
    if (!rc)
        rc = mdb_env_set_maxdbs(env, 64);
    if (!rc)
        rc = mdb_env_open(env, argv[1], 0, 0600);
    if (!rc)
        rc = mdb_txn_begin(env, NULL, 0, &txn);
    while (!rc && getline(&line, &room, stdin) > 0)
        rc = command(txn, line);
    if (!rc)
        rc = mdb_txn_commit(txn);
    else if (txn)
        mdb_txn_abort(txn);
    if (rc)
        fprintf(stderr, "store-edit: %s\n", rc == -1 ? "usage" : mdb_strerror(rc));
    free(line);
    if (env)
        mdb_env_close(env);
    return rc ? 1 : 0;
}
