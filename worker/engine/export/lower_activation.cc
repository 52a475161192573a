#include "worker/engine/export/lower_activation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/export/checked_qparams.h"
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

// The integers of one quantizer as they are stored.
struct Storage {
  at::Tensor step;
  at::Tensor zero_point;
  int64_t type_min = 0;  // what QuantizeLinear saturates at
  int64_t type_max = 0;
  int64_t qmin = 0;  // what was trained, in [type_min, type_max]
  int64_t qmax = 0;

  bool Fills() const { return qmin - type_min <= 1 && qmax == type_max; }
};

// Whether the integers are to be signed. ONNX Runtime's integer kernels want one type for input and
// output, and non-negative tensors need uint8, so that all get it: for a symmetric one that is
// int8 moved by 128.
bool IsSigned(const FakeQuantizeSpec& spec, const QdqOptions& options) {
  if (spec.bits > 8) return spec.symmetric;
  if (options.activation_dtype) return *options.activation_dtype == "int8";
  return spec.symmetric && options.profile != "onnxruntime";
}

// Quantizers count in signed integers if they are symmetric, else in unsigned ones; these are moved
// by half the type's range where the other is to be stored. uint16 is held in int32
// (ops/quantize_linear.cc).
Storage StorageOf(const QParams& qparams, const FakeQuantizeSpec& spec, const QdqOptions& options) {
  const bool wide = spec.bits > 8;
  const int64_t half = wide ? 1 << 15 : 1 << 7;
  const bool is_signed = IsSigned(spec, options);
  const int64_t shift = is_signed == spec.symmetric ? 0 : (is_signed ? -half : half);
  const at::ScalarType narrow_type = is_signed ? at::kChar : at::kByte;
  const at::ScalarType wide_type = is_signed ? at::kShort : at::kInt;
  return {.step = qparams.step,
          .zero_point = at::full({}, qparams.zero_point + shift, wide ? wide_type : narrow_type),
          .type_min = is_signed ? -half : 0,
          .type_max = is_signed ? half - 1 : 2 * half - 1,
          .qmin = qparams.qmin + shift,
          .qmax = qparams.qmax + shift};
}

// Whether whatever the clamp cuts off ends at the same integer without it.
bool IsRedundant(const Clamp& clamp, const Storage& storage) {
  const float step = storage.step.item<float>();
  const double zero_point = storage.zero_point.item<double>();
  return std::nearbyint(clamp.low / step) + zero_point <= static_cast<double>(storage.type_min) &&
         std::nearbyint(clamp.high / step) + zero_point >= static_cast<double>(storage.type_max);
}

// The value from which on, down to `value`, nothing but nodes that commute with a quantizer lie and
// nobody else reads; clamps that are redundant are taken out. Null if others read it.
Value* TopOf(Graph& graph, Value* value, const Storage& storage) {
  while (true) {
    Node* producer = value->producer();
    if (producer == nullptr || value->uses().size() != 1 || IsGraphOutput(graph, value)) {
      return nullptr;
    }
    if (!CommutesWithQuantizer(*producer)) return value;
    Value* above = producer->input(0);
    const std::optional<Clamp> clamp = ClampOf(*producer);
    if (clamp && IsRedundant(*clamp, storage)) {
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
  Lowering(Graph& graph, std::string name, const QParams& qparams, const Storage& storage)
      : graph_(graph), name_(std::move(name)), qparams_(qparams) {
    scale_ = Constant(".step", storage.step);
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

absl::Status CheckForTensorRt(const Node& node, const Storage& storage) {
  if (storage.Fills() && storage.type_min == -128 && storage.zero_point.item<int64_t>() == 0) {
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
  const Storage storage = StorageOf(qparams, SpecOf(*node), options);
  const bool tensorrt = options.profile == "tensorrt";
  if (tensorrt) QUANTRY_RETURN_IF_ERROR(CheckForTensorRt(*node, storage));
  const bool only_zeros = qparams.high.item<float>() == qparams.low.item<float>();
  const bool clip = !tensorrt && (!storage.Fills() || only_zeros);
  Lowering lowering(graph, node->input(kFakeQuantizeX)->name(), qparams, storage);
  if (options.profile == "onnxruntime" && !only_zeros) {
    Value* top = TopOf(graph, node->input(kFakeQuantizeX), storage);
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
