#include <algorithm>
#include <array>

#include "worker/engine/ops/operator.h"

// One line per operator, sorted by OperatorDef::op; ours, "quantry.NAME", are last.
#define QUANTRY_OPERATORS(X)   \
  X(Abs)                       \
  X(Acos)                      \
  X(Acosh)                     \
  X(Add)                       \
  X(AffineGrid)                \
  X(And)                       \
  X(ArgMax)                    \
  X(ArgMin)                    \
  X(Asin)                      \
  X(Asinh)                     \
  X(Atan)                      \
  X(Atanh)                     \
  X(AveragePool)               \
  X(BatchNormalization)        \
  X(Bernoulli)                 \
  X(BitShift)                  \
  X(BitwiseAnd)                \
  X(BitwiseNot)                \
  X(BitwiseOr)                 \
  X(BitwiseXor)                \
  X(BlackmanWindow)            \
  X(Cast)                      \
  X(CastLike)                  \
  X(Ceil)                      \
  X(Celu)                      \
  X(CenterCropPad)             \
  X(Clip)                      \
  X(Col2Im)                    \
  X(Compress)                  \
  X(Concat)                    \
  X(ConstantOfShape)           \
  X(Conv)                      \
  X(ConvInteger)               \
  X(ConvTranspose)             \
  X(Cos)                       \
  X(Cosh)                      \
  X(CumSum)                    \
  X(DFT)                       \
  X(DepthToSpace)              \
  X(DequantizeLinear)          \
  X(Det)                       \
  X(Div)                       \
  X(Dropout)                   \
  X(DynamicQuantizeLinear)     \
  X(Einsum)                    \
  X(Elu)                       \
  X(Equal)                     \
  X(Erf)                       \
  X(Exp)                       \
  X(Expand)                    \
  X(EyeLike)                   \
  X(Flatten)                   \
  X(Floor)                     \
  X(GRU)                       \
  X(Gather)                    \
  X(GatherElements)            \
  X(GatherND)                  \
  X(Gelu)                      \
  X(Gemm)                      \
  X(GlobalAveragePool)         \
  X(GlobalLpPool)              \
  X(GlobalMaxPool)             \
  X(Greater)                   \
  X(GreaterOrEqual)            \
  X(GridSample)                \
  X(GroupNormalization)        \
  X(HammingWindow)             \
  X(HannWindow)                \
  X(HardSigmoid)               \
  X(HardSwish)                 \
  X(Hardmax)                   \
  X(Identity)                  \
  X(InstanceNormalization)     \
  X(IsInf)                     \
  X(IsNaN)                     \
  X(LRN)                       \
  X(LSTM)                      \
  X(LayerNormalization)        \
  X(LeakyRelu)                 \
  X(Less)                      \
  X(LessOrEqual)               \
  X(Log)                       \
  X(LogSoftmax)                \
  X(LpNormalization)           \
  X(LpPool)                    \
  X(MatMul)                    \
  X(MatMulInteger)             \
  X(Max)                       \
  X(MaxPool)                   \
  X(MaxRoiPool)                \
  X(MaxUnpool)                 \
  X(Mean)                      \
  X(MeanVarianceNormalization) \
  X(MelWeightMatrix)           \
  X(Min)                       \
  X(Mish)                      \
  X(Mod)                       \
  X(Mul)                       \
  X(Neg)                       \
  X(NegativeLogLikelihoodLoss) \
  X(NonMaxSuppression)         \
  X(NonZero)                   \
  X(Not)                       \
  X(OneHot)                    \
  X(Or)                        \
  X(PRelu)                     \
  X(Pad)                       \
  X(Pow)                       \
  X(QLinearConv)               \
  X(QLinearMatMul)             \
  X(QuantizeLinear)            \
  X(RNN)                       \
  X(Range)                     \
  X(Reciprocal)                \
  X(ReduceL1)                  \
  X(ReduceL2)                  \
  X(ReduceLogSum)              \
  X(ReduceLogSumExp)           \
  X(ReduceMax)                 \
  X(ReduceMean)                \
  X(ReduceMin)                 \
  X(ReduceProd)                \
  X(ReduceSum)                 \
  X(ReduceSumSquare)           \
  X(Relu)                      \
  X(Reshape)                   \
  X(Resize)                    \
  X(ReverseSequence)           \
  X(RoiAlign)                  \
  X(Round)                     \
  X(STFT)                      \
  X(Scatter)                   \
  X(ScatterElements)           \
  X(ScatterND)                 \
  X(Selu)                      \
  X(Shape)                     \
  X(Shrink)                    \
  X(Sigmoid)                   \
  X(Sign)                      \
  X(Sin)                       \
  X(Sinh)                      \
  X(Size)                      \
  X(Slice)                     \
  X(Softmax)                   \
  X(SoftmaxCrossEntropyLoss)   \
  X(Softplus)                  \
  X(Softsign)                  \
  X(SpaceToDepth)              \
  X(Split)                     \
  X(Sqrt)                      \
  X(Squeeze)                   \
  X(Sub)                       \
  X(Sum)                       \
  X(Tan)                       \
  X(Tanh)                      \
  X(ThresholdedRelu)           \
  X(Tile)                      \
  X(TopK)                      \
  X(Transpose)                 \
  X(Trilu)                     \
  X(Unique)                    \
  X(Unsqueeze)                 \
  X(Upsample)                  \
  X(Where)                     \
  X(Xor)                       \
  X(FakeQuantize)              \
  X(ObserveOutput)
namespace quantry::engine {

#define QUANTRY_DECLARE(name) extern const OperatorDef k##name##Operator;
QUANTRY_OPERATORS(QUANTRY_DECLARE)
#undef QUANTRY_DECLARE

absl::Span<const OperatorDef* const> OperatorTable() {
#define QUANTRY_ADDRESS(name) &k##name##Operator,
  static constexpr std::array kTable = {QUANTRY_OPERATORS(QUANTRY_ADDRESS)};
#undef QUANTRY_ADDRESS
  return kTable;
}

const OperatorDef* FindOperator(absl::string_view op) {
  const auto table = OperatorTable();
  const auto* const found = std::lower_bound(
      table.begin(), table.end(), op,
      [](const OperatorDef* def, absl::string_view name) { return def->op < name; });
  return found != table.end() && (*found)->op == op ? *found : nullptr;
}

InputKind KindOfInput(const OperatorDef& def, size_t index) {
  if (def.input_kinds.empty()) return InputKind::kActivation;
  return def.input_kinds[std::min(index, def.input_kinds.size() - 1)];
}

}  // namespace quantry::engine
