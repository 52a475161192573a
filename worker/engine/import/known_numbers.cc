#include "worker/engine/import/known_numbers.h"

#include <utility>

#include "common/status_macros.h"
#include "worker/engine/import/add_nodes.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMostLooks = int64_t{1} << 22;

}  // namespace

absl::Status KnownNumbers::Prepare() {
  if (!parts_) parts_.emplace(graph_);
  looks_ += 1000 + graph_.node_size();
  if (looks_ <= kMostLooks) return absl::OkStatus();
  return absl::InvalidArgumentError("the model has too much control flow");
}

std::optional<int64_t> KnownNumbers::Find(onnx::GraphProto part) const {
  AddIntAttribute(*AddNode(part, "Cast", {"number"}, "whole number"), "to",
                  onnx::TensorProto::INT64);
  part.add_output()->set_name("whole number");
  return find_(part);
}

absl::StatusOr<std::optional<int64_t>> KnownNumbers::Scalar(const std::string& value) {
  QUANTRY_RETURN_IF_ERROR(Prepare());
  std::optional<onnx::GraphProto> part = parts_->Behind(value);
  if (!part) return std::nullopt;
  AddNode(*part, "Identity", {value}, "number");
  return Find(*std::move(part));
}

absl::StatusOr<std::optional<int64_t>> KnownNumbers::Size(const std::string& value, int64_t axis) {
  QUANTRY_RETURN_IF_ERROR(Prepare());
  const std::optional<onnx::ValueInfoProto> type = parts_->TypeOf(value);
  if (!type) return std::nullopt;
  onnx::GraphProto part;
  *part.add_input() = *type;
  AddNode(part, "Shape", {value}, "shape of it");
  AddNumber(part, "axis of it", axis);
  AddNode(part, "Gather", {"shape of it", "axis of it"}, "number");
  return Find(std::move(part));
}

}  // namespace quantry::engine
