#include "worker/engine/train/train_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;

struct BadOption {
  const char* field;
  void (*spoil)(TrainOptions&);
};

constexpr BadOption kBadOptions[] = {
    {"epochs", [](TrainOptions& o) { o.epochs = -1; }},
    {"learning_rate", [](TrainOptions& o) { o.schedule.learning_rate = 0; }},
    {"learning_rate",
     [](TrainOptions& o) { o.schedule.learning_rate = std::numeric_limits<double>::infinity(); }},
    {"step_epochs", [](TrainOptions& o) { o.schedule.step_epochs = 0; }},
    {"step_gamma", [](TrainOptions& o) { o.schedule.step_gamma = 1.5; }},
    {"warmup_epochs", [](TrainOptions& o) { o.schedule.warmup_epochs = -1; }},
    {"momentum", [](TrainOptions& o) { o.optimizer.momentum = 1; }},
    {"weight_decay", [](TrainOptions& o) { o.weight_decay = -1; }},
    {"label_smoothing", [](TrainOptions& o) { o.loss.label_smoothing = 1; }},
    {"gradient_clip", [](TrainOptions& o) { o.gradient_clip = 0; }},
    {"checkpoint_steps", [](TrainOptions& o) { o.checkpoint_steps = 0; }},
    {"freeze_after", [](TrainOptions& o) { o.freeze_after = 0; }},
    {"polynomial_power", [](TrainOptions& o) { o.schedule.polynomial_power = 0; }},
    {"optimizer", [](TrainOptions& o) { o.optimizer.name = "lion"; }},
    {"beta1", [](TrainOptions& o) { o.optimizer.beta1 = 1; }},
    {"beta2", [](TrainOptions& o) { o.optimizer.beta2 = -1; }},
    {"epsilon", [](TrainOptions& o) { o.optimizer.epsilon = 0; }},
    {"loss", [](TrainOptions& o) { o.loss.name = "hinge"; }},
    {"huber_delta", [](TrainOptions& o) { o.loss.huber_delta = 0; }},
    {"accumulate_batches", [](TrainOptions& o) { o.accumulate_batches = 0; }},
    {"mixup", [](TrainOptions& o) { o.mixup = -1; }},
    {"ema_decay", [](TrainOptions& o) { o.ema_decay = 1; }},
    {"batch_norm_batches", [](TrainOptions& o) { o.batch_norm_batches = 0; }},
    {"freeze_batch_norm_after", [](TrainOptions& o) { o.freeze_batch_norm_after = 0; }},
    {"freeze_observers_after", [](TrainOptions& o) { o.freeze_observers_after = 2; }},
    {"evaluate_steps", [](TrainOptions& o) { o.evaluate_steps = 0; }},
    {"patience", [](TrainOptions& o) { o.patience = 1; }},
    {"keep_best", [](TrainOptions& o) { o.keep_best = true; }},
    {"distillation.temperature", [](TrainOptions& o) { o.distillation = {.temperature = 0}; }},
    {"pact.learning_rate_factor", [](TrainOptions& o) { o.pact_learning_rate_factor = 0; }},
    {"pact.weight_decay", [](TrainOptions& o) { o.pact_weight_decay = -1; }},
};

TEST(TrainOptionsTest, DefaultsAreValid) { EXPECT_TRUE(TrainOptions().Validate().ok()); }

TEST(TrainOptionsTest, NamesTheWrongField) {
  for (const BadOption& bad : kBadOptions) {
    TrainOptions options;
    bad.spoil(options);
    const absl::Status status = options.Validate();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad.field;
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(bad.field) + " is"));
  }
}

}  // namespace
}  // namespace quantry::engine
