#include <ATen/ATen.h>

#include <limits>

#include "tests/worker/engine/ops/operator_cases.h"

namespace quantry::engine {
namespace {

at::Tensor List(const Ints& elements) { return at::tensor(elements, at::kLong); }

// 0, 1, 2, ... of the given sizes: every rearrangement shows.
at::Tensor Count(const Ints& sizes) {
  int64_t elements = 1;
  for (const int64_t size : sizes) elements *= size;
  return at::arange(elements, at::kFloat).reshape(sizes);
}

std::vector<OperatorCase> ReshapingCases() {
  const at::Tensor x = Count({2, 3, 4, 5});
  const at::Tensor ones = Count({1, 3, 1, 2});
  return {
      {"Flatten", "default", {}, {x}, Count({2, 60}), RunPhase::kTrain, {0}},
      {"Flatten", "axis 0", {{"axis", int64_t{0}}}, {x}, Count({1, 120})},
      {"Flatten", "from the end", {{"axis", int64_t{-1}}}, {x}, Count({24, 5})},
      {"Flatten", "all rows", {{"axis", int64_t{4}}}, {x}, Count({120, 1})},
      {"Reshape",
       "keeps and infers",
       {},
       {x, List({0, -1, 5})},
       Count({2, 12, 5}),
       RunPhase::kTrain,
       {0}},
      {"Reshape",
       "real zeros",
       {{"allowzero", int64_t{1}}},
       {at::zeros({0, 3}), List({3, 0})},
       at::zeros({3, 0})},
      {"Squeeze", "axes", {}, {ones, List({-2, 0})}, Count({3, 2}), RunPhase::kTrain, {0}},
      {"Squeeze", "one axis", {}, {ones, List({2})}, Count({1, 3, 2})},
      {"Squeeze", "all", {}, {ones}, Count({3, 2})},
      {"Unsqueeze",
       "axes of the output",
       {},
       {Count({3, 2}), List({-2, 0})},
       ones,
       RunPhase::kTrain,
       {0}},
      {"Transpose",
       "default",
       {},
       {Count({2, 2})},
       at::tensor({0.0f, 2.0f, 1.0f, 3.0f}).reshape({2, 2})},
      {"Transpose",
       "order",
       {{"perm", Ints{0, 2, 1}}},
       {Count({1, 2, 3})},
       at::tensor({0.0f, 3.0f, 1.0f, 4.0f, 2.0f, 5.0f}).reshape({1, 3, 2}),
       RunPhase::kTrain,
       {0}},
      {"Shape", "all", {}, {x}, List({2, 3, 4, 5})},
      {"Shape", "part", {{"start", int64_t{1}}, {"end", int64_t{-1}}}, {x}, List({3, 4})},
      {"Shape", "nothing", {{"start", int64_t{3}}, {"end", int64_t{1}}}, {x}, List({})},
  };
}

std::vector<OperatorCase> SelectingCases() {
  const at::Tensor x = Count({2, 3});
  const at::Tensor line = Count({6});
  constexpr int64_t kFar = std::numeric_limits<int64_t>::max();
  constexpr int64_t kNear = std::numeric_limits<int64_t>::min();
  return {
      {"Concat",
       "columns",
       {{"axis", int64_t{1}}},
       {x, Count({2, 1})},
       at::tensor({0.0f, 1.0f, 2.0f, 0.0f, 3.0f, 4.0f, 5.0f, 1.0f}).reshape({2, 4}),
       RunPhase::kTrain,
       {0, 1}},
      {"Concat", "from the end", {{"axis", int64_t{-2}}}, {x, x, x}, at::cat({x, x, x}, 0)},
      {"Gather",
       "scalar",
       {},
       {x, at::scalar_tensor(1, at::kLong)},
       at::tensor({3.0f, 4.0f, 5.0f}),
       RunPhase::kTrain,
       {0}},
      {"Gather",
       "matrix of indices, some from the end",
       {{"axis", int64_t{1}}},
       {x, at::tensor({0, -1, 2, 1}, at::kLong).reshape({2, 2})},
       at::tensor({0.0f, 2.0f, 2.0f, 1.0f, 3.0f, 5.0f, 5.0f, 4.0f}).reshape({2, 2, 2})},
      {"Gather",
       "int32 indices",
       {},
       {line, at::tensor({5, 0}, at::kInt)},
       at::tensor({5.0f, 0.0f})},
      {"Slice",
       "all arguments",
       {},
       {x, List({1, 0}), List({3, 1}), List({1, 0}), List({1, 1})},
       at::tensor({1.0f, 2.0f}).reshape({1, 2}),
       RunPhase::kTrain,
       {0}},
      {"Slice", "to the end", {}, {line, List({-2}), List({kFar})}, at::tensor({4.0f, 5.0f})},
      {"Slice",
       "steps",
       {},
       {line, List({1}), List({kFar}), List({0}), List({2})},
       at::tensor({1.0f, 3.0f, 5.0f})},
      {"Slice",
       "backwards",
       {},
       {line, List({kFar}), List({kNear}), List({-1}), List({-2})},
       at::tensor({5.0f, 3.0f, 1.0f})},
      {"Slice",
       "backwards to a bound",
       {},
       {line, List({4}), List({1}), List({0}), List({-1})},
       at::tensor({4.0f, 3.0f, 2.0f})},
      {"Slice", "nothing", {}, {line, List({4}), List({2})}, at::zeros({0})},
      {"Pad",
       "constant",
       {},
       {Count({1, 2}), List({1, 0, 0, 2}), at::scalar_tensor(9.0f)},
       at::tensor({9.0f, 9.0f, 9.0f, 9.0f, 0.0f, 1.0f, 9.0f, 9.0f}).reshape({2, 4}),
       RunPhase::kTrain,
       {0}},
      {"Pad",
       "axes",
       {},
       {Count({1, 2}), List({1, 0}), at::Tensor(), List({-1})},
       at::tensor({0.0f, 0.0f, 1.0f}).reshape({1, 3})},
      {"Pad",
       "reflect",
       {{"mode", std::string("reflect")}},
       {Count({1, 3}), List({0, 2, 0, 1})},
       at::tensor({2.0f, 1.0f, 0.0f, 1.0f, 2.0f, 1.0f}).reshape({1, 6})},
      {"Pad",
       "edge",
       {{"mode", std::string("edge")}},
       {Count({1, 3}), List({0, 2, 0, 1})},
       at::tensor({0.0f, 0.0f, 0.0f, 1.0f, 2.0f, 2.0f}).reshape({1, 6})},
  };
}

}  // namespace

std::vector<OperatorCase> ShapeCases() {
  std::vector<OperatorCase> all = ReshapingCases();
  const std::vector<OperatorCase> selecting = SelectingCases();
  all.insert(all.end(), selecting.begin(), selecting.end());
  return all;
}

}  // namespace quantry::engine
