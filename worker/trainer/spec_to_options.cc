#include "worker/trainer/spec_to_options.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "worker/engine/train/pact_settings.h"
#include "worker/trainer/failure.h"
#include "worker/trainer/modes/mode.h"
#include "worker/trainer/read_mode_options.h"

namespace quantry::trainer {
namespace {

using engine::ScheduleKind;

constexpr int kMaxDecodeThreads = 64;
constexpr int kDefaultMaxDecodeThreads = 8;

int Cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

template <typename T>
absl::Status InRange(absl::string_view field, T value, T low, T high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, " is ", value, "; it must be in [", low, ", ", high, "]"));
}

template <typename T>
absl::Status AtLeast(absl::string_view field, T value, T low) {
  if (value >= low) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, " is ", value, "; it must be at least ", low));
}

static_assert(static_cast<int>(RunMode::kFloat) == v1::MODE_FLOAT &&
              static_cast<int>(RunMode::kPtq) == v1::MODE_PTQ &&
              static_cast<int>(RunMode::kQat) == v1::MODE_QAT &&
              static_cast<int>(RunMode::kEvaluate) == v1::MODE_EVALUATE &&
              static_cast<int>(RunMode::kSensitivity) == v1::MODE_SENSITIVITY &&
              static_cast<int>(RunMode::kMixedPrecision) == v1::MODE_MIXED_PRECISION);

absl::StatusOr<RunMode> ToMode(v1::Mode mode) {
  if (const ModeDef* def = FindMode(mode)) return def->mode;
  const std::string allowed =
      absl::StrJoin(ModeTable(), ", ", [](std::string* out, const ModeDef* def) {
        absl::StrAppend(out, v1::Mode_Name(static_cast<v1::Mode>(def->mode)));
      });
  const std::string given =
      mode == v1::MODE_UNSPECIFIED ? "not set" : absl::StrCat(static_cast<int>(mode));
  return absl::InvalidArgumentError(
      absl::StrCat("job.mode is ", given, "; it must be one of ", allowed));
}

absl::Status ReadModel(const v1::TrainerSpec& spec, RunOptions& options) {
  if (!spec.job().model().has_builtin()) {
    if (!spec.weights_path().empty()) {
      return absl::InvalidArgumentError(
          "weights_path is set without job.model.builtin; only built-in networks load weights by "
          "name");
    }
    if (spec.model_path().empty()) {
      return absl::InvalidArgumentError(
          "no model: set model_path to an ONNX file, or job.model.builtin");
    }
    options.model_path = spec.model_path();
    return absl::OkStatus();
  }
  if (!spec.model_path().empty()) {
    return absl::InvalidArgumentError(
        "both model_path and job.model.builtin are set; only one may be");
  }
  const v1::BuiltinModel& builtin = spec.job().model().builtin();
  options.builtin = BuiltinOptions{.name = builtin.name()};
  if (builtin.has_num_classes()) options.builtin->num_classes = builtin.num_classes();
  if (builtin.has_width()) options.builtin->width = builtin.width();
  options.builtin->weights_path = spec.weights_path();
  options.builtin->new_classifier = builtin.new_classifier();
  if (builtin.has_weights() && spec.weights_path().empty()) {
    return absl::InvalidArgumentError(
        "job.model.builtin.weights is set, but not weights_path, the file with that content");
  }
  if (builtin.new_classifier() && spec.weights_path().empty()) {
    return absl::InvalidArgumentError(
        "job.model.builtin.new_classifier is set without weights, where it has no effect; set "
        "weights_path or leave it out");
  }
  return absl::OkStatus();
}

absl::Status ReadNormalisation(const google::protobuf::RepeatedField<double>& values,
                               absl::string_view field, std::array<double, 3>& target) {
  if (values.empty()) return absl::OkStatus();
  if (values.size() != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " has ", values.size(), " values; it must have none or 3"));
  }
  std::copy(values.begin(), values.end(), target.begin());
  return absl::OkStatus();
}

void ReadAugmentation(const v1::Augmentation& given, engine::AugmentOptions& augment) {
  if (given.has_resized_crop_min_area()) {
    augment.resized_crop_min_area = given.resized_crop_min_area();
  }
  augment.brightness = given.brightness();
  augment.contrast = given.contrast();
  augment.saturation = given.saturation();
  augment.hue = given.hue();
  augment.rand_augment_ops = given.rand_augment_ops();
  if (given.has_rand_augment_magnitude()) {
    augment.rand_augment_magnitude = given.rand_augment_magnitude();
  }
  augment.rand_augment_policy.assign(given.rand_augment_policy().begin(),
                                     given.rand_augment_policy().end());
  augment.random_erasing = given.random_erasing();
}

absl::Status ReadData(const v1::TrainerSpec& spec, DataOptions& options) {
  const v1::DataOptions& data = spec.job().data();
  if (data.train_uri().empty()) {
    return absl::InvalidArgumentError(
        "job.data.train_uri is empty; it must name a dataset, e.g. file:///path or "
        "synthetic://glyphs");
  }
  options.train_uri = data.train_uri();
  options.eval_uri = data.eval_uri();
  options.allowed_roots.assign(spec.dataset_roots().begin(), spec.dataset_roots().end());
  options.cache_folder = spec.dataset_cache();
  if (spec.has_dataset_cache_bytes()) options.cache_bytes = spec.dataset_cache_bytes();
  QUANTRY_RETURN_IF_ERROR(
      AtLeast<int64_t>("dataset_cache_bytes", options.cache_bytes.value_or(1), 1));
  if (data.has_image_size()) options.image_size = data.image_size();
  if (data.has_random_crop()) options.random_crop = data.random_crop();
  if (data.has_random_flip()) options.random_flip = data.random_flip();
  if (data.has_max_corrupt_share()) options.max_corrupt_share = data.max_corrupt_share();
  options.task_output = data.task_output();
  ReadAugmentation(data.augmentation(), options.augment);
  if (data.has_max_train_examples()) options.max_train_examples = data.max_train_examples();
  if (data.has_max_eval_examples()) options.max_eval_examples = data.max_eval_examples();
  options.decode_threads = data.has_decode_threads() ? data.decode_threads()
                                                     : std::min(Cores(), kDefaultMaxDecodeThreads);
  QUANTRY_RETURN_IF_ERROR(ReadNormalisation(data.mean(), "job.data.mean", options.mean));
  QUANTRY_RETURN_IF_ERROR(ReadNormalisation(data.std(), "job.data.std", options.std));
  QUANTRY_RETURN_IF_ERROR(
      InRange<int64_t>("job.data.image_size", options.image_size.value_or(8), 8, 1024));
  QUANTRY_RETURN_IF_ERROR(
      AtLeast<int64_t>("job.data.max_train_examples", options.max_train_examples.value_or(1), 1));
  QUANTRY_RETURN_IF_ERROR(
      AtLeast<int64_t>("job.data.max_eval_examples", options.max_eval_examples.value_or(1), 1));
  QUANTRY_RETURN_IF_ERROR(
      InRange("job.data.max_corrupt_share", options.max_corrupt_share, 0.0, 1.0));
  QUANTRY_RETURN_IF_ERROR(WithContext(options.augment.Validate(), "job.data"));
  return InRange("job.data.decode_threads", options.decode_threads, 1, kMaxDecodeThreads);
}

absl::StatusOr<ScheduleKind> ToSchedule(absl::string_view name) {
  if (name.empty() || name == "cosine") return ScheduleKind::kCosine;
  if (name == "step") return ScheduleKind::kStep;
  if (name == "polynomial") return ScheduleKind::kPolynomial;
  if (name == "constant") return ScheduleKind::kConstant;
  return absl::InvalidArgumentError(
      absl::StrCat("job.training.schedule is '", name,
                   "'; it must be 'cosine', 'step', 'polynomial' or 'constant'"));
}

absl::Status ReadSchedule(const v1::TrainingOptions& training, RunOptions& options) {
  engine::ScheduleOptions& schedule = options.train.schedule;
  QUANTRY_ASSIGN_OR_RETURN(schedule.kind, ToSchedule(training.schedule()));
  schedule.learning_rate = training.has_learning_rate()      ? training.learning_rate()
                           : options.mode == RunMode::kFloat ? 0.1
                                                             : 0.01;
  if (training.has_step_epochs()) schedule.step_epochs = training.step_epochs();
  if (training.has_step_gamma()) schedule.step_gamma = training.step_gamma();
  if (training.has_polynomial_power()) schedule.polynomial_power = training.polynomial_power();
  if (training.has_warmup_epochs()) schedule.warmup_epochs = training.warmup_epochs();
  return absl::OkStatus();
}

void ReadOptimizer(const v1::TrainingOptions& training, engine::TrainOptions& train) {
  engine::OptimizerOptions& optimizer = train.optimizer;
  if (!training.optimizer().empty()) optimizer.name = training.optimizer();
  if (training.has_momentum()) optimizer.momentum = training.momentum();
  if (training.has_beta1()) optimizer.beta1 = training.beta1();
  if (training.has_beta2()) optimizer.beta2 = training.beta2();
  if (training.has_epsilon()) optimizer.epsilon = training.epsilon();
  if (training.has_weight_decay()) train.weight_decay = training.weight_decay();
  if (training.has_decay_norm_and_bias()) {
    train.decay_norm_and_bias = training.decay_norm_and_bias();
  }
  if (training.has_gradient_clip()) train.gradient_clip = training.gradient_clip();
  if (training.has_accumulate_batches()) train.accumulate_batches = training.accumulate_batches();
  if (training.has_ema_decay()) train.ema_decay = training.ema_decay();
  if (training.has_sync_batch_norm()) train.sync_batch_norm = training.sync_batch_norm();
}

void ReadLoss(const v1::TrainingOptions& training, RunOptions& options) {
  engine::TrainOptions& train = options.train;
  options.loss_given = !training.loss().empty();
  if (options.loss_given) train.loss.name = training.loss();
  if (training.has_label_smoothing()) train.loss.label_smoothing = training.label_smoothing();
  if (training.has_huber_delta()) train.loss.huber_delta = training.huber_delta();
  if (training.has_mixup()) train.mixup = training.mixup();
}

absl::Status ReadDistillation(const v1::TrainingOptions& training, RunOptions& options) {
  if (!training.has_distillation()) return absl::OkStatus();
  if (options.mode == RunMode::kFloat) {
    return absl::InvalidArgumentError(
        "job.training.distillation is set with MODE_FLOAT; it must be left out: the float model "
        "can't learn from itself");
  }
  const v1::Distillation& given = training.distillation();
  engine::DistillationOptions& distillation = options.train.distillation.emplace();
  if (!given.kind().empty()) distillation.kind = given.kind();
  if (given.has_weight()) distillation.weight = given.weight();
  if (given.has_temperature()) distillation.temperature = given.temperature();
  if (given.has_task_weight()) distillation.task_weight = given.task_weight();
  if (given.has_feature_weight()) distillation.feature_weight = given.feature_weight();
  distillation.features.assign(given.features().begin(), given.features().end());
  return absl::OkStatus();
}

void ReadEvaluation(const v1::TrainingOptions& training, engine::TrainOptions& train) {
  if (training.has_checkpoint_steps()) train.checkpoint_steps = training.checkpoint_steps();
  if (training.has_freeze_after()) train.freeze_after = training.freeze_after();
  if (training.has_freeze_batch_norm_after()) {
    train.freeze_batch_norm_after = training.freeze_batch_norm_after();
  }
  if (training.has_freeze_observers_after()) {
    train.freeze_observers_after = training.freeze_observers_after();
  }
  if (training.has_batch_norm_batches()) train.batch_norm_batches = training.batch_norm_batches();
  if (training.has_evaluate_steps()) train.evaluate_steps = training.evaluate_steps();
  if (training.has_evaluate_epochs()) train.evaluate_epochs = training.evaluate_epochs();
  if (training.has_keep_best()) train.keep_best = training.keep_best();
  if (training.has_patience()) train.patience = training.patience();
}

absl::Status ReadTraining(const v1::JobSpec& job, RunOptions& options) {
  const v1::TrainingOptions& training = job.training();
  QUANTRY_RETURN_IF_ERROR(ReadSchedule(training, options));
  engine::TrainOptions& train = options.train;
  train.epochs = training.has_epochs()             ? training.epochs()
                 : options.mode == RunMode::kFloat ? 10
                                                   : 5;
  ReadOptimizer(training, train);
  ReadLoss(training, options);
  ReadEvaluation(training, train);
  QUANTRY_RETURN_IF_ERROR(ReadDistillation(training, options));
  if (!training.precision().empty()) {
    auto precision = engine::ParsePrecision(training.precision());
    QUANTRY_RETURN_IF_ERROR(WithContext(precision.status(), "job.training"));
    train.precision = *precision;
  }
  train.seed = static_cast<uint64_t>(training.seed());
  if (job.pact().has_learning_rate_factor()) {
    train.pact_learning_rate_factor = job.pact().learning_rate_factor();
  }
  if (job.pact().has_weight_decay()) train.pact_weight_decay = job.pact().weight_decay();
  if (job.pact().has_alpha()) {
    options.pact_alpha = job.pact().alpha();
    if (!(job.pact().alpha() > 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("job.pact.alpha is ", job.pact().alpha(), "; it must be larger than 0"));
    }
  }
  if (training.has_batch_size()) options.batch_size = training.batch_size();
  if (training.has_calibration_batches()) {
    options.calibration_batches = training.calibration_batches();
  }
  options.threads = training.has_threads() ? training.threads() : Cores();
  QUANTRY_RETURN_IF_ERROR(
      InRange<int64_t>("job.training.batch_size", options.batch_size, 1, 65536));
  QUANTRY_RETURN_IF_ERROR(
      AtLeast<int64_t>("job.training.calibration_batches", options.calibration_batches, 1));
  QUANTRY_RETURN_IF_ERROR(InRange("job.training.threads", options.threads, 1, 1024));
  return WithContext(train.Validate(), "job.training");
}

// A setting by name says all of what the options of PACT say one by one.
absl::Status ApplyPactSetting(const v1::PactOptions& pact, RunOptions& options) {
  if (!options.quant.pact_setting) return absl::OkStatus();
  if (pact.has_alpha() || pact.has_learning_rate_factor() || pact.has_weight_decay()) {
    return absl::InvalidArgumentError(
        absl::StrCat("pact_setting is \"", *options.quant.pact_setting,
                     "\", and job.pact sets alpha, learning_rate_factor or weight_decay, too: take "
                     "one of the two, the setting or your own numbers"));
  }
  const engine::PactSetting* setting = engine::FindPactSetting(*options.quant.pact_setting);
  if (setting == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        "pact_setting is \"", *options.quant.pact_setting, "\"; there is no such one"));
  }
  options.pact_alpha = setting->alpha;
  options.train.pact_learning_rate_factor = setting->learning_rate_factor;
  options.train.pact_weight_decay = setting->weight_decay.value_or(options.train.weight_decay);
  return absl::OkStatus();
}

absl::Status ReadQuant(const v1::JobSpec& job, RunOptions& options) {
  if (!ModeOf(options.mode).quantizes) {
    if (job.quant_config().empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("job.quant_config must be empty with ", v1::Mode_Name(job.mode())));
  }
  QUANTRY_ASSIGN_OR_RETURN(options.quant, ParseQuantConfig(job.quant_config()));
  return ApplyPactSetting(job.pact(), options);
}

absl::Status Fill(const v1::TrainerSpec& spec, RunOptions& options) {
  QUANTRY_ASSIGN_OR_RETURN(options.mode, ToMode(spec.job().mode()));
  if (!spec.device().empty() && spec.device() != "cpu") {
    return absl::InvalidArgumentError(
        absl::StrCat("device is '", spec.device(), "'; this release trains on 'cpu'"));
  }
  QUANTRY_RETURN_IF_ERROR(ReadModel(spec, options));
  QUANTRY_RETURN_IF_ERROR(ReadData(spec, options.data));
  QUANTRY_RETURN_IF_ERROR(ReadTraining(spec.job(), options));
  QUANTRY_RETURN_IF_ERROR(ReadModeOptions(spec.job(), options));
  options.checkpoint_path = spec.checkpoint_path();
  return absl::OkStatus();
}

// Messages quote what stands in the spec, which may be anything.
absl::Status InPlainText(const absl::Status& status) {
  absl::Status plain(status.code(), ToPlainText(status.message()));
  status.ForEachPayload([&plain](absl::string_view type, const absl::Cord& payload) {
    plain.SetPayload(type, payload);
  });
  return plain;
}

// Gradient descent has effect on all of them, so only the others are named here.
bool UsesTrainingOption(const ModeDef& mode, absl::string_view field) {
  if (field == "calibration_batches") return mode.quantizes;
  return mode.trains || field == "batch_size" || field == "seed" || field == "threads";
}

}  // namespace

absl::StatusOr<v1::TrainerSpec> ParseSpec(absl::string_view json) {
  v1::TrainerSpec spec;
  const auto status = google::protobuf::util::JsonStringToMessage(std::string(json), &spec);
  if (!status.ok()) {
    return WithReason(absl::InvalidArgumentError(absl::StrCat(
                          "the spec is not valid: ", ToPlainText(std::string(status.message())))),
                      "SPEC_INVALID");
  }
  return spec;
}

absl::StatusOr<RunOptions> SpecToOptions(const v1::TrainerSpec& spec) {
  RunOptions options;
  QUANTRY_RETURN_IF_ERROR(WithReason(InPlainText(Fill(spec, options)), "SPEC_INVALID"));
  const absl::Status quant = WithContext(ReadQuant(spec.job(), options), "quant_config");
  QUANTRY_RETURN_IF_ERROR(WithReason(InPlainText(quant), "QUANT_CONFIG_INVALID"));
  return options;
}

std::vector<std::string> UnusedOptions(const v1::TrainerSpec& spec) {
  const v1::JobSpec& job = spec.job();
  const ModeDef* mode = FindMode(job.mode());
  if (mode == nullptr) return {};
  std::vector<std::string> names;
  std::vector<const google::protobuf::FieldDescriptor*> given;
  job.training().GetReflection()->ListFields(job.training(), &given);
  for (const google::protobuf::FieldDescriptor* field : given) {
    if (!UsesTrainingOption(*mode, field->name())) names.push_back(field->name());
  }
  if (!mode->quantizes && job.has_pact()) names.emplace_back("pact");
  const bool mixed = mode->mode == RunMode::kMixedPrecision;
  const bool sensitivity = mixed || mode->mode == RunMode::kSensitivity;
  if (!sensitivity && job.has_sensitivity()) names.emplace_back("sensitivity");
  if (!mixed && job.has_mixed_precision()) names.emplace_back("mixed_precision");
  if (mode->mode != RunMode::kPtq && job.has_ptq()) names.emplace_back("ptq");
  return names;
}

}  // namespace quantry::trainer
