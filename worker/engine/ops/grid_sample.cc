#include <ATen/ATen.h>

#include <string>

#include "common/status_macros.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/upgrades.h"

namespace quantry::engine {
namespace {

// ATen's numbers of the modes.
int64_t Interpolation(const std::string& mode) {
  return mode == "nearest" ? 1 : mode == "bicubic" ? 2 : 0;
}

int64_t Padding(const std::string& mode) {
  return mode == "border" ? 1 : mode == "reflection" ? 2 : 0;
}

// x [N, C, ...] at the places of the grid [N, ..., 2 or 3]: x first, from -1 to 1.
std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor grid = inputs[1].to(inputs[0].scalar_type());
  return {at::grid_sampler(inputs[0], grid, Interpolation(node.String("mode", "bilinear")),
                           Padding(node.String("padding_mode", "zeros")),
                           node.Int("align_corners", 0) != 0)};
}

absl::Status Validate(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(CheckOneOf(node, "mode", {"bilinear", "nearest", "bicubic"}));
  QUANTRY_RETURN_IF_ERROR(CheckOneOf(node, "padding_mode", {"zeros", "border", "reflection"}));
  return CheckInt(node, "align_corners", 0, 1);
}

// Opset 20 gave the modes other names. Kept are the old ones, as the opset that is written has
// them.
absl::Status Upgrade(Graph&, Node& node, int64_t opset) {
  if (opset < 20) return absl::OkStatus();
  QUANTRY_ASSIGN_OR_RETURN(const auto mode, TakeAttribute<std::string>(node, "mode"));
  if (!mode) return absl::OkStatus();
  node.attributes["mode"] = *mode == "linear" ? "bilinear" : *mode == "cubic" ? "bicubic" : *mode;
  return absl::OkStatus();
}

}  // namespace

extern const OperatorDef kGridSampleOperator = {
    .op = "GridSample",
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {{"align_corners", AttributeKind::kInt},
                   {"mode", AttributeKind::kString},
                   {"padding_mode", AttributeKind::kString}},
    .validate = Validate,
    .evaluate = Evaluate,
    .upgrade = Upgrade};

}  // namespace quantry::engine
