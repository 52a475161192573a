#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_EXPORT_SOURCE_CALL_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_EXPORT_SOURCE_CALL_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/engine/graph/node.h"

namespace quantry::engine {

// One node that is to be written as a TorchScript expression: its inputs as expressions, and the
// constants among them.
class SourceCall {
 public:
  SourceCall(const Node& node, std::function<std::string(const Value*)> expression)
      : node_(node), expression_(std::move(expression)) {}

  const Node& node() const { return node_; }
  size_t size() const { return node_.inputs().size(); }
  bool Has(size_t i) const { return node_.input(i) != nullptr; }
  // "None" for an input that is left out.
  std::string Input(size_t i) const { return Has(i) ? expression_(node_.input(i)) : "None"; }
  // All inputs as a list.
  std::string Inputs() const;

  // UNIMPLEMENTED if the input is computed.
  absl::StatusOr<std::vector<int64_t>> Ints(size_t i) const;
  absl::StatusOr<double> Number(size_t i) const;
  // The number of dimensions of an initializer, also behind FakeQuantize.
  absl::StatusOr<int64_t> RankOfInitializer(size_t i) const;

  // UNIMPLEMENTED unless the attribute has its usual value.
  absl::Status Require(absl::string_view attribute, int64_t usual) const;
  absl::Status Require(absl::string_view attribute, absl::string_view usual) const;

 private:
  const Node& node_;
  std::function<std::string(const Value*)> expression_;
};

// Literals. Floats keep all digits.
std::string Literal(double value);
std::string Literal(bool value);
std::string Literal(const std::vector<int64_t>& values);

// A number attribute of type float, as people wrote it (ops/arguments.h, DecimalOf).
std::string FloatLiteral(const Node& node, absl::string_view attribute, float fallback);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_EXPORT_SOURCE_CALL_H_
