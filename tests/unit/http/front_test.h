#ifndef BOURN_TESTS_FRONT_TEST_H
#define BOURN_TESTS_FRONT_TEST_H

/* front_break_test.c: clients and vaults that misbehave. */
void test_too_large(void **state);
void test_hang_ups(void **state);
void test_garbage(void **state);
void test_smuggling(void **state);
void test_many_connections(void **state);
void test_silent_vault(void **state);
void test_waiting(void **state);
void test_import_in_chunks(void **state);
void test_broken_vault(void **state);
void test_drain(void **state);
void test_stop_with_silent_vault(void **state);
void test_pieces(void **state);

#endif
