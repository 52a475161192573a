#include "worker/engine/export/deployed_model.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/passes/small_net.h"
#include "worker/engine/export/to_qdq.h"
#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/passes/quantize_outputs.h"

namespace quantry::engine {
namespace {

struct Case {
  int bits;
  const char* weight_quantizer;
  const char* activation_quantizer;
};

Graph Trained(const Case& variant, const at::Tensor& data, uint64_t seed) {
  QuantConfig config;
  config.weight_bits = config.activation_bits = variant.bits;
  config.weight_quantize_type = variant.weight_quantizer;
  config.activation_quantize_type = variant.activation_quantizer;
  Graph graph = BuildSmallNet(seed);
  QuantPlan plan = Annotate(graph, config, {}).value();
  FitToProfile(graph, config, plan);
  InsertFakeQuant(graph, plan);
  RunGraph(graph, data, RunPhase::kCalibrate);
  return graph;
}

class DeployedModelTest : public ::testing::TestWithParam<Case> {};

// The figures of evaluation are those of the file: that needs more than two good approximations of
// the same network.
TEST_P(DeployedModelTest, IsWhatTheFileComputes) {
  for (const uint64_t seed : {21, 22, 23}) {
    const at::Tensor data = (at::manual_seed(seed), at::randn({64, 3, 8, 8}));
    const Graph trained = Trained(GetParam(), data, seed);
    const auto deployed = DeployedModel(trained);
    ASSERT_TRUE(deployed.ok()) << deployed.status();
    const auto qdq = ToQdq(trained);
    ASSERT_TRUE(qdq.ok()) << qdq.status();
    EXPECT_TRUE(at::allclose(RunGraph(*deployed, data), RunGraph(*qdq, data), 1e-5, 1e-6));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, DeployedModelTest,
    ::testing::Values(Case{8, "channel_wise_abs_max", "moving_average_abs_max"},
                      Case{6, "channel_wise_lsq_weight", "lsq_act"},
                      Case{4, "channel_wise_abs_max", "moving_average_abs_max"},
                      Case{4, "abs_max", "range_abs_max"},
                      Case{3, "channel_wise_lsq_weight", "lsq_act"},
                      Case{2, "channel_wise_abs_max", "moving_average_abs_max"}));

TEST(DeployedModelFormTest, RoundsBiasesOfIntegerLayersOnly) {
  const at::Tensor data = (at::manual_seed(5), at::randn({16, 3, 8, 8}));
  const Graph trained = Trained({4, "channel_wise_abs_max", "moving_average_abs_max"}, data, 5);
  const auto integer = DeployedModel(trained, {.profile = "onnxruntime"});
  const auto real = DeployedModel(trained, {.profile = "openvino"});
  ASSERT_TRUE(integer.ok() && real.ok());
  int layers = 0;
  for (const Node* node : integer->nodes()) {
    if (node->op() != "Conv" && node->op() != "Gemm") continue;
    ++layers;
    ASSERT_NE(node->input(2)->producer(), nullptr) << node->name();
    EXPECT_EQ(node->input(2)->producer()->op(), "DequantizeLinear");
  }
  EXPECT_EQ(layers, 4);
  for (const Node* node : real->nodes()) {
    if (node->op() != "Conv" && node->op() != "Gemm") continue;
    EXPECT_TRUE(node->input(2)->is_initializer()) << node->name();
  }
  EXPECT_FALSE(at::equal(RunGraph(*integer, data), RunGraph(*real, data)));
}

TEST(DeployedModelFormTest, LeavesTheTrainedGraphAsItIs) {
  const at::Tensor data = (at::manual_seed(6), at::randn({16, 3, 8, 8}));
  const Graph trained = Trained({8, "channel_wise_abs_max", "moving_average_abs_max"}, data, 6);
  const at::Tensor before = RunGraph(trained, data);
  ASSERT_TRUE(DeployedModel(trained).ok());
  EXPECT_TRUE(at::equal(RunGraph(trained, data), before));
}

TEST(DeployedModelFormTest, NamesWhatWasNotCalibrated) {
  QuantConfig config;
  Graph graph = BuildSmallNet(7);
  InsertFakeQuant(graph, Annotate(graph, config, {}).value());
  const absl::Status status = DeployedModel(graph).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), ::testing::HasSubstr("calibrate first"));
}

}  // namespace
}  // namespace quantry::engine
