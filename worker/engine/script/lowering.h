#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_LOWERING_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_LOWERING_H_

#include <ATen/core/ivalue.h>

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// A TorchScript program is run twice side by side, with batches of two sizes, on tensors that have
// shape and type but no memory. What differs between the two runs depends on the batch.
inline constexpr size_t kLanes = 2;
inline constexpr std::array<int64_t, kLanes> kLaneBatch = {2, 3};

// One value of the program, in both runs.
using Lanes = std::array<c10::IValue, kLanes>;

// A tensor of the program and the graph's value that computes it. Null value: left out.
struct Operand {
  Value* value = nullptr;
  std::array<at::Tensor, kLanes> lanes;

  int64_t rank() const { return lanes[0].dim(); }
  at::ScalarType dtype() const { return lanes[0].scalar_type(); }
};

// The graph under construction, and which tensor of the program is which of its values. Throws
// nothing but c10::Error. Not thread-safe.
class Lowering {
 public:
  explicit Lowering(Graph& graph) : graph_(graph) {}

  // Says that `tensor` is the model's own `name`.
  void NameTensor(const at::Tensor& tensor, const std::string& name, bool parameter);
  Operand AddInput(const std::string& name, const std::vector<int64_t>& shape);

  // True for what the graph computes; false for the model's own tensors and constants.
  bool IsComputed(const at::Tensor& tensor) const;
  // A tensor that the program made of numbers alone, and may be computed with at once.
  bool IsPlain(const at::Tensor& tensor) const;
  Operand OperandOf(const Lanes& tensor);
  Operand Constant(const at::Tensor& tensor);
  // Adds a node with one output, in the newest form; works out the output's shape by running the
  // operator on zeros. An operator that the engine lacks is an error.
  Operand Emit(const std::string& op, const std::vector<Operand>& inputs,
               AttributeMap attributes = {});
  // The same, for an operator whose output's shape depends on the values of its inputs.
  Operand EmitShaped(const std::string& op, const std::vector<Operand>& inputs,
                     const std::array<at::Tensor, kLanes>& shapes);
  // An int64 vector of sizes, which may depend on the batch: k times the batch is taken from the
  // first input's own size.
  Operand Sizes(const std::array<std::vector<int64_t>, kLanes>& sizes);
  // For Split: `count` outputs.
  std::vector<Operand> EmitMany(const std::string& op, const std::vector<Operand>& inputs,
                                AttributeMap attributes, size_t count);
  // `self` stands for `result` from now on; views of it must not be used any more. A tensor of
  // numbers alone must not have any.
  Lanes Overwrite(const Lanes& self, const Operand& result);
  // `view` shares memory with `base`.
  void MarkView(const Operand& view, const Lanes& base);
  // `view`, which shares memory with `base`, is its elements [start, end) along `axis`: changing it
  // in place changes `base`.
  void MarkSlice(const Operand& view, const Lanes& base, int64_t axis, int64_t start, int64_t end);
  Lanes ToLanes(const Operand& operand) const;

 private:
  struct Entry {
    Value* value = nullptr;
    std::shared_ptr<int64_t> version = std::make_shared<int64_t>(0);  // shared by views
    int64_t seen = 0;
  };
  struct Slice {
    Lanes base;
    int64_t axis = 0;
    int64_t start = 0;
    int64_t end = 0;
  };
  // `base` where `part` takes the place of the slice.
  Operand WithPart(const Slice& slice, const Operand& base, const Operand& part);

  struct Name {
    std::string name;
    bool parameter = false;
  };
  Operand Register(Value* value, std::array<at::Tensor, kLanes> shapes);

  Graph& graph_;
  std::unordered_map<const c10::TensorImpl*, Entry> entries_;
  std::unordered_map<const c10::TensorImpl*, Name> names_;
  std::unordered_map<const c10::TensorImpl*, Slice> slices_;
  Operand input_;                  // the first
  std::vector<at::Tensor> alive_;  // so that no address is used twice
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_LOWERING_H_
