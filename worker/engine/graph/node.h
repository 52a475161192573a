#ifndef QUANTRY_WORKER_ENGINE_GRAPH_NODE_H_
#define QUANTRY_WORKER_ENGINE_GRAPH_NODE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/graph/types.h"
#include "worker/engine/graph/value.h"

namespace quantry::engine {

// One operation of the graph, with the semantics of the ONNX operator `op()` (domain "" or one of
// ours, written "quantry.FakeQuantize"), in the form of the newest opset: attributes that later
// became inputs are inputs. Owned by its Graph. Not thread-safe.
class Node {
 public:
  const std::string& op() const { return op_; }
  const std::string& name() const { return name_; }  // unique in the graph, never empty

  // Null stands for an optional input that is left out.
  const std::vector<Value*>& inputs() const { return inputs_; }
  Value* input(size_t index) const { return index < inputs_.size() ? inputs_[index] : nullptr; }
  const std::vector<Value*>& outputs() const { return outputs_; }
  Value* output(size_t index = 0) const { return outputs_.at(index); }

  AttributeMap attributes;

  bool HasAttribute(absl::string_view name) const;
  // The attribute, or `fallback` if it is absent. A wrong type was refused by the operator's
  // validation, so here it is a programming error.
  int64_t Int(absl::string_view name, int64_t fallback) const;
  float Float(absl::string_view name, float fallback) const;
  std::string String(absl::string_view name, absl::string_view fallback) const;
  std::vector<int64_t> Ints(absl::string_view name, std::vector<int64_t> fallback = {}) const;

 private:
  friend class Graph;
  std::string op_;
  std::string name_;
  std::vector<Value*> inputs_;
  std::vector<Value*> outputs_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_GRAPH_NODE_H_
