#include <algorithm>
#include <array>

#include "worker/engine/ops/operator.h"

// One line per operator, sorted by OperatorDef::op; ours, "quantry.NAME", are last.
#define QUANTRY_OPERATORS(X) \
  X(Add)                     \
  X(AveragePool)             \
  X(BatchNormalization)      \
  X(Cast)                    \
  X(Clip)                    \
  X(Concat)                  \
  X(Conv)                    \
  X(ConvTranspose)           \
  X(DequantizeLinear)        \
  X(Div)                     \
  X(Dropout)                 \
  X(Flatten)                 \
  X(Gather)                  \
  X(Gemm)                    \
  X(GlobalAveragePool)       \
  X(HardSigmoid)             \
  X(HardSwish)               \
  X(Identity)                \
  X(MatMul)                  \
  X(MaxPool)                 \
  X(Mul)                     \
  X(Pad)                     \
  X(QuantizeLinear)          \
  X(ReduceMean)              \
  X(Relu)                    \
  X(Reshape)                 \
  X(Shape)                   \
  X(Sigmoid)                 \
  X(Slice)                   \
  X(Softmax)                 \
  X(Squeeze)                 \
  X(Sub)                     \
  X(Transpose)               \
  X(Unsqueeze)               \
  X(FakeQuantize)
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
