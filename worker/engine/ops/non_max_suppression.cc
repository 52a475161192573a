#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

struct Box {
  double y1 = 0.0, x1 = 0.0, y2 = 0.0, x2 = 0.0;

  double Area() const { return (y2 - y1) * (x2 - x1); }
};

// Corners in any order or, with `centred`, x, y, width and height.
Box BoxOf(const float* four, bool centred) {
  if (centred) {
    const double w = four[2] / 2.0, h = four[3] / 2.0;
    return {four[1] - h, four[0] - w, four[1] + h, four[0] + w};
  }
  return {std::min(four[0], four[2]), std::min(four[1], four[3]), std::max(four[0], four[2]),
          std::max(four[1], four[3])};
}

double IntersectionOverUnion(const Box& a, const Box& b) {
  const double height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  const double width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  if (height <= 0.0 || width <= 0.0) return 0.0;
  const double common = height * width;
  const double either = a.Area() + b.Area() - common;
  return either > 0.0 ? common / either : 0.0;
}

struct Limits {
  int64_t most = 0;  // boxes of each class
  double overlap = 0.0;
  std::optional<double> score;  // boxes must have more
};

// The boxes that stay of one class, best first.
std::vector<int64_t> Selected(const std::vector<Box>& boxes, const float* scores,
                              const Limits& limits) {
  std::vector<int64_t> order;
  for (size_t i = 0; i < boxes.size(); ++i) {
    // A score that is not a number is no score: comparing with it would break the order.
    if (std::isnan(scores[i]) || (limits.score && scores[i] <= *limits.score)) continue;
    order.push_back(static_cast<int64_t>(i));
  }
  std::stable_sort(order.begin(), order.end(),
                   [scores](int64_t a, int64_t b) { return scores[a] > scores[b]; });
  std::vector<int64_t> selected;
  for (const int64_t candidate : order) {
    if (static_cast<int64_t>(selected.size()) >= limits.most) break;
    const Box& box = boxes[static_cast<size_t>(candidate)];
    const bool covered = std::any_of(selected.begin(), selected.end(), [&](int64_t other) {
      return IntersectionOverUnion(box, boxes[static_cast<size_t>(other)]) > limits.overlap;
    });
    if (!covered) selected.push_back(candidate);
  }
  return selected;
}

std::optional<double> NumberOf(absl::Span<const at::Tensor> inputs, size_t index) {
  const at::Tensor given = InputOr(inputs, index);
  if (!given.defined()) return std::nullopt;
  TORCH_CHECK(given.numel() == 1, "input ", index, " must be one number");
  return given.item<double>();
}

// Inputs: boxes [batch, boxes, 4], scores [batch, classes, boxes], most boxes of each class, the
// overlap and the score allowed. Output: rows (picture, class, box).
std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor boxes = inputs[0].detach().to(at::kCPU, at::kFloat).contiguous();
  const at::Tensor scores = inputs[1].detach().to(at::kCPU, at::kFloat).contiguous();
  TORCH_CHECK(boxes.dim() == 3 && boxes.size(2) == 4 && scores.dim() == 3 &&
                  scores.size(0) == boxes.size(0) && scores.size(2) == boxes.size(1),
              "boxes must be [batch, boxes, 4] and scores [batch, classes, boxes]");
  const int64_t count = boxes.size(1);
  const double most = NumberOf(inputs, 2).value_or(0.0);
  const Limits limits{.most = most >= static_cast<double>(count) ? count
                              : most > 0.0                       ? static_cast<int64_t>(most)
                                                                 : 0,
                      .overlap = NumberOf(inputs, 3).value_or(0.0),
                      .score = NumberOf(inputs, 4)};
  const bool centred = node.Int("center_point_box", 0) != 0;
  std::vector<int64_t> rows;
  for (int64_t picture = 0; picture < boxes.size(0); ++picture) {
    std::vector<Box> list;
    for (int64_t i = 0; i < count; ++i) {
      list.push_back(BoxOf(boxes.data_ptr<float>() + 4 * (picture * count + i), centred));
    }
    for (int64_t category = 0; category < scores.size(1); ++category) {
      const float* first = scores.data_ptr<float>() + (picture * scores.size(1) + category) * count;
      for (const int64_t box : Selected(list, first, limits)) {
        rows.insert(rows.end(), {picture, category, box});
      }
    }
  }
  return {at::tensor(rows, at::kLong).reshape({-1, 3}).to(inputs[0].device())};
}

}  // namespace

extern const OperatorDef kNonMaxSuppressionOperator = {
    .op = "NonMaxSuppression",
    .min_inputs = 2,
    .max_inputs = 5,
    .attributes = {{"center_point_box", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kActivation, InputKind::kStatic},
    .validate = [](const Node& node) { return CheckInt(node, "center_point_box", 0, 1); },
    .evaluate = Evaluate};

}  // namespace quantry::engine
