#include "worker/engine/export/tensor_scales.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/worker/engine/passes/small_net.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/passes/quantize_outputs.h"

namespace quantry::engine {
namespace {

using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Graph Trained(const QuantConfig& config) {
  Graph graph = BuildSmallNet(3);
  QuantPlan plan = Annotate(graph, config, {}).value();
  FitToProfile(graph, config, plan);
  InsertFakeQuant(graph, plan);
  at::manual_seed(5);
  RunGraph(graph, at::randn({8, 3, 8, 8}), RunPhase::kCalibrate);
  return graph;
}

std::map<std::string, TensorScales> ByName(const Graph& graph, const QdqOptions& options) {
  std::map<std::string, TensorScales> entries;
  const std::vector<TensorScales> list = ScalesOf(graph, options).value();
  for (const TensorScales& entry : list) entries[entry.tensor] = entry;
  return entries;
}

TEST(ScalesOfTest, SayWhatEachTensorMapsTo) {
  const Graph graph = Trained({});
  const auto entries = ByName(graph, {});
  const TensorScales& input = entries.at("input");
  EXPECT_THAT(input.layers, ElementsAre("stem"));
  EXPECT_FALSE(input.is_weight);
  EXPECT_EQ(input.dtype, "uint8");
  EXPECT_THAT(input.zero_points, ElementsAre(128));
  const double reach = graph.FindValue("input.scale")->tensor().item<double>();
  EXPECT_THAT(input.scales, ElementsAre(DoubleNear(reach / 127, 1e-6)));
  EXPECT_THAT(input.low, ElementsAre(DoubleNear(-reach * 128 / 127, 1e-5)));
  EXPECT_THAT(input.high, ElementsAre(DoubleNear(reach, 1e-5)));
  EXPECT_THAT(input.alphas, IsEmpty());

  const TensorScales& relu = entries.at("stem.relu");
  EXPECT_THAT(relu.layers, ElementsAre("skip", "depthwise"));
  EXPECT_THAT(relu.zero_points, ElementsAre(0));
  EXPECT_THAT(relu.low, ElementsAre(0));

  const TensorScales& weight = entries.at("stem.weight");
  EXPECT_TRUE(weight.is_weight);
  EXPECT_EQ(weight.axis, 0);
  EXPECT_EQ(weight.dtype, "int8");
  EXPECT_THAT(weight.scales, SizeIs(8));
  EXPECT_THAT(weight.zero_points, ElementsAre(0, 0, 0, 0, 0, 0, 0, 0));
}

TEST(ScalesOfTest, TypesFollowTheOptions) {
  QuantConfig config;
  config.weight_bits = 4;
  config.activation_bits = 12;
  const Graph graph = Trained(config);
  const auto entries = ByName(graph, {.weight_dtype = "int4"});
  EXPECT_EQ(entries.at("stem.weight").dtype, "int4");
  EXPECT_EQ(entries.at("input").dtype, "int16");
  EXPECT_EQ(entries.at("stem.relu").dtype, "uint16");
  const auto others = ByName(graph, {.weight_dtype = "uint8"});
  EXPECT_THAT(others.at("stem.weight").zero_points, Each(128));
}

TEST(ScalesOfTest, PactAndUncalibrated) {
  QuantConfig config;
  config.activation_preprocess_type = "PACT";
  const Graph graph = Trained(config);
  graph.FindValue("input.alpha")->tensor().fill_(0.5);
  const auto entries = ByName(graph, {});
  EXPECT_THAT(entries.at("input").alphas, ElementsAre(0.5));
  EXPECT_THAT(entries.at("input").high, ElementsAre(0.5));

  Graph early = BuildSmallNet(3);
  InsertFakeQuant(early, Annotate(early, config, {}).value());
  EXPECT_EQ(ScalesOf(early, {}).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace quantry::engine
