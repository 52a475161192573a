#include <ATen/ATen.h>

#include <cmath>

#include "tests/worker/engine/ops/naive_window.h"
#include "tests/worker/engine/ops/operator_cases.h"

namespace quantry::engine {
namespace {

std::vector<OperatorCase> ConvCases() {
  const at::Tensor x = Numbers({2, 4, 7, 6});
  const at::Tensor full = Numbers({3, 4, 3, 3}, 1);
  const at::Tensor grouped = Numbers({6, 2, 3, 1}, 2);
  const at::Tensor depthwise = Numbers({4, 1, 3, 3}, 3);
  const at::Tensor bias3 = Numbers({3}, 4);
  const at::Tensor bias6 = Numbers({6}, 5);
  return {
      {"Conv", "plain", {}, {x, full}, NaiveConv(x, full, {}, {.kernel = {3, 3}}, 1)},
      {"Conv",
       "bias, stride, padding",
       {{"strides", Ints{2, 1}}, {"pads", Ints{1, 2, 1, 2}}, {"kernel_shape", Ints{3, 3}}},
       {x, full, bias3},
       NaiveConv(x, full, bias3, {.kernel = {3, 3}, .strides = {2, 1}, .pads = {1, 2, 1, 2}}, 1),
       RunPhase::kTrain,
       {0, 1, 2}},
      {"Conv",
       "grouped, dilated",
       {{"group", int64_t{2}}, {"dilations", Ints{2, 1}}},
       {x, grouped, bias6},
       NaiveConv(x, grouped, bias6, {.kernel = {3, 1}, .dilations = {2, 1}}, 2),
       RunPhase::kTrain,
       {0, 1, 2}},
      {"Conv",
       "depthwise",
       {{"group", int64_t{4}}, {"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}},
       {x, depthwise},
       NaiveConv(x, depthwise, {}, {.kernel = {3, 3}, .strides = {2, 2}, .pads = {1, 1, 1, 1}}, 4),
       RunPhase::kTrain,
       {0, 1}},
      {"Conv",
       "asymmetric padding",
       {{"pads", Ints{0, 1, 2, 0}}},
       {x, full},
       NaiveConv(x, full, {}, {.kernel = {3, 3}, .pads = {0, 1, 2, 0}}, 1),
       RunPhase::kTrain,
       {0, 1}},
      // Height 7 by 2: 4 outputs need 9 rows, 1 more on either side; width 6: 3 need 7, 1 more.
      {"Conv",
       "SAME_UPPER",
       {{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}},
       {x, full},
       NaiveConv(x, full, {}, {.kernel = {3, 3}, .strides = {2, 2}, .pads = {1, 0, 1, 1}}, 1)},
      {"Conv",
       "SAME_LOWER",
       {{"auto_pad", std::string("SAME_LOWER")}, {"strides", Ints{2, 2}}},
       {x, full},
       NaiveConv(x, full, {}, {.kernel = {3, 3}, .strides = {2, 2}, .pads = {1, 1, 1, 0}}, 1)},
  };
}

std::vector<OperatorCase> ConvTransposeCases() {
  const at::Tensor x = Numbers({2, 4, 3, 4});
  const at::Tensor full = Numbers({4, 3, 3, 3}, 1);
  const at::Tensor grouped = Numbers({4, 2, 2, 3}, 2);
  return {
      {"ConvTranspose",
       "plain",
       {},
       {x, full},
       NaiveConvTranspose(x, full, {.kernel = {3, 3}}, 1, 0),
       RunPhase::kTrain,
       {0, 1}},
      {"ConvTranspose",
       "stride, padding, output padding",
       {{"strides", Ints{2, 2}}, {"pads", Ints{1, 0, 1, 1}}, {"output_padding", Ints{1, 1}}},
       {x, full},
       NaiveConvTranspose(x, full, {.kernel = {3, 3}, .strides = {2, 2}, .pads = {1, 0, 1, 1}}, 1,
                          1)},
      {"ConvTranspose",
       "grouped",
       {{"group", int64_t{2}}},
       {x, grouped},
       NaiveConvTranspose(x, grouped, {.kernel = {2, 3}}, 2, 0)},
  };
}

// alpha * a * b + beta * c by scalar loops; c is [columns] or [rows, columns].
at::Tensor NaiveGemm(const at::Tensor& a, const at::Tensor& b, double alpha, const at::Tensor& c,
                     double beta) {
  at::Tensor y = at::zeros({a.size(0), b.size(1)}, at::kDouble);
  for (int64_t i = 0; i < y.size(0); ++i) {
    for (int64_t j = 0; j < y.size(1); ++j) {
      double sum = 0.0;
      for (int64_t k = 0; k < a.size(1); ++k) {
        sum += a[i][k].item<double>() * b[k][j].item<double>();
      }
      double added = 0.0;
      if (c.defined()) added = c.dim() == 1 ? c[j].item<double>() : c[i][j].item<double>();
      y[i][j] = alpha * sum + beta * added;
    }
  }
  return y.to(at::kFloat);
}

std::vector<OperatorCase> MatrixCases() {
  const at::Tensor a = Numbers({3, 5});
  const at::Tensor b = Numbers({5, 4}, 1);
  const at::Tensor row = Numbers({4}, 2);
  const at::Tensor matrix = Numbers({3, 4}, 3);
  const at::Tensor transposed = b.t().contiguous();
  return {
      {"Gemm",
       "linear layer",
       {{"transB", int64_t{1}}, {"alpha", 1.0f}, {"beta", 1.0f}},
       {a, transposed, row},
       NaiveGemm(a, b, 1.0, row, 1.0),
       RunPhase::kTrain,
       {0, 1, 2}},
      {"Gemm",
       "scaled, transposed A",
       {{"transA", int64_t{1}}, {"alpha", 0.5f}, {"beta", 2.0f}},
       {a.t().contiguous(), b, matrix},
       NaiveGemm(a, b, 0.5, matrix, 2.0),
       RunPhase::kTrain,
       {0, 1, 2}},
      {"Gemm",
       "scaled, transposed B",
       {{"transB", int64_t{1}}, {"beta", 3.0f}},
       {a, transposed, row},
       NaiveGemm(a, b, 1.0, row, 3.0)},
      {"Gemm", "no C", {{"alpha", 0.25f}}, {a, b}, NaiveGemm(a, b, 0.25, {}, 0.0)},
      {"Gemm",
       "no C, transposed B",
       {{"transB", int64_t{1}}},
       {a, transposed},
       NaiveGemm(a, b, 1.0, {}, 0.0)},
      {"MatMul", "matrices", {}, {a, b}, NaiveGemm(a, b, 1.0, {}, 0.0), RunPhase::kTrain, {0, 1}},
      {"MatMul",
       "batch",
       {},
       {a.reshape({3, 1, 5}), b},
       NaiveGemm(a, b, 1.0, {}, 0.0).reshape({3, 1, 4})},
  };
}

// Statistics over all but axis 1, with the variance of n for normalising.
at::Tensor NaiveBatchNorm(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta,
                          const at::Tensor& mean, const at::Tensor& variance, double epsilon) {
  at::Tensor y = at::empty_like(x);
  for (int64_t c = 0; c < x.size(1); ++c) {
    const double scale = gamma[c].item<double>() / std::sqrt(variance[c].item<double>() + epsilon);
    const double shift = beta[c].item<double>() - mean[c].item<double>() * scale;
    y.select(1, c).copy_(
        Map(x.select(1, c), [&](double element) { return element * scale + shift; }));
  }
  return y;
}

std::vector<OperatorCase> BatchNormalizationCases() {
  const at::Tensor x = Numbers({3, 2, 4, 3});
  const at::Tensor gamma = at::tensor({0.5f, -1.5f});
  const at::Tensor beta = at::tensor({0.25f, 1.0f});
  const at::Tensor mean = at::tensor({0.1f, -0.2f});
  const at::Tensor variance = at::tensor({0.9f, 2.0f});
  const at::Tensor columns = x.transpose(0, 1).reshape({2, -1}).to(at::kDouble);
  const AttributeMap epsilon = {{"epsilon", 1e-3f}};
  const auto inputs = [&] {
    return std::vector<at::Tensor>{x, gamma, beta, mean.clone(), variance.clone()};
  };
  return {
      {"BatchNormalization",
       "evaluation",
       epsilon,
       inputs(),
       NaiveBatchNorm(x, gamma, beta, mean, variance, 1e-3),
       RunPhase::kEvaluate,
       {0, 1, 2}},
      {"BatchNormalization", "calibration uses running statistics", epsilon, inputs(),
       NaiveBatchNorm(x, gamma, beta, mean, variance, 1e-3), RunPhase::kCalibrate},
      {"BatchNormalization",
       "training",
       epsilon,
       inputs(),
       NaiveBatchNorm(x, gamma, beta, columns.mean(1), columns.var(1, /*unbiased=*/false), 1e-3),
       RunPhase::kTrain,
       {0, 1, 2}},
  };
}

}  // namespace

std::vector<OperatorCase> LayerCases() {
  std::vector<OperatorCase> all;
  for (const auto& cases :
       {ConvCases(), ConvTransposeCases(), MatrixCases(), BatchNormalizationCases()}) {
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

}  // namespace quantry::engine
