#include "worker/engine/script_export/write_script.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/files.h"
#include "tests/worker/engine/passes/small_net.h"
#include "tests/worker/engine/script_export/run_script.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/passes/quantize_outputs.h"
#include "worker/engine/zoo/zoo.h"

namespace quantry::engine {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr int64_t kImageSize = 32;

Graph Quantized(Graph graph, const QuantConfig& config, const at::Tensor& data) {
  QuantPlan plan = Annotate(graph, config, {}).value();
  FitToProfile(graph, config, plan);
  InsertFakeQuant(graph, plan);
  RunGraph(graph, data, RunPhase::kCalibrate);
  return graph;
}

double RelativeError(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

void WriteRaw(const at::Tensor& tensor, const std::filesystem::path& path) {
  const at::Tensor plain = tensor.contiguous();
  const auto* data = static_cast<const char*>(plain.data_ptr());
  ASSERT_TRUE(WriteFileAtomically(path, {data, plain.nbytes()}).ok());
}

// Leaves the file, inputs and outputs for the test in Python.
TEST(WriteScriptTest, EveryNetworkOfTheZooComputesTheSame) {
  const std::filesystem::path folder = QUANTRY_SCRIPT_EXPORT_FOLDER;
  std::filesystem::create_directories(folder);
  const at::Tensor data = (at::manual_seed(5), at::randn({4, 3, kImageSize, kImageSize}));
  WriteRaw(data, folder / "input.f32");
  for (const absl::string_view network : ZooModelNames()) {
    SCOPED_TRACE(network);
    const std::string name(network);
    const Graph trained = Quantized(
        BuildZooModel(name, {.num_classes = 10, .width = 0.25, .image_size = kImageSize}).value(),
        {}, data);
    const at::Tensor expected = RunGraph(trained, data);
    const auto archive = WriteScript(trained);
    ASSERT_TRUE(archive.ok()) << archive.status();
    EXPECT_LT(RelativeError(RunScript(*archive, {data}).at(0), expected), 1e-4);
    WriteRaw(expected, folder / (name + ".f32"));
    ASSERT_TRUE(WriteScriptFile(trained, folder / (name + ".pt")).ok());
  }
}

TEST(WriteScriptTest, EveryQuantizerComputesTheSame) {
  const at::Tensor data = (at::manual_seed(6), at::randn({8, 3, 8, 8}));
  for (const int bits : {2, 4, 8}) {
    for (const bool pact : {false, true}) {
      QuantConfig config;
      config.weight_bits = config.activation_bits = bits;
      if (pact) config.activation_preprocess_type = config.weight_preprocess_type = "PACT";
      const Graph trained = Quantized(BuildSmallNet(4), config, data);
      for (Value* alpha : PactAlphas(trained)) alpha->tensor().mul_(0.7);
      const auto archive = WriteScript(trained);
      ASSERT_TRUE(archive.ok()) << archive.status();
      EXPECT_LT(RelativeError(RunScript(*archive, {data}).at(0), RunGraph(trained, data)), 1e-5)
          << bits << pact;
    }
  }
}

TEST(WriteScriptTest, ParametersAndBuffersKeepTheirNames) {
  const at::Tensor data = (at::manual_seed(6), at::randn({8, 3, 8, 8}));
  const std::string archive = WriteScript(Quantized(BuildSmallNet(4), {}, data)).value();
  EXPECT_THAT(ParameterNames(archive), Contains("stem_weight"));
  EXPECT_THAT(ParameterNames(archive), Contains("head_bias"));
  const std::vector<std::string> buffers = BufferNames(archive);
  for (const char* name : {"stem_mean", "stem_weight_step", "input_low", "input_high"}) {
    EXPECT_THAT(buffers, Contains(name));
  }
}

TEST(WriteScriptTest, FloatModelsAndOddNames) {
  Graph graph;
  Value* x = graph.AddInput("0", {.dtype = at::kFloat});
  Value* a = graph.AddInitializer("a.b", at::full({2}, 2.0f), InitializerRole::kParameter);
  Value* b = graph.AddInitializer("a:b", at::full({2}, 3.0f), InitializerRole::kBuffer);
  Value* training =
      graph.AddInitializer("training", at::full({2}, 5.0f), InitializerRole::kConstant);
  x = graph.AddNode("Mul", "lambda", {x, a})->output();
  x = graph.AddNode("Add", "return", {x, b})->output();
  graph.AddOutput(graph.AddNode("Add", "\xc3\xa9", {x, training})->output());
  const std::string archive = WriteScript(graph).value();
  EXPECT_TRUE(at::equal(RunScript(archive, {at::ones({2})}).at(0), at::full({2}, 10.0f)));
}

TEST(WriteScriptTest, SameGraphSameBytes) {
  const at::Tensor data = (at::manual_seed(6), at::randn({8, 3, 8, 8}));
  const Graph trained = Quantized(BuildSmallNet(4), {}, data);
  EXPECT_EQ(WriteScript(trained).value(), WriteScript(trained).value());
}

TEST(WriteScriptTest, UncalibratedIsRefused) {
  Graph graph = BuildSmallNet(1);
  InsertFakeQuant(graph, Annotate(graph, {}, {}).value());
  const absl::Status status = WriteScript(graph).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("calibrate first"));
}

}  // namespace
}  // namespace quantry::engine
