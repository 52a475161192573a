#include "worker/engine/fuse/chain_operator.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "worker/engine/fuse/chain_run.h"
#include "worker/engine/ops/batch_normalization.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {
namespace {

enum Input : size_t { kX = 0, kOperand = 1 };

// The layout in which a row of memory holds the channels of one place; no value where there is
// none.
c10::optional<at::MemoryFormat> RowFormat(const at::Tensor& x) {
  if (x.dim() == 2) return at::MemoryFormat::Contiguous;
  if (x.dim() == 4) return at::MemoryFormat::ChannelsLast;
  if (x.dim() == 5) return at::MemoryFormat::ChannelsLast3d;
  return c10::nullopt;
}

bool IsCpuFloat(const at::Tensor& tensor) {
  return tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat;
}

bool HasRows(const at::Tensor& x) {
  const auto format = RowFormat(x);
  return format && x.is_contiguous(*format);
}

std::vector<at::Tensor> InputTensors(const Node& node) {
  std::vector<at::Tensor> tensors;
  for (const Value* input : node.inputs()) {
    tensors.push_back(input == nullptr ? at::Tensor() : input->tensor());
  }
  return tensors;
}

at::Tensor Tensor(const Node* node, size_t index) {
  return node == nullptr ? at::Tensor() : node->input(index)->tensor();
}

ChainGrid GridOf(const Node& node, const EvaluateContext& context,
                 absl::FunctionRef<ChainRange()> range) {
  const auto as_tensor = [&] {
    const ChainRange seen = range();
    return at::tensor({seen.least, seen.most}, at::kFloat);
  };
  const QParams qparams = QParamsByRange(node, InputTensors(node), as_tensor, context);
  return {.low = qparams.low.item<float>(),
          .high = qparams.high.item<float>(),
          .step = qparams.step.item<float>()};
}

void FollowStatistics(const at::Tensor& running, const std::vector<double>& seen, double factor,
                      double new_share) {
  float* values = running.data_ptr<float>();
  for (size_t c = 0; c < seen.size(); ++c) {
    values[c] = static_cast<float>((1.0 - new_share) * static_cast<double>(values[c]) +
                                   new_share * factor * seen[c]);
  }
}

std::vector<double> AsDoubles(const at::Tensor& tensor) {
  const at::Tensor doubles = tensor.detach().to(at::kDouble).contiguous();
  const double* values = doubles.data_ptr<double>();
  return {values, values + doubles.numel()};
}

// The statistics that the norm is to use; follows those of the batch where it does.
ChannelStatistics NormStatistics(const Node& norm, const ChainRun& run, const float* x,
                                 bool looks) {
  ChannelStatistics statistics;
  if (run.batch_statistics || looks) statistics = StatisticsOf(x, run.shape);
  const at::Tensor mean = Tensor(&norm, kBatchNormMean);
  const at::Tensor variance = Tensor(&norm, kBatchNormVariance);
  if (!run.batch_statistics) {
    statistics.mean = AsDoubles(mean);
    statistics.variance = AsDoubles(variance);
    return statistics;
  }
  const double n = static_cast<double>(run.shape.rows);
  const double new_share = BatchNormSettingsOf(norm).new_share;
  FollowStatistics(mean, statistics.mean, 1.0, new_share);
  FollowStatistics(variance, statistics.variance, n / (n - 1), new_share);
  return statistics;
}

// scale and shift of the norm, or of nothing.
void SetAffine(const Node* norm, const ChannelStatistics& statistics, ChainRun& run) {
  const auto channels = static_cast<size_t>(run.shape.channels);
  std::vector<float> scale(channels, 1.0f), shift(channels, 0.0f), mean(channels, 0.0f);
  if (norm != nullptr) {
    const std::vector<double> gamma = AsDoubles(Tensor(norm, kBatchNormGamma));
    const std::vector<double> beta = AsDoubles(Tensor(norm, kBatchNormBeta));
    const double epsilon = BatchNormSettingsOf(*norm).epsilon;
    run.inverse_deviation.resize(channels);
    run.mean_rest.resize(channels);
    for (size_t c = 0; c < channels; ++c) {
      run.inverse_deviation[c] = 1.0 / std::sqrt(statistics.variance[c] + epsilon);
      mean[c] = static_cast<float>(statistics.mean[c]);
      scale[c] = static_cast<float>(gamma[c] * run.inverse_deviation[c]);
      run.mean_rest[c] = static_cast<double>(mean[c]) - statistics.mean[c];
      shift[c] =
          static_cast<float>(beta[c] + run.mean_rest[c] * gamma[c] * run.inverse_deviation[c]);
    }
  }
  run.mean = Periodic(mean);
  run.scale = Periodic(scale);
  run.shift = Periodic(shift);
  run.chain.mean = run.mean.data();
  run.chain.scale = run.scale.data();
  run.chain.shift = run.shift.data();
}

// Finds ranges of what a chain computes.
class RangeFinder {
 public:
  RangeFinder(const float* x, const float* r, const ChainRun& run,
              const ChannelStatistics& statistics)
      : x_(x), r_(r), run_(run), statistics_(statistics) {}

  // Of t, which the inner grid quantizes.
  ChainRange OfAffine() const {
    return Of({.channels = run_.shape.channels,
               .mean = run_.chain.mean,
               .scale = run_.chain.scale,
               .shift = run_.chain.shift},
              nullptr);
  }
  // Of w, which the outer grid quantizes.
  ChainRange OfResult() const { return Of(run_.chain, r_); }

 private:
  ChainRange Of(const ElementwiseChain& chain, const float* r) const {
    const bool monotone = r == nullptr && chain.activation == ChainActivation::kNone;
    if (!monotone || statistics_.least.empty()) return RangeOfChain(x_, r, run_.shape, chain);
    // Then every channel's ends come from its ends.
    std::vector<float> ends = statistics_.least;
    ends.insert(ends.end(), statistics_.most.begin(), statistics_.most.end());
    return ChainRangeOf(ends.data(), nullptr, /*rows=*/2, chain);
  }

  const float* x_;
  const float* r_;
  const ChainRun& run_;
  const ChannelStatistics& statistics_;
};

// Whether a run's observers may ask for ranges.
bool ObserversLook(const EvaluateContext& context) {
  return context.phase == RunPhase::kTrain && !context.observers_frozen;
}

}  // namespace

ChainOperator::ChainOperator(const ChainNodes& chain)
    : FusedOperator(chain.All(), {chain.x, chain.operand}), chain_(chain) {
  SetActivation(chain.activation, activation_);
}

bool ChainOperator::Accepts(absl::Span<const at::Tensor> inputs,
                            const EvaluateContext& context) const {
  const at::Tensor& x = inputs[kX];
  const at::Tensor& operand = inputs[kOperand];
  if (context.phase == RunPhase::kCalibrate || context.share != nullptr ||
      context.precision == Precision::kFloat64) {
    return false;
  }
  if (!IsCpuFloat(x) || x.numel() == 0 || !HasRows(x)) return false;
  if (operand.defined() && (!IsCpuFloat(operand) || operand.sizes() != x.sizes())) return false;
  if (chain_.norm == nullptr) return true;
  for (const size_t index : {kBatchNormGamma, kBatchNormBeta, kBatchNormMean, kBatchNormVariance}) {
    const at::Tensor tensor = Tensor(chain_.norm, index);
    const bool fits = tensor.is_contiguous() && tensor.numel() == x.size(1);
    if (!IsCpuFloat(tensor) || !fits) return false;
  }
  return x.numel() > x.size(1);  // one element has no variance
}

c10::intrusive_ptr<ChainRun> ChainOperator::Prepare(const at::Tensor& x, const at::Tensor& r,
                                                    const EvaluateContext& context) const {
  const at::NoGradGuard no_grad;
  auto run = c10::make_intrusive<ChainRun>();
  const float* data = x.data_ptr<float>();
  const int64_t channels = chain_.norm == nullptr ? 1 : x.size(1);
  run->shape = {.rows = x.numel() / channels, .channels = channels};
  run->chain = activation_;
  run->chain.channels = channels;
  run->batch_statistics = chain_.norm != nullptr && UsesBatchStatistics(context);
  ChannelStatistics statistics;
  if (chain_.norm != nullptr) {
    statistics = NormStatistics(*chain_.norm, *run, data, ObserversLook(context));
  }
  SetAffine(chain_.norm, statistics, *run);
  const RangeFinder ranges(data, r.defined() ? r.data_ptr<float>() : nullptr, *run, statistics);
  if (chain_.inner != nullptr) {
    run->chain.inner = GridOf(*chain_.inner, context, [&] { return ranges.OfAffine(); });
    run->chain.has_inner = true;
  }
  if (chain_.outer != nullptr) {
    run->chain.outer = GridOf(*chain_.outer, context, [&] { return ranges.OfResult(); });
    run->chain.has_outer = true;
  }
  return run;
}

at::Tensor ChainOperator::Run(absl::Span<const at::Tensor> inputs,
                              const EvaluateContext& context) const {
  const at::Tensor& x = inputs[kX];
  at::Tensor operand = inputs[kOperand];
  if (operand.defined()) operand = operand.contiguous(*RowFormat(x));
  return RunChain(x, operand, Tensor(chain_.norm, kBatchNormGamma),
                  Tensor(chain_.norm, kBatchNormBeta), Prepare(x, operand, context));
}

}  // namespace quantry::engine
