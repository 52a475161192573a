#include "worker/trainer/spec_to_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "common/utf8.h"
#include "worker/trainer/failure.h"

namespace quantry::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kQat[] = R"({
  "job": {"mode": "MODE_QAT", "data": {"trainUri": "synthetic://glyphs"}},
  "modelPath": "/m.onnx"})";

v1::TrainerSpec Spec(const std::string& json = kQat) {
  auto spec = ParseSpec(json);
  EXPECT_TRUE(spec.ok()) << spec.status();
  return *spec;
}

TEST(ParseSpecTest, NamesWhatIsWrongWithTheText) {
  for (const char* bad : {"", "[]", "{\"jbo\": {}}", "{\"job\": {\"mode\": \"MODE_FAST\"}}"}) {
    const auto spec = ParseSpec(bad);
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_EQ(ToFailure(spec.status()).reason(), "SPEC_INVALID");
  }
  EXPECT_THAT(std::string(ParseSpec("{\"jbo\": {}}").status().message()), HasSubstr("jbo"));
}

TEST(SpecToOptionsTest, DefaultsDependOnTheMode) {
  v1::TrainerSpec spec = Spec();
  const auto qat = SpecToOptions(spec);
  ASSERT_TRUE(qat.ok()) << qat.status();
  EXPECT_EQ(qat->mode, RunMode::kQat);
  EXPECT_EQ(qat->train.epochs, 5);
  EXPECT_EQ(qat->train.schedule.learning_rate, 0.01);
  EXPECT_EQ(qat->batch_size, 64);
  EXPECT_EQ(qat->calibration_batches, 16);
  EXPECT_EQ(qat->quant, QuantConfig());
  EXPECT_EQ(qat->pact_alpha, std::nullopt);
  EXPECT_GE(qat->threads, 1);
  EXPECT_FALSE(qat->data.random_flip.has_value());
  EXPECT_EQ(qat->data.random_crop, std::nullopt);
  spec.mutable_job()->set_mode(v1::MODE_FLOAT);
  const auto plain = SpecToOptions(spec);
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->train.epochs, 10);
  EXPECT_EQ(plain->train.schedule.learning_rate, 0.1);
}

TEST(SpecToOptionsTest, EveryFieldArrives) {
  const auto options = SpecToOptions(Spec(R"({
    "job": {"mode": "MODE_QAT", "model": {"builtin": {"name": "resnet18", "numClasses": 7, "width": 0.5}},
      "data": {"trainUri": "file:///a", "evalUri": "file:///b", "imageSize": 48, "mean": [0, 0.1, 0.2],
               "std": [1, 2, 3], "randomCrop": false, "randomFlip": true, "maxTrainExamples": 11,
               "maxEvalExamples": 12, "decodeThreads": 3},
      "quantConfig": "{\"weight_bits\": 4}",
      "training": {"epochs": 3, "batchSize": 8, "learningRate": 0.5, "momentum": 0.8,
                   "weightDecay": 0.1, "schedule": "step", "stepEpochs": 2, "stepGamma": 0.3,
                   "warmupEpochs": 0.5, "labelSmoothing": 0.2, "gradientClip": 4, "seed": 6,
                   "checkpointSteps": 9, "calibrationBatches": 2, "freezeAfter": 0.7, "threads": 1},
      "pact": {"alpha": 20, "learningRateFactor": 1000, "weightDecay": 0.01}},
    "device": "cpu", "datasetRoots": ["/data"], "checkpointPath": "/c",
    "datasetCache": "/copies", "datasetCacheBytes": "12345678901"})"));
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->builtin->name, "resnet18");
  EXPECT_EQ(options->builtin->num_classes, 7);
  EXPECT_EQ(options->builtin->width, 0.5);
  EXPECT_EQ(options->data.eval_uri, "file:///b");
  EXPECT_EQ(options->data.image_size, 48);
  EXPECT_EQ(options->data.mean[1], 0.1);
  EXPECT_EQ(options->data.std[2], 3);
  EXPECT_EQ(options->data.random_crop, false);
  EXPECT_EQ(options->data.random_flip, true);
  EXPECT_EQ(options->data.max_train_examples, 11);
  EXPECT_EQ(options->data.max_eval_examples, 12);
  EXPECT_EQ(options->data.decode_threads, 3);
  EXPECT_THAT(options->data.allowed_roots, ElementsAre("/data"));
  EXPECT_EQ(options->data.cache_folder, "/copies");
  EXPECT_EQ(options->data.cache_bytes, 12345678901);
  EXPECT_EQ(options->quant.weight_bits, 4);
  EXPECT_EQ(options->train.epochs, 3);
  EXPECT_EQ(options->train.optimizer.momentum, 0.8);
  EXPECT_EQ(options->train.weight_decay, 0.1);
  EXPECT_EQ(options->train.schedule.kind, engine::ScheduleKind::kStep);
  EXPECT_EQ(options->train.schedule.step_epochs, 2);
  EXPECT_EQ(options->train.schedule.step_gamma, 0.3);
  EXPECT_EQ(options->train.schedule.warmup_epochs, 0.5);
  EXPECT_EQ(options->train.loss.label_smoothing, 0.2);
  EXPECT_EQ(options->train.gradient_clip, 4);
  EXPECT_EQ(options->train.seed, 6u);
  EXPECT_EQ(options->train.checkpoint_steps, 9);
  EXPECT_EQ(options->train.freeze_after, 0.7);
  EXPECT_EQ(options->train.pact_learning_rate_factor, 1000);
  EXPECT_EQ(options->train.pact_weight_decay, 0.01);
  EXPECT_EQ(options->pact_alpha, 20);
  EXPECT_EQ(options->calibration_batches, 2);
  EXPECT_EQ(options->threads, 1);
  EXPECT_EQ(options->checkpoint_path, "/c");
}

TEST(SpecToOptionsTest, EveryTrainingFieldThatExcludesAnotherArrivesToo) {
  const auto options = SpecToOptions(Spec(R"({
    "job": {"mode": "MODE_QAT", "data": {"trainUri": "file:///a"},
      "training": {"optimizer": "adamw", "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6,
                   "decayNormAndBias": false, "schedule": "polynomial", "polynomialPower": 2,
                   "accumulateBatches": 3, "emaDecay": 0.99, "batchNormBatches": 5,
                   "freezeBatchNormAfter": 0.5, "freezeObserversAfter": 0.6, "evaluateSteps": 7,
                   "keepBest": true, "patience": 2, "mixup": 0.3, "loss": "huber",
                   "huberDelta": 0.5, "syncBatchNorm": false, "precision": "bf16",
                   "distillation": {"kind": "mse", "weight": 2, "temperature": 4, "taskWeight": 0,
                                    "features": ["a", "b"], "featureWeight": 3}}},
    "modelPath": "/m.onnx"})"));
  ASSERT_TRUE(options.ok()) << options.status();
  const engine::TrainOptions& train = options->train;
  EXPECT_EQ(train.optimizer.name, "adamw");
  EXPECT_EQ(train.optimizer.beta1, 0.8);
  EXPECT_EQ(train.optimizer.beta2, 0.95);
  EXPECT_EQ(train.optimizer.epsilon, 1e-6);
  EXPECT_FALSE(train.decay_norm_and_bias);
  EXPECT_EQ(train.schedule.kind, engine::ScheduleKind::kPolynomial);
  EXPECT_EQ(train.schedule.polynomial_power, 2);
  EXPECT_EQ(train.accumulate_batches, 3);
  EXPECT_EQ(train.ema_decay, 0.99);
  EXPECT_EQ(train.batch_norm_batches, 5);
  EXPECT_EQ(train.freeze_batch_norm_after, 0.5);
  EXPECT_EQ(train.freeze_observers_after, 0.6);
  EXPECT_EQ(train.evaluate_steps, 7);
  EXPECT_TRUE(train.keep_best);
  EXPECT_EQ(train.patience, 2);
  EXPECT_EQ(train.mixup, 0.3);
  EXPECT_EQ(train.loss.name, "huber");
  EXPECT_EQ(train.loss.huber_delta, 0.5);
  EXPECT_FALSE(train.sync_batch_norm);
  EXPECT_EQ(train.precision, engine::Precision::kBf16);
  ASSERT_TRUE(train.distillation.has_value());
  EXPECT_EQ(train.distillation->kind, "mse");
  EXPECT_EQ(train.distillation->weight, 2);
  EXPECT_EQ(train.distillation->temperature, 4);
  EXPECT_EQ(train.distillation->task_weight, 0);
  EXPECT_THAT(train.distillation->features, ElementsAre("a", "b"));
  EXPECT_EQ(train.distillation->feature_weight, 3);
}

TEST(SpecToOptionsTest, OptionsOfModesArrive) {
  const auto sensitivity = SpecToOptions(Spec(R"({
    "job": {"mode": "MODE_SENSITIVITY", "data": {"trainUri": "file:///a"},
            "sensitivity": {"bits": [6, 3], "maxExamples": 77}},
    "modelPath": "/m.onnx"})"));
  ASSERT_TRUE(sensitivity.ok()) << sensitivity.status();
  EXPECT_EQ(sensitivity->mode, RunMode::kSensitivity);
  EXPECT_THAT(sensitivity->sensitivity.bits, ElementsAre(6, 3));
  EXPECT_EQ(sensitivity->sensitivity_examples, 77);
  const auto mixed = SpecToOptions(Spec(R"({
    "job": {"mode": "MODE_MIXED_PRECISION", "data": {"trainUri": "file:///a"},
            "mixedPrecision": {"candidateBits": [4, 8], "sizeBytes": 5000, "weightsOnly": true}},
    "modelPath": "/m.onnx"})"));
  ASSERT_TRUE(mixed.ok()) << mixed.status();
  EXPECT_EQ(mixed->mixed_precision.budget, engine::BudgetKind::kSizeBytes);
  EXPECT_EQ(mixed->mixed_precision.limit, 5000);
  EXPECT_TRUE(mixed->mixed_precision.weights_only);
  EXPECT_THAT(mixed->sensitivity.bits, ElementsAre(4, 8));
  EXPECT_TRUE(mixed->sensitivity.weights_only);
  EXPECT_EQ(mixed->train.epochs, 5);
  EXPECT_EQ(mixed->sensitivity_examples, 512);
  const auto ptq = SpecToOptions(Spec(R"({
    "job": {"mode": "MODE_PTQ", "data": {"trainUri": "file:///a"},
            "ptq": {"equalize": true, "correctBias": true}},
    "modelPath": "/m.onnx"})"));
  ASSERT_TRUE(ptq.ok()) << ptq.status();
  EXPECT_TRUE(ptq->ptq.equalize);
  EXPECT_TRUE(ptq->ptq.correct_bias);
  EXPECT_FALSE(ptq->ptq.adaptive_rounding);
  const auto rounded = SpecToOptions(Spec(R"({
    "job": {"mode": "MODE_PTQ", "data": {"trainUri": "file:///a"},
            "ptq": {"adaptiveRounding": true}},
    "modelPath": "/m.onnx"})"));
  ASSERT_TRUE(rounded.ok()) << rounded.status();
  EXPECT_TRUE(rounded->ptq.adaptive_rounding);
}

struct BadSpec {
  const char* message;
  const char* reason;
  void (*spoil)(v1::TrainerSpec&);
};

constexpr BadSpec kBadSpecs[] = {
    {"job.mode is not set", "SPEC_INVALID",
     [](v1::TrainerSpec& s) { s.mutable_job()->clear_mode(); }},
    {"job.mode is 77; it must be one of MODE_FLOAT", "SPEC_INVALID",
     [](v1::TrainerSpec& s) { s.mutable_job()->set_mode(static_cast<v1::Mode>(77)); }},
    {"job.mixed_precision has 0 budgets", "SPEC_INVALID",
     [](v1::TrainerSpec& s) { s.mutable_job()->set_mode(v1::MODE_MIXED_PRECISION); }},
    {"mean_weight_bits is 17; it must be in [2, 16]", "SPEC_INVALID",
     [](v1::TrainerSpec& s) {
       s.mutable_job()->set_mode(v1::MODE_MIXED_PRECISION);
       s.mutable_job()->mutable_mixed_precision()->set_mean_weight_bits(17);
     }},
    {"bit_operations is -1; it must be a number larger than 0", "SPEC_INVALID",
     [](v1::TrainerSpec& s) {
       s.mutable_job()->set_mode(v1::MODE_MIXED_PRECISION);
       s.mutable_job()->mutable_mixed_precision()->set_bit_operations(-1);
     }},
    {"candidate_bits has one entry", "SPEC_INVALID",
     [](v1::TrainerSpec& s) {
       s.mutable_job()->set_mode(v1::MODE_MIXED_PRECISION);
       s.mutable_job()->mutable_mixed_precision()->set_size_bytes(1000);
       s.mutable_job()->mutable_mixed_precision()->add_candidate_bits(4);
     }},
    {"job.sensitivity.bits has 17", "SPEC_INVALID",
     [](v1::TrainerSpec& s) {
       s.mutable_job()->set_mode(v1::MODE_SENSITIVITY);
       s.mutable_job()->mutable_sensitivity()->add_bits(17);
     }},
    {"job.sensitivity.max_examples is 0", "SPEC_INVALID",
     [](v1::TrainerSpec& s) {
       s.mutable_job()->set_mode(v1::MODE_SENSITIVITY);
       s.mutable_job()->mutable_sensitivity()->set_max_examples(0);
     }},
    {"correct_bias beside adaptive_rounding", "SPEC_INVALID",
     [](v1::TrainerSpec& s) {
       s.mutable_job()->set_mode(v1::MODE_PTQ);
       s.mutable_job()->mutable_ptq()->set_correct_bias(true);
       s.mutable_job()->mutable_ptq()->set_adaptive_rounding(true);
     }},
    {"no model", "SPEC_INVALID", [](v1::TrainerSpec& s) { s.clear_model_path(); }},
    {"both model_path", "SPEC_INVALID",
     [](v1::TrainerSpec& s) { s.mutable_job()->mutable_model()->mutable_builtin(); }},
    {"weights_path is set without job.model.builtin", "SPEC_INVALID",
     [](v1::TrainerSpec& s) { s.set_weights_path("/w"); }},
    {"job.model.builtin.weights is set, but not weights_path", "SPEC_INVALID",
     [](v1::TrainerSpec& s) {
       s.clear_model_path();
       s.mutable_job()->mutable_model()->mutable_builtin()->set_weights("a");
     }},
    {"new_classifier is set without weights", "SPEC_INVALID",
     [](v1::TrainerSpec& s) {
       s.clear_model_path();
       s.mutable_job()->mutable_model()->mutable_builtin()->set_new_classifier(true);
     }},
    {"device is 'cuda:0'", "SPEC_INVALID", [](v1::TrainerSpec& s) { s.set_device("cuda:0"); }},
    {"train_uri is empty", "SPEC_INVALID",
     [](v1::TrainerSpec& s) { s.mutable_job()->mutable_data()->clear_train_uri(); }},
    {"image_size is 4", "SPEC_INVALID",
     [](v1::TrainerSpec& s) { s.mutable_job()->mutable_data()->set_image_size(4); }},
    {"job.data.mean has 1 values", "SPEC_INVALID",
     [](v1::TrainerSpec& s) { s.mutable_job()->mutable_data()->add_mean(0.5); }},
    {"batch_size is 0", "SPEC_INVALID",
     [](v1::TrainerSpec& s) { s.mutable_job()->mutable_training()->set_batch_size(0); }},
    {"schedule is 'linear'", "SPEC_INVALID",
     [](v1::TrainerSpec& s) { s.mutable_job()->mutable_training()->set_schedule("linear"); }},
    {"momentum is 1", "SPEC_INVALID",
     [](v1::TrainerSpec& s) { s.mutable_job()->mutable_training()->set_momentum(1); }},
    {"pact.alpha is -1", "SPEC_INVALID",
     [](v1::TrainerSpec& s) { s.mutable_job()->mutable_pact()->set_alpha(-1); }},
    {"weight_bits", "QUANT_CONFIG_INVALID",
     [](v1::TrainerSpec& s) { s.mutable_job()->set_quant_config("{\"weight_bits\": 1}"); }},
    {"must be empty with MODE_FLOAT", "QUANT_CONFIG_INVALID",
     [](v1::TrainerSpec& s) {
       s.mutable_job()->set_mode(v1::MODE_FLOAT);
       s.mutable_job()->set_quant_config("{}");
     }},
};

TEST(SpecToOptionsTest, EveryMistakeIsNamedAndTheUsers) {
  for (const BadSpec& bad : kBadSpecs) {
    v1::TrainerSpec spec = Spec();
    bad.spoil(spec);
    const absl::Status status = SpecToOptions(spec).status();
    EXPECT_THAT(std::string(status.message()), HasSubstr(bad.message));
    const v1::Failure failure = ToFailure(status);
    EXPECT_EQ(failure.kind(), v1::FAILURE_KIND_USER) << bad.message;
    EXPECT_EQ(failure.reason(), bad.reason) << bad.message;
  }
}

// What a message quotes can be anything; it is read in terminals and logs.
TEST(SpecToOptionsTest, MessagesAreText) {
  v1::TrainerSpec schedule = Spec();
  schedule.mutable_job()->mutable_training()->set_schedule(std::string("\0co\x1b[2J", 7));
  v1::TrainerSpec device = Spec();
  device.set_device("c\x01pu");
  for (const v1::TrainerSpec& spec : {schedule, device}) {
    const absl::Status status = SpecToOptions(spec).status();
    EXPECT_EQ(ToFailure(status).reason(), "SPEC_INVALID");
    const std::string message(status.message());
    EXPECT_THAT(message, HasSubstr("?"));
    EXPECT_EQ(message, ToPlainText(message));
  }
}

TEST(SpecToOptionsTest, PactSettingsStandForTheirNumbers) {
  const auto with = [](const std::string& setting, const std::string& pact) {
    return SpecToOptions(Spec(
        R"({"job": {"mode": "MODE_QAT", "data": {"trainUri": "synthetic://glyphs"}, "quantConfig":
            "{\"activation_preprocess_type\": \"PACT\", \"pact_setting\": \")" +
        setting + R"(\"}", "training": {"weightDecay": 0.002})" + pact +
        R"(}, "modelPath": "/m.onnx"})"));
  };
  struct Expected {
    const char* setting;
    std::optional<double> alpha;
    double factor, decay;
  };
  for (const Expected& expected :
       {Expected{"calibrated", std::nullopt, 1, 1e-4}, Expected{"alpha100", 100, 1000, 0.002},
        Expected{"alpha20", 20, 1, 1e-4}}) {
    const auto options = with(expected.setting, "");
    ASSERT_TRUE(options.ok()) << options.status();
    EXPECT_EQ(options->pact_alpha, expected.alpha) << expected.setting;
    EXPECT_EQ(options->train.pact_learning_rate_factor, expected.factor) << expected.setting;
    EXPECT_EQ(options->train.pact_weight_decay, expected.decay) << expected.setting;
    for (const char* own : {R"("alpha": 3)", R"("learningRateFactor": 1)", R"("weightDecay": 0)"}) {
      const auto both = with(expected.setting, std::string(R"(, "pact": {)") + own + "}");
      EXPECT_THAT(std::string(both.status().message()), HasSubstr("take one of the two")) << own;
    }
  }
}

TEST(UnusedOptionsTest, NamesWhatTheModeDoesNotUse) {
  v1::TrainerSpec spec = Spec();
  spec.mutable_job()->mutable_training()->set_epochs(3);
  spec.mutable_job()->mutable_training()->set_batch_size(3);
  EXPECT_TRUE(UnusedOptions(spec).empty());
  spec.mutable_job()->set_mode(v1::MODE_PTQ);
  EXPECT_THAT(UnusedOptions(spec), ElementsAre("epochs"));
  spec.mutable_job()->mutable_training()->set_calibration_batches(3);
  spec.mutable_job()->mutable_pact();
  spec.mutable_job()->mutable_ptq();
  spec.mutable_job()->mutable_sensitivity();
  spec.mutable_job()->set_mode(v1::MODE_EVALUATE);
  EXPECT_THAT(UnusedOptions(spec),
              ElementsAre("epochs", "calibration_batches", "pact", "sensitivity", "ptq"));
  spec.mutable_job()->set_mode(v1::MODE_MIXED_PRECISION);
  EXPECT_THAT(UnusedOptions(spec), ElementsAre("ptq"));
}

// Every field there is has effect in training with quantization, and so is in no list by hand.
TEST(UnusedOptionsTest, WalksAllFieldsOfTraining) {
  v1::TrainerSpec spec = Spec();
  v1::TrainingOptions& training = *spec.mutable_job()->mutable_training();
  const google::protobuf::Descriptor& type = *v1::TrainingOptions::descriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *type.field(i);
    const google::protobuf::Reflection& reflection = *training.GetReflection();
    switch (field.cpp_type()) {
      case google::protobuf::FieldDescriptor::CPPTYPE_INT32:
        if (!field.is_repeated()) reflection.SetInt32(&training, &field, 1);
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_INT64:
        if (!field.is_repeated()) reflection.SetInt64(&training, &field, 1);
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_DOUBLE:
        reflection.SetDouble(&training, &field, 0.5);
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_BOOL:
        reflection.SetBool(&training, &field, true);
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_STRING:
        if (!field.is_repeated()) reflection.SetString(&training, &field, "x");
        break;
      default:
        if (!field.is_repeated()) reflection.MutableMessage(&training, &field);
    }
  }
  EXPECT_THAT(UnusedOptions(spec), ElementsAre());
  spec.mutable_job()->set_mode(v1::MODE_SENSITIVITY);
  std::vector<const google::protobuf::FieldDescriptor*> given;
  training.GetReflection()->ListFields(training, &given);
  EXPECT_EQ(UnusedOptions(spec).size() + 4, given.size());
  spec.mutable_job()->set_mode(v1::MODE_FLOAT);
  EXPECT_THAT(UnusedOptions(spec), ElementsAre("calibration_batches"));
}

}  // namespace
}  // namespace quantry::trainer
