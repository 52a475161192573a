#include "worker/engine/passes/edit.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>

namespace quantry::engine {

bool IsGraphOutput(const Graph& graph, const Value* value) {
  return std::find(graph.outputs().begin(), graph.outputs().end(), value) != graph.outputs().end();
}

bool ReplaceNode(Graph& graph, Node* node, Value* value) {
  Value* old = node->output();
  const std::string name = old->name();
  const bool output = IsGraphOutput(graph, old);
  const bool keeps_name = value->producer() == nullptr || IsGraphOutput(graph, value);
  if (output && keeps_name) return false;
  graph.ReplaceAllUses(old, value);
  graph.RemoveNode(node);
  if (output) graph.Rename(value, name);
  return true;
}

std::optional<std::vector<int64_t>> ConstantInts(const Value* value) {
  if (value == nullptr || !value->is_initializer()) return std::nullopt;
  const at::Tensor& tensor = value->tensor();
  if (tensor.scalar_type() != at::kLong || tensor.dim() > 1) return std::nullopt;
  const at::Tensor flat = tensor.contiguous();
  const int64_t* data = flat.data_ptr<int64_t>();
  return std::vector<int64_t>(data, data + flat.numel());
}

std::optional<float> ConstantFloat(const Value* value) {
  if (value == nullptr || !value->is_initializer()) return std::nullopt;
  const at::Tensor& tensor = value->tensor();
  const bool fits = value->role() == InitializerRole::kConstant &&
                    tensor.scalar_type() == at::kFloat && tensor.numel() == 1;
  if (!fits) return std::nullopt;
  return tensor.item<float>();
}

}  // namespace quantry::engine
