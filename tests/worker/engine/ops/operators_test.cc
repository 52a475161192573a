#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "tests/worker/engine/ops/operator_cases.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

// The node of a case, with inputs that operators want constant as initializers.
Node* NodeOf(const OperatorCase& operator_case, const OperatorDef& def, Graph& graph) {
  std::vector<Value*> values;
  for (size_t i = 0; i < operator_case.inputs.size(); ++i) {
    const at::Tensor& tensor = operator_case.inputs[i];
    if (!tensor.defined()) {
      values.push_back(nullptr);
    } else if (KindOfInput(def, i) == InputKind::kActivation) {
      values.push_back(graph.AddInput("x", TypeOf(tensor)));
    } else {
      values.push_back(graph.AddInitializer("c", tensor, InitializerRole::kConstant));
    }
  }
  return graph.AddNode(operator_case.op, "n", std::move(values), operator_case.attributes,
                       std::vector<std::string>(operator_case.outputs));
}

at::Tensor Evaluate(const OperatorCase& operator_case, const std::vector<at::Tensor>& inputs) {
  const OperatorDef* def = FindOperator(operator_case.op);
  Graph graph;
  const Node* node = NodeOf(operator_case, *def, graph);
  return def->evaluate(*node, inputs, {.phase = operator_case.phase}).at(0);
}

void ExpectSame(const at::Tensor& actual, const at::Tensor& expected) {
  EXPECT_EQ(actual.scalar_type(), expected.scalar_type());
  ASSERT_EQ(actual.sizes(), expected.sizes());
  // Sums of float32 are as exact as their largest terms allow, also where these cancel.
  const at::Tensor magnitude = expected.to(at::kDouble).abs();
  const double largest = expected.numel() == 0 ? 0.0 : magnitude.max().item<double>();
  EXPECT_TRUE(at::allclose(actual, expected, 1e-5, 1e-6 * std::max(1.0, largest)))
      << actual << "\nexpected\n"
      << expected;
}

// The gradient of sum(y * weights) with respect to input `index`, by central differences in double.
at::Tensor NumericGradient(const OperatorCase& operator_case, std::vector<at::Tensor> inputs,
                           size_t index, const at::Tensor& weights) {
  constexpr double kStep = 1e-6;
  const at::NoGradGuard no_grad;
  at::Tensor gradient = at::zeros_like(inputs[index]);
  const at::Tensor flat = inputs[index].detach().clone().flatten();
  const auto objective = [&](int64_t element, double shift) {
    at::Tensor moved = flat.clone();
    moved[element] += shift;
    inputs[index] = moved.reshape(gradient.sizes());
    return (Evaluate(operator_case, inputs) * weights).sum().item<double>();
  };
  for (int64_t i = 0; i < flat.numel(); ++i) {
    gradient.view({-1})[i] = (objective(i, kStep) - objective(i, -kStep)) / (2.0 * kStep);
  }
  return gradient;
}

class OperatorTest : public testing::TestWithParam<OperatorCase> {};
class PictureOperatorTest : public OperatorTest {};
class DifferentiableOperatorTest : public OperatorTest {};

std::vector<OperatorCase> CasesWhere(bool (*condition)(const OperatorCase&)) {
  std::vector<OperatorCase> cases = OperatorCases();
  std::erase_if(cases, [&](const OperatorCase& one) { return !condition(one); });
  return cases;
}

std::string NameOf(const testing::TestParamInfo<OperatorCase>& test) {
  std::string name = absl::StrCat(test.param.op, "_", test.param.name, "_", test.index);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !absl::ascii_isalnum(c); }, '_');
  return name;
}

TEST_P(OperatorTest, IsAccepted) {
  const OperatorDef* def = FindOperator(GetParam().op);
  ASSERT_NE(def, nullptr);
  Graph graph;
  NodeOf(GetParam(), *def, graph);
  EXPECT_TRUE(VerifyOperators(graph).ok()) << VerifyOperators(graph);
}

TEST_P(OperatorTest, GivesTheExpectedValue) {
  const at::NoGradGuard no_grad;
  ExpectSame(Evaluate(GetParam(), GetParam().inputs), GetParam().expected);
}

TEST_P(PictureOperatorTest, GivesTheSameOnChannelsLast) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> inputs = GetParam().inputs;
  inputs[0] = inputs[0].contiguous(at::MemoryFormat::ChannelsLast);
  ExpectSame(Evaluate(GetParam(), inputs), GetParam().expected);
}

TEST_P(DifferentiableOperatorTest, GradientIsThatOfDifferences) {
  std::vector<at::Tensor> inputs;
  for (const at::Tensor& input : GetParam().inputs) {
    const bool number = input.defined() && input.is_floating_point();
    inputs.push_back(number ? input.to(at::kDouble).clone() : input);
  }
  for (const size_t index : GetParam().differentiable) inputs[index].requires_grad_(true);
  const at::Tensor y = Evaluate(GetParam(), inputs);
  const at::Tensor weights = Numbers(y.sizes(), 11).to(at::kDouble);
  (y * weights).sum().backward();
  for (const size_t index : GetParam().differentiable) {
    const at::Tensor expected = NumericGradient(GetParam(), inputs, index, weights);
    EXPECT_TRUE(at::allclose(inputs[index].grad(), expected, 1e-4, 1e-6))
        << "input " << index << "\n"
        << inputs[index].grad() << "\nexpected\n"
        << expected;
  }
}

INSTANTIATE_TEST_SUITE_P(All, OperatorTest,
                         testing::ValuesIn(CasesWhere([](const OperatorCase& one) {
                           return one.expected.defined();
                         })),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(All, PictureOperatorTest,
                         testing::ValuesIn(CasesWhere([](const OperatorCase& one) {
                           return one.expected.defined() && one.inputs[0].dim() == 4;
                         })),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(All, DifferentiableOperatorTest,
                         testing::ValuesIn(CasesWhere([](const OperatorCase& one) {
                           return !one.differentiable.empty();
                         })),
                         NameOf);

TEST(OperatorTableTest, IsSortedAndEveryOperatorIsFound) {
  const auto table = OperatorTable();
  EXPECT_TRUE(
      std::is_sorted(table.begin(), table.end(),
                     [](const OperatorDef* a, const OperatorDef* b) { return a->op < b->op; }));
  for (const OperatorDef* def : table) {
    EXPECT_EQ(FindOperator(def->op), def) << def->op;
    EXPECT_NE(def->evaluate, nullptr) << def->op;
    EXPECT_EQ(def->layer_type == nullptr, def->weight_axis == nullptr) << def->op;
    EXPECT_LE(def->min_inputs, def->max_inputs) << def->op;
  }
  EXPECT_EQ(FindOperator("Zzz"), nullptr);
  EXPECT_EQ(FindOperator(""), nullptr);
}

// Integers, truth values and positions; the values of these operators, and of those that have a
// case of their gradient only, are compared by import/onnx_node_cases_test.cc.
const std::set<std::string>& NotDifferentiable() {
  static const std::set<std::string> kOps = {"And",
                                             "ArgMax",
                                             "ArgMin",
                                             "BitShift",
                                             "BitwiseAnd",
                                             "BitwiseNot",
                                             "BitwiseOr",
                                             "BitwiseXor",
                                             "BlackmanWindow",
                                             "Ceil",
                                             "ConstantOfShape",
                                             "ConvInteger",
                                             "DynamicQuantizeLinear",
                                             "Equal",
                                             "EyeLike",
                                             "Floor",
                                             "Greater",
                                             "GreaterOrEqual",
                                             "HammingWindow",
                                             "HannWindow",
                                             "Hardmax",
                                             "IsInf",
                                             "IsNaN",
                                             "Less",
                                             "LessOrEqual",
                                             "MatMulInteger",
                                             "MelWeightMatrix",
                                             "NonMaxSuppression",
                                             "NonZero",
                                             "Not",
                                             "OneHot",
                                             "Or",
                                             "QLinearConv",
                                             "QLinearMatMul",
                                             "Range",
                                             "Round",
                                             "Sign",
                                             "Size",
                                             "Unique",
                                             "Xor"};
  return kOps;
}

TEST(OperatorTableTest, EveryOperatorHasACase) {
  std::set<std::string> covered;
  for (const OperatorCase& operator_case : OperatorCases()) covered.insert(operator_case.op);
  for (const OperatorDef* def : OperatorTable()) {
    const std::string op(def->op);
    EXPECT_NE(covered.contains(op), NotDifferentiable().contains(op)) << op;
  }
}

// torch's ReLU6 gives no gradient at its bounds; the numeric check can't see that.
TEST(ClipTest, NoGradientAtTheBounds) {
  const at::Tensor x = at::tensor({0.0f, 3.0f, 6.0f}).requires_grad_(true);
  Evaluate({.op = "Clip"}, {x, at::scalar_tensor(0.0f), at::scalar_tensor(6.0f)}).sum().backward();
  EXPECT_TRUE(at::equal(x.grad(), at::tensor({0.0f, 1.0f, 0.0f})));
}

}  // namespace
}  // namespace quantry::engine
