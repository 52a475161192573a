#ifndef QUANTRY_TESTS_FUZZ_MUTATE_JSON_H_
#define QUANTRY_TESTS_FUZZ_MUTATE_JSON_H_

#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace quantry {

// The JSON text with a few values, keys or elements changed, added or removed; now and then changed
// as bytes. `words` are keys and values that the reader knows. Text that is no JSON is changed as
// bytes only.
std::string MutateJson(const std::string& text, const std::vector<std::string>& words,
                       FuzzRng& rng);

}  // namespace quantry

#endif  // QUANTRY_TESTS_FUZZ_MUTATE_JSON_H_
