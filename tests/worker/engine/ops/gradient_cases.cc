// Operators whose values ONNX's own cases check: here their gradients are compared with
// differences.
#include <ATen/ATen.h>

#include <string>

#include "tests/worker/engine/ops/operator_cases.h"

namespace quantry::engine {
namespace {

OperatorCase Case(std::string op, std::vector<at::Tensor> inputs, AttributeMap attributes = {},
                  std::vector<size_t> differentiable = {0}) {
  return {.op = std::move(op),
          .name = "gradient",
          .attributes = std::move(attributes),
          .inputs = std::move(inputs),
          .differentiable = std::move(differentiable)};
}

at::Tensor Longs(const Ints& values) { return at::tensor(values, at::kLong); }

void AddUnary(std::vector<OperatorCase>& cases) {
  const at::Tensor x = Numbers({3, 4});
  for (const char* op : {"Abs",       "Asinh",
                         "Atan",      "Cos",
                         "Cosh",      "Erf",
                         "Exp",       "Mish",
                         "Neg",       "Reciprocal",
                         "Sin",       "Sinh",
                         "Softplus",  "Softsign",
                         "Tanh",      "Celu",
                         "Elu",       "Gelu",
                         "LeakyRelu", "Selu",
                         "Shrink",    "ThresholdedRelu"}) {
    cases.push_back(Case(op, {x}));
  }
  cases.push_back(Case("Gelu", {x}, {{"approximate", std::string("tanh")}}));
  for (const char* op : {"Acos", "Asin", "Atanh", "Tan"}) cases.push_back(Case(op, {x * 0.4}));
  for (const char* op : {"Log", "Sqrt"}) cases.push_back(Case(op, {x.abs()}));
  cases.push_back(Case("Acosh", {x.abs() + 1.1}));
  cases.push_back(Case("Det", {Numbers({2, 3, 3})}));
  cases.push_back(Case("CastLike", {x, x}));
}

void AddBinary(std::vector<OperatorCase>& cases) {
  const at::Tensor x = Numbers({2, 3});
  const at::Tensor row = Numbers({3}, 5);
  for (const char* op : {"Max", "Mean", "Min", "Sum"})
    cases.push_back(Case(op, {x, row}, {}, {0, 1}));
  cases.push_back(Case("Pow", {x.abs(), row}, {}, {0, 1}));
  cases.push_back(Case("Pow", {x, at::scalar_tensor(2.0f)}));
  cases.push_back(Case("Mod", {x, row}, {{"fmod", int64_t{1}}}));
  cases.push_back(Case("PRelu", {x, row}, {}, {0, 1}));
  cases.push_back(Case("Where", {x > 0, x, row}, {}, {1, 2}));
}

void AddReductions(std::vector<OperatorCase>& cases) {
  const at::Tensor x = Numbers({2, 3, 4});
  for (const char* op : {"ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMin",
                         "ReduceProd", "ReduceSum", "ReduceSumSquare"}) {
    cases.push_back(Case(op, {x, Longs({0, 2})}, {{"keepdims", int64_t{0}}}));
  }
  cases.push_back(Case("ReduceLogSum", {x.abs(), Longs({1})}));
  cases.push_back(Case("LogSoftmax", {x}, {{"axis", int64_t{1}}}));
  cases.push_back(Case("CumSum", {x, Longs({1})}, {{"exclusive", int64_t{1}}}));
  cases.push_back(Case("GlobalMaxPool", {Numbers({1, 2, 3, 4})}));
}

void AddNormalizations(std::vector<OperatorCase>& cases) {
  const at::Tensor x = Numbers({2, 4, 3});
  cases.push_back(Case("LayerNormalization", {x, Numbers({3}, 2), Numbers({3}, 3)}, {}, {0, 1, 2}));
  cases.push_back(
      Case("InstanceNormalization", {x, Numbers({4}, 2), Numbers({4}, 3)}, {}, {0, 1, 2}));
  for (const int64_t channels : {2, 4}) {  // of groups, as up to opset 20; of channels, as later
    cases.push_back(Case("GroupNormalization", {x, Numbers({channels}, 2), Numbers({channels}, 3)},
                         {{"num_groups", int64_t{2}}}, {0, 1, 2}));
  }
  cases.push_back(Case("LRN", {x}, {{"size", int64_t{3}}, {"alpha", 0.5f}}));
  cases.push_back(Case("LpNormalization", {x}, {{"axis", int64_t{1}}}));
  cases.push_back(Case("MeanVarianceNormalization", {x}, {{"axes", Ints{0, 2}}}));
}

void AddMoving(std::vector<OperatorCase>& cases) {
  const at::Tensor x = Numbers({3, 4});
  const at::Tensor picture = Numbers({1, 4, 2, 2});
  cases.push_back(
      Case("Compress", {x, at::tensor({0, 1, 1}, at::kInt).to(at::kBool)}, {{"axis", int64_t{0}}}));
  cases.push_back(Case("DepthToSpace", {picture}, {{"blocksize", int64_t{2}}}));
  cases.push_back(Case("SpaceToDepth", {picture}, {{"blocksize", int64_t{2}}}));
  cases.push_back(
      Case("Einsum", {x, Numbers({4, 2}, 3)}, {{"equation", std::string("ij,jk->ik")}}, {0, 1}));
  cases.push_back(Case("Expand", {x, Longs({2, 1, 1})}));
  cases.push_back(
      Case("GatherElements", {x, Longs({0, -1, 2, 2}).reshape({2, 2})}, {{"axis", int64_t{1}}}));
  cases.push_back(Case("GatherND", {x, Longs({0, 1, 2, 3}).reshape({2, 2})}));
  cases.push_back(Case("ReverseSequence", {x, Longs({1, 3, 2, 3})}));
  cases.push_back(Case("Split", {x, Longs({1, 2})}));
  cases.back().outputs = 2;
  cases.push_back(Case("Tile", {x, Longs({2, 1})}));
  cases.push_back(Case("TopK", {x, Longs({2})}));
  cases.push_back(Case("Trilu", {x}));
  for (const char* op : {"Scatter", "ScatterElements"}) {
    cases.push_back(Case(op, {x, Longs({2, 0}).reshape({1, 2}), Numbers({1, 2}, 3)}, {}, {0, 2}));
  }
  cases.push_back(Case("ScatterND", {x, Longs({2, 0}).reshape({2, 1}), Numbers({2, 4}, 3)},
                       {{"reduction", std::string("add")}}, {0, 2}));
}

void AddResizes(std::vector<OperatorCase>& cases) {
  const at::Tensor x = Numbers({1, 1, 3, 4});
  const at::Tensor scales = at::tensor({1.0f, 1.0f, 1.7f, 0.6f});
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    cases.push_back(Case("Resize", {x, at::Tensor(), scales}, {{"mode", std::string(mode)}}));
    cases.push_back(Case("Resize", {x, at::Tensor(), scales},
                         {{"mode", std::string(mode)}, {"antialias", int64_t{1}}}));
  }
  cases.push_back(Case("Upsample", {x, at::Tensor(), scales}, {{"mode", std::string("linear")}}));
}

// The weights of a layer of 3 hidden and 2 input elements.
std::vector<at::Tensor> Recurrent(int64_t gates, int64_t directions, bool lstm) {
  const at::Tensor lengths = at::tensor({3, 2}, at::kInt);
  std::vector<at::Tensor> inputs = {Numbers({3, 2, 2}),
                                    Numbers({directions, gates * 3, 2}, 1) * 0.5,
                                    Numbers({directions, gates * 3, 3}, 2) * 0.5,
                                    Numbers({directions, gates * 6}, 3) * 0.5,
                                    lengths,
                                    Numbers({directions, 2, 3}, 4)};
  if (!lstm) return inputs;
  inputs.push_back(Numbers({directions, 2, 3}, 5));
  inputs.push_back(Numbers({directions, 9}, 6));
  return inputs;
}

void AddRecurrent(std::vector<OperatorCase>& cases) {
  for (const char* direction : {"forward", "reverse", "bidirectional"}) {
    const int64_t directions = std::string(direction) == "bidirectional" ? 2 : 1;
    const AttributeMap attributes = {{"direction", std::string(direction)},
                                     {"hidden_size", int64_t{3}}};
    cases.push_back(Case("RNN", Recurrent(1, directions, false), attributes, {0, 1, 2, 3, 5}));
    cases.push_back(Case("GRU", Recurrent(3, directions, false), attributes, {0, 1, 2, 3, 5}));
    cases.push_back(
        Case("LSTM", Recurrent(4, directions, true), attributes, {0, 1, 2, 3, 5, 6, 7}));
  }
  cases.push_back(Case("GRU", Recurrent(3, 1, false), {{"linear_before_reset", int64_t{1}}}));
  cases.push_back(Case("LSTM", Recurrent(4, 1, true), {{"input_forget", int64_t{1}}}));
  // Every activation that is not a default one, by the order in which its parameters stand.
  for (const char* name : {"Affine", "Relu", "LeakyRelu", "ThresholdedRelu", "ScaledTanh",
                           "HardSigmoid", "Elu", "Softsign", "Softplus"}) {
    cases.push_back(Case("RNN", Recurrent(1, 1, false),
                         {{"activations", std::vector<std::string>{name}},
                          {"activation_alpha", std::vector<float>{0.7f}},
                          {"activation_beta", std::vector<float>{0.3f}},
                          {"clip", 1.5f}}));
  }
}

void AddVision(std::vector<OperatorCase>& cases) {
  const at::Tensor picture = Numbers({1, 2, 4, 5});
  const at::Tensor grid = Numbers({1, 2, 3, 2}, 7) * 0.45;
  for (const char* mode : {"bilinear", "bicubic"}) {
    for (const char* padding : {"zeros", "border", "reflection"}) {
      cases.push_back(Case("GridSample", {picture, grid},
                           {{"mode", std::string(mode)}, {"padding_mode", std::string(padding)}},
                           {0, 1}));
    }
  }
  cases.push_back(Case("GridSample", {Numbers({1, 2, 3, 4, 2}), Numbers({1, 2, 2, 1, 3}, 7) * 0.45},
                       {{"align_corners", int64_t{1}}}, {0, 1}));
  cases.push_back(Case("AffineGrid", {Numbers({2, 2, 3}), Longs({2, 1, 3, 4})}));
  const at::Tensor rois = at::tensor({0.2f, 0.4f, 3.1f, 2.9f, -1.0f, 1.0f, 2.0f, 9.0f});
  for (const char* mode : {"avg", "max"}) {
    cases.push_back(Case("RoiAlign", {picture, rois.reshape({2, 4}), Longs({0, 0})},
                         {{"mode", std::string(mode)},
                          {"output_height", int64_t{2}},
                          {"output_width", int64_t{3}}}));
  }
  cases.push_back(Case("MaxRoiPool",
                       {picture, at::tensor({0.f, 0.f, 1.f, 3.f, 3.f}).reshape({1, 5})},
                       {{"pooled_shape", Ints{2, 2}}}));
  cases.push_back(Case("MaxUnpool",
                       {Numbers({1, 1, 2, 2}), Longs({1, 2, 8, 15}).reshape({1, 1, 2, 2})},
                       {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}));
  cases.push_back(Case("Col2Im", {Numbers({1, 8, 4}), Longs({3, 3}), Longs({2, 2})}));
  cases.push_back(Case("CenterCropPad", {picture, Longs({3, 8})}, {{"axes", Ints{2, 3}}}));
  cases.push_back(Case("LpPool", {picture}, {{"kernel_shape", Ints{2, 2}}, {"p", int64_t{3}}}));
  cases.push_back(Case("GlobalLpPool", {picture}));
  cases.push_back(
      Case("Pad", {picture, Longs({0, 0, 1, 0, 0, 0, 0, 7})}, {{"mode", std::string("wrap")}}));
  cases.push_back(Case("ConvTranspose",
                       {Numbers({1, 1, 2, 2}), Numbers({1, 2, 2, 2}, 3), Numbers({2}, 5)},
                       {{"output_shape", Ints{4, 3}}}, {0, 1, 2}));
}

void AddSignals(std::vector<OperatorCase>& cases) {
  const at::Tensor signal = Numbers({2, 6, 1});
  cases.push_back(Case("DFT", {signal}, {{"onesided", int64_t{1}}}));
  cases.push_back(Case("DFT", {Numbers({2, 6, 2}), Longs({4})}, {{"inverse", int64_t{1}}}));
  cases.push_back(Case("STFT", {signal, Longs({2}), Numbers({4}, 3)}, {}, {0, 2}));
}

void AddLosses(std::vector<OperatorCase>& cases) {
  const at::Tensor scores = Numbers({3, 4});
  const at::Tensor targets = Longs({0, 3, 1});
  for (const char* op : {"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"}) {
    for (const char* reduction : {"none", "mean", "sum"}) {
      cases.push_back(Case(op, {scores, targets, Numbers({4}, 3).abs()},
                           {{"reduction", std::string(reduction)}, {"ignore_index", int64_t{3}}}));
    }
  }
}

}  // namespace

std::vector<OperatorCase> GradientCases() {
  std::vector<OperatorCase> cases;
  AddUnary(cases);
  AddBinary(cases);
  AddReductions(cases);
  AddNormalizations(cases);
  AddMoving(cases);
  AddResizes(cases);
  AddRecurrent(cases);
  AddVision(cases);
  AddSignals(cases);
  AddLosses(cases);
  return cases;
}

}  // namespace quantry::engine
