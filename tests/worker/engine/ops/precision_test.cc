#include "worker/engine/ops/precision.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/worker/engine/ops/operator_cases.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// bfloat16 keeps 8 bits: one rounding is off by up to 2^-9 of the value. Operands are rounded, and
// so is the result.
constexpr double kRounding = 1.0 / 512;

bool Lacks16Bits() { return FindBf16Support() == Bf16Support::kNone; }

TEST(PrecisionTest, NamesGoBothWays) {
  for (const Precision precision : {Precision::kFloat32, Precision::kBf16, Precision::kFloat64}) {
    const auto parsed = ParsePrecision(NameOf(precision));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, precision);
  }
  EXPECT_EQ(ParsePrecision("fp16").status().message(),
            "precision is 'fp16'; it must be 'float32', 'bf16' or 'float64'");
}

TEST(PrecisionTest, WhatTheMachineLacksIsRefused) {
  EXPECT_TRUE(CheckPrecision(Precision::kFloat32, Bf16Support::kNone).ok());
  EXPECT_TRUE(CheckPrecision(Precision::kFloat64, Bf16Support::kNone).ok());
  EXPECT_TRUE(CheckPrecision(Precision::kBf16, Bf16Support::kEmulated).ok());
  EXPECT_TRUE(CheckPrecision(Precision::kBf16, Bf16Support::kNative).ok());
  const absl::Status status = CheckPrecision(Precision::kBf16, Bf16Support::kNone);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("precision is 'bf16'"));
}

TEST(PrecisionTest, WhatFollowsThePrecision) {
  std::vector<std::string> bf16;
  std::vector<std::string> float64;
  for (const OperatorDef* def : OperatorTable()) {
    if (Follows(def->precision_use, Precision::kBf16)) bf16.emplace_back(def->op);
    if (Follows(def->precision_use, Precision::kFloat64)) float64.emplace_back(def->op);
    EXPECT_FALSE(Follows(def->precision_use, Precision::kFloat32));
  }
  EXPECT_THAT(bf16, UnorderedElementsAre("Conv", "Einsum", "Gemm", "MatMul"));
  EXPECT_THAT(float64, UnorderedElementsAre("Conv", "ConvTranspose", "Einsum", "Gemm", "MatMul"));
}

// A node whose inputs are all parameters, on their own copies.
struct OneNode {
  Graph graph;
  std::vector<at::Tensor> parameters;
};

std::unique_ptr<OneNode> Build(const std::string& op, const AttributeMap& attributes,
                               const std::vector<at::Tensor>& inputs) {
  auto one = std::make_unique<OneNode>();
  std::vector<Value*> values;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) {
      values.push_back(nullptr);
      continue;
    }
    const at::Tensor own = inputs[i].detach().to(at::kFloat).clone().set_requires_grad(true);
    one->parameters.push_back(own);
    values.push_back(
        one->graph.AddInitializer(absl::StrCat("p", i), own, InitializerRole::kParameter));
  }
  one->graph.AddOutput(one->graph.AddNode(op, "n", values, attributes)->output());
  return one;
}

// The output and the gradients of its sum with fixed weights.
std::vector<at::Tensor> Run(const std::string& op, const AttributeMap& attributes,
                            const std::vector<at::Tensor>& inputs, Precision precision) {
  const auto one = Build(op, attributes, inputs);
  const auto executor = Executor::Create(one->graph);
  EXPECT_TRUE(executor.ok()) << executor.status();
  const auto outputs = (*executor)->Run({}, {.phase = RunPhase::kTrain, .precision = precision});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  if (!outputs.ok()) return {};
  const at::Tensor& y = outputs->at(0);
  std::vector<at::Tensor> results = {y.detach()};
  (y * Numbers(y.sizes(), /*seed=*/7)).sum().backward();
  for (const at::Tensor& parameter : one->parameters) results.push_back(parameter.grad());
  return results;
}

// All results are float32, as large as they were, and not the same.
void ExpectRounded(const std::string& op, const AttributeMap& attributes,
                   const std::vector<at::Tensor>& inputs) {
  const auto exact = Run(op, attributes, inputs, Precision::kFloat32);
  const auto rounded = Run(op, attributes, inputs, Precision::kBf16);
  ASSERT_EQ(exact.size(), rounded.size());
  double largest = 0.0;
  for (size_t i = 0; i < exact.size(); ++i) {
    EXPECT_EQ(rounded[i].scalar_type(), at::kFloat);
    ASSERT_EQ(rounded[i].sizes(), exact[i].sizes());
    const double size = exact[i].norm().item<double>();
    const double error = (rounded[i] - exact[i]).norm().item<double>();
    EXPECT_LE(error, 3 * kRounding * size) << "result " << i << ", 0 is the output";
    largest = std::max(largest, error);
  }
  EXPECT_GT(largest, 0.0) << "nothing was rounded";
}

// Cases of operators that follow the precision, on numbers for it.
bool Takes(const OperatorCase& one, Precision precision) {
  return Follows(FindOperator(one.op)->precision_use, precision) &&
         std::all_of(one.inputs.begin(), one.inputs.end(), [](const at::Tensor& x) {
           return !x.defined() || (x.is_floating_point() && x.numel() > 0);
         });
}

// Every case of the operator tests: groups, strides, dilations, paddings, ranks.
TEST(PrecisionTest, OutputsAndGradientsAreThoseOfFloat32UpToRounding) {
  if (Lacks16Bits()) GTEST_SKIP() << "this machine has no bf16";
  int cases = 0;
  for (const OperatorCase& one : OperatorCases()) {
    if (!Takes(one, Precision::kBf16)) continue;
    SCOPED_TRACE(absl::StrCat(one.op, " ", one.name));
    ExpectRounded(one.op, one.attributes, one.inputs);
    ++cases;
  }
  EXPECT_GE(cases, 10);
}

// As networks have them: many terms in a sum, channels_last, a depthwise one.
TEST(PrecisionTest, LongSumsAreAddedUpInFloat32) {
  if (Lacks16Bits()) GTEST_SKIP() << "this machine has no bf16";
  const auto picture = [](at::IntArrayRef sizes, int seed) {
    return Numbers(sizes, seed).contiguous(at::MemoryFormat::ChannelsLast);
  };
  const AttributeMap window = {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}};
  ExpectRounded("Conv", window, {picture({4, 64, 12, 12}, 1), picture({32, 64, 3, 3}, 2)});
  AttributeMap depthwise = window;
  depthwise["group"] = int64_t{64};
  ExpectRounded("Conv", depthwise, {picture({4, 64, 12, 12}, 1), picture({64, 1, 3, 3}, 2)});
  ExpectRounded("Gemm", {{"transB", int64_t{1}}},
                {Numbers({32, 700}, 1), Numbers({50, 700}, 2), Numbers({50}, 3)});
  ExpectRounded("MatMul", {}, {Numbers({2, 3, 20, 600}, 1), Numbers({2, 3, 600, 20}, 2)});
}

// The same in float64 throughout, rounded to float32 at the end.
void ExpectExactSums(const OperatorCase& one) {
  std::vector<at::Tensor> inputs;
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : one.inputs) {
    inputs.push_back(input.defined() ? input.detach().to(at::kFloat).to(at::kDouble).clone()
                                     : at::Tensor());
    if (input.defined()) leaves.push_back(inputs.back().set_requires_grad(true));
  }
  const auto built = Build(one.op, one.attributes, one.inputs);
  const at::Tensor y =
      FindOperator(one.op)->evaluate(*built->graph.nodes().front(), inputs, {}).at(0);
  (y * Numbers(y.sizes(), /*seed=*/7).to(at::kDouble)).sum().backward();
  std::vector<at::Tensor> expected = {y.detach()};
  for (const at::Tensor& leaf : leaves) expected.push_back(leaf.grad());

  const auto actual = Run(one.op, one.attributes, one.inputs, Precision::kFloat64);
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_TRUE(actual[i].equal(expected[i].to(at::kFloat))) << "result " << i;
  }
}

TEST(PrecisionTest, Float64RoundsButOnce) {
  int cases = 0;
  for (const OperatorCase& one : OperatorCases()) {
    if (!Takes(one, Precision::kFloat64)) continue;
    SCOPED_TRACE(absl::StrCat(one.op, " ", one.name));
    ExpectExactSums(one);
    ++cases;
  }
  EXPECT_GE(cases, 10);
}

// Norms and activations between products see and give float32.
TEST(PrecisionTest, BetweenProductsAllIsFloat32) {
  if (Lacks16Bits()) GTEST_SKIP() << "this machine has no bf16";
  Graph graph;
  Value* x = graph.AddInput("x", TypeOf(Numbers({2, 3, 5, 5})));
  const auto constant = [&](const char* name, const at::Tensor& tensor) {
    return graph.AddInitializer(name, tensor, InitializerRole::kBuffer);
  };
  x = graph.AddNode("Conv", "conv", {x, constant("w", Numbers({4, 3, 3, 3}))})->output();
  const at::Tensor mean = at::zeros({4});
  x = graph
          .AddNode("BatchNormalization", "norm",
                   {x, constant("gamma", at::ones({4})), constant("beta", at::zeros({4})),
                    constant("mean", mean), constant("var", at::ones({4}))})
          ->output();
  graph.AddOutput(graph.AddNode("Relu", "relu", {x})->output());
  const auto executor = Executor::Create(graph);
  ASSERT_TRUE(executor.ok()) << executor.status();
  at::Tensor convolved;
  const auto look = [&](const Node& node, absl::Span<const at::Tensor> inputs,
                        absl::Span<const at::Tensor> outputs) {
    for (const at::Tensor& tensor : inputs) EXPECT_EQ(tensor.scalar_type(), at::kFloat);
    for (const at::Tensor& tensor : outputs) EXPECT_EQ(tensor.scalar_type(), at::kFloat);
    if (node.op() == "Conv") convolved = outputs[0];
    return absl::OkStatus();
  };
  const EvaluateContext context{.phase = RunPhase::kTrain, .precision = Precision::kBf16};
  ASSERT_TRUE((*executor)->Run({Numbers({2, 3, 5, 5}, 3)}, context, look).ok());
  // The products were rounded, their mean was not.
  EXPECT_TRUE(convolved.equal(convolved.to(at::kBFloat16).to(at::kFloat)));
  EXPECT_TRUE(at::allclose(mean, convolved.mean({0, 2, 3}) * 0.1, 1e-5, 1e-6));
}

}  // namespace
}  // namespace quantry::engine
