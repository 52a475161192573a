#include "worker/engine/script_export/source_call.h"

#include <ATen/ATen.h>

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "worker/engine/ops/arguments.h"

namespace quantry::engine {
namespace {

absl::Status Computed(size_t i) {
  return absl::UnimplementedError(absl::StrCat(
      "input ", i, " is computed while the model runs, which is not written to TorchScript"));
}

absl::Status Unusual(absl::string_view attribute, absl::string_view value,
                     absl::string_view usual) {
  return absl::UnimplementedError(absl::StrCat("attribute '", attribute, "' is ", value, "; only ",
                                               usual, " is written to TorchScript"));
}

}  // namespace

std::string SourceCall::Inputs() const {
  std::vector<std::string> inputs;
  for (size_t i = 0; i < size(); ++i) inputs.push_back(Input(i));
  return absl::StrCat("[", absl::StrJoin(inputs, ", "), "]");
}

absl::StatusOr<std::vector<int64_t>> SourceCall::Ints(size_t i) const {
  const Value* value = node_.input(i);
  if (value == nullptr || !value->is_initializer()) return Computed(i);
  return IntsOf(value->tensor());
}

absl::StatusOr<double> SourceCall::Number(size_t i) const {
  const Value* value = node_.input(i);
  if (value == nullptr || !value->is_initializer() || value->tensor().numel() != 1) {
    return Computed(i);
  }
  return value->tensor().item<double>();
}

absl::StatusOr<int64_t> SourceCall::RankOfInitializer(size_t i) const {
  const Value* value = InitializerBehind(node_, i);
  if (value == nullptr) return Computed(i);
  return value->tensor().dim();
}

absl::Status SourceCall::Require(absl::string_view attribute, int64_t usual) const {
  const int64_t value = node_.Int(attribute, usual);
  return value == usual ? absl::OkStatus()
                        : Unusual(attribute, absl::StrCat(value), absl::StrCat(usual));
}

absl::Status SourceCall::Require(absl::string_view attribute, absl::string_view usual) const {
  const std::string value = node_.String(attribute, usual);
  return value == usual ? absl::OkStatus() : Unusual(attribute, value, usual);
}

std::string Literal(double value) {
  if (std::isnan(value)) return "float('nan')";
  if (std::isinf(value)) return value < 0 ? "float('-inf')" : "float('inf')";
  std::string text = absl::StrFormat("%.17g", value);
  if (!absl::StrContains(text, '.') && !absl::StrContains(text, 'e')) text += ".0";
  return text;
}

std::string Literal(bool value) { return value ? "True" : "False"; }

std::string Literal(const std::vector<int64_t>& values) {
  return absl::StrCat("[", absl::StrJoin(values, ", "), "]");
}

std::string FloatLiteral(const Node& node, absl::string_view attribute, float fallback) {
  return Literal(DecimalOf(node.Float(attribute, fallback)));
}

}  // namespace quantry::engine
