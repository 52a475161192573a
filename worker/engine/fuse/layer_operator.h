#ifndef QUANTRY_WORKER_ENGINE_FUSE_LAYER_OPERATOR_H_
#define QUANTRY_WORKER_ENGINE_FUSE_LAYER_OPERATOR_H_

#include <vector>

#include "absl/container/flat_hash_set.h"
#include "worker/engine/fuse/chain_nodes.h"
#include "worker/engine/fuse/fused_operator.h"
#include "worker/engine/kernels/convolution.h"

namespace quantry::engine {

// A quantized convolution or linear layer and the chain behind it, empty where there is none.
struct LayerNodes {
  const Node* weight_grid = nullptr;  // FakeQuantize of a weight
  const Node* convolution = nullptr;  // Conv with two spatial axes, Gemm, or MatMul by the weight
  ChainNodes chain;

  std::vector<const Node*> All() const;
};

// The layer of `convolution`, without nodes that are `taken`. Null nodes: it is none that can run
// on integers.
LayerNodes MatchLayer(const Graph& graph, const Node* convolution,
                      const absl::flat_hash_set<const Node*>& taken);

// A convolution (or linear layer) of integers, and the chain behind it, as one operator on the CPU;
// for runs in bf16 whose x comes as integers. Both operands are whole numbers in bf16 and are
// multiplied exactly, as they will be in the deployed model; the steps of x and of the weights go
// into the chain's affine part. Beside x, what is kept for the backward pass is the float32 result
// of the convolution, and gradients are bf16 between layers: 38 bytes of memory traffic an element
// where float32 has 80.
class LayerOperator : public FusedOperator {
 public:
  explicit LayerOperator(const LayerNodes& layer);

  bool Accepts(absl::Span<const RunValue> inputs, const EvaluateContext& context) const override;
  RunValue Run(absl::Span<const RunValue> inputs, const EvaluateContext& context) const override;

 private:
  ConvolutionShape ShapeFor(const at::Tensor& x) const;
  std::vector<int64_t> ResultSizes(const at::Tensor& x, const ConvolutionShape& shape) const;
  bool InputsFit(const at::Tensor& x, const RunValue& operand) const;
  at::Tensor Bias() const;  // undefined: none
  at::MemoryFormat Format() const {
    return linear_ ? at::MemoryFormat::Contiguous : at::MemoryFormat::ChannelsLast;
  }

  LayerNodes layer_;
  int64_t channel_axis_;  // of the weight
  bool linear_;
  ElementwiseChain activation_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_FUSE_LAYER_OPERATOR_H_
