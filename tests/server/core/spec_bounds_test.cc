#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/substitute.h"
#include "server/core/spec_validation.h"
#include "tests/server/sample_spec.h"

// The range of every number in a spec: what the server takes, the trainer takes too, so that no job
// waits for a worker only to fail there.
namespace quantry::server {
namespace {

using ::testing::HasSubstr;
using Values = std::vector<std::string>;

struct Bounds {
  std::string field;  // that a refusal names
  std::string text;   // protobuf text; $0: the value
  Values good;
  Values bad;
};

const Values kNoNumbers = {"nan", "inf", "-inf"};

Values WithNoNumbers(Values values) {
  values.insert(values.end(), kNoNumbers.begin(), kNoNumbers.end());
  return values;
}

std::vector<Bounds> AllBounds() {
  const std::string pact = "quant_config: '{\"activation_preprocess_type\": \"PACT\"}' pact ";
  const std::string step = "training { schedule: 'step' ";
  return {
      {"spec.model.builtin.num_classes",
       "model { builtin { num_classes: $0 } }",
       {"2", "1000000"},
       {"1", "0", "-1", "1000001"}},
      {"spec.model.builtin.width",
       "model { builtin { width: $0 } }",
       {"0.01", "4"},
       WithNoNumbers({"0", "-1", "4.01"})},
      {"spec.data.image_size", "data { image_size: $0 }", {"8", "1024"}, {"7", "1025"}},
      {"spec.data.mean", "data { mean: [0, $0, 0] }", {"-1", "0", "1"}, kNoNumbers},
      {"spec.data.std", "data { std: [1, $0, 1] }", {"0.001", "9"}, WithNoNumbers({"0", "-1"})},
      {"spec.data.max_train_examples",
       "data { max_train_examples: $0 }",
       {"1", "2147483647"},
       {"0", "-1", "2147483648"}},
      {"spec.data.max_eval_examples",
       "data { max_eval_examples: $0 }",
       {"1", "2147483647"},
       {"0", "-1", "2147483648"}},
      {"spec.data.decode_threads", "data { decode_threads: $0 }", {"1", "64"}, {"0", "65"}},
      {"spec.data.max_corrupt_share",
       "data { max_corrupt_share: $0 }",
       {"0", "1"},
       {"-0.1", "1.1", "nan"}},
      {"spec.data.augmentation.resized_crop_min_area",
       "data { augmentation { resized_crop_min_area: $0 } }",
       {"0.08", "1"},
       {"0", "1.1", "nan"}},
      {"spec.data.augmentation.hue",
       "data { augmentation { hue: $0 } }",
       {"0", "0.5"},
       {"-0.1", "0.6"}},
      {"spec.data.augmentation.rand_augment_ops",
       "data { augmentation { rand_augment_ops: $0 } }",
       {"0", "16"},
       {"-1", "17"}},
      {"spec.data.augmentation.rand_augment_magnitude",
       "data { augmentation { rand_augment_magnitude: $0 } }",
       {"0", "30"},
       {"-1", "31"}},
      {"spec.training.epochs", "training { epochs: $0 }", {"0", "2147483647"}, {"-1"}},
      {"spec.training.batch_size", "training { batch_size: $0 }", {"1", "65536"}, {"0", "65537"}},
      {"spec.training.learning_rate",
       "training { learning_rate: $0 }",
       {"1e-30", "1e30"},
       WithNoNumbers({"0", "-1"})},
      {"spec.training.momentum",
       "training { momentum: $0 }",
       {"0", "0.999"},
       WithNoNumbers({"-0.1", "1"})},
      {"spec.training.weight_decay",
       "training { weight_decay: $0 }",
       {"0", "1"},
       WithNoNumbers({"-1e-9"})},
      {"spec.training.step_epochs", step + "step_epochs: $0 }", {"1", "1000"}, {"0", "-1"}},
      {"spec.training.step_gamma",
       step + "step_gamma: $0 }",
       {"0.001", "1"},
       WithNoNumbers({"0", "-1", "1.001"})},
      {"spec.training.warmup_epochs",
       "training { warmup_epochs: $0 }",
       {"0", "2.5"},
       WithNoNumbers({"-0.1"})},
      {"spec.training.label_smoothing",
       "training { label_smoothing: $0 }",
       {"0", "0.999"},
       WithNoNumbers({"-0.1", "1"})},
      {"spec.training.gradient_clip",
       "training { gradient_clip: $0 }",
       {"1e-9", "100"},
       WithNoNumbers({"0", "-1"})},
      {"spec.training.seed",
       "training { seed: $0 }",
       {"-9223372036854775808", "9223372036854775807"},
       {}},
      {"spec.training.checkpoint_steps", "training { checkpoint_steps: $0 }", {"1"}, {"0", "-1"}},
      {"spec.training.calibration_batches",
       "training { calibration_batches: $0 }",
       {"1", "1000"},
       {"0", "-1"}},
      {"spec.training.freeze_after",
       "training { freeze_after: $0 }",
       {"0.001", "1"},
       WithNoNumbers({"0", "-1", "1.001"})},
      {"spec.training.threads", "training { threads: $0 }", {"1", "1024"}, {"0", "-1", "1025"}},
      {"spec.training.beta1",
       "training { optimizer: 'adam' beta1: $0 }",
       {"0", "0.999"},
       WithNoNumbers({"-0.1", "1"})},
      {"spec.training.beta2",
       "training { optimizer: 'adamw' beta2: $0 }",
       {"0", "0.999"},
       WithNoNumbers({"-0.1", "1"})},
      {"spec.training.epsilon",
       "training { optimizer: 'adam' epsilon: $0 }",
       {"1e-30", "1"},
       WithNoNumbers({"0", "-1"})},
      {"spec.training.polynomial_power",
       "training { schedule: 'polynomial' polynomial_power: $0 }",
       {"0.5", "9"},
       WithNoNumbers({"0", "-1"})},
      {"spec.training.accumulate_batches",
       "training { accumulate_batches: $0 }",
       {"1", "1000"},
       {"0", "-1"}},
      {"spec.training.ema_decay",
       "training { ema_decay: $0 }",
       {"0.001", "0.9999"},
       WithNoNumbers({"0", "-1", "1"})},
      {"spec.training.batch_norm_batches",
       "training { batch_norm_batches: $0 }",
       {"1", "1000"},
       {"0", "-1"}},
      {"spec.training.freeze_batch_norm_after",
       "training { freeze_batch_norm_after: $0 }",
       {"0.001", "1"},
       WithNoNumbers({"0", "-1", "1.001"})},
      {"spec.training.freeze_observers_after",
       "training { freeze_observers_after: $0 }",
       {"0.001", "1"},
       WithNoNumbers({"0", "-1", "1.001"})},
      {"spec.training.evaluate_steps", "training { evaluate_steps: $0 }", {"1"}, {"0", "-1"}},
      {"spec.training.evaluate_epochs", "training { evaluate_epochs: $0 }", {"1"}, {"0", "-1"}},
      {"spec.training.patience",
       "training { evaluate_epochs: 1 patience: $0 }",
       {"1"},
       {"0", "-1"}},
      {"spec.training.mixup", "training { mixup: $0 }", {"0", "1.5"}, WithNoNumbers({"-0.1"})},
      {"spec.training.huber_delta",
       "training { loss: 'huber' huber_delta: $0 }",
       {"0.1", "9"},
       WithNoNumbers({"0", "-1"})},
      {"spec.training.distillation.weight",
       "training { distillation { weight: $0 } }",
       {"0.1", "9"},
       WithNoNumbers({"0", "-1"})},
      {"spec.training.distillation.temperature",
       "training { distillation { temperature: $0 } }",
       {"0.1", "9"},
       WithNoNumbers({"0", "-1"})},
      {"spec.training.distillation.task_weight",
       "training { distillation { task_weight: $0 } }",
       {"0", "9"},
       WithNoNumbers({"-1"})},
      {"spec.training.distillation.feature_weight",
       "training { distillation { features: 'relu' feature_weight: $0 } }",
       {"0.1", "9"},
       WithNoNumbers({"0", "-1"})},
      {"spec.pact.alpha", pact + "{ alpha: $0 }", {"0.001", "100"}, WithNoNumbers({"0", "-1"})},
      {"spec.pact.learning_rate_factor",
       pact + "{ learning_rate_factor: $0 }",
       {"0.001", "100"},
       WithNoNumbers({"0", "-1"})},
      {"spec.pact.weight_decay",
       pact + "{ weight_decay: $0 }",
       {"0", "1"},
       WithNoNumbers({"-1e-9"})},
      {"spec.resources.device_count",
       "resources { device_kind: 'cpu' device_count: $0 }",
       {"0", "1", "2", "64"},
       {"-1", "65"}},
      {"spec.max_attempts", "max_attempts: $0", {"1", "100"}, {"0", "101"}},
      {"spec.resources.device_memory_bytes",
       "resources { device_memory_bytes: $0 }",
       {"0", "80000000000"},
       {"-1"}},
      {"spec.priority", "priority: $0", {"-1000", "1000"}, {"-1001", "1001"}},
  };
}

absl::Status Validate(const Bounds& bounds, const std::string& value) {
  const std::string text = absl::Substitute(bounds.text, value);
  v1::JobSpec change;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &change)) << text;
  v1::JobSpec spec = SampleSpec();
  spec.MergeFrom(change);
  return ValidateJobSpec(spec);
}

TEST(SpecBounds, EveryNumberHasItsRange) {
  for (const Bounds& bounds : AllBounds()) {
    for (const std::string& value : bounds.good) {
      const absl::Status status = Validate(bounds, value);
      EXPECT_TRUE(status.ok()) << bounds.field << " " << value << ": " << status;
    }
    for (const std::string& value : bounds.bad) {
      const absl::Status status = Validate(bounds, value);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bounds.field << " " << value;
      EXPECT_THAT(std::string(status.message()), HasSubstr(bounds.field)) << value;
    }
  }
}

// A number that is new in the messages needs a line in the table.
TEST(SpecBounds, TheTableNamesEveryNumber) {
  using google::protobuf::FieldDescriptor;
  std::string table;
  for (const Bounds& bounds : AllBounds()) table += bounds.field + " ";
  const std::vector<std::pair<std::string, const google::protobuf::Descriptor*>> messages = {
      {"spec", v1::JobSpec::descriptor()},
      {"spec.data", v1::DataOptions::descriptor()},
      {"spec.model.builtin", v1::BuiltinModel::descriptor()},
      {"spec.pact", v1::PactOptions::descriptor()},
      {"spec.resources", v1::Resources::descriptor()},
      {"spec.training", v1::TrainingOptions::descriptor()},
      {"spec.training.distillation", v1::Distillation::descriptor()},
  };
  for (const auto& [path, message] : messages) {
    for (int i = 0; i < message->field_count(); ++i) {
      const FieldDescriptor& field = *message->field(i);
      const bool number = field.cpp_type() == FieldDescriptor::CPPTYPE_INT32 ||
                          field.cpp_type() == FieldDescriptor::CPPTYPE_INT64 ||
                          field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE;
      if (!number) continue;
      EXPECT_THAT(table, HasSubstr(path + "." + field.name() + " "));
    }
  }
}

}  // namespace
}  // namespace quantry::server
