#include <algorithm>
#include <cmath>
#include <utility>

#include "common/status_macros.h"
#include "worker/engine/evaluate/distribution.h"
#include "worker/engine/evaluate/sqnr.h"
#include "worker/engine/export/tensor_report.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/float_layers.h"
#include "worker/engine/passes/fold_batch_norm.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/passes/planned_layers.h"
#include "worker/engine/passes/quantize_outputs.h"
#include "worker/engine/train/calibrate.h"
#include "worker/trainer/layer_report.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {
namespace {

constexpr int64_t kSqnrBatches = 4;
constexpr int64_t kHistogramBins = 40;

}  // namespace

engine::PactStart PactStartOf(const RunOptions& options) {
  engine::PactStart pact;
  if (options.pact_alpha) pact.alpha = static_cast<float>(*options.pact_alpha);
  return pact;
}

absl::Status Quantize(RunState& state) {
  if (engine::FoldsBatchNormBeforeTraining(state.options.quant)) engine::FoldBatchNorm(state.model);
  const engine::PactStart pact = PactStartOf(state.options);
  QUANTRY_ASSIGN_OR_RETURN(engine::QuantPlan plan,
                           engine::Annotate(state.model, state.options.quant, pact));
  if (state.choice) plan = engine::WithBits(plan, state.choice->ByName());
  engine::FitToProfile(state.model, state.options.quant, plan);
  engine::InsertFakeQuant(state.model, plan);
  return absl::OkStatus();
}

absl::Status Calibrate(RunState& state) {
  if (state.resume_from) return absl::OkStatus();
  const int64_t total =
      std::min(state.options.calibration_batches, state.inputs.train->num_batches());
  state.progress.Begin(v1::PHASE_CALIBRATING, "", total);
  QUANTRY_RETURN_IF_ERROR(
      engine::Calibrate(state.model, *state.inputs.train, total, [&state](int64_t done, int64_t) {
        state.progress.Advance({.steps_done = done, .images = state.options.batch_size},
                               DataStateOf(state, *state.inputs.train));
        return state.CheckInterrupted();
      }));
  state.progress.End();
  return absl::OkStatus();
}

absl::Status DescribeQuantization(RunState& state) {
  QUANTRY_ASSIGN_OR_RETURN(auto sqnr,
                           engine::MeasureSqnr(state.model, *state.inputs.eval, kSqnrBatches));
  for (const auto& [node, decibel] : state.adapted_sqnr_db) {
    if (std::isfinite(decibel)) sqnr[node] = decibel;
  }
  for (v1::LayerQuantization& layer : DescribeLayers(state.model, sqnr)) {
    *state.record.result.add_layers() = std::move(layer);
  }
  QUANTRY_ASSIGN_OR_RETURN(
      const auto distributions,
      engine::MeasureDistributions(state.model, *state.inputs.eval, kHistogramBins));
  for (const engine::TensorReport& tensor : engine::ReportTensors(state.model)) {
    const auto found = distributions.find(tensor.fake_quant_node);
    state.record.distributions.push_back(found == distributions.end() ? engine::Distribution()
                                                                      : found->second);
  }
  QUANTRY_ASSIGN_OR_RETURN(state.record.float_layers, engine::FloatLayers(state.model));
  if (state.choice) return absl::OkStatus();
  state.record.result.set_weight_bits(state.options.quant.weight_bits);
  state.record.result.set_activation_bits(state.options.quant.activation_bits);
  return absl::OkStatus();
}

}  // namespace quantry::trainer
