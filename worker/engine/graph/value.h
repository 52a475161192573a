#ifndef QUANTRY_WORKER_ENGINE_GRAPH_VALUE_H_
#define QUANTRY_WORKER_ENGINE_GRAPH_VALUE_H_

#include <string>
#include <vector>

#include "worker/engine/graph/types.h"

namespace quantry::engine {

class Graph;
class Node;

// A place where a value is consumed: input slot `index` of `node`.
struct Use {
  Node* node = nullptr;
  size_t index = 0;
  friend bool operator==(const Use&, const Use&) = default;
};

// One value of the SSA graph: a graph input, an initializer, or an output of exactly one node. Owned
// by its Graph; made and changed only through it. Not thread-safe.
class Value {
 public:
  const std::string& name() const { return name_; }  // unique in the graph
  Node* producer() const { return producer_; }       // null for inputs and initializers
  const std::vector<Use>& uses() const { return uses_; }

  bool is_initializer() const { return tensor_.defined(); }
  // The initializer's content; undefined for other values. Parameters and buffers are shared with
  // every Executor of this graph: training changes them in place.
  const at::Tensor& tensor() const { return tensor_; }
  InitializerRole role() const { return role_; }

  ValueType type;  // for initializers: that of the tensor

 private:
  friend class Graph;
  std::string name_;
  Node* producer_ = nullptr;
  std::vector<Use> uses_;
  at::Tensor tensor_;
  InitializerRole role_ = InitializerRole::kConstant;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_GRAPH_VALUE_H_
