#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "worker/engine/ops/convolution.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/window.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& weight = inputs[1];
  CheckKernel(inputs[0], weight);
  const Window window = WindowOf(node, weight.sizes().slice(2), inputs[0].sizes().slice(2));
  const bool symmetric = window.IsSymmetric();
  const at::Tensor x = symmetric ? inputs[0] : PadSpatial(inputs[0], window, 0.0);
  const std::vector<int64_t> none(window.kernel.size(), 0);
  return {at::convolution(x, weight, inputs.size() > 2 ? inputs[2] : at::Tensor(), window.strides,
                          symmetric ? window.begin : none, window.dilations,
                          /*transposed=*/false, none, node.Int("group", 1))};
}

std::string LayerType(const Node& node) {
  const int64_t rank = SpatialRank(node);
  return rank == 0 ? "" : absl::StrCat("Conv", rank, "D");
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
    .validate = ValidateConvolution,
    .evaluate = Evaluate};

}  // namespace quantry::engine
