#ifndef QUANTRY_WORKER_ENGINE_OPS_UPGRADES_H_
#define QUANTRY_WORKER_ENGINE_OPS_UPGRADES_H_

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// What OperatorDef::upgrade functions share; they meet nodes that nothing has checked yet.

// Takes attribute `name` off the node. Empty if it is not there; INVALID_ARGUMENT if it has another
// type.
template <typename T>
absl::StatusOr<std::optional<T>> TakeAttribute(Node& node, const std::string& name) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) return std::optional<T>();
  T* value = std::get_if<T>(&found->second);
  if (value == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("attribute '", name, "' has the wrong type"));
  }
  std::optional<T> taken = std::move(*value);
  node.attributes.erase(found);
  return taken;
}

// Makes the constant input `index` of the node.
inline void SetConstantInput(Graph& graph, Node& node, size_t index, at::Tensor tensor) {
  graph.SetInput(&node, index,
                 graph.AddInitializer(absl::StrCat(node.name(), ".", index), std::move(tensor),
                                      InitializerRole::kConstant));
}

// Turns list attribute `name`, if present, into the int64 input `index`.
inline absl::Status ListToInput(Graph& graph, Node& node, const std::string& name, size_t index) {
  auto list = TakeAttribute<std::vector<int64_t>>(node, name);
  if (!list.ok()) return list.status();
  if (list->has_value()) SetConstantInput(graph, node, index, at::tensor(**list, at::kLong));
  return absl::OkStatus();
}

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_UPGRADES_H_
