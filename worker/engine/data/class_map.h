#ifndef QUANTRY_WORKER_ENGINE_DATA_CLASS_MAP_H_
#define QUANTRY_WORKER_ENGINE_DATA_CLASS_MAP_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/data/path_policy.h"

namespace quantry::engine {

// Which label each name that the data uses stands for.
struct ClassMap {
  std::vector<std::string> titles;                      // by label: what people call the class
  std::map<std::string, int64_t, std::less<>> labels;  // by the data's name; several may share one
};

// Reads a class map, a text file in one of two forms, told apart by its first line:
//   NAME,LABEL or NAME,LABEL,TITLE   CSV; labels count from 0 without a gap, in any order; names
//                                    that share a label are one class. TITLE, which one of them at
//                                    most needs to have, is by default the first such name
//   NAME TITLE...                    the order file of ImageNet (synset_words.txt): the label is the
//                                    line's number, from 0, the title the rest of the line or NAME
// Empty lines are passed over. A title that an earlier label has gets the name behind it, in
// parentheses. INVALID_ARGUMENT, naming file and line: a name twice, a label that is no whole
// number up to 1,000,000 or that is left out, two titles for one label, no lines.
absl::StatusOr<ClassMap> ReadClassMap(const std::string& path, const PathPolicy& policy);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_CLASS_MAP_H_
