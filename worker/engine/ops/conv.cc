#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/window.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& weight = inputs[1];
  TORCH_CHECK(weight.dim() >= 3 && inputs[0].dim() == weight.dim(),
              "input and weight must have the same rank of at least 3");
  const Window window = WindowOf(node, weight.sizes().slice(2), inputs[0].sizes().slice(2));
  const bool symmetric = window.IsSymmetric();
  const at::Tensor x = symmetric ? inputs[0] : PadSpatial(inputs[0], window, 0.0);
  const std::vector<int64_t> none(window.kernel.size(), 0);
  return {at::convolution(x, weight, inputs.size() > 2 ? inputs[2] : at::Tensor(), window.strides,
                          symmetric ? window.begin : none, window.dilations,
                          /*transposed=*/false, none, node.Int("group", 1))};
}

absl::Status Validate(const Node& node) {
  const Value* weight = InitializerBehind(node, 1);
  const int64_t rank = weight == nullptr ? 0 : weight->tensor().dim() - 2;
  if (weight != nullptr && (rank < 1 || rank > 3)) {
    return absl::InvalidArgumentError(absl::StrCat("weight '", weight->name(), "' is ",
                                                   ToString(weight->type),
                                                   "; it must have 3 to 5 dimensions"));
  }
  QUANTRY_RETURN_IF_ERROR(ValidateWindow(node, rank));
  return CheckInt(node, "group", 1, 1 << 20);
}

std::string LayerType(const Node& node) {
  const Value* weight = InitializerBehind(node, 1);
  if (weight == nullptr) return "";
  return absl::StrCat("Conv", weight->tensor().dim() - 2, "D");
}

int64_t WeightAxis(const Node&) { return 0; }

}  // namespace

extern const OperatorDef kConvOperator = {
    .op = "Conv",
    .min_inputs = 2,
    .max_inputs = 3,
    .attributes = {{"auto_pad", AttributeKind::kString},
                   {"dilations", AttributeKind::kInts},
                   {"group", AttributeKind::kInt},
                   {"kernel_shape", AttributeKind::kInts},
                   {"pads", AttributeKind::kInts},
                   {"strides", AttributeKind::kInts}},
    .input_kinds = {InputKind::kActivation, InputKind::kWeight, InputKind::kBias},
    .precision_use = PrecisionUse::kAll,
    .layer_type = LayerType,
    .weight_axis = WeightAxis,
    .validate = Validate,
    .evaluate = Evaluate};

}  // namespace quantry::engine
