#ifndef QUANTRY_COMMON_QUANT_VALUES_H_
#define QUANTRY_COMMON_QUANT_VALUES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace quantry {

// One name that a key of quant_config may have as its value, and what it stands for.
struct QuantValue {
  absl::string_view name;
  absl::string_view meaning;
};

// The names of each key, in the order in which messages and documents list them. A new value is a
// line here (and what it does is a line in the engine's tables).
namespace quant_values {
absl::Span<const QuantValue> Preprocessors();
absl::Span<const QuantValue> WeightQuantizers();
absl::Span<const QuantValue> ActivationQuantizers();
absl::Span<const QuantValue> WeightDtypes();
absl::Span<const QuantValue> ActivationDtypes();
absl::Span<const QuantValue> LayerTypes();
absl::Span<const QuantValue> Profiles();
absl::Span<const QuantValue> Calibrators();
absl::Span<const QuantValue> PactSettings();
}  // namespace quant_values

// Whether layers of this type have a weight that is quantized.
bool LayerTypeHasWeight(absl::string_view layer_type);

std::vector<absl::string_view> NamesOf(absl::Span<const QuantValue> values);

// "\"a\", \"b\"".
std::string Quoted(absl::Span<const absl::string_view> names);

}  // namespace quantry

#endif  // QUANTRY_COMMON_QUANT_VALUES_H_
