#include "worker/trainer/pipeline.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include "common/files.h"
#include "nlohmann/json.hpp"
#include "tests/worker/trainer/recording_sink.h"
#include "worker/engine/export/write_npy.h"
#include "worker/engine/export/write_onnx.h"
#include "worker/engine/import/import_onnx.h"
#include "worker/engine/train/checkpoint.h"
#include "worker/trainer/failure.h"

namespace quantry::trainer {
namespace {

using ::testing::HasSubstr;

// A tiny ResNet-18 on 64 small pictures.
RunOptions TinyFloat() {
  RunOptions options;
  options.mode = RunMode::kFloat;
  options.builtin = BuiltinOptions{.name = "resnet18", .width = 0.125};
  options.data.train_uri = "synthetic://glyphs?classes=16&size=32&train=64&val=32&seed=1";
  options.train.epochs = 2;
  options.train.schedule.learning_rate = 0.02;
  options.batch_size = 16;
  options.calibration_batches = 2;
  return options;
}

class PipelineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("pipeline_test." + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  absl::StatusOr<v1::Result> Run(const RunOptions& options, const std::string& name) {
    sink_.events.clear();
    return Pipeline(options, folder_ / name, sink_, SystemClock(), [] { return false; }).Run();
  }

  // Runs, and says yes to the question after the first `questions` whether it is interrupted.
  absl::Status RunInterrupted(const RunOptions& options, const std::string& name, int questions) {
    sink_.events.clear();
    int asked = 0;
    return Pipeline(options, folder_ / name, sink_, SystemClock(),
                    [&] { return ++asked > questions; })
        .Run()
        .status();
  }

  // The float model that the quantized runs start from.
  RunOptions TinyQuantized(RunMode mode) {
    const auto made = Run(TinyFloat(), "float");
    EXPECT_TRUE(made.ok()) << made.status();
    RunOptions options = TinyFloat();
    options.mode = mode;
    options.builtin.reset();
    options.model_path = folder_ / "float" / "model.float.onnx";
    return options;
  }

  nlohmann::json Report(const std::string& name) {
    return nlohmann::json::parse(*ReadFile(folder_ / name / "report.json"));
  }

  std::filesystem::path folder_;
  RecordingSink sink_;
};

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

TEST(ModeTableTest, EveryModeHasALine) {
  for (int number = 1; number <= 6; ++number) {
    const auto mode = static_cast<RunMode>(number);
    EXPECT_EQ(ModeOf(mode).mode, mode);
  }
  EXPECT_EQ(FindMode(0), nullptr);
  EXPECT_EQ(FindMode(7), nullptr);
  EXPECT_EQ(ModeTable().size(), 6u);
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

// Metrics of `subject`, by name.
std::map<std::string, double> MetricsOf(const RecordingSink& sink, const std::string& subject) {
  std::map<std::string, double> values;
  for (const v1::TrainerEvent& event : sink.events) {
    if (event.metrics().subject() != subject) continue;
    for (const v1::TaskMetric& value : event.metrics().values()) {
      values[value.name()] = value.value();
    }
  }
  return values;
}

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

}  // namespace
}  // namespace quantry::trainer
