#include "worker/engine/export/tensor_scales.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "common/status_macros.h"
#include "worker/engine/export/checked_qparams.h"
#include "worker/engine/export/integer_storage.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {
namespace {

std::vector<double> Numbers(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().cpu().to(at::kDouble).contiguous().view(-1);
  const double* data = flat.data_ptr<double>();
  return {data, data + flat.numel()};
}

// Names of the readers that are operators of the model.
std::vector<std::string> LayersOf(const Node& fake_quantize,
                                  const std::map<const Node*, size_t>& position) {
  std::vector<const Node*> readers;
  for (const Use& use : fake_quantize.output()->uses()) {
    const bool ours = absl::StrContains(use.node->op(), '.');
    if (!ours && std::find(readers.begin(), readers.end(), use.node) == readers.end()) {
      readers.push_back(use.node);
    }
  }
  std::sort(readers.begin(), readers.end(),
            [&](const Node* a, const Node* b) { return position.at(a) < position.at(b); });
  std::vector<std::string> names;
  for (const Node* reader : readers) names.push_back(reader->name());
  return names;
}

absl::StatusOr<TensorScales> EntryOf(const Node& node, const QdqOptions& options) {
  QUANTRY_ASSIGN_OR_RETURN(const QParams qparams, CheckedQParams(node));
  const FakeQuantizeSpec spec = SpecOf(node);
  TensorScales entry{.tensor = node.input(kFakeQuantizeX)->name(),
                     .is_weight = spec.is_weight,
                     .quantizer = spec.quantizer,
                     .bits = spec.bits,
                     .axis = spec.axis,
                     .scales = Numbers(qparams.step),
                     .low = Numbers(qparams.low),
                     .high = Numbers(qparams.high)};
  int64_t zero_point = 0;
  if (spec.is_weight) {
    entry.dtype = WeightDtype(qparams, options);
    zero_point = WeightZeroPoint(entry.dtype);
  } else {
    const IntegerStorage storage = ActivationStorageOf(qparams, options);
    entry.dtype = storage.dtype;
    zero_point = storage.zero_point.item<int64_t>();
  }
  entry.zero_points.assign(entry.scales.size(), zero_point);
  if (const Value* alpha = node.input(kFakeQuantizeAlpha)) entry.alphas = Numbers(alpha->tensor());
  return entry;
}

}  // namespace

absl::StatusOr<std::vector<TensorScales>> ScalesOf(const Graph& trained,
                                                   const QdqOptions& options) {
  const at::NoGradGuard no_grad;
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<Node*> order, trained.TopologicalOrder());
  std::map<const Node*, size_t> position;
  for (size_t i = 0; i < order.size(); ++i) position[order[i]] = i;
  std::vector<TensorScales> entries;
  for (const Node* node : order) {
    if (node->op() != kFakeQuantizeOp) continue;
    QUANTRY_ASSIGN_OR_RETURN(TensorScales entry, EntryOf(*node, options));
    entry.layers = LayersOf(*node, position);
    // A quantizer of what another one made goes by the name of the tensor itself.
    const Node* before = node->input(kFakeQuantizeX)->producer();
    if (before != nullptr && before->op() == kFakeQuantizeOp) {
      entry.tensor = before->input(kFakeQuantizeX)->name();
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace quantry::engine
