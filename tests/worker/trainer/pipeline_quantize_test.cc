#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "common/files.h"
#include "nlohmann/json.hpp"
#include "tests/worker/trainer/pipeline_fixture.h"
#include "worker/engine/export/write_onnx.h"
#include "worker/engine/import/import_onnx.h"

namespace quantry::trainer {
namespace {

using ::testing::HasSubstr;

TEST_F(PipelineTest, QuantizesATorchScriptModel) {
  RunOptions options = TinyFloat();
  options.mode = RunMode::kQat;
  options.builtin.reset();
  options.model_path = QUANTRY_TORCHSCRIPT_FOLDER "/loops/scripted_train.pt";
  options.data.train_uri = "synthetic://glyphs?classes=10&size=32&train=64&val=32&seed=1";
  options.train.epochs = 1;
  const auto result = Run(options, "script");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->fake_quant_top1(), result->artifact_top1());
  // Weight and input of three convolutions and of fc, and what the skip connection adds.
  EXPECT_EQ(result->layers_size(), 9);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "script" / "model.onnx"));
}

TEST_F(PipelineTest, PtqQuantizesWithoutTraining) {
  const auto result = Run(TinyQuantized(RunMode::kPtq), "ptq");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->weight_bits(), 8);
  EXPECT_GT(result->layers_size(), 0);
  EXPECT_GT(result->layers(0).sqnr_db(), 10.0);
  EXPECT_EQ(result->train_seconds(), 0.0);
  EXPECT_LT(result->model_size_bytes(), 0.4 * result->float_model_size_bytes());
  EXPECT_NEAR(result->fake_quant_top1(), result->artifact_top1(), 0.1);
  EXPECT_EQ(sink_.Count(v1::TrainerEvent::kArtifact), 8);
  for (const char* name : {"verification.npy", "model.pt", "scales.json"}) {
    EXPECT_TRUE(std::filesystem::exists(folder_ / "ptq" / name)) << name;
  }
  const nlohmann::json check = Report("ptq")["artifact_check"];
  EXPECT_NEAR(check["top1_difference"].get<double>(),
              result->artifact_top1() - result->fake_quant_top1(), 1e-9);
  EXPECT_EQ(check["allowed"], 0.001);
  EXPECT_EQ(check["passed"], std::abs(check["top1_difference"].get<double>()) <= 0.001);
  const auto scales = nlohmann::json::parse(*ReadFile(folder_ / "ptq" / "scales.json"));
  EXPECT_EQ(scales["profile"], "onnxruntime");
  ASSERT_GT(scales["tensors"].size(), 0u);
  for (const nlohmann::json& tensor : scales["tensors"]) {
    EXPECT_EQ(tensor["scale"].size(), tensor["zero_point"].size());
    EXPECT_EQ(tensor["scale"].size(), tensor["range"].size());
    EXPECT_GT(tensor["layers"].size(), 0u) << tensor["tensor"];
    EXPECT_EQ(tensor["dtype"], tensor["role"] == "weight" ? "int8" : "uint8");
  }
}

// x - det(x) * 0 and a layer: Det has no form in TorchScript.
TEST_F(PipelineTest, AnOperatorWithoutTorchScriptFormIsAWarning) {
  const RunOptions quantized = TinyQuantized(RunMode::kPtq);
  engine::Graph graph = engine::ImportOnnxFile(quantized.model_path).value();
  engine::Value* input = graph.inputs().at(0);
  const engine::Node* det = graph.AddNode("Det", "the.det", {input});
  engine::Value* zero =
      graph.AddInitializer("zero", at::zeros({1}), engine::InitializerRole::kConstant);
  const engine::Node* nothing = graph.AddNode("Mul", "nothing", {det->output(), zero});
  const engine::Node* mean =
      graph.AddNode("ReduceMean", "mean", {nothing->output()}, {{"keepdims", int64_t{0}}});
  engine::Node* sum = graph.AddNode("Add", "sum", {input, mean->output()});
  graph.ReplaceAllUses(input, sum->output());
  graph.SetInput(graph.FindNode("the.det"), 0, input);
  graph.SetInput(sum, 0, input);
  RunOptions options = quantized;
  options.model_path = folder_ / "det.onnx";
  ASSERT_TRUE(engine::WriteOnnxFile(graph, options.model_path).ok());
  const auto result = Run(options, "det");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(std::filesystem::exists(folder_ / "det" / "model.onnx"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "det" / "model.pt"));
  int warnings = 0;
  for (const v1::TrainerEvent& event : sink_.events) {
    if (!event.has_log() || event.log().level() != v1::LogLine::WARNING) continue;
    EXPECT_THAT(event.log().message(), HasSubstr("node 'the.det' (Det)"));
    ++warnings;
  }
  EXPECT_EQ(warnings, 1);
}

TEST_F(PipelineTest, PtqEqualizesAndCorrectsWhereAsked) {
  RunOptions options = TinyQuantized(RunMode::kPtq);
  options.quant.weight_quantize_type = "abs_max";
  options.quant.weight_bits = 4;
  const auto plain = Run(options, "plain");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->equalized_pairs(), 0);
  EXPECT_EQ(plain->corrected_layers(), 0);
  options.ptq = {.equalize = true, .correct_bias = true};
  const auto helped = Run(options, "helped");
  ASSERT_TRUE(helped.ok()) << helped.status();
  EXPECT_EQ(helped->equalized_pairs(), 8);  // within each basic block of ResNet-18
  EXPECT_EQ(helped->corrected_layers(), 21);
  EXPECT_EQ(helped->float_top1(), plain->float_top1());
  EXPECT_NEAR(helped->fake_quant_top1(), helped->artifact_top1(), 0.1);
  EXPECT_EQ(*ReadFile(folder_ / "helped" / "model.float.onnx"),
            *ReadFile(folder_ / "plain" / "model.float.onnx"));
  EXPECT_NE(*ReadFile(folder_ / "helped" / "model.onnx"),
            *ReadFile(folder_ / "plain" / "model.onnx"));
  EXPECT_EQ(Report("helped")["equalized_pairs"], 8);
  EXPECT_EQ(Report("helped")["settings"]["ptq"]["correct_bias"], true);
}

TEST_F(PipelineTest, PtqRoundsAdaptivelyWhereAsked) {
  RunOptions options = TinyQuantized(RunMode::kPtq);
  options.quant.weight_bits = 3;
  const auto plain = Run(options, "plain");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->adapted_layers(), 0);
  options.ptq = {.adaptive_rounding = true};
  const auto adapted = Run(options, "adapted");
  ASSERT_TRUE(adapted.ok()) << adapted.status();
  EXPECT_EQ(adapted->adapted_layers(), 21);
  EXPECT_NEAR(adapted->fake_quant_top1(), adapted->artifact_top1(), 0.1);
  // The steps are the same, the integers are not.
  ASSERT_EQ(adapted->layers_size(), plain->layers_size());
  for (int i = 0; i < plain->layers_size(); ++i) {
    EXPECT_NEAR(adapted->layers(i).scale_max(), plain->layers(i).scale_max(),
                1e-5 * plain->layers(i).scale_max());
  }
  EXPECT_NE(*ReadFile(folder_ / "adapted" / "model.onnx"),
            *ReadFile(folder_ / "plain" / "model.onnx"));
  EXPECT_EQ(Report("adapted")["adapted_layers"], 21);
  EXPECT_EQ(Report("adapted")["settings"]["ptq"]["adaptive_rounding"], true);
}

TEST_F(PipelineTest, EvaluateMeasuresFloatAndQdqModelsAndMakesNone) {
  RunOptions options = TinyQuantized(RunMode::kPtq);
  const auto made = Run(options, "ptq");
  ASSERT_TRUE(made.ok()) << made.status();
  options.mode = RunMode::kEvaluate;
  const auto plain = Run(options, "plain");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->float_top1(), made->float_top1());
  EXPECT_FALSE(plain->has_artifact_top1());
  EXPECT_EQ(sink_.Count(v1::TrainerEvent::kArtifact), 2);
  EXPECT_EQ(sink_.Count(v1::TrainerEvent::kCheckpoint), 0);
  EXPECT_EQ(Report("plain")["settings"]["mode"], "evaluate");
  EXPECT_EQ(plain->float_model_size_bytes(), made->float_model_size_bytes());
  EXPECT_EQ(plain->model_size_bytes(), 0);
  options.model_path = folder_ / "ptq" / "model.onnx";
  const auto quantized = Run(options, "quantized");
  ASSERT_TRUE(quantized.ok()) << quantized.status();
  EXPECT_EQ(quantized->artifact_top1(), made->artifact_top1());
  EXPECT_FALSE(quantized->has_float_top1());
  EXPECT_EQ(quantized->model_size_bytes(), made->model_size_bytes());
  EXPECT_EQ(quantized->float_model_size_bytes(), 0);
}

TEST_F(PipelineTest, QatTrainsAndKeepsTheFloatModelItStartedFrom) {
  const RunOptions options = TinyQuantized(RunMode::kQat);
  const auto result = Run(options, "qat");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GT(result->train_seconds(), 0.0);
  EXPECT_TRUE(result->has_float_top1());
  EXPECT_TRUE(result->has_fake_quant_top1());
  EXPECT_TRUE(result->has_artifact_top1());
  EXPECT_EQ(*ReadFile(folder_ / "qat" / "model.float.onnx"),
            *ReadFile(folder_ / "float" / "model.float.onnx"));
}

TEST_F(PipelineTest, PerTensorWeightsFoldBatchNormFirst) {
  RunOptions options = TinyQuantized(RunMode::kPtq);
  options.quant.weight_quantize_type = "abs_max";
  const auto result = Run(options, "ptq");
  ASSERT_TRUE(result.ok()) << result.status();
  for (const v1::LayerQuantization& layer : result->layers()) {
    EXPECT_FALSE(layer.per_channel()) << layer.layer();
  }
}

}  // namespace
}  // namespace quantry::trainer
