#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "tests/worker/engine/ops/operator_cases.h"

namespace quantry::engine {
namespace {

double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
double Relu6(double x) { return std::clamp(x, 0.0, 6.0); }

std::vector<OperatorCase> ActivationCases() {
  const at::Tensor x = Numbers({2, 3, 4, 5}) * 4.0;  // so that every piece of each function is met
  const at::Tensor least = at::scalar_tensor(0.0f);
  const at::Tensor most = at::scalar_tensor(6.0f);
  const auto hard_sigmoid = [](double v) { return Relu6(v + 3.0) / 6.0; };
  return {
      {"Relu",
       "",
       {},
       {x},
       Map(x, [](double v) { return std::max(v, 0.0); }),
       RunPhase::kTrain,
       {0}},
      {"Sigmoid", "", {}, {x}, Map(x, Sigmoid), RunPhase::kTrain, {0}},
      {"HardSwish",
       "",
       {},
       {x},
       Map(x, [](double v) { return v * Relu6(v + 3.0) / 6.0; }),
       RunPhase::kTrain,
       {0}},
      {"HardSigmoid",
       "torch's slope",
       {{"alpha", 1.0f / 6.0f}},
       {x},
       Map(x, hard_sigmoid),
       RunPhase::kTrain,
       {0}},
      {"HardSigmoid",
       "ONNX's slope",
       {},
       {x},
       Map(x, [](double v) { return std::clamp(0.2 * v + 0.5, 0.0, 1.0); }),
       RunPhase::kTrain,
       {0}},
      {"HardSigmoid",
       "other",
       {{"alpha", 0.5f}, {"beta", 0.25f}},
       {x},
       Map(x, [](double v) { return std::clamp(0.5 * v + 0.25, 0.0, 1.0); })},
      {"Clip", "relu6", {}, {x, least, most}, Map(x, Relu6), RunPhase::kTrain, {0}},
      {"Clip",
       "below",
       {},
       {x, least},
       Map(x, [](double v) { return std::max(v, 0.0); }),
       RunPhase::kTrain,
       {0}},
      {"Clip",
       "above",
       {},
       {x, at::Tensor(), most},
       Map(x, [](double v) { return std::min(v, 6.0); }),
       RunPhase::kTrain,
       {0}},
      {"Clip", "nothing", {}, {x}, x},
      {"Clip",
       "integers",
       {},
       {at::tensor({-3, 3, 9}, at::kLong), at::scalar_tensor(-1, at::kLong),
        at::scalar_tensor(4, at::kLong)},
       at::tensor({-1, 3, 4}, at::kLong)},
      {"Identity", "", {}, {x}, x, RunPhase::kTrain, {0}},
      {"Bernoulli", "evaluation", {}, {x}, x},
      {"Dropout", "evaluation", {}, {x, at::scalar_tensor(0.3f)}, x},
      {"Dropout", "calibration", {}, {x, at::scalar_tensor(0.3f)}, x, RunPhase::kCalibrate},
      {"Dropout", "nothing dropped", {}, {x, at::scalar_tensor(0.0f)}, x, RunPhase::kTrain, {0}},
  };
}

std::vector<OperatorCase> ArithmeticCases() {
  const at::Tensor a = at::tensor({1.0f, -2.0f, 3.0f, 4.0f}).reshape({2, 2});
  const at::Tensor b = at::tensor({0.5f, 4.0f});
  const at::Tensor i = at::tensor({7, -7}, at::kLong);
  const at::Tensor j = at::tensor({2, 2}, at::kLong);
  const auto matrix = [](std::initializer_list<float> elements) {
    return at::tensor(std::vector<float>(elements)).reshape({2, 2});
  };
  return {
      {"Add", "broadcast", {}, {a, b}, matrix({1.5f, 2.0f, 3.5f, 8.0f}), RunPhase::kTrain, {0, 1}},
      {"Sub", "broadcast", {}, {a, b}, matrix({0.5f, -6.0f, 2.5f, 0.0f}), RunPhase::kTrain, {0, 1}},
      {"Mul",
       "broadcast",
       {},
       {a, b},
       matrix({0.5f, -8.0f, 1.5f, 16.0f}),
       RunPhase::kTrain,
       {0, 1}},
      {"Div", "broadcast", {}, {a, b}, matrix({2.0f, -0.5f, 6.0f, 1.0f}), RunPhase::kTrain, {0, 1}},
      {"Div", "integers towards zero", {}, {i, j}, at::tensor({3, -3}, at::kLong)},
      {"Mul", "integers", {}, {i, j}, at::tensor({14, -14}, at::kLong)},
  };
}

at::Tensor NaiveSoftmax(const at::Tensor& x) {
  const at::Tensor exponentials = Map(x, [](double v) { return std::exp(v); }).to(at::kDouble);
  return (exponentials / exponentials.sum(-1, /*keepdim=*/true)).to(at::kFloat);
}

}  // namespace

std::vector<OperatorCase> PointwiseCases() {
  const at::Tensor x = Numbers({3, 4});
  std::vector<OperatorCase> all = {
      {"Softmax", "default: last axis", {}, {x}, NaiveSoftmax(x), RunPhase::kTrain, {0}},
      {"Softmax", "first axis", {{"axis", int64_t{0}}}, {x}, NaiveSoftmax(x.t()).t()},
      {"Cast",
       "to integers",
       {{"to", int64_t{7}}},
       {at::tensor({1.9f, -1.9f})},
       at::tensor({1, -1}, at::kLong)},
      {"Cast", "to double", {{"to", int64_t{11}}}, {x}, x.to(at::kDouble), RunPhase::kTrain, {0}},
  };
  for (const auto& cases : {ActivationCases(), ArithmeticCases()}) {
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

}  // namespace quantry::engine
