#include "worker/engine/fuse/chain_operator.h"

#include <ATen/ATen.h>

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

bool HasRows(const at::Tensor& x) {
  const auto format = RowFormat(x);
  return format && x.is_contiguous(*format);
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
  if (!IsCpuRunValue(inputs[kX]) || x.numel() == 0 || !HasRows(x)) return false;
  if (operand.tensor.defined() &&
      (!IsCpuRunValue(operand) || operand.tensor.sizes() != x.sizes())) {
    return false;
  }
  if (chain_.norm == nullptr) return true;
  return NormFits(chain_.norm, x.size(1)) && x.numel() > x.size(1);  // one has no variance
}

RunValue ChainOperator::Run(absl::Span<const RunValue> inputs,
                            const EvaluateContext& context) const {
  const at::Tensor x = Plain(inputs[kX]);
  RunValue operand = inputs[kOperand];
  if (operand.tensor.defined()) operand.tensor = operand.tensor.contiguous(*RowFormat(x));
  const auto run = PrepareChain(chain_, activation_, {.x = x, .r = operand}, context);
  return RunChain(x, operand.tensor, InitializerOf(chain_.norm, kBatchNormGamma),
                  InitializerOf(chain_.norm, kBatchNormBeta), run);
}

}  // namespace quantry::engine
