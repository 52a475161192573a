#include "worker/trainer/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/files.h"
#include "nlohmann/json.hpp"
#include "tests/worker/trainer/pipeline_fixture.h"
#include "worker/trainer/failure.h"

namespace quantry::trainer {
namespace {

using ::testing::HasSubstr;

TEST_F(PipelineTest, FloatRunLeavesModelReportAndCheckpoint) {
  const auto result = Run(TinyFloat(), "float");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->has_float_top1());
  EXPECT_FALSE(result->has_fake_quant_top1());
  EXPECT_EQ(result->float_top1(), result->artifact_top1());
  EXPECT_LT(result->max_output_difference(), 1e-3);
  EXPECT_EQ(result->model_size_bytes(), 0);
  EXPECT_EQ(sink_.Count(v1::TrainerEvent::kArtifact), 5);
  EXPECT_EQ(sink_.Count(v1::TrainerEvent::kCheckpoint), 2);
  const nlohmann::json report = Report("float");
  EXPECT_EQ(report["settings"]["data"]["image_size"], 32);
  EXPECT_EQ(report["settings"]["data"]["random_flip"], false);
  EXPECT_EQ(report["classes"].size(), 16u);
  EXPECT_TRUE(report["versions"].contains("libtorch"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "float" / "model.onnx"));
}

// Writes `count` records of CIFAR-10's binary form, labels in turn.
void WriteCifarBatch(const std::filesystem::path& path, int count) {
  std::ofstream file(path, std::ios::binary);
  for (int i = 0; i < count; ++i) {
    file.put(static_cast<char>(i % 10));
    for (int k = 0; k < 3072; ++k) file.put(static_cast<char>((i % 10) * 25 + k * i % 7));
  }
}

TEST_F(PipelineTest, TrainsOnACifarFolder) {
  WriteCifarBatch(folder_ / "data_batch_1.bin", 40);
  WriteCifarBatch(folder_ / "data_batch_2.bin", 24);
  WriteCifarBatch(folder_ / "test_batch.bin", 20);
  RunOptions options = TinyFloat();
  options.data.train_uri = "cifar10://" + folder_.string();
  options.train.epochs = 1;
  const auto result = Run(options, "cifar");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->has_float_top1());
  const nlohmann::json report = Report("cifar");
  EXPECT_EQ(report["settings"]["data"]["image_size"], 32);
  EXPECT_EQ(report["settings"]["data"]["random_flip"], true);
  EXPECT_EQ(report["classes"].size(), 10u);
  EXPECT_EQ(report["corrupt_pictures"]["count"], 0);
}

TEST_F(PipelineTest, EveryModeLeavesAReportForPeople) {
  const RunOptions options = TinyQuantized(RunMode::kQat);
  ASSERT_TRUE(Run(options, "qat").ok());
  const std::string page = *ReadFile(folder_ / "qat" / "report.html");
  EXPECT_THAT(page, HasSubstr("Quantry report: qat"));
  EXPECT_THAT(page, HasSubstr("<h2>Training</h2>"));
  EXPECT_THAT(page, HasSubstr("class=\"histogram\""));
  const nlohmann::json report = Report("qat");
  ASSERT_FALSE(report["layers"].empty());
  for (const nlohmann::json& layer : report["layers"]) {
    int64_t values = 0;
    for (const nlohmann::json& count : layer["histogram"]["counts"]) {
      values += count.get<int64_t>();
    }
    EXPECT_GT(values, 0) << layer["layer"];
    EXPECT_LT(layer["range_low"], layer["range_high"]) << layer["layer"];
  }
  EXPECT_TRUE(std::filesystem::exists(folder_ / "float" / "report.html"));
}

TEST_F(PipelineTest, DivergenceIsTheUsersAndNamesALayer) {
  RunOptions options = TinyFloat();
  options.train.schedule.learning_rate = 1e30;
  const absl::Status status = Run(options, "float").status();
  EXPECT_EQ(ToFailure(status).reason(), "TRAINING_DIVERGED");
  EXPECT_EQ(ToFailure(status).kind(), v1::FAILURE_KIND_USER);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the first layer with"));
}

// No epochs: what is evaluated is what was loaded.
TEST_F(PipelineTest, ABuiltinNetworkStartsFromWeightsByName) {
  const auto trained = Run(TinyFloat(), "float");
  ASSERT_TRUE(trained.ok()) << trained.status();
  RunOptions options = TinyFloat();
  options.train.epochs = 0;
  options.train.seed = 99;
  options.builtin->weights_path = folder_ / "float" / "model.float.onnx";
  const auto same = Run(options, "same");
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_EQ(same->artifact_top1(), trained->artifact_top1());
  EXPECT_THAT(Report("same")["settings"]["model"].get<std::string>(), HasSubstr("weights=sha256:"));

  options.data.train_uri = "synthetic://glyphs?classes=8&size=32&train=64&val=32&seed=1";
  const absl::Status misfit = Run(options, "misfit").status();
  EXPECT_EQ(ToFailure(misfit).reason(), "MODEL_INVALID");
  EXPECT_THAT(std::string(misfit.message()), HasSubstr("set new_classifier"));
  options.builtin->new_classifier = true;
  const auto fresh = Run(options, "fresh");
  EXPECT_TRUE(fresh.ok()) << fresh.status();
}

TEST_F(PipelineTest, WrongModelsAndDataAreTheUsers) {
  RunOptions options = TinyFloat();
  options.builtin->num_classes = 10;
  absl::Status status = Run(options, "a").status();
  EXPECT_EQ(ToFailure(status).reason(), "MODEL_INVALID");
  EXPECT_THAT(std::string(status.message()), HasSubstr("10 outputs, the dataset has 16 classes"));

  options = TinyFloat();
  options.builtin.reset();
  options.model_path = folder_ / "not.onnx";
  std::ofstream(options.model_path) << "this is no model";
  status = Run(options, "a").status();
  EXPECT_EQ(ToFailure(status).reason(), "MODEL_INVALID");
  EXPECT_EQ(ToFailure(status).kind(), v1::FAILURE_KIND_USER);

  options = TinyFloat();
  options.data.train_uri = "gopher://x";
  status = Run(options, "a").status();
  EXPECT_EQ(ToFailure(status).reason(), "DATASET_INVALID");
  EXPECT_EQ(ToFailure(status).kind(), v1::FAILURE_KIND_USER);
}

}  // namespace
}  // namespace quantry::trainer
