#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "common/files.h"
#include "nlohmann/json.hpp"
#include "tests/worker/trainer/pipeline_fixture.h"
#include "worker/engine/export/write_npy.h"
#include "worker/engine/train/checkpoint.h"
#include "worker/trainer/failure.h"

namespace quantry::trainer {
namespace {

using ::testing::HasSubstr;

TEST_F(PipelineTest, SensitivityRanksEachLayerAlone) {
  RunOptions options = TinyQuantized(RunMode::kSensitivity);
  options.sensitivity = {.bits = {8, 2}};
  options.sensitivity_examples = 20;  // not a whole number of batches
  const auto result = Run(options, "sensitivity");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->has_float_top1());
  EXPECT_FALSE(result->has_fake_quant_top1());
  const v1::Sensitivity& sensitivity = result->sensitivity();
  EXPECT_EQ(sensitivity.examples(), 20);
  ASSERT_EQ(sensitivity.layers_size(), 2 * 21);  // 20 convolutions and a classifier
  double last = -1000;
  for (int i = 0; i < sensitivity.layers_size(); i += 2) {
    const v1::LayerSensitivity& wide = sensitivity.layers(i);
    const v1::LayerSensitivity& narrow = sensitivity.layers(i + 1);
    EXPECT_EQ(wide.layer(), narrow.layer());
    EXPECT_EQ(wide.bits(), 8);
    EXPECT_EQ(narrow.bits(), 2);
    EXPECT_EQ(wide.rank(), i / 2 + 1);
    EXPECT_GT(wide.sqnr_db(), narrow.sqnr_db()) << wide.layer();
    EXPECT_GE(narrow.sqnr_db(), last);
    EXPECT_GT(narrow.weights(), 0);
    EXPECT_GE(narrow.macs(), narrow.weights());
    last = narrow.sqnr_db();
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "sensitivity" / "model.onnx"));
  const nlohmann::json report = Report("sensitivity");
  EXPECT_EQ(report["sensitivity"]["layers"].size(), 42u);
  EXPECT_EQ(report["settings"]["sensitivity"]["max_examples"], 20);
  EXPECT_EQ(report["settings"]["sensitivity"]["bits"], nlohmann::json({8, 2}));
}

TEST_F(PipelineTest, AnInterruptedSensitivityRunGoesOnWhereItStopped) {
  RunOptions options = TinyQuantized(RunMode::kSensitivity);
  const auto whole = Run(options, "whole");
  ASSERT_TRUE(whole.ok()) << whole.status();
  // 4 steps, 2 + 2 batches of evaluation and calibration, 42 runs for the first batch, a few more.
  const absl::Status stopped = RunInterrupted(options, "broken", 60);
  ASSERT_EQ(stopped.code(), absl::StatusCode::kCancelled) << stopped;
  int64_t first_step = -1;
  const auto resumed = Run(options, "broken");
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  for (const v1::TrainerEvent& event : sink_.events) {
    if (event.progress().phase() != v1::PHASE_SENSITIVITY || first_step >= 0) continue;
    first_step = event.progress().step();
    EXPECT_TRUE(event.progress().has_eta_seconds());
  }
  EXPECT_EQ(first_step, 42);
  EXPECT_EQ(resumed->sensitivity().SerializeAsString(), whole->sensitivity().SerializeAsString());
}

TEST_F(PipelineTest, MixedPrecisionTrainsWithTheBitsItChose) {
  RunOptions options = TinyQuantized(RunMode::kMixedPrecision);
  options.mixed_precision = {.candidate_bits = {2, 4, 8}, .limit = 5};
  options.sensitivity = {.bits = {2, 4, 8}};
  const auto result = Run(options, "mixed");
  ASSERT_TRUE(result.ok()) << result.status();
  const v1::MixedPrecision& choice = result->mixed_precision();
  EXPECT_EQ(choice.budget(), "mean_weight_bits");
  EXPECT_LE(choice.budget_used(), 5);
  EXPECT_GT(choice.budget_used(), 4.5);
  ASSERT_EQ(choice.layers_size(), 21);
  std::map<std::string, int> bits;
  int64_t weight_bits = 0;
  int64_t weights = 0;
  for (const v1::LayerBits& layer : choice.layers()) {
    bits[layer.layer()] = layer.weight_bits();
    EXPECT_EQ(layer.activation_bits(), layer.weight_bits());
    weight_bits += layer.weights() * layer.weight_bits();
    weights += layer.weights();
  }
  EXPECT_DOUBLE_EQ(choice.mean_weight_bits(),
                   static_cast<double>(weight_bits) / static_cast<double>(weights));
  // What was trained and exported has exactly these widths, where a tensor is shared too.
  int tensors = 0;
  for (const v1::LayerQuantization& layer : result->layers()) {
    if (!bits.contains(layer.layer())) continue;  // what the profile quantizes beside layers
    EXPECT_EQ(layer.bits(), bits.at(layer.layer())) << layer.layer() << " " << layer.tensor();
    ++tensors;
  }
  EXPECT_EQ(tensors, 42);
  EXPECT_GT(result->train_seconds(), 0);
  EXPECT_NEAR(result->fake_quant_top1(), result->artifact_top1(), 0.1);
  EXPECT_EQ(Report("mixed")["mixed_precision"]["layers"].size(), 21u);
}

TEST_F(PipelineTest, ARestartedMixedPrecisionRunDoesNotMeasureAgain) {
  RunOptions options = TinyQuantized(RunMode::kMixedPrecision);
  options.mixed_precision = {.candidate_bits = {3, 8}, .limit = 4};
  options.sensitivity = {.bits = {3, 8}};
  const auto whole = Run(options, "whole");
  ASSERT_TRUE(whole.ok()) << whole.status();
  const auto measures = [this] {
    int events = 0;
    for (const v1::TrainerEvent& event : sink_.events) {
      events += event.progress().phase() == v1::PHASE_SENSITIVITY ? 1 : 0;
    }
    return events;
  };
  EXPECT_GT(measures(), 0);
  // Asked before 8 steps, after 2 + 2 + 2 batches and 84 runs; then after each of 8 steps.
  const absl::Status stopped = RunInterrupted(options, "broken", 8 + 6 + 84 + 4);
  ASSERT_EQ(stopped.code(), absl::StatusCode::kCancelled) << stopped;
  const auto checkpoint = engine::ReadCheckpoint(folder_ / "broken" / "checkpoint.qckpt");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_GT(checkpoint->steps_done, 0);
  EXPECT_LT(checkpoint->steps_done, 8);
  const auto resumed = Run(options, "broken");
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_EQ(measures(), 0);
  EXPECT_EQ(resumed->mixed_precision().SerializeAsString(),
            whole->mixed_precision().SerializeAsString());
  EXPECT_EQ(resumed->sensitivity().SerializeAsString(), whole->sensitivity().SerializeAsString());
  EXPECT_TRUE(*ReadFile(folder_ / "broken" / "model.onnx") ==
              *ReadFile(folder_ / "whole" / "model.onnx"));
}

TEST_F(PipelineTest, ABudgetThatNothingFitsIsTheUsers) {
  RunOptions options = TinyQuantized(RunMode::kMixedPrecision);
  options.mixed_precision = {
      .candidate_bits = {4, 8}, .budget = engine::BudgetKind::kSizeBytes, .limit = 100};
  options.sensitivity = {.bits = {4, 8}};
  const absl::Status status = Run(options, "mixed").status();
  EXPECT_EQ(ToFailure(status).kind(), v1::FAILURE_KIND_USER);
  EXPECT_EQ(ToFailure(status).reason(), "SPEC_INVALID");
  EXPECT_THAT(std::string(status.message()), HasSubstr("size_bytes is 100; this model needs"));
}

// Without labels layers are ranked by SQNR, bits are chosen by it, and distillation trains.
TEST_F(PipelineTest, UnlabelledArraysCanBeMeasuredAndGetMixedBits) {
  RunOptions options = TinyQuantized(RunMode::kSensitivity);
  const at::Tensor pictures = at::sin(at::arange(40 * 3 * 32 * 32, at::kFloat) * 0.37f);
  ASSERT_TRUE(
      engine::WriteNpyFile(pictures.reshape({40, 3, 32, 32}), folder_ / "pictures.npy").ok());
  options.data.train_uri = "arrays://" + (folder_ / "pictures.npy").string() + "?holdout=0.5";
  options.sensitivity = {.bits = {2, 8}};
  options.sensitivity_examples = 18;  // not a whole number of batches
  const auto measured = Run(options, "sensitivity");
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_EQ(measured->sensitivity().examples(), 18);
  EXPECT_FALSE(measured->sensitivity().has_float_top1());
  EXPECT_FALSE(measured->sensitivity().has_float_loss());
  ASSERT_EQ(measured->sensitivity().layers_size(), 2 * 21);
  for (const v1::LayerSensitivity& layer : measured->sensitivity().layers()) {
    EXPECT_TRUE(layer.has_sqnr_db());
    EXPECT_FALSE(layer.has_top1() || layer.has_loss());
  }
  EXPECT_FALSE(Report("sensitivity")["sensitivity"].contains("float_top1"));

  options.mode = RunMode::kMixedPrecision;
  options.mixed_precision = {.candidate_bits = {2, 8}, .limit = 5};
  options.train.distillation.emplace();
  const auto mixed = Run(options, "mixed");
  ASSERT_TRUE(mixed.ok()) << mixed.status();
  EXPECT_LE(mixed->mixed_precision().budget_used(), 5);
  EXPECT_GT(mixed->mixed_precision().budget_used(), 4);
}

}  // namespace
}  // namespace quantry::trainer
