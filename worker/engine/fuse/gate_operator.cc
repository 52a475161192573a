#include "worker/engine/fuse/gate_operator.h"

#include <ATen/ATen.h>

#include "worker/engine/fuse/activation_nodes.h"
#include "worker/engine/fuse/gate_run.h"
#include "worker/engine/fuse/prepare_chain.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {
namespace {

// Whether a tensor is one number for each channel of each picture of `x`.
bool IsGateOf(const at::Tensor& x, const at::Tensor& gate) {
  return x.dim() == 4 && gate.sizes() == at::IntArrayRef({x.size(0), x.size(1), 1, 1}) &&
         x.size(2) * x.size(3) > 1;
}

bool IsDenseOnCpu(const RunValue& value) {
  return value.tensor.device().is_cpu() && value.tensor.numel() > 0 &&
         (value.integers() || value.tensor.scalar_type() == at::kFloat);
}

// Which of the two inputs of the product are the pictures.
size_t PicturesOf(absl::Span<const RunValue> inputs) {
  return IsGateOf(inputs[0].tensor, inputs[1].tensor) ? 0 : 1;
}

}  // namespace

std::vector<const Node*> GateNodes::All() const {
  if (product == nullptr) return {};
  return {product, outer};
}

GateNodes MatchGate(const Graph& graph, const Node* product,
                    const absl::flat_hash_set<const Node*>& taken) {
  if (product->op() != "Mul" || product->input(0) == product->input(1)) return {};
  if (product->input(0)->is_initializer() || product->input(1)->is_initializer()) return {};
  size_t index = 0;
  const Node* outer = OnlyReader(graph, *product->output(), &index);
  if (taken.contains(product) || outer == nullptr || taken.contains(outer)) return {};
  if (index != 0 || outer->op() != kFakeQuantizeOp || !NeedsOnlyRange(SpecOf(*outer))) return {};
  return {.product = product, .outer = outer};
}

GateOperator::GateOperator(const GateNodes& nodes)
    : FusedOperator(nodes.All(), {nodes.product->input(0), nodes.product->input(1)}),
      nodes_(nodes) {}

bool GateOperator::Accepts(absl::Span<const RunValue> inputs,
                           const EvaluateContext& context) const {
  if (!IsRunForChains(context) || !StartsByRange(*nodes_.outer)) return false;
  if (!IsDenseOnCpu(inputs[0]) || !IsDenseOnCpu(inputs[1])) return false;
  const size_t pictures = PicturesOf(inputs);
  const at::Tensor& x = inputs[pictures].tensor;
  return IsGateOf(x, inputs[1 - pictures].tensor) &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

RunValue GateOperator::Run(absl::Span<const RunValue> inputs,
                           const EvaluateContext& context) const {
  const size_t pictures = PicturesOf(inputs);
  const at::Tensor gate = Plain(inputs[1 - pictures]);
  auto run = c10::make_intrusive<GateRun>(inputs[pictures], gate);
  ElementwiseChain chain;
  GridLearning learning;
  chain.has_outer = true;
  chain.outer = GridOf(
      *nodes_.outer, inputs[pictures].tensor.sizes(), context,
      [&] { return run->Range(inputs[pictures].tensor); }, learning);
  chain.gives_integers = GivesIntegers(chain.outer, /*dimensions=*/4, context);
  run->SetChain(chain, learning);
  return RunGate(inputs[pictures].tensor, gate, run);
}

}  // namespace quantry::engine
