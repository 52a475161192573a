#include "worker/engine/export/lower_weight.h"

#include <ATen/ATen.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/export/checked_qparams.h"
#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {
namespace {

constexpr int kPackedBits = 4;
constexpr int64_t kUnsignedOffset = 128;

Value* Constant(Graph& graph, const std::string& name, const at::Tensor& tensor) {
  return graph.AddInitializer(name, tensor, InitializerRole::kConstant);
}

bool IsStoredWeight(const Node& node) {
  if (node.op() != "DequantizeLinear" || node.input(2) != nullptr) return false;
  const Value* integers = node.input(0);
  if (!integers->is_initializer()) return false;
  const at::ScalarType type = integers->tensor().scalar_type();
  return type == at::kChar || type == at::kShort;
}

}  // namespace

absl::Status LowerWeight(Graph& graph, Node* node, const QdqOptions& options) {
  QUANTRY_ASSIGN_OR_RETURN(const QParams qparams, CheckedQParams(*node));
  const FakeQuantizeSpec spec = SpecOf(*node);
  const Value* weight = node->input(kFakeQuantizeX);
  const std::string name = weight->name();
  const bool packed = options.weight_dtype == "int4" && spec.bits <= kPackedBits;
  const bool wide = spec.bits > 8;
  const int spread = packed ? 1 : 1 << ((wide ? 16 : 8) - spec.bits);
  const at::Tensor integers =
      QuantizeToIntegers(weight->tensor().detach().cpu(), qparams, spec.axis) * spread;
  Value* stored = Constant(graph, absl::StrCat(name, ".q"),
                           integers.to(wide ? at::kShort : at::kChar).contiguous());
  Value* scale = Constant(graph, absl::StrCat(name, ".step"), qparams.step / spread);
  AttributeMap attributes;
  if (spec.axis >= 0) attributes["axis"] = spec.axis;
  const Node* dequantize =
      graph.AddNode("DequantizeLinear", absl::StrCat(name, ".dq"), {stored, scale}, attributes);
  graph.ReplaceAllUses(node->output(), dequantize->output());
  graph.RemoveNode(node);
  return absl::OkStatus();
}

void AddWeightZeroPoints(Graph& graph, const QdqOptions& options) {
  for (Node* node : graph.nodes()) {
    if (!IsStoredWeight(*node)) continue;
    Value* integers = node->input(0);
    const at::Tensor& tensor = integers->tensor();
    at::Tensor zeros = at::zeros_like(node->input(1)->tensor(), tensor.scalar_type());
    if (options.weight_dtype == "uint8" && tensor.scalar_type() == at::kChar) {
      graph.SetTensor(integers, (tensor.to(at::kInt) + kUnsignedOffset).to(at::kByte));
      zeros = at::full_like(zeros, kUnsignedOffset, at::kByte);
    }
    graph.SetInput(node, 2, Constant(graph, absl::StrCat(integers->name(), ".zp"), zeros));
  }
}

}  // namespace quantry::engine
