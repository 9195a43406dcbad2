/* The limits of bourn, without the one that hides by time who exists: what tests/e2e/test_timing.py must
 * find. */
#pragma GCC system_header /* include_next is no part of the standard */
#ifndef BOURN_UNHELD_LIMITS_H
#define BOURN_UNHELD_LIMITS_H

#include_next "base/limits.h"

#undef HOLD_US
#define HOLD_US 0

#endif
