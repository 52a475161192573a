#include "tests/worker/engine/ops/naive_window.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <limits>

namespace quantry::engine {
namespace {

using Accessor = at::TensorAccessor<double, 4>;

int64_t OutputSize(int64_t size, const NaiveWindow& window, size_t axis) {
  const int64_t reach = window.dilations[axis] * (window.kernel[axis] - 1) + 1;
  return (size + window.pads[axis] + window.pads[axis + 2] - reach) / window.strides[axis] + 1;
}

// Calls `visit` for every (window element, picture element) under output (row, column).
void ForWindow(const NaiveWindow& window, int64_t row, int64_t column,
               const std::function<void(int64_t ky, int64_t kx, int64_t y, int64_t x)>& visit) {
  for (int64_t ky = 0; ky < window.kernel[0]; ++ky) {
    for (int64_t kx = 0; kx < window.kernel[1]; ++kx) {
      visit(ky, kx, row * window.strides[0] - window.pads[0] + ky * window.dilations[0],
            column * window.strides[1] - window.pads[1] + kx * window.dilations[1]);
    }
  }
}

void ForOutput(
    const at::Tensor& y,
    const std::function<void(int64_t n, int64_t c, int64_t row, int64_t column)>& visit) {
  for (int64_t n = 0; n < y.size(0); ++n) {
    for (int64_t c = 0; c < y.size(1); ++c) {
      for (int64_t row = 0; row < y.size(2); ++row) {
        for (int64_t column = 0; column < y.size(3); ++column) visit(n, c, row, column);
      }
    }
  }
}

}  // namespace

at::Tensor NaiveConv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     const NaiveWindow& window, int64_t group) {
  const at::Tensor x64 = x.to(at::kDouble);
  const at::Tensor w64 = weight.to(at::kDouble);
  const Accessor in = x64.accessor<double, 4>();
  const Accessor w = w64.accessor<double, 4>();
  const int64_t outputs_per_group = weight.size(0) / group;
  at::Tensor y = at::zeros({x.size(0), weight.size(0), OutputSize(x.size(2), window, 0),
                            OutputSize(x.size(3), window, 1)},
                           at::kDouble);
  Accessor out = y.accessor<double, 4>();
  ForOutput(y, [&](int64_t n, int64_t o, int64_t row, int64_t column) {
    double sum = bias.defined() ? bias[o].item<double>() : 0.0;
    ForWindow(window, row, column, [&](int64_t ky, int64_t kx, int64_t iy, int64_t ix) {
      if (iy < 0 || ix < 0 || iy >= in.size(2) || ix >= in.size(3)) return;
      for (int64_t c = 0; c < w.size(1); ++c) {
        sum += in[n][o / outputs_per_group * w.size(1) + c][iy][ix] * w[o][c][ky][kx];
      }
    });
    out[n][o][row][column] = sum;
  });
  return y.to(at::kFloat);
}

at::Tensor NaiveConvTranspose(const at::Tensor& x, const at::Tensor& weight,
                              const NaiveWindow& window, int64_t group, int64_t output_padding) {
  const at::Tensor x64 = x.to(at::kDouble);
  const at::Tensor w64 = weight.to(at::kDouble);
  const Accessor in = x64.accessor<double, 4>();
  const Accessor w = w64.accessor<double, 4>();
  const auto size = [&](size_t axis) {
    return (x.size(static_cast<int64_t>(axis) + 2) - 1) * window.strides[axis] + output_padding +
           window.dilations[axis] * (window.kernel[axis] - 1) + 1 - window.pads[axis] -
           window.pads[axis + 2];
  };
  at::Tensor y = at::zeros({x.size(0), weight.size(1) * group, size(0), size(1)}, at::kDouble);
  Accessor out = y.accessor<double, 4>();
  const int64_t inputs_per_group = x.size(1) / group;
  ForOutput(x, [&](int64_t n, int64_t c, int64_t row, int64_t column) {
    ForWindow(window, row, column, [&](int64_t ky, int64_t kx, int64_t oy, int64_t ox) {
      if (oy < 0 || ox < 0 || oy >= out.size(2) || ox >= out.size(3)) return;
      for (int64_t o = 0; o < w.size(1); ++o) {
        out[n][c / inputs_per_group * w.size(1) + o][oy][ox] +=
            in[n][c][row][column] * w[c][o][ky][kx];
      }
    });
  });
  return y.to(at::kFloat);
}

at::Tensor NaivePool(const at::Tensor& x, const NaiveWindow& window, NaivePooling pooling) {
  const at::Tensor x64 = x.to(at::kDouble);
  const Accessor in = x64.accessor<double, 4>();
  at::Tensor y = at::zeros(
      {x.size(0), x.size(1), OutputSize(x.size(2), window, 0), OutputSize(x.size(3), window, 1)},
      at::kDouble);
  Accessor out = y.accessor<double, 4>();
  ForOutput(y, [&](int64_t n, int64_t c, int64_t row, int64_t column) {
    double most = -std::numeric_limits<double>::infinity();
    double sum = 0.0;
    double inside = 0.0;
    ForWindow(window, row, column, [&](int64_t, int64_t, int64_t iy, int64_t ix) {
      if (iy < 0 || ix < 0 || iy >= in.size(2) || ix >= in.size(3)) return;
      most = std::max(most, in[n][c][iy][ix]);
      sum += in[n][c][iy][ix];
      inside += 1.0;
    });
    const auto all = static_cast<double>(window.kernel[0] * window.kernel[1]);
    const double mean = sum / (pooling == NaivePooling::kMean ? inside : all);
    out[n][c][row][column] = pooling == NaivePooling::kMax ? most : mean;
  });
  return y.to(at::kFloat);
}

}  // namespace quantry::engine
