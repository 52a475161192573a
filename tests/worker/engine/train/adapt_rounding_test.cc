#include "worker/engine/train/adapt_rounding.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "tests/worker/engine/passes/small_net.h"
#include "tests/worker/engine/train/glyph_images.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {
namespace {

// e H e' of each row.
at::Tensor ErrorOf(const at::Tensor& rounded, const at::Tensor& rows, const at::Tensor& gram) {
  const at::Tensor error = rounded - rows;
  return (at::matmul(error, gram) * error).sum(1);
}

// The least error of any rounding up or down, by trying all.
double BestError(const at::Tensor& row, const at::Tensor& gram, int64_t qmin, int64_t qmax) {
  const int64_t size = row.size(0);
  double best = std::numeric_limits<double>::infinity();
  for (int64_t choice = 0; choice < (int64_t{1} << size); ++choice) {
    at::Tensor rounded = row.floor();
    for (int64_t i = 0; i < size; ++i) rounded[i] += static_cast<double>(choice >> i & 1);
    rounded.clamp_(qmin, qmax);
    best = std::min(best, ErrorOf(rounded.unsqueeze(0), row.unsqueeze(0), gram).item<double>());
  }
  return best;
}

TEST(RoundAdaptivelyTest, ComesCloseToTheBestOfAllRoundings) {
  at::manual_seed(31);
  double nearest_excess = 0;
  double adapted_excess = 0;
  for (int trial = 0; trial < 20; ++trial) {
    const at::Tensor inputs = at::randn({10, 40}, at::kDouble) + at::randn({1, 40}, at::kDouble);
    const at::Tensor gram = at::matmul(inputs, inputs.t());
    const at::Tensor rows = at::randn({3, 10}, at::kDouble) * 3;
    const at::Tensor adapted = RoundAdaptively(rows, gram, -7, 7);
    EXPECT_TRUE(adapted.equal(adapted.round().clamp(-7, 7)));
    EXPECT_LT((adapted - rows.clamp(-7, 7)).abs().max().item<double>(), 1.0);
    const at::Tensor nearest = ErrorOf(rows.round().clamp(-7, 7), rows, gram);
    const at::Tensor found = ErrorOf(adapted, rows, gram);
    for (int64_t row = 0; row < rows.size(0); ++row) {
      const double best = BestError(rows[row], gram, -7, 7);
      EXPECT_LE(found[row].item<double>(), nearest[row].item<double>() * (1 + 1e-9));
      EXPECT_GE(found[row].item<double>(), best * (1 - 1e-9));
      nearest_excess += nearest[row].item<double>() / best - 1;
      adapted_excess += found[row].item<double>() / best - 1;
    }
  }
  EXPECT_LT(adapted_excess, 0.35 * nearest_excess);
}

TEST(RoundAdaptivelyTest, WithoutCorrelationNearestIsBest) {
  at::manual_seed(32);
  const at::Tensor rows = at::randn({5, 12}, at::kDouble) * 4;
  const at::Tensor gram = at::diag(at::rand({12}, at::kDouble) + 0.1);
  EXPECT_TRUE(RoundAdaptively(rows, gram, -7, 7).equal(rows.round().clamp(-7, 7)));
}

TEST(RoundAdaptivelyTest, WholeNumbersAndTheEndsOfTheRangeStay) {
  const at::Tensor rows = at::tensor({7.0, -7.0, 3.0, 9.4, 0.45}, at::kDouble).unsqueeze(0);
  const at::Tensor rounded = RoundAdaptively(rows, at::ones({5, 5}, at::kDouble), -7, 7);
  EXPECT_TRUE(
      rounded.slice(1, 0, 4).equal(at::tensor({7.0, -7.0, 3.0, 7.0}, at::kDouble).view({1, 4})));
  EXPECT_EQ(rounded[0][4].item<double>(), 1.0) << "makes up for the one that is cut off";
}

// One layer: the output is nearer to the float one than rounding to nearest brings it, and the
// weight is on the grid that it was on.
void ExpectBetterLayer(const std::string& name, Graph graph, size_t layers) {
  SCOPED_TRACE(name);
  const at::Tensor images = AllGlyphImages();
  const at::Tensor wanted = RunGraph(graph, images);
  QuantizeOnGlyphs(graph, {.weight_bits = 3});
  const double before = (RunGraph(graph, images) - wanted).norm().item<double>();
  const auto adapted = AdaptRounding(graph, *MakeGlyphLoader(), 3);
  ASSERT_TRUE(adapted.ok()) << adapted.status();
  EXPECT_EQ(adapted->size(), layers);
  EXPECT_LT((RunGraph(graph, images) - wanted).norm().item<double>(), 0.8 * before);
  for (const Node* node : graph.nodes()) {
    if (node->op() != kFakeQuantizeOp || !SpecOf(*node).is_weight) continue;
    const at::Tensor weight = node->input(kFakeQuantizeX)->tensor();
    const QParams qparams = EvaluationQParams(*node);
    const int64_t axis = SpecOf(*node).axis;
    const at::Tensor integers = QuantizeToIntegers(weight, qparams, axis);
    EXPECT_GT(adapted->at(node->name()), 5.0);
    EXPECT_LT(adapted->at(node->name()), 25.0);
    EXPECT_TRUE(
        at::allclose(integers * BroadcastAlong(qparams.step, weight, axis), weight, 1e-5, 1e-6));
  }
}

TEST(AdaptRoundingTest, LayersOfEveryKind) {
  for (const int64_t groups : {int64_t{1}, int64_t{3}}) {
    at::manual_seed(33);
    Graph graph;
    Value* x = graph.AddInput("input", {.dtype = at::kFloat});
    graph.AddOutput(AddConv(graph, "conv", x, 3, 6, groups, /*norm=*/false));
    ExpectBetterLayer(absl::StrCat("Conv in ", groups, " groups"), std::move(graph), 1);
  }
  for (const int64_t transposed : {int64_t{0}, int64_t{1}}) {
    at::manual_seed(34);
    Graph graph;
    Value* x = graph.AddInput("input", {.dtype = at::kFloat});
    x = graph.AddNode("Flatten", "flatten", {x}, {{"axis", int64_t{1}}})->output();
    const at::Tensor weight = at::randn({192, 10});
    Value* w = graph.AddInitializer("w", transposed != 0 ? weight.t().contiguous() : weight,
                                    InitializerRole::kParameter);
    graph.AddOutput(graph.AddNode("Gemm", "gemm", {x, w}, {{"transB", transposed}})->output());
    ExpectBetterLayer(absl::StrCat("Gemm, transB ", transposed), std::move(graph), 1);
  }
}

TEST(AdaptRoundingTest, AWholeNetworkLosesLess) {
  Graph graph = BuildSmallNet(35);
  const at::Tensor images = AllGlyphImages();
  const at::Tensor wanted = RunGraph(graph, images);
  QuantizeOnGlyphs(graph, {.weight_bits = 3});
  const double before = (RunGraph(graph, images) - wanted).norm().item<double>();
  const at::Tensor state = graph.FindValue("input.scale")->tensor().clone();
  const auto adapted = AdaptRounding(graph, *MakeGlyphLoader(), 3);
  ASSERT_TRUE(adapted.ok()) << adapted.status();
  EXPECT_EQ(adapted->size(), 4);
  EXPECT_LT((RunGraph(graph, images) - wanted).norm().item<double>(), before);
  EXPECT_TRUE(at::equal(graph.FindValue("input.scale")->tensor(), state)) << "observers looked";
}

TEST(AdaptRoundingTest, DorefaWeightsAreLeftAlone) {
  Graph graph = BuildSmallNet(36);
  QuantizeOnGlyphs(graph, {.weight_quantize_type = "dorefa_weight", .weight_bits = 3});
  const auto adapted = AdaptRounding(graph, *MakeGlyphLoader(), 3);
  ASSERT_TRUE(adapted.ok()) << adapted.status();
  EXPECT_EQ(adapted->size(), 0);
}

TEST(AdaptRoundingTest, AnObserversErrorEndsIt) {
  Graph graph = BuildSmallNet(37);
  QuantizeOnGlyphs(graph, {.weight_bits = 8});
  const auto stop = [](int64_t, int64_t) { return absl::CancelledError("stop"); };
  EXPECT_EQ(AdaptRounding(graph, *MakeGlyphLoader(), 3, stop).status().code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace quantry::engine
