#include "worker/engine/fuse/prepare_chain.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "worker/engine/fuse/chain_statistics.h"
#include "worker/engine/ops/batch_normalization.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {
namespace {

// What a channel of x counts: the value is factor * x + bias.
struct Unit {
  double factor = 1;
  double bias = 0;
};

Unit UnitOf(const ChainInputs& inputs, size_t channel) {
  return {.factor = inputs.factor.empty() ? 1 : inputs.factor[channel],
          .bias = inputs.bias.empty() ? 0 : inputs.bias[channel]};
}

// `factor` and `bias` bring what was seen of x to what was seen of the value.
void Follow(const at::Tensor& running, size_t channel, double seen, double new_share) {
  float& value = running.data_ptr<float>()[channel];
  value = static_cast<float>((1.0 - new_share) * static_cast<double>(value) + new_share * seen);
}

// The statistics of x that the norm is to use; the running ones, which are of the value, follow
// those of the batch where it does.
ChannelStatistics NormStatistics(const Node& norm, const ChainRun& run, const ChainInputs& inputs,
                                 bool looks) {
  ChannelStatistics statistics;
  if (run.batch_statistics || looks) {
    statistics = StatisticsOf(inputs.x.data_ptr<float>(), run.shape);
  }
  const at::Tensor mean = InitializerOf(&norm, kBatchNormMean);
  const at::Tensor variance = InitializerOf(&norm, kBatchNormVariance);
  if (!run.batch_statistics) {
    statistics.mean = AsDoubles(mean);
    statistics.variance = AsDoubles(variance);
  }
  const double n = static_cast<double>(run.shape.rows);
  const double new_share = BatchNormSettingsOf(norm).new_share;
  for (size_t c = 0; c < statistics.mean.size(); ++c) {
    const Unit unit = UnitOf(inputs, c);
    double& m = statistics.mean[c];
    double& v = statistics.variance[c];
    if (run.batch_statistics) {
      Follow(mean, c, unit.factor * m + unit.bias, new_share);
      Follow(variance, c, n / (n - 1) * (unit.factor * unit.factor * v), new_share);
    } else {
      m = (m - unit.bias) / unit.factor;
      v = v / (unit.factor * unit.factor);
    }
  }
  return statistics;
}

// mean, scale and shift of the norm, or of nothing, in `run`.
class AffineOf {
 public:
  explicit AffineOf(ChainRun& run)
      : run_(run),
        scale_(static_cast<size_t>(run.shape.channels), 1.0f),
        shift_(scale_.size(), 0.0f),
        mean_(scale_.size(), 0.0f) {}

  void SetNorm(const Node& norm, const ChannelStatistics& statistics, const ChainInputs& inputs) {
    const std::vector<double> gamma = AsDoubles(InitializerOf(&norm, kBatchNormGamma));
    const std::vector<double> beta = AsDoubles(InitializerOf(&norm, kBatchNormBeta));
    const double epsilon = BatchNormSettingsOf(norm).epsilon;
    run_.inverse_deviation.resize(scale_.size());
    run_.mean_rest.resize(scale_.size());
    for (size_t c = 0; c < scale_.size(); ++c) {
      const double factor = UnitOf(inputs, c).factor;
      const double variance = factor * factor * statistics.variance[c];
      run_.inverse_deviation[c] = factor / std::sqrt(variance + epsilon);
      mean_[c] = static_cast<float>(statistics.mean[c]);
      scale_[c] = static_cast<float>(gamma[c] * run_.inverse_deviation[c]);
      run_.mean_rest[c] = static_cast<double>(mean_[c]) - statistics.mean[c];
      shift_[c] =
          static_cast<float>(beta[c] + run_.mean_rest[c] * gamma[c] * run_.inverse_deviation[c]);
    }
  }

  void SetUnits(const ChainInputs& inputs) {
    for (size_t c = 0; c < scale_.size(); ++c) {
      const Unit unit = UnitOf(inputs, c);
      scale_[c] = static_cast<float>(unit.factor);
      shift_[c] = static_cast<float>(unit.bias);
    }
  }

  void Finish(double gradient_factor) {
    run_.mean = Periodic(mean_);
    run_.scale = Periodic(scale_);
    run_.shift = Periodic(shift_);
    run_.input_scale = run_.scale;
    for (float& scale : run_.input_scale) {
      scale = static_cast<float>(gradient_factor * static_cast<double>(scale));
    }
    run_.chain.mean = run_.mean.data();
    run_.chain.scale = run_.scale.data();
    run_.chain.shift = run_.shift.data();
  }

 private:
  ChainRun& run_;
  std::vector<float> scale_, shift_, mean_;
};

// Finds ranges of what a chain computes.
class RangeFinder {
 public:
  RangeFinder(const ChainInputs& inputs, const ChainRun& run, const ChannelStatistics& statistics)
      : x_(ElementsOf(inputs.x)),
        r_(ElementsOf(inputs.r.tensor)),
        run_(run),
        statistics_(statistics) {}

  // Of t, which the inner grid quantizes.
  ChainRange OfAffine() const {
    return Of({.channels = run_.shape.channels,
               .mean = run_.chain.mean,
               .scale = run_.chain.scale,
               .shift = run_.chain.shift},
              {});
  }
  // Of w, which the outer grid quantizes.
  ChainRange OfResult() const { return Of(run_.chain, r_); }

 private:
  ChainRange Of(const ElementwiseChain& chain, ConstElements r) const {
    const bool monotone = r.data == nullptr && chain.activation == ChainActivation::kClamp;
    if (!monotone || statistics_.least.empty()) return RangeOfChain(x_, r, run_.shape, chain);
    // Then every channel's ends come from its ends.
    std::vector<float> ends = statistics_.least;
    ends.insert(ends.end(), statistics_.most.begin(), statistics_.most.end());
    return ChainRangeOf({ends.data()}, {}, /*rows=*/2, chain);
  }

  ConstElements x_;
  ConstElements r_;
  const ChainRun& run_;
  const ChannelStatistics& statistics_;
};

// Whether a run's observers may ask for ranges.
bool ObserversLook(const EvaluateContext& context) {
  return context.phase == RunPhase::kTrain && !context.observers_frozen;
}

bool IsCpuFloat(const at::Tensor& tensor) {
  return tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat;
}

}  // namespace

c10::intrusive_ptr<ChainRun> PrepareChain(const ChainNodes& nodes,
                                          const ElementwiseChain& activation,
                                          const ChainInputs& inputs,
                                          const EvaluateContext& context) {
  const at::NoGradGuard no_grad;
  auto run = c10::make_intrusive<ChainRun>();
  run->has_affine = nodes.norm != nullptr || !inputs.factor.empty() || !inputs.bias.empty();
  const int64_t channels = run->has_affine ? inputs.x.size(inputs.channel_axis) : 1;
  run->channel_axis = inputs.channel_axis;
  run->has_operand = inputs.r.tensor.defined();
  run->shape = {.rows = inputs.x.numel() / channels, .channels = channels};
  run->chain = activation;
  run->chain.channels = channels;
  if (inputs.r.integers()) run->chain.operand_step = inputs.r.step;
  run->batch_statistics = nodes.norm != nullptr && UsesBatchStatistics(context);
  ChannelStatistics statistics;
  AffineOf affine(*run);
  if (nodes.norm != nullptr) {
    statistics = NormStatistics(*nodes.norm, *run, inputs, ObserversLook(context));
    affine.SetNorm(*nodes.norm, statistics, inputs);
  } else {
    affine.SetUnits(inputs);
  }
  affine.Finish(inputs.gradient_factor);
  const RangeFinder ranges(inputs, *run, statistics);
  if (nodes.inner != nullptr) {
    run->chain.inner = GridOf(
        *nodes.inner, inputs.sizes, context, [&] { return ranges.OfAffine(); },
        run->inner_learning);
    run->chain.has_inner = true;
  }
  if (nodes.outer != nullptr) {
    run->chain.outer = GridOf(
        *nodes.outer, inputs.sizes, context, [&] { return ranges.OfResult(); },
        run->outer_learning);
    run->chain.has_outer = true;
    run->chain.gives_integers = GivesIntegers(run->chain.outer, inputs.x.dim(), context);
  }
  return run;
}

ChainGrid GridOf(const Node& node, at::IntArrayRef sizes, const EvaluateContext& context,
                 absl::FunctionRef<ChainRange()> range, GridLearning& learning) {
  const auto as_tensor = [&] {
    const ChainRange seen = range();
    return at::tensor({seen.least, seen.most}, at::kFloat);
  };
  ActivationGrid grid = GridByRange(node, InitializersOf(node), sizes, as_tensor, context);
  learning = std::move(grid.learning);
  const QParams& qparams = grid.qparams;
  return {.low = qparams.low.item<float>(),
          .high = qparams.high.item<float>(),
          .step = qparams.step.item<float>()};
}

bool GivesIntegers(const ChainGrid& grid, int64_t dimensions, const EvaluateContext& context) {
  return context.precision == Precision::kBf16 && dimensions >= 2 && dimensions <= 4 &&
         grid.step > 0 && std::round(-grid.low / grid.step) <= kLargestInteger &&
         std::round(grid.high / grid.step) <= kLargestInteger;
}

c10::optional<at::MemoryFormat> RowFormat(const ChainNodes& nodes, const at::Tensor& x) {
  if (nodes.bias != nullptr) return at::MemoryFormat::Contiguous;
  if (nodes.norm == nullptr && x.is_contiguous()) return at::MemoryFormat::Contiguous;
  if (x.dim() == 2) return at::MemoryFormat::Contiguous;
  if (x.dim() == 4) return at::MemoryFormat::ChannelsLast;
  if (x.dim() == 5) return at::MemoryFormat::ChannelsLast3d;
  return c10::nullopt;
}

bool IsRunForChains(const EvaluateContext& context) {
  return context.phase != RunPhase::kCalibrate && context.share == nullptr &&
         context.precision != Precision::kFloat64;
}

bool GridsAreStarted(const ChainNodes& nodes) {
  return (nodes.inner == nullptr || StartsByRange(*nodes.inner)) &&
         (nodes.outer == nullptr || StartsByRange(*nodes.outer));
}

bool NormFits(const Node* norm, int64_t channels) {
  if (norm == nullptr) return true;
  for (const size_t index : {kBatchNormGamma, kBatchNormBeta, kBatchNormMean, kBatchNormVariance}) {
    const at::Tensor tensor = InitializerOf(norm, index);
    if (!tensor.is_contiguous() || tensor.numel() != channels || !IsCpuFloat(tensor)) return false;
  }
  return true;
}

at::Tensor InitializerOf(const Node* node, size_t index) {
  if (node == nullptr || index >= node->inputs().size()) return {};
  const Value* value = node->input(index);
  return value != nullptr && value->is_initializer() ? value->tensor() : at::Tensor();
}

std::vector<at::Tensor> InitializersOf(const Node& node) {
  std::vector<at::Tensor> tensors;
  for (size_t i = 0; i < node.inputs().size(); ++i) tensors.push_back(InitializerOf(&node, i));
  return tensors;
}

}  // namespace quantry::engine
