#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/files.h"
#include "tests/worker/trainer/pipeline_fixture.h"
#include "worker/engine/train/checkpoint.h"
#include "worker/trainer/failure.h"

namespace quantry::trainer {
namespace {

using ::testing::HasSubstr;

TEST_F(PipelineTest, AnInterruptedRunGoesOnToTheSameModel) {
  const RunOptions options = TinyQuantized(RunMode::kQat);
  ASSERT_TRUE(Run(options, "whole").ok());
  // Asked before each of four steps and after 2 + 2 batches, then after each of 8 training steps.
  const absl::Status stopped = RunInterrupted(options, "broken", 14);
  ASSERT_EQ(stopped.code(), absl::StatusCode::kCancelled) << stopped;
  const auto checkpoint = engine::ReadCheckpoint(folder_ / "broken" / "checkpoint.qckpt");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_GT(checkpoint->steps_done, 0);
  EXPECT_LT(checkpoint->steps_done, 8);
  ASSERT_TRUE(Run(options, "broken").ok());
  EXPECT_TRUE(*ReadFile(folder_ / "broken" / "model.onnx") ==
              *ReadFile(folder_ / "whole" / "model.onnx"));
}

TEST_F(PipelineTest, EvaluatesWhileTrainingAndStopsEarly) {
  RunOptions options = TinyQuantized(RunMode::kQat);
  options.train.epochs = 3;
  options.train.schedule.learning_rate = 1e-9;  // so that nothing gets better,
  options.train.freeze_after = 0.001;           // after the first step
  options.train.evaluate_steps = 2;
  options.train.patience = 2;
  options.train.keep_best = true;
  options.train.distillation = {.task_weight = 0.0};
  const auto result = Run(options, "qat");
  ASSERT_TRUE(result.ok()) << result.status();
  int64_t last_step = 0;
  int evaluations = 0;
  for (const v1::TrainerEvent& event : sink_.events) {
    if (event.metrics().subject() != "eval") continue;
    ++evaluations;
    last_step = event.metrics().step();
  }
  EXPECT_EQ(evaluations, 3);
  EXPECT_EQ(last_step, 6);
  const auto checkpoint = engine::ReadCheckpoint(folder_ / "qat" / "checkpoint.qckpt");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->steps_done, last_step);
}

TEST_F(PipelineTest, ADamagedCheckpointInTheOutputMeansStartingOver) {
  std::filesystem::create_directories(folder_ / "float");
  std::ofstream(folder_ / "float" / "checkpoint.qckpt") << "rubbish";
  ASSERT_TRUE(Run(TinyFloat(), "float").ok());
  RunOptions options = TinyFloat();
  std::ofstream(folder_ / "bad.qckpt") << "rubbish";
  options.checkpoint_path = folder_ / "bad.qckpt";
  const absl::Status status = Run(options, "other").status();
  EXPECT_EQ(ToFailure(status).reason(), "CHECKPOINT_INVALID");
}

TEST_F(PipelineTest, ACheckpointOfAnotherRunIsRefused) {
  RunOptions options = TinyFloat();
  ASSERT_TRUE(Run(options, "float").ok());
  options.train.optimizer.momentum = 0.5;
  const absl::Status status = Run(options, "float").status();
  EXPECT_EQ(ToFailure(status).reason(), "CHECKPOINT_MISMATCH");
  EXPECT_EQ(ToFailure(status).kind(), v1::FAILURE_KIND_USER);
  EXPECT_THAT(std::string(status.message()), HasSubstr("training.momentum was 0.9"));
}

}  // namespace
}  // namespace quantry::trainer
