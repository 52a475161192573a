#include "worker/engine/train/threshold_search.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <atomic>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/quant/calibrator.h"

namespace quantry::engine {
namespace {

CalibrationGoal GoalOf(const FakeQuantizeSpec& spec) {
  return {.bits = spec.bits,
          .symmetric = spec.symmetric,
          .percentile = static_cast<double>(spec.calibrator_percentile)};
}

absl::Status NotFinite(const Node& node) {
  return absl::InvalidArgumentError(
      absl::StrCat("calibration: tensor '", node.input(kFakeQuantizeX)->name(),
                   "' has values that are NaN or infinite; look at the model and the data first "
                   "(mode evaluate names the layer)"));
}

at::Tensor AsThreshold(const ClippingRange& range, bool symmetric) {
  if (symmetric) return at::full({}, range.above, at::kFloat);
  return at::tensor({static_cast<float>(range.below), static_cast<float>(range.above)});
}

absl::Status StartActivation(const Node& node, const Histogram& histogram) {
  if (!histogram.finite()) return NotFinite(node);
  if (histogram.count() == 0) return absl::OkStatus();
  const FakeQuantizeSpec spec = SpecOf(node);
  const ClippingRange range = FindCalibrator(spec.calibrator)->find(histogram, GoalOf(spec));
  StartFrom(node, AsThreshold(range, spec.symmetric)
                      .to(node.input(kFakeQuantizeScale)->tensor().device()));
  return absl::OkStatus();
}

absl::Status StartWeight(const Node& node) {
  const FakeQuantizeSpec spec = SpecOf(node);
  const CalibratorDef& calibrator = *FindCalibrator(spec.calibrator);
  const at::Tensor weight = node.input(kFakeQuantizeX)->tensor().detach().cpu();
  const at::Tensor rows =
      spec.axis < 0 ? weight.reshape({1, -1}) : weight.transpose(0, spec.axis).flatten(1);
  const at::Tensor thresholds = at::empty({rows.size(0)}, at::kFloat);
  float* found = thresholds.data_ptr<float>();
  std::atomic<bool> finite = true;
  at::parallel_for(0, rows.size(0), 1, [&](int64_t begin, int64_t end) {
    const at::NoGradGuard no_grad;
    for (int64_t row = begin; row < end; ++row) {
      Histogram histogram;
      histogram.Add(rows[row]);
      if (!histogram.finite()) finite = false;
      found[row] = static_cast<float>(calibrator.find(histogram, GoalOf(spec)).above);
    }
  });
  if (!finite) return NotFinite(node);
  const at::Tensor& scale = node.input(kFakeQuantizeScale)->tensor();
  StartFrom(node, thresholds.view(scale.sizes()).to(scale.device()));
  return absl::OkStatus();
}

}  // namespace

ThresholdSearch::ThresholdSearch(const Graph& graph) {
  for (const Node* node : graph.nodes()) {
    if (node->op() != kFakeQuantizeOp) continue;
    const FakeQuantizeSpec spec = SpecOf(*node);
    const CalibratorDef* calibrator = FindCalibrator(spec.calibrator);
    if (calibrator == nullptr || calibrator->find == nullptr || !TakesThreshold(spec)) continue;
    if (!spec.is_weight) {
      activations_.try_emplace(node);
    } else if (calibrator->for_weights) {
      weights_.push_back(node);
    }
  }
}

absl::Status ThresholdSearch::See(const Node& node, absl::Span<const at::Tensor> inputs) {
  const auto entry = activations_.find(&node);
  if (entry != activations_.end()) entry->second.Add(inputs[kFakeQuantizeX]);
  return absl::OkStatus();
}

absl::Status ThresholdSearch::Apply() const {
  const at::NoGradGuard no_grad;
  for (const auto& [node, histogram] : activations_) {
    QUANTRY_RETURN_IF_ERROR(StartActivation(*node, histogram));
  }
  for (const Node* node : weights_) QUANTRY_RETURN_IF_ERROR(StartWeight(*node));
  return absl::OkStatus();
}

}  // namespace quantry::engine
