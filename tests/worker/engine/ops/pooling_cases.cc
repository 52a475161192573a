#include <ATen/ATen.h>

#include "tests/worker/engine/ops/naive_window.h"
#include "tests/worker/engine/ops/operator_cases.h"

namespace quantry::engine {
namespace {

const NaiveWindow kUsual = {.kernel = {3, 3}, .strides = {2, 2}, .pads = {1, 1, 1, 1}};

AttributeMap AttributesOf(const NaiveWindow& window) {
  return {{"kernel_shape", Ints(window.kernel.begin(), window.kernel.end())},
          {"strides", Ints(window.strides.begin(), window.strides.end())},
          {"pads", Ints(window.pads.begin(), window.pads.end())}};
}

AttributeMap With(AttributeMap attributes, const std::string& name, Attribute value) {
  attributes[name] = std::move(value);
  return attributes;
}

}  // namespace

std::vector<OperatorCase> PoolingCases() {
  const at::Tensor x = Numbers({2, 3, 7, 6});
  // Wider than half a kernel and not the same on both sides, which ATen's pooling refuses.
  const NaiveWindow uneven = {.kernel = {2, 3}, .strides = {2, 1}, .pads = {0, 2, 1, 0}};
  return {
      {"MaxPool",
       "usual",
       AttributesOf(kUsual),
       {x},
       NaivePool(x, kUsual, NaivePooling::kMax),
       RunPhase::kTrain,
       {0}},
      {"MaxPool",
       "uneven padding",
       AttributesOf(uneven),
       {x},
       NaivePool(x, uneven, NaivePooling::kMax),
       RunPhase::kTrain,
       {0}},
      {"MaxPool",
       "dilated",
       {{"kernel_shape", Ints{2, 2}}, {"dilations", Ints{2, 3}}},
       {x},
       NaivePool(x, {.kernel = {2, 2}, .dilations = {2, 3}}, NaivePooling::kMax)},
      {"MaxPool",
       "rounded up",
       {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}, {"ceil_mode", int64_t{1}}},
       {x},
       NaivePool(x, {.kernel = {2, 2}, .strides = {2, 2}, .pads = {0, 0, 1, 0}},
                 NaivePooling::kMax)},
      {"AveragePool",
       "usual",
       AttributesOf(kUsual),
       {x},
       NaivePool(x, kUsual, NaivePooling::kMean),
       RunPhase::kTrain,
       {0}},
      {"AveragePool",
       "padding counts",
       With(AttributesOf(kUsual), "count_include_pad", int64_t{1}),
       {x},
       NaivePool(x, kUsual, NaivePooling::kMeanOverPadding)},
      {"AveragePool",
       "uneven padding",
       AttributesOf(uneven),
       {x},
       NaivePool(x, uneven, NaivePooling::kMean),
       RunPhase::kTrain,
       {0}},
      {"AveragePool",
       "uneven padding counts",
       With(AttributesOf(uneven), "count_include_pad", int64_t{1}),
       {x},
       NaivePool(x, uneven, NaivePooling::kMeanOverPadding)},
      {"AveragePool",
       "SAME_UPPER",
       {{"kernel_shape", Ints{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}},
       {x},
       NaivePool(x, {.kernel = {2, 2}, .pads = {0, 0, 1, 1}}, NaivePooling::kMean)},
      {"GlobalAveragePool",
       "pictures",
       {},
       {x},
       NaivePool(x, {.kernel = {7, 6}}, NaivePooling::kMean),
       RunPhase::kTrain,
       {0}},
      {"GlobalAveragePool",
       "sequences",
       {},
       {x.reshape({2, 3, 42})},
       NaivePool(x, {.kernel = {7, 6}}, NaivePooling::kMean).reshape({2, 3, 1})},
      {"ReduceMean",
       "axes",
       {{"keepdims", int64_t{0}}},
       {x, at::tensor({-1, 2}, at::kLong)},
       NaivePool(x, {.kernel = {7, 6}}, NaivePooling::kMean).reshape({2, 3}),
       RunPhase::kTrain,
       {0}},
      {"ReduceMean",
       "kept dimensions",
       {},
       {x, at::tensor({2, 3}, at::kLong)},
       NaivePool(x, {.kernel = {7, 6}}, NaivePooling::kMean)},
      {"ReduceMean", "all", {}, {at::tensor({1.0f, 2.0f, 6.0f})}, at::tensor({3.0f})},
      {"ReduceMean", "none", {{"noop_with_empty_axes", int64_t{1}}}, {x}, x},
  };
}

}  // namespace quantry::engine
