#include "worker/engine/fuse/chain_operator.h"

#include <ATen/ATen.h>

#include "worker/engine/fuse/activation_nodes.h"
#include "worker/engine/fuse/chain_run.h"
#include "worker/engine/fuse/prepare_chain.h"
#include "worker/engine/ops/batch_normalization.h"

namespace quantry::engine {
namespace {

enum Input : size_t { kX = 0, kOperand = 1 };

bool IsCpuRunValue(const RunValue& value) {
  return value.tensor.device().is_cpu() &&
         (value.integers() || value.tensor.scalar_type() == at::kFloat);
}

}  // namespace

ChainOperator::ChainOperator(const ChainNodes& chain)
    : FusedOperator(chain.All(), {chain.x, chain.operand}), chain_(chain) {
  SetActivation(chain.activation, activation_);
}

bool ChainOperator::Accepts(absl::Span<const RunValue> inputs,
                            const EvaluateContext& context) const {
  const at::Tensor& x = inputs[kX].tensor;
  const RunValue& operand = inputs[kOperand];
  if (!IsRunForChains(context) || !GridsAreStarted(chain_)) return false;
  // A quantizer alone is one already, but for giving integers.
  if (nodes().size() == 1 && context.precision != Precision::kBf16) return false;
  if (!IsCpuRunValue(inputs[kX]) || x.numel() == 0) return false;
  const auto format = RowFormat(chain_, x);
  if (!format || !x.is_contiguous(*format)) return false;
  if (operand.tensor.defined() &&
      (!IsCpuRunValue(operand) || operand.tensor.sizes() != x.sizes())) {
    return false;
  }
  if (chain_.bias != nullptr) {
    const at::Tensor& bias = chain_.bias_vector()->tensor();
    return x.dim() > 1 && bias.numel() == x.size(-1) && IsCpuRunValue({.tensor = bias});
  }
  if (chain_.norm == nullptr) return true;
  return NormFits(chain_.norm, x.size(1)) && x.numel() > x.size(1);  // one has no variance
}

RunValue ChainOperator::Run(absl::Span<const RunValue> inputs,
                            const EvaluateContext& context) const {
  const at::Tensor x = Plain(inputs[kX]);
  RunValue operand = inputs[kOperand];
  if (operand.tensor.defined()) operand.tensor = operand.tensor.contiguous(*RowFormat(chain_, x));
  ChainInputs chain = {.x = x, .r = operand};
  at::Tensor shift = InitializerOf(chain_.norm, kBatchNormBeta);
  if (chain_.bias != nullptr) {
    shift = chain_.bias_vector()->tensor();
    chain.bias = AsDoubles(shift);
    chain.channel_axis = x.dim() - 1;
  }
  return RunChain({.x = x,
                   .r = operand.tensor,
                   .scale = InitializerOf(chain_.norm, kBatchNormGamma),
                   .shift = shift},
                  PrepareChain(chain_, activation_, chain, context));
}

}  // namespace quantry::engine
