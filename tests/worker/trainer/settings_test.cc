#include "worker/trainer/settings.h"

#include <gtest/gtest.h>

namespace quantry::trainer {
namespace {

TEST(RunIdentityTest, HoldsWhatDecidesTheResultAndNothingElse) {
  RunOptions options;
  options.mode = RunMode::kQat;
  const auto before = RunIdentity(options, "sha256:m");
  EXPECT_EQ(before.at("model"), "\"sha256:m\"");
  EXPECT_EQ(before.at("training.epochs"), "10");
  EXPECT_EQ(before.at("quant_config.weight_bits"), "8");
  options.threads = 7;
  options.data.decode_threads = 7;
  options.train.checkpoint_steps = 7;
  options.checkpoint_path = "/elsewhere";
  EXPECT_EQ(RunIdentity(options, "sha256:m"), before);
  options.train.optimizer.momentum = 0.5;
  EXPECT_NE(RunIdentity(options, "sha256:m"), before);
}

TEST(SettingsTest, FloatRunsHaveNoQuantConfig) {
  RunOptions options;
  const nlohmann::json settings = SettingsToJson(options, "m");
  EXPECT_EQ(settings["mode"], "float");
  EXPECT_EQ(settings["training"]["schedule"], "cosine");
  EXPECT_FALSE(settings.contains("quant_config"));
  EXPECT_TRUE(settings["data"]["image_size"].is_null());
}

}  // namespace
}  // namespace quantry::trainer
