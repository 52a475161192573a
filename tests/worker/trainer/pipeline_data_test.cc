#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/worker/engine/data/remote/test_server.h"
#include "tests/worker/engine/data/scratch_folder.h"
#include "tests/worker/engine/data/test_files.h"
#include "tests/worker/engine/data/test_pictures.h"
#include "tests/worker/trainer/pipeline_fixture.h"
#include "worker/engine/export/write_npy.h"
#include "worker/engine/export/write_onnx.h"
#include "worker/engine/import/import_onnx.h"
#include "worker/trainer/failure.h"

namespace quantry::trainer {
namespace {

using engine::BytesOf;
using engine::NpyFile;
using engine::ScratchFolder;
using ::testing::HasSubstr;

TEST_F(PipelineTest, UnlabelledArraysTrainByDistillationAlone) {
  RunOptions options = TinyQuantized(RunMode::kQat);
  const at::Tensor pictures = at::sin(at::arange(40 * 3 * 32 * 32, at::kFloat) * 0.37f);
  ASSERT_TRUE(
      engine::WriteNpyFile(pictures.reshape({40, 3, 32, 32}), folder_ / "pictures.npy").ok());
  options.data.train_uri = "arrays://" + (folder_ / "pictures.npy").string() + "?holdout=0.2";
  const absl::Status unguided = Run(options, "unguided").status();
  EXPECT_EQ(unguided.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unguided.message()), HasSubstr("no labels to train with"));

  options.train.distillation.emplace();
  const auto result = Run(options, "distilled");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_FALSE(result->has_fake_quant_top1());
  const auto fake_quant = MetricsOf(sink_, "fake_quant");
  // BatchNorm statistics move from the glyphs to these pictures, so that outputs do too; unrelated
  // ones would have less than 0 dB and agree in one of 16 classes.
  EXPECT_GT(fake_quant.at("sqnr_db"), 0.0);
  EXPECT_GT(fake_quant.at("agreement"), 0.25);
  EXPECT_EQ(fake_quant.count("top1"), 0u);
  EXPECT_NEAR(MetricsOf(sink_, "artifact").at("sqnr_db"), fake_quant.at("sqnr_db"), 3.0);
  EXPECT_TRUE(MetricsOf(sink_, "float").empty()) << "it agrees with itself";
  const nlohmann::json report = Report("distilled");
  EXPECT_EQ(report["task"], "none");
  EXPECT_TRUE(report["classes"].empty());
  EXPECT_TRUE(std::filesystem::exists(folder_ / "distilled" / "verification.npy"));
}

TEST_F(PipelineTest, RealTargetsChooseTheirLossAndFigures) {
  RunOptions options = TinyQuantized(RunMode::kQat);
  const at::Tensor pictures = at::sin(at::arange(40 * 3 * 32 * 32, at::kFloat) * 0.37f);
  std::filesystem::create_directories(folder_ / "arrays");
  ASSERT_TRUE(
      engine::WriteNpyFile(pictures.reshape({40, 3, 32, 32}), folder_ / "arrays" / "x.npy").ok());
  ASSERT_TRUE(engine::WriteNpyFile(at::cos(at::arange(40 * 16, at::kFloat)).reshape({40, 16}),
                                   folder_ / "arrays" / "y.npy")
                  .ok());
  options.data.train_uri = "arrays://" + (folder_ / "arrays").string() + "?target=y&holdout=0.2";
  const auto result = Run(options, "values");
  ASSERT_TRUE(result.ok()) << result.status();
  const auto artifact = MetricsOf(sink_, "artifact");
  EXPECT_NEAR(artifact.at("rmse"), MetricsOf(sink_, "fake_quant").at("rmse"), 0.05);
  EXPECT_GT(artifact.at("mae"), 0.0);
  EXPECT_EQ(artifact.count("r2"), 1u);
  const nlohmann::json report = Report("values");
  EXPECT_EQ(report["task"], "values");
  EXPECT_EQ(report["settings"]["training"]["loss"], "mse");

  options.loss_given = true;
  options.train.loss.name = "cross_entropy";
  EXPECT_THAT(std::string(Run(options, "wrong").status().message()),
              HasSubstr("it must be 'mse' or 'huber'"));
}

// A network of four inputs, no two of a type and shape, and four outputs.
engine::Graph SeveralInputs() {
  using engine::Dimension;
  at::manual_seed(3);
  engine::Graph graph;
  const auto input = [&](const char* name, at::ScalarType type, std::vector<Dimension> shape) {
    shape.insert(shape.begin(), std::nullopt);
    return graph.AddInput(name, {.dtype = type, .shape = std::move(shape)});
  };
  const auto weight = [&](const char* name, at::IntArrayRef shape) {
    return graph.AddInitializer(name, at::randn(shape) * 0.3, engine::InitializerRole::kParameter);
  };
  const auto node = [&](const char* op, const char* name, std::vector<engine::Value*> inputs,
                        engine::AttributeMap attributes = {}) {
    return graph.AddNode(op, name, std::move(inputs), std::move(attributes))->output();
  };
  engine::Value* const mask = input("mask", at::kBool, {6});
  engine::Value* const picture = input("picture", at::kFloat, {3, 8, 8});
  engine::Value* const side = input("side", at::kFloat, {4});
  engine::Value* const tokens = input("tokens", at::kLong, {6});
  engine::Value* const words = node("Gather", "words", {weight("embedding", {20, 8}), tokens});
  engine::Value* const text = node("ReduceMean", "text", {words},
                                   {{"axes", std::vector<int64_t>{1}}, {"keepdims", int64_t{0}}});
  engine::Value* const seen = node("Cast", "seen", {mask}, {{"to", int64_t{1}}});
  engine::Value* const map =
      node("Relu", "map",
           {node("Conv", "conv", {picture, weight("conv.weight", {4, 3, 3, 3})},
                 {{"kernel_shape", std::vector<int64_t>{3, 3}},
                  {"pads", std::vector<int64_t>{1, 1, 1, 1}}})});
  engine::Value* const pooled =
      node("Flatten", "flat", {node("GlobalAveragePool", "pool", {map})}, {{"axis", int64_t{1}}});
  engine::Value* const all =
      node("Concat", "all", {text, seen, pooled, side}, {{"axis", int64_t{1}}});
  engine::Value* const logits = node("Gemm", "classify", {all, weight("classify.weight", {22, 5})});
  engine::Value* const box =
      node("Sigmoid", "box", {node("Gemm", "locate", {all, weight("locate.weight", {22, 2})})});
  engine::Value* const best = node("ArgMax", "best", {logits}, {{"axis", int64_t{1}}});
  for (engine::Value* output : {logits, box, map, best}) graph.AddOutput(output);
  graph.Rename(logits, "logits");
  return graph;
}

// 48 examples for it, stored in narrower types than it takes, and labels.
void WriteSeveralArrays(const ScratchFolder& folder) {
  constexpr int kCount = 48;
  std::vector<int32_t> tokens;
  std::vector<int64_t> labels;
  std::string mask, picture;
  std::vector<at::Half> side;
  for (int i = 0; i < kCount; ++i) {
    labels.push_back(i % 5);
    for (int k = 0; k < 6; ++k) tokens.push_back((i * 7 + k * k * 3) % 20);
    for (int k = 0; k < 6; ++k) mask.push_back((i + k) % 3 == 0 ? 1 : 0);
    for (int k = 0; k < 3 * 8 * 8; ++k) picture.push_back(static_cast<char>((i * 31 + k * i) % 4));
    for (int k = 0; k < 4; ++k) side.emplace_back(static_cast<float>((i * k) % 9) * 0.25f - 1.0f);
  }
  folder.Write("arrays/tokens.npy", NpyFile("<i4", "(48, 6)", BytesOf(tokens)));
  folder.Write("arrays/mask.npy", NpyFile("|b1", "(48, 6)", mask));
  folder.Write("arrays/picture.npy", NpyFile("|u1", "(48, 3, 8, 8)", picture));
  folder.Write("arrays/side.npy", NpyFile("<f2", "(48, 4)", BytesOf(side)));
  folder.Write("label.npy", NpyFile("<i8", "(48,)", BytesOf(labels)));
}

class SeveralInputsTest : public PipelineTest {
 protected:
  SeveralInputsTest() {
    WriteSeveralArrays(data_);
    options_.model_path = data_.path() / "several.onnx";
    EXPECT_TRUE(engine::WriteOnnxFile(SeveralInputs(), options_.model_path).ok());
    options_.mode = RunMode::kQat;
    options_.builtin.reset();
    options_.batch_size = 8;
    options_.data.train_uri = "arrays://" + (data_.path() / "arrays").string() + "?holdout=0.25";
  }

  // That the exported model takes and gives what the float model did.
  void ExpectSameSignature(const std::string& name) {
    const auto exported = engine::ImportOnnxFile(folder_ / name / "model.onnx");
    ASSERT_TRUE(exported.ok()) << exported.status();
    const engine::Graph original = SeveralInputs();
    ASSERT_EQ(exported->inputs().size(), original.inputs().size());
    for (size_t i = 0; i < original.inputs().size(); ++i) {
      EXPECT_EQ(exported->inputs()[i]->name(), original.inputs()[i]->name());
      EXPECT_EQ(exported->inputs()[i]->type.dtype, original.inputs()[i]->type.dtype);
      EXPECT_EQ(exported->inputs()[i]->type.shape, original.inputs()[i]->type.shape);
    }
    ASSERT_EQ(exported->outputs().size(), original.outputs().size());
    for (size_t i = 0; i < original.outputs().size(); ++i) {
      EXPECT_EQ(exported->outputs()[i]->name(), original.outputs()[i]->name());
    }
  }

  ScratchFolder data_;
  RunOptions options_ = TinyFloat();
};

TEST_F(SeveralInputsTest, AreDistilledWithoutLabels) {
  options_.train.distillation.emplace();
  const auto result = Run(options_, "distilled");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GT(result->train_seconds(), 0.0);
  EXPECT_FALSE(result->has_fake_quant_top1());
  const auto fake_quant = MetricsOf(sink_, "fake_quant");
  EXPECT_GT(fake_quant.at("sqnr_db"), 15.0) << "8 bits of all";
  EXPECT_GT(fake_quant.at("agreement"), 0.8);
  EXPECT_NEAR(MetricsOf(sink_, "artifact").at("sqnr_db"), fake_quant.at("sqnr_db"), 3.0);
  std::set<std::string> layers;
  for (const v1::LayerQuantization& layer : result->layers()) layers.insert(layer.layer());
  EXPECT_THAT(layers, ::testing::IsSupersetOf({"conv", "classify", "locate"}));
  ExpectSameSignature("distilled");
  EXPECT_EQ(Report("distilled")["task"], "none");
}

TEST_F(SeveralInputsTest, AreTrainedWithLabelsOfOneOutput) {
  std::filesystem::copy(data_.path() / "label.npy", data_.path() / "arrays" / "label.npy");
  options_.data.train_uri += "&target=label";
  options_.data.task_output = "logits";
  options_.train.distillation.emplace();
  const auto result = Run(options_, "labelled");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->has_fake_quant_top1());
  EXPECT_NEAR(result->fake_quant_top1(), result->artifact_top1(), 0.1);
  ExpectSameSignature("labelled");

  options_.data.task_output = "box";
  EXPECT_EQ(ToFailure(Run(options_, "wrong").status()).reason(), "MODEL_INVALID");
}

TEST_F(SeveralInputsTest, ArraysThatDoNotFitAreNamed) {
  data_.Write("arrays/tokens.npy",
              NpyFile("<f4", "(48, 6)", BytesOf(std::vector<float>(48 * 6, 1.0f))));
  options_.train.distillation.emplace();
  const absl::Status status = Run(options_, "float_tokens").status();
  EXPECT_EQ(ToFailure(status).reason(), "MODEL_INVALID");
  EXPECT_EQ(ToFailure(status).kind(), v1::FAILURE_KIND_USER);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'tokens'"));
}

TEST_F(PipelineTest, FetchesItsDataAndSaysSo) {
  const ScratchFolder served;
  std::vector<std::pair<std::string, std::string>> members;
  for (int i = 0; i < 40; ++i) {
    members.emplace_back(std::to_string(i) + ".png", engine::TestPng(32, 32, i));
    members.emplace_back(std::to_string(i) + ".cls", i % 2 == 0 ? "cat" : "dog");
  }
  served.Write("a.tar", engine::TarFile(members));
  const engine::TestServer server("object_server.py", {served.path().string()});
  RunOptions options = TinyFloat();
  options.data.train_uri = server.url("/plain/a.tar?holdout=0.3");
  options.data.image_size = 32;
  options.data.cache_folder = folder_ / "copies";
  const auto result = Run(options, "fetched");
  ASSERT_TRUE(result.ok()) << result.status();
  std::string log;
  for (const v1::TrainerEvent& event : sink_.events) log += event.log().message() + "\n";
  EXPECT_THAT(log, HasSubstr("/plain/a.tar: fetched "));
  const auto requests = server.TakeLog();
  ASSERT_EQ(requests.size(), 2u) << "for training, and for evaluation: is it still the same?";
  EXPECT_EQ(requests[0]["status"], 200);
  EXPECT_EQ(requests[1]["status"], 304);

  options.data.allowed_roots = {"/data"};
  const absl::Status status = Run(options, "refused").status();
  EXPECT_EQ(ToFailure(status).reason(), "DATASET_INVALID");
  EXPECT_EQ(ToFailure(status).kind(), v1::FAILURE_KIND_USER);
}

// 40 pictures of two classes, `corrupt` of them no pictures.
class CorruptDataTest : public PipelineTest {
 protected:
  std::string Folder(int corrupt) {
    for (int i = 0; i < 40; ++i) {
      const std::string name = (i % 2 == 0 ? "a/" : "b/") + std::to_string(i) + ".png";
      data_.Write(name, i < corrupt ? "no picture" : engine::TestPng(32, 32, i));
    }
    return "file://" + data_.path().string() + "?holdout=0.3";
  }
  ScratchFolder data_;
};

TEST_F(CorruptDataTest, AFewAreLeftOutAndReported) {
  RunOptions options = TinyFloat();
  options.data.train_uri = Folder(2);
  options.data.image_size = 32;
  options.data.max_corrupt_share = 0.1;
  const auto result = Run(options, "few");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(Report("few")["corrupt_pictures"]["count"], 2);
}

TEST_F(CorruptDataTest, TooManyEndTheRun) {
  RunOptions options = TinyFloat();
  options.data.train_uri = Folder(12);
  options.data.image_size = 32;
  const absl::Status status = Run(options, "many").status();
  EXPECT_EQ(ToFailure(status).reason(), "DATASET_CORRUPT");
  EXPECT_EQ(ToFailure(status).kind(), v1::FAILURE_KIND_USER);
  EXPECT_THAT(std::string(status.message()), ::testing::ContainsRegex("[ab]/[0-9]+\\.png"));
}

}  // namespace
}  // namespace quantry::trainer
