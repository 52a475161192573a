#include "worker/engine/export/lower_activation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/export/checked_qparams.h"
#include "worker/engine/export/integer_storage.h"
#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/passes/clamp.h"
#include "worker/engine/passes/edit.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {
namespace {

// What ONNX Runtime has integer kernels for that end in a quantizer.
constexpr absl::string_view kKernels[] = {"Add",  "AveragePool",       "Concat",    "Conv",
                                          "Gemm", "GlobalAveragePool", "LeakyRelu", "MatMul",
                                          "Mul",  "Sigmoid",           "Softmax"};

// Whether whatever the clamp cuts off ends at the same integer without it.
bool IsRedundant(const Clamp& clamp, const QParams& qparams, const IntegerStorage& storage) {
  const float step = qparams.step.item<float>();
  const double zero_point = storage.zero_point.item<double>();
  return std::nearbyint(clamp.low / step) + zero_point <= static_cast<double>(storage.type_min) &&
         std::nearbyint(clamp.high / step) + zero_point >= static_cast<double>(storage.type_max);
}

// The value from which on, down to `value`, nothing but nodes that commute with a quantizer lie and
// nobody else reads; clamps that are redundant are taken out. Null if others read it.
Value* TopOf(Graph& graph, Value* value, const QParams& qparams, const IntegerStorage& storage) {
  while (true) {
    Node* producer = value->producer();
    if (producer == nullptr || value->uses().size() != 1 || IsGraphOutput(graph, value)) {
      return nullptr;
    }
    if (!CommutesWithQuantizer(*producer)) return value;
    Value* above = producer->input(0);
    const std::optional<Clamp> clamp = ClampOf(*producer);
    if (clamp && IsRedundant(*clamp, qparams, storage)) {
      graph.ReplaceAllUses(value, above);
      graph.RemoveNode(producer);
    }
    value = above;
  }
}

bool HasIntegerKernel(const Node& node) {
  return std::find(std::begin(kKernels), std::end(kKernels), node.op()) != std::end(kKernels);
}

// Names of what is added for one quantized tensor.
class Lowering {
 public:
  Lowering(Graph& graph, std::string name, const QParams& qparams, const IntegerStorage& storage)
      : graph_(graph), name_(std::move(name)), qparams_(qparams) {
    scale_ = Constant(".step", qparams.step);
    zero_point_ = Constant(".zp", storage.zero_point);
  }

  Value* AddClip(Value* x) {
    Value* low = Constant(".clip_min", qparams_.low);
    Value* high = Constant(".clip_max", qparams_.high);
    return graph_.AddNode("Clip", name_ + ".clip", {x, low, high})->output();
  }

  Value* AddPair(Value* x) {
    x = graph_.AddNode("QuantizeLinear", name_ + ".q", {x, scale_, zero_point_})->output();
    return graph_.AddNode("DequantizeLinear", name_ + ".dq", {x, scale_, zero_point_})->output();
  }

  // A pair that all readers of `value` get.
  void AddPairBehind(Value* value) {
    Node* quantize =
        graph_.AddNode("QuantizeLinear", name_ + ".out.q", {value, scale_, zero_point_});
    const Node* dequantize = graph_.AddNode("DequantizeLinear", name_ + ".out.dq",
                                            {quantize->output(), scale_, zero_point_});
    graph_.ReplaceAllUses(value, dequantize->output(), quantize);
  }

 private:
  Value* Constant(const char* suffix, const at::Tensor& tensor) {
    return graph_.AddInitializer(name_ + suffix, tensor, InitializerRole::kConstant);
  }

  Graph& graph_;
  std::string name_;
  QParams qparams_;
  Value* scale_ = nullptr;
  Value* zero_point_ = nullptr;
};

absl::Status CheckForTensorRt(const Node& node, const IntegerStorage& storage) {
  if (storage.Fills(/*spare=*/1) && storage.type_min == -128 &&
      storage.zero_point.item<int64_t>() == 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", node.input(kFakeQuantizeX)->name(), "' is quantized to [", storage.qmin,
                   ", ", storage.qmax, "] with zero point ", storage.zero_point.item<int64_t>(),
                   "; profile \"tensorrt\" allows symmetric int8 of 8 bits only"));
}

}  // namespace

absl::Status LowerActivation(Graph& graph, Node* node, const QdqOptions& options) {
  QUANTRY_ASSIGN_OR_RETURN(const QParams qparams, CheckedQParams(*node));
  const IntegerStorage storage = ActivationStorageOf(qparams, options);
  const bool tensorrt = options.profile == "tensorrt";
  if (tensorrt) QUANTRY_RETURN_IF_ERROR(CheckForTensorRt(*node, storage));
  const bool only_zeros = qparams.high.item<float>() == qparams.low.item<float>();
  const int64_t spare = options.profile == "paddle" ? 1 : 0;
  const bool clip = !tensorrt && (!storage.Fills(spare) || only_zeros);
  Lowering lowering(graph, node->input(kFakeQuantizeX)->name(), qparams, storage);
  if (options.profile == "onnxruntime" && !only_zeros) {
    Value* top = TopOf(graph, node->input(kFakeQuantizeX), qparams, storage);
    const bool apart = top != nullptr && (clip || top != node->input(kFakeQuantizeX));
    if (apart && HasIntegerKernel(*top->producer())) lowering.AddPairBehind(top);
  }
  Value* x = node->input(kFakeQuantizeX);
  if (clip) x = lowering.AddClip(x);
  graph.ReplaceAllUses(node->output(), lowering.AddPair(x));
  graph.RemoveNode(node);
  return absl::OkStatus();
}

}  // namespace quantry::engine
