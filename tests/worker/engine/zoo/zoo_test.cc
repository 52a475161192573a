#include "worker/engine/zoo/zoo.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "worker/engine/evaluate/executor.h"
#include "worker/engine/graph/verify.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Graph Build(absl::string_view name, const ZooOptions& options = {}) {
  auto graph = BuildZooModel(name, options);
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.ok() ? *std::move(graph) : Graph();
}

// As published by torchvision ("num_params" of the ImageNet weights); mobilenet_v1: table 8 of its
// paper says 4.2 million.
TEST(Zoo, HasThePublishedParameterCounts) {
  const std::map<absl::string_view, int64_t> published = {
      {"mobilenet_v1", 4231976},       {"mobilenet_v2", 3504872}, {"mobilenet_v3_large", 5483032},
      {"mobilenet_v3_small", 2542856}, {"resnet18", 11689512},    {"resnet34", 21797672},
      {"resnet50", 25557032}};
  ASSERT_EQ(ZooModelNames().size(), published.size());
  for (const absl::string_view name : ZooModelNames()) {
    ASSERT_TRUE(published.contains(name)) << name;
    EXPECT_EQ(Build(name).ParameterCount(), published.at(name)) << name;
  }
}

TEST(Zoo, EveryNetworkIsValidAndRunsAtAnyWidth) {
  const at::NoGradGuard no_grad;
  for (const absl::string_view name : ZooModelNames()) {
    for (const double width : {0.25, 1.0}) {
      SCOPED_TRACE(absl::StrCat(name, " width ", width));
      const Graph graph = Build(name, {.num_classes = 7, .width = width, .image_size = 32});
      EXPECT_TRUE(Verify(graph).ok()) << Verify(graph);
      EXPECT_TRUE(VerifyOperators(graph).ok()) << VerifyOperators(graph);
      EXPECT_EQ(graph.inputs().at(0)->name(), "input");
      EXPECT_EQ(graph.outputs().at(0)->name(), "logits");
      auto executor = Executor::Create(graph);
      ASSERT_TRUE(executor.ok()) << executor.status();
      const auto outputs = (*executor)->Run({at::randn({2, 3, 32, 32})}, EvaluateContext{});
      ASSERT_TRUE(outputs.ok()) << outputs.status();
      EXPECT_EQ(outputs->at(0).sizes(), at::IntArrayRef({2, 7}));
      EXPECT_TRUE(outputs->at(0).isfinite().all().item<bool>());
    }
  }
}

TEST(Zoo, SeedDecidesTheWeights) {
  const ZooOptions small{.width = 0.25, .image_size = 32, .seed = 5};
  const ZooOptions other{.width = 0.25, .image_size = 32, .seed = 6};
  const Graph a = Build("mobilenet_v2", small);
  const Graph b = Build("mobilenet_v2", small);
  const Graph c = Build("mobilenet_v2", other);
  for (const Value* value : a.initializers(InitializerRole::kParameter)) {
    EXPECT_TRUE(value->tensor().equal(b.FindValue(value->name())->tensor())) << value->name();
  }
  const char* first = "features.0.0.weight";
  EXPECT_FALSE(a.FindValue(first)->tensor().equal(c.FindValue(first)->tensor()));
}

TEST(Zoo, InitialisesAsPublished) {
  const Graph resnet = Build("resnet18");
  const at::Tensor conv = resnet.FindValue("layer4.1.conv2.weight")->tensor();
  const double wanted = std::sqrt(2.0 / (512 * 3 * 3));
  EXPECT_NEAR(conv.std().item<double>(), wanted, 0.01 * wanted);
  EXPECT_NEAR(conv.mean().item<double>(), 0.0, 0.01 * wanted);
  const at::Tensor fc = resnet.FindValue("fc.weight")->tensor();
  EXPECT_LE(fc.abs().max().item<double>(), 1.0 / std::sqrt(512.0));
  EXPECT_GE(fc.abs().max().item<double>(), 0.99 / std::sqrt(512.0));
  EXPECT_GT(resnet.FindValue("fc.bias")->tensor().abs().max().item<double>(), 0.0);

  const Graph v3 = Build("mobilenet_v3_large");
  const at::Tensor classifier = v3.FindValue("classifier.3.weight")->tensor();
  EXPECT_NEAR(classifier.std().item<double>(), 0.01, 1e-4);
  EXPECT_EQ(v3.FindValue("classifier.3.bias")->tensor().abs().max().item<float>(), 0.0f);
  const Node* norm = v3.FindNode("features.0.1");
  ASSERT_NE(norm, nullptr);
  EXPECT_EQ(norm->Float("epsilon", 0), 1e-3f);
  EXPECT_EQ(norm->Float("momentum", 0), 0.99f);
}

TEST(Zoo, RefusesWhatItDoesNotKnow) {
  const auto unknown = BuildZooModel("alexnet", {});
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(unknown.status().message(), AllOf(HasSubstr("'alexnet'"), HasSubstr("resnet18")));
  EXPECT_THAT(BuildZooModel("resnet18", {.num_classes = 1}).status().message(),
              HasSubstr("num_classes is 1"));
  EXPECT_THAT(BuildZooModel("resnet18", {.width = 0}).status().message(), HasSubstr("width is 0"));
  EXPECT_THAT(BuildZooModel("resnet18", {.width = std::nan("")}).status().message(),
              HasSubstr("width is nan"));
  EXPECT_THAT(BuildZooModel("resnet18", {.image_size = 4}).status().message(),
              HasSubstr("image_size is 4"));
}

}  // namespace
}  // namespace quantry::engine
