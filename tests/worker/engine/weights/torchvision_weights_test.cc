// Every built-in network, with torchvision's weights by name, computes torchvision's logits. The
// files come from tests/tools/torchvision_weights.py.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "worker/engine/evaluate/executor.h"
#include "worker/engine/weights/load_weights.h"
#include "worker/engine/weights/read_weights.h"
#include "worker/engine/zoo/zoo.h"

namespace quantry::engine {
namespace {

WeightMap Read(const std::string& file) {
  auto weights = ReadWeightsFile(std::filesystem::path(QUANTRY_WEIGHTS_FOLDER) / file);
  EXPECT_TRUE(weights.ok()) << weights.status();
  return weights.ok() ? *std::move(weights) : WeightMap();
}

void ExpectLogits(absl::string_view network, const WeightMap& weights, const at::Tensor& input,
                  const at::Tensor& wanted) {
  auto graph = BuildZooModel(network, {.num_classes = 10, .image_size = 96, .seed = 3});
  ASSERT_TRUE(graph.ok()) << graph.status();
  const absl::Status loaded = LoadWeights(weights, {}, *graph);
  ASSERT_TRUE(loaded.ok()) << loaded;
  auto executor = Executor::Create(*graph);
  ASSERT_TRUE(executor.ok()) << executor.status();
  const auto outputs = (*executor)->Run({input}, EvaluateContext{});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  ASSERT_EQ(outputs->at(0).sizes(), wanted.sizes());
  const double error = (outputs->at(0) - wanted).norm().item<double>();
  EXPECT_LE(error, 1e-4 * wanted.norm().item<double>());
}

TEST(TorchvisionWeights, GiveTorchvisionsLogits) {
  const at::NoGradGuard no_grad;
  for (const absl::string_view name : ZooModelNames()) {
    SCOPED_TRACE(name);
    const WeightMap reference = Read(absl::StrCat(name, ".reference.safetensors"));
    ASSERT_TRUE(reference.contains("input") && reference.contains("logits"));
    const at::Tensor wanted = reference.at("logits");
    // The answers depend on the picture, else the comparison shows little.
    ASSERT_GT((wanted[0] - wanted[1]).norm().item<double>(), 1e-2 * wanted.norm().item<double>());
    for (const char* kind : {".safetensors", ".pt"}) {
      SCOPED_TRACE(kind);
      ExpectLogits(name, Read(absl::StrCat(name, kind)), reference.at("input"), wanted);
    }
  }
}

}  // namespace
}  // namespace quantry::engine
