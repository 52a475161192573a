#ifndef QUANTRY_TESTS_FUZZ_MUTATE_BYTES_H_
#define QUANTRY_TESTS_FUZZ_MUTATE_BYTES_H_

#include <string>

#include "tests/fuzz/fuzz.h"

namespace quantry {

// One to four changes: a bit, a byte (often an extreme one), a piece cut out, doubled or moved, the
// end cut off.
std::string MutateBytes(std::string content, FuzzRng& rng);

}  // namespace quantry

#endif  // QUANTRY_TESTS_FUZZ_MUTATE_BYTES_H_
