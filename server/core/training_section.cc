#include <cmath>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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
  void BetweenZeroAndOne(bool given, const std::string& field, double value) {
    if (!given) return;
    violations_.Require(value > 0 && value < 1, Path(field), value, "between 0 and 1");
  }
  // `value` empty: the default.
  void OneOf(const std::string& field, const std::string& value,
             const std::vector<std::string>& allowed) {
    const bool known = value.empty() || absl::c_linear_search(allowed, value);
    violations_.Require(known, Path(field), absl::StrCat("'", value.substr(0, 40), "'"),
                        absl::StrJoin(allowed, ", "));
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

void CheckOptimizer(const v1::TrainingOptions& training, TrainingChecker& check) {
  check.OneOf("optimizer", training.optimizer(), {"sgd", "adam", "adamw"});
  check.ZeroToBelowOne(training.has_beta1(), "beta1", training.beta1());
  check.ZeroToBelowOne(training.has_beta2(), "beta2", training.beta2());
  check.Positive(training.has_epsilon(), "epsilon", training.epsilon());
  check.Positive(training.has_polynomial_power(), "polynomial_power", training.polynomial_power());
  check.AtLeast(training.has_accumulate_batches(), "accumulate_batches",
                training.accumulate_batches(), 1);
  check.BetweenZeroAndOne(training.has_ema_decay(), "ema_decay", training.ema_decay());
  const bool sgd = training.optimizer().empty() || training.optimizer() == "sgd";
  check.Refuse(!sgd && training.has_momentum(), "momentum", "unless optimizer is 'sgd'");
  const std::string adam = "unless optimizer is 'adam' or 'adamw'";
  check.Refuse(sgd && training.has_beta1(), "beta1", adam);
  check.Refuse(sgd && training.has_beta2(), "beta2", adam);
  check.Refuse(sgd && training.has_epsilon(), "epsilon", adam);
}

void CheckLoss(const v1::TrainingOptions& training, TrainingChecker& check) {
  check.OneOf("loss", training.loss(), {"cross_entropy", "bce", "mse", "huber"});
  check.Positive(training.has_huber_delta(), "huber_delta", training.huber_delta());
  check.NotNegative(training.has_mixup(), "mixup", training.mixup());
  check.Refuse(training.has_huber_delta() && training.loss() != "huber", "huber_delta",
               "unless loss is 'huber'");
}

void CheckEvaluation(const v1::TrainingOptions& training, TrainingChecker& check) {
  check.AtLeast(training.has_batch_norm_batches(), "batch_norm_batches",
                training.batch_norm_batches(), 1);
  check.AboveZeroToOne(training.has_freeze_batch_norm_after(), "freeze_batch_norm_after",
                       training.freeze_batch_norm_after());
  check.AboveZeroToOne(training.has_freeze_observers_after(), "freeze_observers_after",
                       training.freeze_observers_after());
  check.AtLeast(training.has_evaluate_steps(), "evaluate_steps", training.evaluate_steps(), 1);
  check.AtLeast(training.has_evaluate_epochs(), "evaluate_epochs", training.evaluate_epochs(), 1);
  check.AtLeast(training.has_patience(), "patience", training.patience(), 1);
  check.Refuse(training.has_evaluate_steps() && training.has_evaluate_epochs(), "evaluate_epochs",
               "beside evaluate_steps");
  if (training.has_evaluate_steps() || training.has_evaluate_epochs()) return;
  const std::string why = "without evaluate_steps or evaluate_epochs";
  check.Refuse(training.keep_best(), "keep_best", why);
  check.Refuse(training.has_patience(), "patience", why);
}

void CheckDistillation(const v1::Distillation& distillation, TrainingChecker& check) {
  const std::string& kind = distillation.kind();
  check.OneOf("distillation.kind", kind, {"kl", "mse", "none"});
  check.Positive(distillation.has_weight(), "distillation.weight", distillation.weight());
  check.Positive(distillation.has_temperature(), "distillation.temperature",
                 distillation.temperature());
  check.NotNegative(distillation.has_task_weight(), "distillation.task_weight",
                    distillation.task_weight());
  check.Positive(distillation.has_feature_weight(), "distillation.feature_weight",
                 distillation.feature_weight());
  check.Refuse(distillation.has_temperature() && !kind.empty() && kind != "kl",
               "distillation.temperature", "unless distillation.kind is 'kl'");
  check.Refuse(distillation.has_weight() && kind == "none", "distillation.weight",
               "with distillation.kind 'none'");
  check.Refuse(distillation.has_feature_weight() && distillation.features().empty(),
               "distillation.feature_weight", "without distillation.features");
  check.Refuse(kind == "none" && distillation.features().empty(), "distillation",
               "with kind 'none' and no features");
}

// Options that steer gradient descent mean nothing to a job without it; it uses at most the first
// four of these, and the others are refused by CheckTrainingOptions anyway.
void RefuseTraining(const v1::TrainingOptions& training, v1::Mode mode, TrainingChecker& check) {
  const std::vector<std::string> used = {"batch_size",
                                         "seed",
                                         "calibration_batches",
                                         "threads",
                                         "freeze_after",
                                         "freeze_batch_norm_after",
                                         "freeze_observers_after",
                                         "distillation"};
  std::vector<const google::protobuf::FieldDescriptor*> given;
  training.GetReflection()->ListFields(training, &given);
  for (const google::protobuf::FieldDescriptor* field : given) {
    check.Refuse(!absl::c_linear_search(used, field->name()), field->name(),
                 absl::StrCat("in ", v1::Mode_Name(mode), ", which does not train"));
  }
}

}  // namespace

void CheckTrainingOptions(const v1::TrainingOptions& training, v1::Mode mode,
                          Violations& violations) {
  TrainingChecker check(violations);
  CheckRanges(training, check);
  CheckOptimizer(training, check);
  CheckLoss(training, check);
  CheckEvaluation(training, check);
  if (training.has_distillation()) CheckDistillation(training.distillation(), check);
  check.OneOf("precision", training.precision(), {"float32", "bf16", "float64"});
  const std::string& schedule = training.schedule();
  check.OneOf("schedule", schedule, {"cosine", "step", "polynomial", "constant"});
  const bool trains_quantized = mode == v1::MODE_QAT || mode == v1::MODE_MIXED_PRECISION;
  const bool trains = trains_quantized || mode == v1::MODE_FLOAT;
  if (!trains) RefuseTraining(training, mode, check);
  check.Refuse(trains && training.has_polynomial_power() && schedule != "polynomial",
               "polynomial_power", "unless schedule is 'polynomial'");
  if (trains && schedule != "step") {
    check.Refuse(training.has_step_epochs(), "step_epochs", "unless schedule is 'step'");
    check.Refuse(training.has_step_gamma(), "step_gamma", "unless schedule is 'step'");
  }
  if (!trains_quantized) {
    const std::string why = "outside MODE_QAT and MODE_MIXED_PRECISION";
    check.Refuse(training.has_freeze_after(), "freeze_after", why);
    check.Refuse(training.has_freeze_batch_norm_after(), "freeze_batch_norm_after", why);
    check.Refuse(training.has_freeze_observers_after(), "freeze_observers_after", why);
    check.Refuse(training.has_distillation(), "distillation", why);
  }
  if (mode == v1::MODE_FLOAT || mode == v1::MODE_EVALUATE) {
    check.Refuse(training.has_calibration_batches(), "calibration_batches",
                 absl::StrCat("in ", v1::Mode_Name(mode)));
  }
}

}  // namespace quantry::server
