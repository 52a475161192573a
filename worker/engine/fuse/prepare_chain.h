#ifndef QUANTRY_WORKER_ENGINE_FUSE_PREPARE_CHAIN_H_
#define QUANTRY_WORKER_ENGINE_FUSE_PREPARE_CHAIN_H_

#include <ATen/core/Tensor.h>
#include <c10/core/MemoryFormat.h>

#include <vector>

#include "absl/functional/function_ref.h"
#include "worker/engine/fuse/chain_nodes.h"
#include "worker/engine/fuse/chain_run.h"
#include "worker/engine/fuse/run_value.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {

// What a chain works on in one run.
struct ChainInputs {
  at::Tensor x;  // float32, rows of channels in memory
  RunValue r;    // laid out as x; undefined without an operand
  // Of channel c the value is factor[c] * x + bias[c], where these are not empty; the factors are
  // those of what an integer convolution gives. The gradient that is wanted is that of x times
  // `gradient_factor`.
  std::vector<double> factor = {};
  std::vector<double> bias = {};
  double gradient_factor = 1;
  int64_t channel_axis = 1;           // innermost in memory
  at::IntArrayRef sizes = x.sizes();  // of the value, of which x may be a view
};

// The numbers of this run; observers and running statistics are brought up to date. Gives integers
// where the run's precision and the outer grid allow them.
c10::intrusive_ptr<ChainRun> PrepareChain(const ChainNodes& nodes,
                                          const ElementwiseChain& activation,
                                          const ChainInputs& inputs,
                                          const EvaluateContext& context);

// The grid that a quantizer has in this run, its state brought up to date; `learning` gets what its
// parameters learn from. `sizes` are those of what it quantizes, `range` says what that reaches.
ChainGrid GridOf(const Node& node, at::IntArrayRef sizes, const EvaluateContext& context,
                 absl::FunctionRef<ChainRange()> range, GridLearning& learning);
// Whether what is on such a grid is to be given as integers: the run's precision asks for it, bf16
// has them, and those who read integers can take so many dimensions: pictures, vectors, and rows of
// vectors.
bool GivesIntegers(const ChainGrid& grid, int64_t dimensions, const EvaluateContext& context);

// The layout in which x has to lie, so that a row of memory holds the channels of one place where
// the chain has any; no value where there is none for the tensor's rank.
c10::optional<at::MemoryFormat> RowFormat(const ChainNodes& nodes, const at::Tensor& x);

// Whether a run is one that chains can do at all.
bool IsRunForChains(const EvaluateContext& context);
// Whether the range is enough for the chain's quantizers to go on.
bool GridsAreStarted(const ChainNodes& nodes);
// Whether a norm's tensors are what the kernels read, for `channels` channels. Null: there is none.
bool NormFits(const Node* norm, int64_t channels);

// Input `index` of a node, an initializer; undefined where the node is null.
at::Tensor InitializerOf(const Node* node, size_t index);

// Input `index` of the values that are initializers, others undefined.
std::vector<at::Tensor> InitializersOf(const Node& node);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_FUSE_PREPARE_CHAIN_H_
