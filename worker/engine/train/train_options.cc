#include "worker/engine/train/train_options.h"

#include "absl/strings/string_view.h"
#include "common/status_macros.h"
#include "worker/engine/train/require.h"

namespace quantry::engine {
namespace {

absl::Status RequireAtLeastOne(absl::string_view field, const std::optional<int64_t>& value) {
  return Require(!value || *value >= 1, field, static_cast<double>(value.value_or(0)),
                 "at least 1");
}

absl::Status RequireShare(absl::string_view field, double value) {
  return Require(value > 0.0 && value <= 1.0, field, value, "in (0, 1]");
}

absl::Status ValidateEvaluation(const TrainOptions& options) {
  QUANTRY_RETURN_IF_ERROR(RequireAtLeastOne("evaluate_steps", options.evaluate_steps));
  QUANTRY_RETURN_IF_ERROR(RequireAtLeastOne("evaluate_epochs", options.evaluate_epochs));
  QUANTRY_RETURN_IF_ERROR(RequireAtLeastOne("patience", options.patience));
  if (options.evaluate_steps && options.evaluate_epochs) {
    return absl::InvalidArgumentError(
        "both evaluate_steps and evaluate_epochs are set; only one may be");
  }
  if (options.evaluates() || !(options.keep_best || options.patience)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(options.keep_best ? "keep_best" : "patience",
                   " is set without evaluations; set evaluate_steps or evaluate_epochs"));
}

absl::Status ValidateFreezing(const TrainOptions& options) {
  const double both = options.freeze_after;
  QUANTRY_RETURN_IF_ERROR(RequireShare("freeze_after", both));
  QUANTRY_RETURN_IF_ERROR(
      RequireShare("freeze_batch_norm_after", options.freeze_batch_norm_after.value_or(both)));
  return RequireShare("freeze_observers_after", options.freeze_observers_after.value_or(both));
}

}  // namespace

absl::Status TrainOptions::Validate() const {
  QUANTRY_RETURN_IF_ERROR(
      Require(epochs >= 0, "epochs", static_cast<double>(epochs), "at least 0"));
  QUANTRY_RETURN_IF_ERROR(schedule.Validate());
  QUANTRY_RETURN_IF_ERROR(optimizer.Validate());
  QUANTRY_RETURN_IF_ERROR(loss.Validate());
  QUANTRY_RETURN_IF_ERROR(RequireNotNegative("weight_decay", weight_decay));
  QUANTRY_RETURN_IF_ERROR(RequirePositive("gradient_clip", gradient_clip.value_or(1.0)));
  QUANTRY_RETURN_IF_ERROR(RequireAtLeastOne("accumulate_batches", accumulate_batches));
  QUANTRY_RETURN_IF_ERROR(RequireNotNegative("mixup", mixup));
  const double decay = ema_decay.value_or(0.5);
  QUANTRY_RETURN_IF_ERROR(Require(decay > 0.0 && decay < 1.0, "ema_decay", decay, "in (0, 1)"));
  QUANTRY_RETURN_IF_ERROR(RequireAtLeastOne("batch_norm_batches", batch_norm_batches));
  if (distillation) QUANTRY_RETURN_IF_ERROR(distillation->Validate());
  QUANTRY_RETURN_IF_ERROR(RequireAtLeastOne("checkpoint_steps", checkpoint_steps));
  QUANTRY_RETURN_IF_ERROR(ValidateFreezing(*this));
  QUANTRY_RETURN_IF_ERROR(ValidateEvaluation(*this));
  QUANTRY_RETURN_IF_ERROR(RequirePositive("pact.learning_rate_factor", pact_learning_rate_factor));
  return RequireNotNegative("pact.weight_decay", pact_weight_decay);
}

}  // namespace quantry::engine
