#ifndef BOURN_TESTS_ROLE_TEST_H
#define BOURN_TESTS_ROLE_TEST_H

/* A folder with what signer reads; removed at the end. */
extern char cell[64];

void test_signer_signs_what_extends(void **state);
void test_signer_stops_on_anything_else(void **state);
void test_signer_signs_receipts_of_its_head(void **state);
void test_signer_signs_events_of_its_head(void **state);
void test_signer_start(void **state);

#endif
