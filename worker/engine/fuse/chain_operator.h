#ifndef QUANTRY_WORKER_ENGINE_FUSE_CHAIN_OPERATOR_H_
#define QUANTRY_WORKER_ENGINE_FUSE_CHAIN_OPERATOR_H_

#include <vector>

#include "worker/engine/fuse/chain_nodes.h"
#include "worker/engine/fuse/fused_operator.h"

namespace quantry::engine {

// Batch normalization, fake quantization, addition and activation as one operator on the CPU: two
// passes over memory forward (the statistics of x, from which follow those of what comes after; the
// result) and two backward, where five nodes have about eight and seven. With an operand that is
// added, one more to find its range. Beside x and the operand, which are what the convolutions
// around it keep anyway, only numbers per channel are kept for the backward pass. In bf16 it gives
// the integers of its outer grid.
class ChainOperator : public FusedOperator {
 public:
  explicit ChainOperator(const ChainNodes& chain);

  bool Accepts(absl::Span<const RunValue> inputs, const EvaluateContext& context) const override;
  RunValue Run(absl::Span<const RunValue> inputs, const EvaluateContext& context) const override;

 private:
  ChainNodes chain_;
  ElementwiseChain activation_;  // what the activation node sets
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_FUSE_CHAIN_OPERATOR_H_
