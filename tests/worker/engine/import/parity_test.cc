// The engine against torch: every form in which torch exports a network computes what torch
// computes, in evaluation and in a training step. The files come from
// tests/tools/export_torchvision.py.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "worker/engine/evaluate/executor.h"
#include "worker/engine/import/import_onnx.h"
#include "worker/engine/zoo/zoo.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;
using Reference = std::map<std::string, at::Tensor>;

Reference ReadReference(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(stream)),
                                std::istreambuf_iterator<char>());
  Reference reference;
  for (const auto& entry : torch::jit::pickle_load(bytes).toGenericDict()) {
    reference[entry.key().toStringRef()] = entry.value().toTensor();
  }
  return reference;
}

// |a - b| / |b|, in the Euclidean norm. `floor` stands in for |b| where that is smaller: gradients
// that vanish exactly, as that of a bias in front of a batch norm, are noise.
double RelativeError(const at::Tensor& a, const at::Tensor& b, double floor = 1e-12) {
  const at::Tensor wanted = b.to(at::kDouble);
  return (a.to(at::kDouble) - wanted).norm().item<double>() /
         std::max(wanted.norm().item<double>(), floor);
}

class Parity : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    at::set_num_threads(1);  // float64 depthwise convolutions are slower with more
    folder_ = fs::path(QUANTRY_TORCHVISION_FOLDER) / GetParam();
    reference_ = ReadReference(folder_ / "reference.pt");
    ASSERT_GT(reference_.size(), 10u) << folder_;
  }

  std::vector<fs::path> Files(const std::string& form) const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      const bool right = entry.path().filename().string().rfind(form, 0) == 0;
      if (right) files.push_back(entry.path());
    }
    EXPECT_FALSE(files.empty()) << form;
    return files;
  }

  at::Tensor Input(const std::string& name) const {
    return reference_.at(name).contiguous(at::MemoryFormat::ChannelsLast);
  }

  // One training step in the precision that the graph's tensors have; returns the loss.
  at::Tensor TrainStep(const Graph& graph, at::ScalarType dtype,
                       Executor::Fusing fusing = Executor::Fusing::kOff) const;
  void ExpectSameLossAndBuffers(const Graph& graph, const at::Tensor& loss) const;
  // `kind`: grad (float64) or grad32.
  void ExpectSameGradients(const Graph& graph, const std::string& kind,
                           double tolerance = 1e-3) const;

  fs::path folder_;
  Reference reference_;
};

Graph Read(const fs::path& path) {
  auto graph = ImportOnnxFile(path);
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.ok() ? *std::move(graph) : Graph();
}

at::Tensor RunOne(const Graph& graph, const at::Tensor& input, RunPhase phase,
                  Executor::Fusing fusing = Executor::Fusing::kOn) {
  auto executor = Executor::Create(graph, fusing);
  EXPECT_TRUE(executor.ok()) << executor.status();
  auto outputs = (*executor)->Run({input}, EvaluateContext{.phase = phase});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  return outputs->at(0);
}

TEST_P(Parity, EvaluatesEveryForm) {
  const at::NoGradGuard no_grad;
  for (const char* form : {"eval", "preserve", "training"}) {
    for (const fs::path& file : Files(form)) {
      SCOPED_TRACE(file);
      const at::Tensor logits = RunOne(Read(file), Input("eval.input"), RunPhase::kEvaluate);
      EXPECT_LE(RelativeError(logits, reference_.at("eval.logits")), 1e-4);
    }
  }
}

at::Tensor Parity::TrainStep(const Graph& graph, at::ScalarType dtype,
                             Executor::Fusing fusing) const {
  for (Value* parameter : graph.initializers(InitializerRole::kParameter)) {
    at::Tensor(parameter->tensor()).requires_grad_(true);
  }
  const at::Tensor logits = RunOne(graph, Input("train.input").to(dtype), RunPhase::kTrain, fusing);
  const at::Tensor loss = at::cross_entropy_loss(logits, reference_.at("train.labels"));
  loss.backward();
  return loss.detach();
}

void Parity::ExpectSameLossAndBuffers(const Graph& graph, const at::Tensor& loss) const {
  EXPECT_LE(RelativeError(loss, reference_.at("train.loss")), 1e-4);
  size_t compared = 0;
  for (const auto& [name, expected] : reference_) {
    if (name.rfind("buffer.", 0) != 0) continue;
    const Value* buffer = graph.FindValue(name.substr(name.find('.') + 1));
    ASSERT_NE(buffer, nullptr) << name;
    EXPECT_LE(RelativeError(buffer->tensor(), expected), 1e-3) << name;
    ++compared;
  }
  EXPECT_EQ(compared, graph.initializers(InitializerRole::kBuffer).size());
}

void Parity::ExpectSameGradients(const Graph& graph, const std::string& kind,
                                 double tolerance) const {
  const std::string prefix = kind + ".";
  double largest = 0.0;
  for (const auto& [name, expected] : reference_) {
    if (name.rfind(prefix, 0) == 0) largest = std::max(largest, expected.norm().item<double>());
  }
  size_t compared = 0;
  for (const auto& [name, expected] : reference_) {
    if (name.rfind(prefix, 0) != 0) continue;
    const Value* parameter = graph.FindValue(name.substr(prefix.size()));
    ASSERT_NE(parameter, nullptr) << name;
    ASSERT_TRUE(parameter->tensor().grad().defined()) << name;
    // Some are 0 but for rounding: a bias before the next BatchNorm, which takes it away. What
    // torch itself is off the float64 gradient is what it can be compared to.
    const at::Tensor& precise = reference_.at("grad." + name.substr(prefix.size()));
    const double noise = 2 * RelativeError(expected, precise, 1e-6 * largest);
    EXPECT_LE(RelativeError(parameter->tensor().grad(), expected, 1e-6 * largest),
              tolerance + noise)
        << name;
    ++compared;
  }
  EXPECT_EQ(compared, graph.initializers(InitializerRole::kParameter).size());
}

void MakeDouble(Graph& graph) {
  for (const InitializerRole role : {InitializerRole::kParameter, InitializerRole::kBuffer}) {
    for (Value* value : graph.initializers(role)) {
      graph.SetTensor(value, value->tensor().to(at::kDouble));
    }
  }
}

// In float32 with torch in the same memory format, which rounds alike; in float64 with any.
TEST_P(Parity, TrainsAsTorchDoes) {
  for (const char* form : {"preserve", "training"}) {
    for (const fs::path& file : Files(form)) {
      SCOPED_TRACE(file);
      const Graph single = Read(file);
      ExpectSameLossAndBuffers(single, TrainStep(single, at::kFloat));
      ExpectSameGradients(single, "grad32");
    }
  }
  for (const char* form : {"preserve", "training"}) {
    for (const fs::path& file : Files(form)) {
      SCOPED_TRACE(file);
      Graph precise = Read(file);
      MakeDouble(precise);
      ExpectSameLossAndBuffers(precise, TrainStep(precise, at::kDouble));
      ExpectSameGradients(precise, "grad");
    }
  }
}

// Fused operators round elsewhere than torch does: some values are on the other side of a ReLU's
// kink, as with torch in another memory format (tests/tools/export_torchvision.py).
// tests/worker/engine/fuse holds each operator to 2e-6.
TEST_P(Parity, TrainsFusedAsTorchDoes) {
  for (const fs::path& file : Files("training")) {
    SCOPED_TRACE(file);
    const Graph graph = Read(file);
    ExpectSameLossAndBuffers(graph, TrainStep(graph, at::kFloat, Executor::Fusing::kOn));
    ExpectSameGradients(graph, "grad", 0.1);
  }
}

// The built-in network is the one that torchvision has, node by node.
TEST_P(Parity, ZooBuildsTheSameGraph) {
  auto zoo = BuildZooModel(GetParam(), {.num_classes = 10, .image_size = 64});
  ASSERT_TRUE(zoo.ok()) << zoo.status();
  for (const fs::path& file : Files("training")) {
    SCOPED_TRACE(file);
    const Graph imported = Read(file);
    const auto expected = *imported.TopologicalOrder();
    const auto actual = *zoo->TopologicalOrder();
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i) {
      EXPECT_EQ(actual[i]->op(), expected[i]->op()) << actual[i]->name();
      for (const char* ints : {"kernel_shape", "strides", "pads", "dilations"}) {
        if (!actual[i]->HasAttribute(ints)) continue;
        EXPECT_EQ(actual[i]->Ints(ints), expected[i]->Ints(ints)) << actual[i]->name();
      }
      EXPECT_EQ(actual[i]->Int("group", 1), expected[i]->Int("group", 1));
      EXPECT_EQ(actual[i]->Float("epsilon", 1e-5f), expected[i]->Float("epsilon", 1e-5f));
      EXPECT_EQ(actual[i]->Float("momentum", 0.9f), expected[i]->Float("momentum", 0.9f));
    }
    // With the file's weights it computes what torch computes.
    for (const InitializerRole role : {InitializerRole::kParameter, InitializerRole::kBuffer}) {
      ASSERT_EQ(zoo->initializers(role).size(), imported.initializers(role).size());
      for (Value* value : zoo->initializers(role)) {
        const Value* source = imported.FindValue(value->name());
        ASSERT_NE(source, nullptr) << value->name();
        ASSERT_EQ(value->tensor().sizes(), source->tensor().sizes()) << value->name();
        zoo->SetTensor(value, source->tensor());
      }
    }
    const at::NoGradGuard no_grad;
    const at::Tensor logits = RunOne(*zoo, Input("eval.input"), RunPhase::kEvaluate);
    EXPECT_LE(RelativeError(logits, reference_.at("eval.logits")), 1e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(Torchvision, Parity,
                         testing::Values("mobilenet_v2", "mobilenet_v3_large", "resnet18",
                                         "resnet50"),
                         [](const auto& network) { return network.param; });

}  // namespace
}  // namespace quantry::engine
