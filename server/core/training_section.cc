#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/core/spec_sections.h"

namespace quantry::server {
namespace {

// Ranges of training options; `field` is the name within spec.training.
class TrainingChecker {
 public:
  explicit TrainingChecker(Violations& violations) : violations_(violations) {}

  void AtLeast(bool given, const std::string& field, int64_t value, int64_t least) {
    if (!given) return;
    violations_.Require(value >= least, Path(field), value, absl::StrCat(least, " or more"));
  }
  void InRange(bool given, const std::string& field, int64_t value, int64_t low, int64_t high) {
    if (!given) return;
    violations_.Require(value >= low && value <= high, Path(field), value,
                        absl::StrCat(low, " to ", high));
  }
  void AboveZeroToOne(bool given, const std::string& field, double value) {
    if (!given) return;
    violations_.Require(value > 0 && value <= 1, Path(field), value, "larger than 0, at most 1");
  }
  void Positive(bool given, const std::string& field, double value) {
    if (!given) return;
    violations_.Require(std::isfinite(value) && value > 0, Path(field), value, "larger than 0");
  }
  void NotNegative(bool given, const std::string& field, double value) {
    if (!given) return;
    violations_.Require(std::isfinite(value) && value >= 0, Path(field), value, "0 or more");
  }
  void ZeroToBelowOne(bool given, const std::string& field, double value) {
    if (!given) return;
    violations_.Require(value >= 0 && value < 1, Path(field), value, "0 to 1, without 1");
  }
  void Refuse(bool given, const std::string& field, const std::string& why) {
    if (given) violations_.Add(Path(field), absl::StrCat("has no effect ", why, "; leave it out"));
  }

 private:
  static std::string Path(const std::string& field) {
    return absl::StrCat("spec.training.", field);
  }

  Violations& violations_;
};

void CheckRanges(const v1::TrainingOptions& training, TrainingChecker& check) {
  check.AtLeast(training.has_epochs(), "epochs", training.epochs(), 0);
  check.Positive(training.has_learning_rate(), "learning_rate", training.learning_rate());
  check.ZeroToBelowOne(training.has_momentum(), "momentum", training.momentum());
  check.NotNegative(training.has_weight_decay(), "weight_decay", training.weight_decay());
  check.AtLeast(training.has_step_epochs(), "step_epochs", training.step_epochs(), 1);
  check.AboveZeroToOne(training.has_step_gamma(), "step_gamma", training.step_gamma());
  check.NotNegative(training.has_warmup_epochs(), "warmup_epochs", training.warmup_epochs());
  check.ZeroToBelowOne(training.has_label_smoothing(), "label_smoothing",
                       training.label_smoothing());
  check.Positive(training.has_gradient_clip(), "gradient_clip", training.gradient_clip());
  check.AtLeast(training.has_checkpoint_steps(), "checkpoint_steps", training.checkpoint_steps(),
                1);
  check.AtLeast(training.has_calibration_batches(), "calibration_batches",
                training.calibration_batches(), 1);
  check.AboveZeroToOne(training.has_freeze_after(), "freeze_after", training.freeze_after());
  check.InRange(training.has_batch_size(), "batch_size", training.batch_size(), 1, 65536);
  check.InRange(training.has_threads(), "threads", training.threads(), 1, 1024);
}

// Options that steer gradient descent mean nothing to a job without it.
void RefuseTraining(const v1::TrainingOptions& training, v1::Mode mode, TrainingChecker& check) {
  const std::string why = absl::StrCat("in ", v1::Mode_Name(mode), ", which does not train");
  check.Refuse(training.has_epochs(), "epochs", why);
  check.Refuse(training.has_learning_rate(), "learning_rate", why);
  check.Refuse(training.has_momentum(), "momentum", why);
  check.Refuse(training.has_weight_decay(), "weight_decay", why);
  check.Refuse(!training.schedule().empty(), "schedule", why);
  check.Refuse(training.has_step_epochs(), "step_epochs", why);
  check.Refuse(training.has_step_gamma(), "step_gamma", why);
  check.Refuse(training.has_warmup_epochs(), "warmup_epochs", why);
  check.Refuse(training.has_label_smoothing(), "label_smoothing", why);
  check.Refuse(training.has_gradient_clip(), "gradient_clip", why);
  check.Refuse(training.has_checkpoint_steps(), "checkpoint_steps", why);
}

}  // namespace

void CheckTrainingOptions(const v1::TrainingOptions& training, v1::Mode mode,
                          Violations& violations) {
  TrainingChecker check(violations);
  CheckRanges(training, check);
  const std::string& schedule = training.schedule();
  violations.Require(
      schedule.empty() || schedule == "cosine" || schedule == "step" || schedule == "constant",
      "spec.training.schedule", absl::StrCat("'", schedule.substr(0, 40), "'"),
      "cosine, step, constant");
  const bool trains = mode != v1::MODE_PTQ && mode != v1::MODE_EVALUATE;
  if (!trains) RefuseTraining(training, mode, check);
  if (trains && schedule != "step") {
    check.Refuse(training.has_step_epochs(), "step_epochs", "unless schedule is 'step'");
    check.Refuse(training.has_step_gamma(), "step_gamma", "unless schedule is 'step'");
  }
  if (mode != v1::MODE_QAT) {
    check.Refuse(training.has_freeze_after(), "freeze_after", "outside MODE_QAT");
  }
  if (mode == v1::MODE_FLOAT || mode == v1::MODE_EVALUATE) {
    check.Refuse(training.has_calibration_batches(), "calibration_batches",
                 absl::StrCat("in ", v1::Mode_Name(mode)));
  }
}

}  // namespace quantry::server
