#ifndef QUANTRY_TESTS_FUZZ_MUTATE_MESSAGE_H_
#define QUANTRY_TESTS_FUZZ_MUTATE_MESSAGE_H_

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace quantry {

// One change somewhere in the message: a field set to a hostile value or to a string of `words` or
// of the message itself, or cleared; an element of a list removed, doubled or moved.
void MutateMessage(google::protobuf::Message& message, const std::vector<std::string>& words,
                   FuzzRng& rng);

}  // namespace quantry

#endif  // QUANTRY_TESTS_FUZZ_MUTATE_MESSAGE_H_
