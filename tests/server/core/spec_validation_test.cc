#include "server/core/spec_validation.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "server/core/error_details.h"
#include "server/core/onnx_check.h"
#include "tests/server/sample_spec.h"

namespace quantry::server {
namespace {

using ::testing::HasSubstr;

// The sample spec with `text` (protobuf text) merged into it.
v1::JobSpec SpecWith(const std::string& text) {
  v1::JobSpec spec = SampleSpec();
  v1::JobSpec change;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &change)) << text;
  spec.MergeFrom(change);
  return spec;
}

TEST(SpecValidation, AcceptsWhatIsRight) {
  EXPECT_TRUE(ValidateJobSpec(SampleSpec()).ok());
  const std::string hash(64, 'a');
  for (const std::string& text :
       {std::string("mode: MODE_PTQ training { batch_size: 8 calibration_batches: 4 seed: 1 }"),
        std::string("mode: MODE_FLOAT training { epochs: 0 schedule: 'step' step_epochs: 3 }"),
        std::string("mode: MODE_EVALUATE training { batch_size: 8 threads: 1 }"),
        std::string("quant_config: '{\"activation_preprocess_type\": \"PACT\"}' pact { alpha: 6 }"),
        std::string("mode: MODE_PTQ ptq { equalize: true correct_bias: true }"),
        std::string("mode: MODE_PTQ ptq { equalize: true adaptive_rounding: true }"),
        std::string("mode: MODE_SENSITIVITY quant_config: '{}' training { batch_size: 8 }"),
        std::string("mode: MODE_SENSITIVITY sensitivity { bits: [2, 8] max_examples: 1 }"),
        std::string("mode: MODE_MIXED_PRECISION training { epochs: 3 freeze_after: 0.5 }"
                    "mixed_precision { mean_weight_bits: 5 candidate_bits: [4, 8] }"
                    "sensitivity { max_examples: 9 }"),
        std::string("mode: MODE_MIXED_PRECISION mixed_precision { size_bytes: 100000 }"
                    "resources { device_kind: 'cpu' device_count: 2 }"),
        std::string("mode: MODE_MIXED_PRECISION mixed_precision { bit_operations: 1e9 }"),
        std::string("sensitivity {} mixed_precision {} ptq {}"),
        std::string("training { freeze_after: 0.5 warmup_epochs: 0.5 gradient_clip: 1 }"),
        std::string("data { train_uri: 'file:///data/x' eval_uri: 'file:///data/y' }"),
        std::string("data { image_size: 32 mean: [0, 0, 0] std: [1, 1, 1] decode_threads: 2 }"),
        std::string("labels { key: 'team' value: 'a b' } priority: -5 max_attempts: 1"),
        std::string("resources { device_kind: 'cuda' device_count: 1 } run_deadline { nanos: 5 }"),
        std::string("training { sync_batch_norm: false } resources { device_kind: 'cpu' "
                    "device_count: 4 }"),
        absl::StrCat("model { blob: '", hash, "' }"),
        std::string("model { job: 'jobs/00000000000000000001' }"),
        std::string("model { builtin { name: 'mobilenet_v2' num_classes: 10 width: 0.5 } }"),
        absl::StrCat("model { builtin { name: 'resnet34' weights: '", std::string(64, 'a'),
                     "' new_classifier: true } }")}) {
    EXPECT_TRUE(ValidateJobSpec(SpecWith(text)).ok())
        << text << ": " << ValidateJobSpec(SpecWith(text));
  }
}

struct BadSpec {
  std::string text;
  std::string field;  // that the message must name
};

TEST(SpecValidation, RefusesEachWrongFieldByName) {
  const std::vector<BadSpec> cases = {
      {"model { blob: 'abc' }", "spec.model.blob"},
      {"model { job: 'jobs/x' }", "spec.model.job"},
      {"model { builtin { name: 'vgg' } }", "spec.model.builtin.name"},
      {"model { builtin { num_classes: 1 } }", "spec.model.builtin.num_classes"},
      {"model { builtin { weights: 'x.pt' } }", "spec.model.builtin.weights"},
      {"model { builtin { new_classifier: true } }", "spec.model.builtin.new_classifier"},
      {"model { builtin { width: 0 } }", "spec.model.builtin.width"},
      {"model { builtin { width: 5 } }", "spec.model.builtin.width"},
      {"data { train_uri: 'http://x/y' }", "spec.data.train_uri"},
      {"data { train_uri: '/data' }", "spec.data.train_uri"},
      {"data { train_uri: 'file://host/data' }", "spec.data.train_uri"},
      {"data { train_uri: 'synthetic://noise?x=1' }", "spec.data.train_uri"},
      {"data { train_uri: 'synthetic://glyphs?classes=1' }", "a whole number from 2 to 62"},
      {"data { train_uri: 'synthetic://glyphs?clases=3' }", "did you mean 'classes'"},
      {"data { train_uri: 'mnist://digits' }", "mnist:///path/to/folder"},
      {"data { eval_uri: 'ftp://x' }", "spec.data.eval_uri"},
      {"data { eval_uri: 'cifar100:///x?labels=%ff' }", "allowed: fine, coarse"},
      {"data { image_size: 7 }", "spec.data.image_size"},
      {"data { mean: [1, 2] }", "spec.data.mean"},
      {"data { std: [1, 0, 1] }", "spec.data.std"},
      {"data { mean: [1, nan, 1] }", "spec.data.mean"},
      {"data { max_train_examples: 0 }", "spec.data.max_train_examples"},
      {"data { max_eval_examples: -1 }", "spec.data.max_eval_examples"},
      {"data { decode_threads: 65 }", "spec.data.decode_threads"},
      {"training { epochs: -1 }", "spec.training.epochs"},
      {"training { batch_size: 0 }", "spec.training.batch_size"},
      {"training { learning_rate: 0 }", "spec.training.learning_rate"},
      {"training { learning_rate: inf }", "spec.training.learning_rate"},
      {"training { momentum: 1 }", "spec.training.momentum"},
      {"training { weight_decay: -1 }", "spec.training.weight_decay"},
      {"training { schedule: 'linear' }", "spec.training.schedule"},
      {"training { step_epochs: 2 }", "spec.training.step_epochs"},
      {"training { schedule: 'step' step_epochs: 0 }", "spec.training.step_epochs"},
      {"training { step_gamma: 0.5 }", "spec.training.step_gamma"},
      {"training { warmup_epochs: nan }", "spec.training.warmup_epochs"},
      {"training { label_smoothing: 1 }", "spec.training.label_smoothing"},
      {"training { gradient_clip: 0 }", "spec.training.gradient_clip"},
      {"training { checkpoint_steps: 0 }", "spec.training.checkpoint_steps"},
      {"training { calibration_batches: 0 }", "spec.training.calibration_batches"},
      {"training { freeze_after: 0 }", "spec.training.freeze_after"},
      {"training { threads: 0 }", "spec.training.threads"},
      {"training { optimizer: 'lion' }", "spec.training.optimizer"},
      {"training { optimizer: 'adam' momentum: 0.5 }", "spec.training.momentum"},
      {"training { beta1: 0.5 }", "spec.training.beta1"},
      {"training { polynomial_power: 2 }", "spec.training.polynomial_power"},
      {"training { keep_best: true }", "spec.training.keep_best"},
      {"training { patience: 2 }", "spec.training.patience"},
      {"training { evaluate_steps: 2 evaluate_epochs: 1 }", "spec.training.evaluate_epochs"},
      {"training { loss: 'hinge' }", "spec.training.loss"},
      {"training { precision: 'fp16' }", "spec.training.precision"},
      {"mode: MODE_PTQ training { precision: 'bf16' }", "spec.training.precision"},
      {"training { huber_delta: 2 }", "spec.training.huber_delta"},
      {"training { distillation { kind: 'js' } }", "spec.training.distillation.kind"},
      {"training { distillation { kind: 'none' } }", "spec.training.distillation"},
      {"training { distillation { kind: 'mse' temperature: 2 } }",
       "spec.training.distillation.temperature"},
      {"mode: MODE_FLOAT training { distillation {} }", "spec.training.distillation"},
      {"mode: MODE_PTQ training { mixup: 1 }", "spec.training.mixup"},
      {"mode: MODE_PTQ training { epochs: 1 }", "spec.training.epochs"},
      {"mode: MODE_PTQ training { learning_rate: 1 }", "spec.training.learning_rate"},
      {"mode: MODE_FLOAT training { calibration_batches: 1 }", "spec.training.calibration_batches"},
      {"mode: MODE_FLOAT training { freeze_after: 0.5 }", "spec.training.freeze_after"},
      {"mode: MODE_EVALUATE training { momentum: 0.5 }", "spec.training.momentum"},
      {"mode: MODE_EVALUATE training { calibration_batches: 1 }",
       "spec.training.calibration_batches"},
      {"mode: MODE_EVALUATE quant_config: '{}'", "spec.quant_config"},
      {"mode: MODE_FLOAT quant_config: '{}'", "spec.quant_config"},
      {"quant_config: '{\"weight_bits\": 1}'", "weight_bits"},
      {"quant_config: 'no json'", "spec.quant_config"},
      {"pact { alpha: 1 }", "spec.pact"},
      {"quant_config: '{\"activation_preprocess_type\": \"PACT\"}' pact { alpha: 0 }",
       "spec.pact.alpha"},
      {"quant_config: '{\"activation_preprocess_type\": \"PACT\", \"pact_setting\": \"alpha20\"}' "
       "pact { weight_decay: 0 }",
       "spec.pact"},
      {"pact { learning_rate_factor: -1 }", "spec.pact.learning_rate_factor"},
      {"pact { weight_decay: -1 }", "spec.pact.weight_decay"},
      {"resources { device_kind: 'tpu' }", "spec.resources.device_kind"},
      {"resources { device_count: 2 }", "spec.resources.device_kind"},
      {"resources { device_kind: 'cuda' device_count: 2 }", "spec.resources.device_kind"},
      {"mode: MODE_PTQ resources { device_kind: 'cpu' device_count: 2 }",
       "spec.resources.device_count"},
      {"training { batch_size: 3 } resources { device_kind: 'cpu' device_count: 4 }",
       "spec.training.batch_size"},
      {"training { sync_batch_norm: false }", "spec.training.sync_batch_norm"},
      {"max_attempts: 0", "spec.max_attempts"},
      {"max_attempts: 101", "spec.max_attempts"},
      {"priority: 1001", "spec.priority"},
      {"labels { key: 'Team' value: 'x' }", "spec.labels"},
      {absl::StrCat("labels { key: 'team' value: '", std::string(64, 'x'), "' }"),
       "spec.labels.team"},
      {absl::StrCat("display_name: '", std::string(129, 'x'), "'"), "spec.display_name"},
      {"run_deadline { seconds: 0 }", "spec.run_deadline"},
      {"run_deadline { seconds: -1 }", "spec.run_deadline"},
      {"mode: 77", "spec.mode"},
      {"mode: MODE_SENSITIVITY training { epochs: 1 }", "spec.training.epochs"},
      {"mode: MODE_SENSITIVITY training { freeze_after: 1 }", "spec.training.freeze_after"},
      {"mode: MODE_SENSITIVITY sensitivity { bits: [1] }", "spec.sensitivity.bits"},
      {"mode: MODE_SENSITIVITY sensitivity { bits: [4, 4] }", "has 4 twice"},
      {"mode: MODE_SENSITIVITY sensitivity { max_examples: 0 }", "spec.sensitivity.max_examples"},
      {"mode: MODE_SENSITIVITY mixed_precision { mean_weight_bits: 4 }", "spec.mixed_precision"},
      {"mode: MODE_SENSITIVITY ptq { equalize: true }", "spec.ptq"},
      {"sensitivity { max_examples: 4 }", "spec.sensitivity"},
      {"ptq { correct_bias: false }", "spec.ptq"},
      {"mode: MODE_PTQ ptq { correct_bias: true adaptive_rounding: true }",
       "spec.ptq.correct_bias"},
      {"mode: MODE_MIXED_PRECISION", "has 0 budgets"},
      {"mode: MODE_MIXED_PRECISION mixed_precision { mean_weight_bits: 4 size_bytes: 9 }",
       "has 2 budgets"},
      {"mode: MODE_MIXED_PRECISION mixed_precision { mean_weight_bits: 1.5 }",
       "spec.mixed_precision.mean_weight_bits"},
      {"mode: MODE_MIXED_PRECISION mixed_precision { mean_weight_bits: nan }",
       "spec.mixed_precision.mean_weight_bits"},
      {"mode: MODE_MIXED_PRECISION mixed_precision { size_bytes: 0 }",
       "spec.mixed_precision.size_bytes"},
      {"mode: MODE_MIXED_PRECISION mixed_precision { bit_operations: inf }",
       "spec.mixed_precision.bit_operations"},
      {"mode: MODE_MIXED_PRECISION mixed_precision { mean_weight_bits: 4 candidate_bits: 4 }",
       "spec.mixed_precision.candidate_bits"},
      {"mode: MODE_MIXED_PRECISION mixed_precision { mean_weight_bits: 4 candidate_bits: [4, 17] }",
       "spec.mixed_precision.candidate_bits"},
      {"mode: MODE_MIXED_PRECISION mixed_precision { mean_weight_bits: 4 }"
       "sensitivity { bits: 8 }",
       "spec.sensitivity.bits"},
  };
  for (const BadSpec& bad : cases) {
    const absl::Status status = ValidateJobSpec(SpecWith(bad.text));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad.text;
    EXPECT_EQ(ErrorReason(status), "INVALID_SPEC") << bad.text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(bad.field)) << bad.text;
  }
}

TEST(SpecValidation, NamesAllThatIsMissing) {
  v1::JobSpec spec;
  spec.set_mode(v1::MODE_QAT);
  const std::string message(ValidateJobSpec(spec).message());
  EXPECT_THAT(message, HasSubstr("spec.model"));
  EXPECT_THAT(message, HasSubstr("spec.data.train_uri"));
  EXPECT_EQ(ValidateJobSpec(v1::JobSpec()).code(), absl::StatusCode::kInvalidArgument);
}

// ir_version 8, producer_name "p", graph of 4 bytes, opset_import of 2 bytes.
const std::string kModel("\x08\x08\x12\x01p\x3a\x04grph\x42\x02\x10\x0d", 15);

absl::Status Check(const std::string& file) {
  return CheckOnnxHead(file, static_cast<int64_t>(file.size()));
}

TEST(OnnxCheck, AcceptsAModelAndTheHeadOfOne) {
  EXPECT_TRUE(Check(kModel).ok()) << Check(kModel);
  const std::string large("\x08\x08\x3a\x80\x80\x80\x01more", 11);
  EXPECT_TRUE(CheckOnnxHead(large, 7 + (1 << 21)).ok());
}

TEST(OnnxCheck, TellsTorchScriptByItsArchive) {
  EXPECT_TRUE(LooksLikeTorchScript(std::string("PK\x03\x04zip", 7)));
  EXPECT_FALSE(LooksLikeTorchScript("PK"));
  EXPECT_FALSE(LooksLikeTorchScript(kModel));
}

TEST(OnnxCheck, RefusesOtherFiles) {
  EXPECT_FALSE(Check("hello, this is a text").ok());
  EXPECT_FALSE(Check(std::string("PK\x03\x04zip", 7)).ok());
  EXPECT_FALSE(Check(std::string("\x89PNG\r\n", 6)).ok());
  EXPECT_FALSE(Check(std::string(100, '\0')).ok());
  EXPECT_FALSE(Check(std::string("\x08\x08", 2)).ok()) << "no graph";
  EXPECT_FALSE(Check(std::string("\x08\x08\x3a\x64"
                                 "cut",
                                 7))
                   .ok())
      << "graph cut short";
  EXPECT_THAT(std::string(Check("hello").message()), HasSubstr("no ONNX file"));
}

}  // namespace
}  // namespace quantry::server
