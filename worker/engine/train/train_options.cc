#include "worker/engine/train/train_options.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

absl::Status Require(bool condition, absl::string_view field, double value,
                     absl::string_view allowed) {
  if (condition) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", value, "; it must be ", allowed));
}

}  // namespace

absl::Status TrainOptions::Validate() const {
  QUANTRY_RETURN_IF_ERROR(
      Require(epochs >= 0, "epochs", static_cast<double>(epochs), "at least 0"));
  QUANTRY_RETURN_IF_ERROR(schedule.Validate());
  QUANTRY_RETURN_IF_ERROR(
      Require(momentum >= 0.0 && momentum < 1.0, "momentum", momentum, "in [0, 1)"));
  QUANTRY_RETURN_IF_ERROR(Require(weight_decay >= 0.0, "weight_decay", weight_decay, "at least 0"));
  QUANTRY_RETURN_IF_ERROR(Require(label_smoothing >= 0.0 && label_smoothing < 1.0,
                                  "label_smoothing", label_smoothing, "in [0, 1)"));
  QUANTRY_RETURN_IF_ERROR(Require(!gradient_clip || *gradient_clip > 0.0, "gradient_clip",
                                  gradient_clip.value_or(0.0), "larger than 0"));
  QUANTRY_RETURN_IF_ERROR(Require(!checkpoint_steps || *checkpoint_steps >= 1, "checkpoint_steps",
                                  static_cast<double>(checkpoint_steps.value_or(0)), "at least 1"));
  QUANTRY_RETURN_IF_ERROR(Require(freeze_after > 0.0 && freeze_after <= 1.0, "freeze_after",
                                  freeze_after, "in (0, 1]"));
  QUANTRY_RETURN_IF_ERROR(Require(pact_learning_rate_factor > 0.0, "pact.learning_rate_factor",
                                  pact_learning_rate_factor, "larger than 0"));
  return Require(pact_weight_decay >= 0.0, "pact.weight_decay", pact_weight_decay, "at least 0");
}

}  // namespace quantry::engine
