#include "worker/engine/export/to_qdq.h"

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/export/quantize_bias.h"
#include "worker/engine/graph/verify.h"
#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/passes/edit.h"
#include "worker/engine/passes/fold_batch_norm.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {
namespace {

constexpr int kStoredBits = 8;

Value* Constant(Graph& graph, const std::string& name, const at::Tensor& tensor) {
  return graph.AddInitializer(name, tensor, InitializerRole::kConstant);
}

std::vector<Node*> FakeQuantizeNodes(const Graph& graph, bool weights) {
  std::vector<Node*> nodes;
  for (Node* node : graph.nodes()) {
    if (node->op() == kFakeQuantizeOp && SpecOf(*node).is_weight == weights) nodes.push_back(node);
  }
  return nodes;
}

// What the node evaluates with, on the CPU and checked.
absl::StatusOr<QParams> CheckedQParams(const Node& node) {
  const std::string& tensor = node.input(kFakeQuantizeX)->name();
  const bool seen = node.input(kFakeQuantizeInitialized)->tensor().item<float>() != 0;
  if (NeedsObservation(SpecOf(node)) && !seen) {
    return absl::FailedPreconditionError(
        absl::StrCat("the quantizer of '", tensor, "' has not seen any data: calibrate first"));
  }
  QParams qparams = EvaluationQParams(node);
  for (at::Tensor* part : {&qparams.step, &qparams.low, &qparams.high}) {
    *part = part->cpu();
    if (!part->isfinite().all().item<bool>()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the threshold of the quantizer of '", tensor, "' is not finite"));
    }
  }
  return qparams;
}

// Integers of b < 8 bits are stored times 2^(8-b), with a step as much smaller, which is exact: the
// step of the layer's int32 bias (input step times weight step) is then as fine as with 8 bits.
absl::Status LowerWeight(Graph& graph, Node* node) {
  QUANTRY_ASSIGN_OR_RETURN(const QParams qparams, CheckedQParams(*node));
  const FakeQuantizeSpec spec = SpecOf(*node);
  const Value* weight = node->input(kFakeQuantizeX);
  const std::string name = weight->name();
  int64_t spread = 1;  // of what the integers reach: DoReFa's need one bit more than their name says
  while (qparams.qmax * spread * 2 <= QuantMax(kStoredBits)) spread *= 2;
  const at::Tensor integers =
      QuantizeToIntegers(weight->tensor().detach().cpu(), qparams, spec.axis).to(at::kChar) *
      spread;
  Value* stored = Constant(graph, absl::StrCat(name, ".q"), integers.contiguous());
  Value* scale = Constant(graph, absl::StrCat(name, ".step"), qparams.step / spread);
  AttributeMap attributes;
  if (spec.axis >= 0) attributes["axis"] = spec.axis;
  const Node* dequantize =
      graph.AddNode("DequantizeLinear", absl::StrCat(name, ".dq"), {stored, scale}, attributes);
  graph.ReplaceAllUses(node->output(), dequantize->output());
  graph.RemoveNode(node);
  return absl::OkStatus();
}

// Whether QuantizeLinear by itself, which saturates at the type's bounds, would reach farther than
// [low, high]: with fewer than 8 bits, and where nothing but 0 was seen. That int8 has -128, one
// more than -q, is left to it: a Clip in front would cost a kernel.
bool NeedsClip(const QParams& qparams, const FakeQuantizeSpec& spec) {
  return spec.bits < kStoredBits || qparams.high.item<float>() == qparams.low.item<float>();
}

absl::Status LowerActivation(Graph& graph, Node* node) {
  QUANTRY_ASSIGN_OR_RETURN(const QParams qparams, CheckedQParams(*node));
  const FakeQuantizeSpec spec = SpecOf(*node);
  Value* x = node->input(kFakeQuantizeX);
  const std::string name = x->name();
  Value* scale = Constant(graph, absl::StrCat(name, ".step"), qparams.step);
  Value* zero_point =
      Constant(graph, absl::StrCat(name, ".zp"),
               at::full({}, qparams.zero_point, spec.symmetric ? at::kChar : at::kByte));
  if (NeedsClip(qparams, spec)) {
    Value* low = Constant(graph, absl::StrCat(name, ".clip_min"), qparams.low);
    Value* high = Constant(graph, absl::StrCat(name, ".clip_max"), qparams.high);
    x = graph.AddNode("Clip", absl::StrCat(name, ".clip"), {x, low, high})->output();
  }
  x = graph.AddNode("QuantizeLinear", absl::StrCat(name, ".q"), {x, scale, zero_point})->output();
  x = graph.AddNode("DequantizeLinear", absl::StrCat(name, ".dq"), {x, scale, zero_point})
          ->output();
  graph.ReplaceAllUses(node->output(), x);
  graph.RemoveNode(node);
  return absl::OkStatus();
}

// Runtimes that read QDQ files look for the zero points, though 0 is the default.
void AddZeroPoints(Graph& graph) {
  for (Node* node : graph.nodes()) {
    if (node->op() != "DequantizeLinear" || node->input(2) != nullptr) continue;
    const Value* integers = node->input(0);
    if (!integers->is_initializer() || integers->tensor().scalar_type() != at::kChar) continue;
    const at::Tensor zeros = at::zeros_like(node->input(1)->tensor(), at::kChar);
    graph.SetInput(node, 2, Constant(graph, absl::StrCat(integers->name(), ".zp"), zeros));
  }
}

void RemoveDropout(Graph& graph) {
  for (Node* node : graph.nodes()) {
    if (node->op() == "Dropout") ReplaceNode(graph, node, node->input(0));
  }
}

}  // namespace

absl::StatusOr<Graph> ToQdq(const Graph& trained) {
  const at::NoGradGuard no_grad;
  Graph graph = trained.Clone();
  RemoveDropout(graph);
  for (Node* node : FakeQuantizeNodes(graph, /*weights=*/true)) {
    QUANTRY_RETURN_IF_ERROR(LowerWeight(graph, node));
  }
  graph.RemoveDead();
  FoldBatchNorm(graph);
  for (Node* node : FakeQuantizeNodes(graph, /*weights=*/false)) {
    QUANTRY_RETURN_IF_ERROR(LowerActivation(graph, node));
  }
  QuantizeBiases(graph);
  AddZeroPoints(graph);
  graph.RemoveDead();
  QUANTRY_RETURN_IF_ERROR(Verify(graph));
  return graph;
}

}  // namespace quantry::engine
