/* The tests of a peer that breaks the rules, in a file of their own. */
#ifndef BOURN_TESTS_RING_TEST_H
#define BOURN_TESTS_RING_TEST_H

void test_hostile_head(void **state);
void test_hostile_tail(void **state);
void test_hostile_frames(void **state);
void test_hostile_noise(void **state);

#endif
