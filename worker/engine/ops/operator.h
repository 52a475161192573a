#ifndef QUANTRY_WORKER_ENGINE_OPS_OPERATOR_H_
#define QUANTRY_WORKER_ENGINE_OPS_OPERATOR_H_

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/ops/precision.h"

namespace quantry::engine {

struct BatchShare;  // distributed/batch_share.h

// How a graph is being run.
enum class RunPhase {
  kEvaluate = 1,   // running statistics and quantizers fixed, fake-quant applied
  kCalibrate = 2,  // like kEvaluate, but observers look and fake-quant passes values through
  kTrain = 3,      // batch statistics, dropout, observers look, fake-quant applied, gradients
};

// What an operator may know of the run beside its inputs.
struct EvaluateContext {
  RunPhase phase = RunPhase::kEvaluate;
  // kTrain only: BatchNorm uses and leaves alone its running statistics.
  bool statistics_frozen = false;
  bool observers_frozen = false;           // kTrain only: observers stop looking
  c10::optional<at::Generator> generator;  // Dropout's source
  // kTrain only: which part of the batch this is, when several processes train together. Null: all
  // of it. Lives as long as the run.
  const BatchShare* share = nullptr;
  Precision precision = Precision::kFloat32;  // kTrain only: of sums of products
};

// Type of an attribute: what its variant holds.
enum class AttributeKind { kInt, kFloat, kString, kInts, kFloats, kStrings, kTensor };

// What an input of an operator is, when the operator is a layer with weights.
enum class InputKind {
  kActivation = 1,
  kWeight = 2,     // trained, quantized as a weight
  kBias = 3,       // trained, int32 in the quantized model
  kParameter = 4,  // trained, not quantized (BatchNorm gamma, beta)
  kBuffer = 5,     // state (BatchNorm mean, variance; quantizer state)
  kStatic = 6,     // shapes, bounds, axes: constant
};

// One attribute that an operator knows.
struct AttributeDef {
  absl::string_view name;
  AttributeKind kind;
  bool required = false;
};

// All that is known of one ONNX operator. Instances are constants, listed in OperatorTable().
// A new operator: one entry `extern const OperatorDef kNameOperator` in a file of its own or in
// that of its family (ops/unary.cc, ops/reduce.cc), one line in ops/table.cc.
struct OperatorDef {
  absl::string_view op;  // "Conv"; ours: "quantry.FakeQuantize"
  int min_inputs = 1;
  int max_inputs = 1;
  int min_outputs = 1;
  int max_outputs = 1;

  // All attributes of the newest form. Others are refused: none is ever ignored.
  std::vector<AttributeDef> attributes;

  // Kind of input slot `index` (the last kind repeats). Empty: all activations.
  std::vector<InputKind> input_kinds;

  // Its float32 inputs come in the precision of the run if that is one of these, and what it gives
  // is made float32 again (Executor). Set for sums of products.
  PrecisionUse precision_use = PrecisionUse::kNone;

  // Name of the quant_config layer type this operator is ("Conv2D", "Linear"); empty: none, never
  // quantized. May look at the node (Conv is Conv2D only with a 2-d kernel).
  std::string (*layer_type)(const Node&) = nullptr;
  // Output-channel axis of the weight of this node (Conv 0; Gemm 0 with transB=1, else 1;
  // MatMul 1; ConvTranspose 1). Set iff layer_type is set.
  int64_t (*weight_axis)(const Node&) = nullptr;

  // Checks the values of attributes and constant inputs, once arity and attribute types are right:
  // INVALID_ARGUMENT names attribute, value and what is allowed. The caller adds node name and op.
  // Null: nothing more to check.
  absl::Status (*validate)(const Node&) = nullptr;

  // Computes the outputs with ATen, differentiable where gradients are asked for. `inputs` has
  // undefined tensors for inputs left out. May update buffers in place when the phase says so.
  // Throws nothing but c10::Error, which the Executor turns into Status.
  std::vector<at::Tensor> (*evaluate)(const Node&, absl::Span<const at::Tensor> inputs,
                                      const EvaluateContext&) = nullptr;

  // Brings a node as it stood in a file of opset `opset` to the newest form (e.g. Clip's min and
  // max attributes become inputs). Null: all supported opsets are the same.
  absl::Status (*upgrade)(Graph&, Node&, int64_t opset) = nullptr;
};

// All operators, sorted by name.
absl::Span<const OperatorDef* const> OperatorTable();

// Null if the engine does not know `op`.
const OperatorDef* FindOperator(absl::string_view op);

// The kind of input slot `index` of `node`.
InputKind KindOfInput(const OperatorDef& def, size_t index);

// Arity, attributes and constant inputs of one node. The error does not name the node.
absl::Status VerifyOperator(const Node& node, const OperatorDef& def);

// Every node's operator is known, its arity and attributes are right. The error names node and
// operator, and for an unknown operator lists those that come near.
absl::Status VerifyOperators(const Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_OPERATOR_H_
