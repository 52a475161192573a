// Operators whose values ONNX's own cases check: here their gradients are compared with
// differences.
#include <ATen/ATen.h>

#include "tests/worker/engine/ops/operator_cases.h"

namespace quantry::engine {
namespace {

OperatorCase Case(std::string op, std::vector<at::Tensor> inputs, AttributeMap attributes = {},
                  std::vector<size_t> differentiable = {0}) {
  return {.op = std::move(op),
          .name = "gradient",
          .attributes = std::move(attributes),
          .inputs = std::move(inputs),
          .differentiable = std::move(differentiable)};
}

at::Tensor Longs(const Ints& values) { return at::tensor(values, at::kLong); }

void AddUnary(std::vector<OperatorCase>& cases) {
  const at::Tensor x = Numbers({3, 4});
  for (const char* op : {"Abs",       "Asinh",
                         "Atan",      "Cos",
                         "Cosh",      "Erf",
                         "Exp",       "Mish",
                         "Neg",       "Reciprocal",
                         "Sin",       "Sinh",
                         "Softplus",  "Softsign",
                         "Tanh",      "Celu",
                         "Elu",       "Gelu",
                         "LeakyRelu", "Selu",
                         "Shrink",    "ThresholdedRelu"}) {
    cases.push_back(Case(op, {x}));
  }
  cases.push_back(Case("Gelu", {x}, {{"approximate", std::string("tanh")}}));
  for (const char* op : {"Acos", "Asin", "Atanh", "Tan"}) cases.push_back(Case(op, {x * 0.4}));
  for (const char* op : {"Log", "Sqrt"}) cases.push_back(Case(op, {x.abs()}));
  cases.push_back(Case("Acosh", {x.abs() + 1.1}));
  cases.push_back(Case("Det", {Numbers({2, 3, 3})}));
  cases.push_back(Case("CastLike", {x, x}));
}

void AddBinary(std::vector<OperatorCase>& cases) {
  const at::Tensor x = Numbers({2, 3});
  const at::Tensor row = Numbers({3}, 5);
  for (const char* op : {"Max", "Mean", "Min", "Sum"})
    cases.push_back(Case(op, {x, row}, {}, {0, 1}));
  cases.push_back(Case("Pow", {x.abs(), row}, {}, {0, 1}));
  cases.push_back(Case("Pow", {x, at::scalar_tensor(2.0f)}));
  cases.push_back(Case("Mod", {x, row}, {{"fmod", int64_t{1}}}));
  cases.push_back(Case("PRelu", {x, row}, {}, {0, 1}));
  cases.push_back(Case("Where", {x > 0, x, row}, {}, {1, 2}));
}

void AddReductions(std::vector<OperatorCase>& cases) {
  const at::Tensor x = Numbers({2, 3, 4});
  for (const char* op : {"ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMin",
                         "ReduceProd", "ReduceSum", "ReduceSumSquare"}) {
    cases.push_back(Case(op, {x, Longs({0, 2})}, {{"keepdims", int64_t{0}}}));
  }
  cases.push_back(Case("ReduceLogSum", {x.abs(), Longs({1})}));
  cases.push_back(Case("LogSoftmax", {x}, {{"axis", int64_t{1}}}));
  cases.push_back(Case("CumSum", {x, Longs({1})}, {{"exclusive", int64_t{1}}}));
  cases.push_back(Case("GlobalMaxPool", {Numbers({1, 2, 3, 4})}));
}

void AddNormalizations(std::vector<OperatorCase>& cases) {
  const at::Tensor x = Numbers({2, 4, 3});
  cases.push_back(Case("LayerNormalization", {x, Numbers({3}, 2), Numbers({3}, 3)}, {}, {0, 1, 2}));
  cases.push_back(
      Case("InstanceNormalization", {x, Numbers({4}, 2), Numbers({4}, 3)}, {}, {0, 1, 2}));
  for (const int64_t channels : {2, 4}) {  // of groups, as up to opset 20; of channels, as later
    cases.push_back(Case("GroupNormalization", {x, Numbers({channels}, 2), Numbers({channels}, 3)},
                         {{"num_groups", int64_t{2}}}, {0, 1, 2}));
  }
  cases.push_back(Case("LRN", {x}, {{"size", int64_t{3}}, {"alpha", 0.5f}}));
  cases.push_back(Case("LpNormalization", {x}, {{"axis", int64_t{1}}}));
  cases.push_back(Case("MeanVarianceNormalization", {x}, {{"axes", Ints{0, 2}}}));
}

void AddMoving(std::vector<OperatorCase>& cases) {
  const at::Tensor x = Numbers({3, 4});
  const at::Tensor picture = Numbers({1, 4, 2, 2});
  cases.push_back(
      Case("Compress", {x, at::tensor({0, 1, 1}, at::kInt).to(at::kBool)}, {{"axis", int64_t{0}}}));
  cases.push_back(Case("DepthToSpace", {picture}, {{"blocksize", int64_t{2}}}));
  cases.push_back(Case("SpaceToDepth", {picture}, {{"blocksize", int64_t{2}}}));
  cases.push_back(
      Case("Einsum", {x, Numbers({4, 2}, 3)}, {{"equation", std::string("ij,jk->ik")}}, {0, 1}));
  cases.push_back(Case("Expand", {x, Longs({2, 1, 1})}));
  cases.push_back(
      Case("GatherElements", {x, Longs({0, -1, 2, 2}).reshape({2, 2})}, {{"axis", int64_t{1}}}));
  cases.push_back(Case("GatherND", {x, Longs({0, 1, 2, 3}).reshape({2, 2})}));
  cases.push_back(Case("ReverseSequence", {x, Longs({1, 3, 2, 3})}));
  cases.push_back(Case("Split", {x, Longs({1, 2})}));
  cases.push_back(Case("Tile", {x, Longs({2, 1})}));
  cases.push_back(Case("TopK", {x, Longs({2})}));
  cases.push_back(Case("Trilu", {x}));
  for (const char* op : {"Scatter", "ScatterElements"}) {
    cases.push_back(Case(op, {x, Longs({2, 0}).reshape({1, 2}), Numbers({1, 2}, 3)}, {}, {0, 2}));
  }
  cases.push_back(Case("ScatterND", {x, Longs({2, 0}).reshape({2, 1}), Numbers({2, 4}, 3)},
                       {{"reduction", std::string("add")}}, {0, 2}));
}

void AddResizes(std::vector<OperatorCase>& cases) {
  const at::Tensor x = Numbers({1, 1, 3, 4});
  const at::Tensor scales = at::tensor({1.0f, 1.0f, 1.7f, 0.6f});
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    cases.push_back(Case("Resize", {x, at::Tensor(), scales}, {{"mode", std::string(mode)}}));
  }
  cases.push_back(Case("Upsample", {x, at::Tensor(), scales}, {{"mode", std::string("linear")}}));
}

void AddLosses(std::vector<OperatorCase>& cases) {
  const at::Tensor scores = Numbers({3, 4});
  const at::Tensor targets = Longs({0, 3, 1});
  for (const char* op : {"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"}) {
    for (const char* reduction : {"none", "mean", "sum"}) {
      cases.push_back(Case(op, {scores, targets, Numbers({4}, 3).abs()},
                           {{"reduction", std::string(reduction)}, {"ignore_index", int64_t{3}}}));
    }
  }
}

}  // namespace

std::vector<OperatorCase> GradientCases() {
  std::vector<OperatorCase> cases;
  AddUnary(cases);
  AddBinary(cases);
  AddReductions(cases);
  AddNormalizations(cases);
  AddMoving(cases);
  AddResizes(cases);
  AddLosses(cases);
  return cases;
}

}  // namespace quantry::engine
