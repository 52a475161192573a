#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/passes/equalize_layers.h"
#include "worker/engine/passes/fold_batch_norm.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {

absl::Status Equalize(RunState& state) {
  const PtqOptions& options = state.options.ptq;
  if (!options.equalize && !options.correct_bias) return absl::OkStatus();
  // Both work on what BatchNorm makes of a layer.
  engine::FoldBatchNorm(state.model);
  if (!options.equalize) return absl::OkStatus();
  state.progress.Begin(v1::PHASE_EQUALIZING, "", 0);
  const engine::Equalization done = engine::EqualizeLayers(state.model);
  state.record.result.set_equalized_pairs(static_cast<int32_t>(done.pairs));
  std::string text =
      absl::StrCat("equalized ", done.pairs, " pairs of layers in ", done.sweeps, " sweeps");
  if (done.clipped > 0) {
    absl::StrAppend(&text, "; ", done.clipped,
                    " pairs were left alone, because a Clip (ReLU6) stands between them");
  }
  SendLog(state.sink, done.pairs > 0 ? v1::LogLine::INFO : v1::LogLine::WARNING, text);
  return absl::OkStatus();
}

}  // namespace quantry::trainer
