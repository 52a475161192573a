#include "worker/trainer/settings.h"

#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "worker/trainer/modes/mode.h"

namespace quantry::trainer {
namespace {

using Json = nlohmann::json;

constexpr absl::string_view kScheduleNames[] = {"", "constant", "cosine", "step", "polynomial"};

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json AugmentToJson(const engine::AugmentOptions& augment) {
  return {{"resized_crop_min_area", OrNull(augment.resized_crop_min_area)},
          {"brightness", augment.brightness},
          {"contrast", augment.contrast},
          {"saturation", augment.saturation},
          {"hue", augment.hue},
          {"rand_augment_ops", augment.rand_augment_ops},
          {"rand_augment_magnitude", augment.rand_augment_magnitude},
          {"rand_augment_policy", augment.rand_augment_policy},
          {"random_erasing", augment.random_erasing}};
}

Json DataToJson(const DataOptions& data) {
  return {{"train_uri", data.train_uri},
          {"eval_uri", data.eval_uri},
          {"image_size", OrNull(data.image_size)},
          {"mean", data.mean},
          {"std", data.std},
          {"random_crop", OrNull(data.random_crop)},
          {"random_flip", OrNull(data.random_flip)},
          {"max_train_examples", OrNull(data.max_train_examples)},
          {"max_eval_examples", OrNull(data.max_eval_examples)},
          {"max_corrupt_share", data.max_corrupt_share},
          {"augmentation", AugmentToJson(data.augment)},
          {"task_output", data.task_output},
          {"decode_threads", data.decode_threads}};
}

Json DistillationToJson(const std::optional<engine::DistillationOptions>& distillation) {
  if (!distillation) return Json();
  return {{"kind", distillation->kind},
          {"weight", distillation->weight},
          {"temperature", distillation->temperature},
          {"task_weight", OrNull(distillation->task_weight)},
          {"features", distillation->features},
          {"feature_weight", distillation->feature_weight}};
}

Json TrainingToJson(const RunOptions& options) {
  const engine::TrainOptions& train = options.train;
  return {{"epochs", train.epochs},
          {"batch_size", options.batch_size},
          {"learning_rate", train.schedule.learning_rate},
          {"optimizer", train.optimizer.name},
          {"momentum", train.optimizer.momentum},
          {"beta1", train.optimizer.beta1},
          {"beta2", train.optimizer.beta2},
          {"epsilon", train.optimizer.epsilon},
          {"weight_decay", train.weight_decay},
          {"decay_norm_and_bias", train.decay_norm_and_bias},
          {"schedule", std::string(kScheduleNames[static_cast<int>(train.schedule.kind)])},
          {"step_epochs", train.schedule.step_epochs},
          {"step_gamma", train.schedule.step_gamma},
          {"polynomial_power", train.schedule.polynomial_power},
          {"warmup_epochs", train.schedule.warmup_epochs},
          {"loss", train.loss.name},
          {"huber_delta", train.loss.huber_delta},
          {"label_smoothing", train.loss.label_smoothing},
          {"mixup", train.mixup},
          {"accumulate_batches", train.accumulate_batches},
          {"ema_decay", OrNull(train.ema_decay)},
          {"batch_norm_batches", OrNull(train.batch_norm_batches)},
          {"distillation", DistillationToJson(train.distillation)},
          {"evaluate_steps", OrNull(train.evaluate_steps)},
          {"evaluate_epochs", OrNull(train.evaluate_epochs)},
          {"keep_best", train.keep_best},
          {"patience", OrNull(train.patience)},
          {"gradient_clip", OrNull(train.gradient_clip)},
          {"sync_batch_norm", train.sync_batch_norm},
          {"precision", std::string(engine::NameOf(train.precision))},
          {"seed", train.seed},
          {"checkpoint_steps", OrNull(train.checkpoint_steps)},
          {"calibration_batches", options.calibration_batches},
          {"freeze_after", train.freeze_after},
          {"freeze_batch_norm_after", OrNull(train.freeze_batch_norm_after)},
          {"freeze_observers_after", OrNull(train.freeze_observers_after)},
          {"threads", options.threads}};
}

Json MixedPrecisionToJson(const engine::MixedPrecisionOptions& options) {
  return {{"candidate_bits", options.candidate_bits},
          {std::string(engine::NameOf(options.budget)), options.limit},
          {"weights_only", options.weights_only}};
}

// The options of single modes.
void AddModeOptions(const RunOptions& options, Json& settings) {
  const bool mixed = options.mode == RunMode::kMixedPrecision;
  if (mixed) settings["mixed_precision"] = MixedPrecisionToJson(options.mixed_precision);
  if (mixed || options.mode == RunMode::kSensitivity) {
    settings["sensitivity"] = {{"bits", options.sensitivity.bits},
                               {"max_examples", options.sensitivity_examples}};
  }
  if (options.mode == RunMode::kPtq) {
    settings["ptq"] = {{"equalize", options.ptq.equalize},
                       {"correct_bias", options.ptq.correct_bias},
                       {"adaptive_rounding", options.ptq.adaptive_rounding}};
  }
}

}  // namespace

Json SettingsToJson(const RunOptions& options, const std::string& model_identity) {
  Json settings = {{"mode", std::string(ModeOf(options.mode).name)},
                   {"model", model_identity},
                   {"data", DataToJson(options.data)},
                   {"training", TrainingToJson(options)}};
  AddModeOptions(options, settings);
  if (!ModeOf(options.mode).quantizes) return settings;
  settings["quant_config"] = Json::parse(QuantConfigToJson(options.quant));
  settings["pact"] = {{"alpha", OrNull(options.pact_alpha)},
                      {"learning_rate_factor", options.train.pact_learning_rate_factor},
                      {"weight_decay", options.train.pact_weight_decay}};
  return settings;
}

std::map<std::string, std::string> RunIdentity(const RunOptions& options,
                                               const std::string& model_identity) {
  Json settings = SettingsToJson(options, model_identity);
  settings["data"].erase("decode_threads");
  settings["data"].erase("max_corrupt_share");
  settings["training"].erase("threads");
  settings["training"].erase("checkpoint_steps");
  std::map<std::string, std::string> identity;
  const Json flat = settings.flatten();  // outlives items(), which only refers to it
  for (const auto& [path, value] : flat.items()) {
    identity[absl::StrReplaceAll(path.substr(1), {{"/", "."}})] = value.dump();
  }
  return identity;
}

}  // namespace quantry::trainer
