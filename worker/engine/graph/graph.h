#ifndef QUANTRY_WORKER_ENGINE_GRAPH_GRAPH_H_
#define QUANTRY_WORKER_ENGINE_GRAPH_GRAPH_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/graph/node.h"
#include "worker/engine/graph/types.h"
#include "worker/engine/graph/value.h"

namespace quantry::engine {

// A network as a small SSA graph with ONNX semantics. Owns its nodes and values; pointers stay valid
// until the thing is removed. All edits keep uses and producers consistent. Passes follow edges,
// never list order: the order of nodes() is only the order of insertion. Not thread-safe.
class Graph {
 public:
  Graph() = default;
  Graph(Graph&&) = default;
  Graph& operator=(Graph&&) = default;

  // A deep copy: initializers are cloned, nothing is shared.
  Graph Clone() const;

  // --- Building. A name that is taken gets a suffix "_1", "_2", ...; an empty one is made up.
  Value* AddInput(absl::string_view name, ValueType type);
  Value* AddInitializer(absl::string_view name, at::Tensor tensor, InitializerRole role);
  // Makes a node with `output_count` new values, named after the node unless names are given.
  Node* AddNode(absl::string_view op, absl::string_view name, std::vector<Value*> inputs,
                AttributeMap attributes = {}, std::vector<std::string> output_names = {""});
  void AddOutput(Value* value);

  // --- Looking.
  std::vector<Node*> nodes() const;
  // Every node after the producers of its inputs; among free ones by insertion order.
  // FAILED_PRECONDITION names a node on a cycle.
  absl::StatusOr<std::vector<Node*>> TopologicalOrder() const;
  const std::vector<Value*>& inputs() const { return inputs_; }
  const std::vector<Value*>& outputs() const { return outputs_; }
  std::vector<Value*> initializers() const;                     // by name
  std::vector<Value*> initializers(InitializerRole role) const;  // by name
  Value* FindValue(absl::string_view name) const;  // null if there is none
  Node* FindNode(absl::string_view name) const;
  // Number of elements of all parameters (what papers publish).
  int64_t ParameterCount() const;

  // --- Editing.
  void SetInput(Node* node, size_t index, Value* value);  // value may be null
  // Points every use of `from`, and the graph outputs, to `to`. With `except`, that node keeps using
  // `from` (as when `to` is computed from `from` by it).
  void ReplaceAllUses(Value* from, Value* to, const Node* except = nullptr);
  // Changes an initializer's content and type; keeps name and role.
  void SetTensor(Value* initializer, at::Tensor tensor);
  void SetRole(Value* initializer, InitializerRole role);
  void SetOp(Node* node, absl::string_view op);
  // Gives the value that name; whoever had it gets a suffix. Graph inputs and outputs keep theirs
  // through passes by this.
  void Rename(Value* value, absl::string_view name);
  // The node must have no uses of its outputs left, which go with it.
  void RemoveNode(Node* node);
  // Removes nodes whose outputs nobody uses, and unused initializers. Graph inputs stay.
  void RemoveDead();

  std::string name;       // the model's name, for reports
  std::string doc;        // where it came from: "onnx opset 17, producer pytorch 1.13"

 private:
  std::string FreeName(absl::string_view wanted, bool for_node);
  Value* NewValue(absl::string_view wanted);
  // Takes a node and its outputs out of all but nodes_, whose element the caller erases.
  void Forget(Node* node);

  std::vector<std::unique_ptr<Node>> nodes_;
  std::map<std::string, std::unique_ptr<Value>, std::less<>> values_;
  std::map<std::string, Node*, std::less<>> node_names_;
  std::vector<Value*> inputs_;
  std::vector<Value*> outputs_;
  int64_t next_name_ = 0;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_GRAPH_GRAPH_H_
