#ifndef QUANTRY_COMMON_QUANT_CONFIG_HELP_H_
#define QUANTRY_COMMON_QUANT_CONFIG_HELP_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/quant_values.h"

namespace quantry {

// What people are told of one key of quant_config: by `quantry explain` and by
// docs/quant_config.md, in the same words.
struct QuantKeyHelp {
  std::string name;                // "weight_bits"; of an override: "overrides.weight_bits"
  std::string meaning;             // a sentence
  std::string allowed;             // "whole numbers from 2 to 16"; with values: in full
  std::string default_json;        // "8"; of an override's key: "" (left out: as the rest)
  std::string effect;              // sentences
  std::vector<QuantValue> values;  // of keys whose values are names
};

// All keys in the order of the table, each override's key after "overrides".
std::vector<QuantKeyHelp> QuantConfigHelp();

// The help of one key. NOT_FOUND names the nearest.
absl::StatusOr<QuantKeyHelp> FindQuantKeyHelp(absl::string_view name);

// Options of a job that are no keys of quant_config but belong to quantization.
struct QuantRelatedOption {
  absl::string_view name;  // as `quantry submit --set` takes it
  absl::string_view meaning;
};
absl::Span<const QuantRelatedOption> QuantRelatedOptions();

// The text in lines of at most `width` bytes, broken at spaces; a longer word stays whole.
std::vector<std::string> WrapText(absl::string_view text, size_t width);

}  // namespace quantry

#endif  // QUANTRY_COMMON_QUANT_CONFIG_HELP_H_
