#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_ATEN_TABLE_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_ATEN_TABLE_H_

#include <array>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/engine/script/lowering.h"

namespace quantry::engine {

// One call of an aten operator: its arguments by position, as its schema has them. Throws nothing
// but c10::Error.
class AtenCall {
 public:
  AtenCall(Lowering& lowering, std::vector<Lanes> arguments)
      : lowering_(lowering), arguments_(std::move(arguments)) {}

  size_t size() const { return arguments_.size(); }
  const Lanes& at(size_t i) const { return arguments_.at(i); }
  bool IsNone(size_t i) const { return i >= size() || at(i)[0].isNone(); }
  bool IsTensor(size_t i) const { return i < size() && at(i)[0].isTensor(); }
  // The argument as an operand; None is one that is left out.
  Operand Tensor(size_t i);
  // The type that torch computes in with arguments i and j, tensors or numbers.
  at::ScalarType CommonType(size_t i, size_t j) const;
  // The argument, a tensor or a number, in the type `dtype`.
  Operand As(size_t i, at::ScalarType dtype);
  std::vector<Operand> Tensors(size_t i);
  // These refuse what depends on the batch size.
  int64_t Int(size_t i) const;
  bool Bool(size_t i) const;
  double Number(size_t i) const;
  std::vector<int64_t> Ints(size_t i) const;
  // A list of `n`, where a list of one or none stands for n equal numbers (`fallback` for none).
  std::vector<int64_t> Ints(size_t i, size_t n, std::vector<int64_t> fallback = {}) const;

  Operand IntsConstant(const std::vector<int64_t>& ints);
  Operand FloatConstant(double value);
  Lowering& lowering() { return lowering_; }

 private:
  Lowering& lowering_;
  std::vector<Lanes> arguments_;
};

// Padding by as much behind each axis as before it, as ONNX writes it.
std::vector<int64_t> TwoSided(std::vector<int64_t> pads);
// Reshape to sizes that may depend on the batch.
Operand EmitReshape(AtenCall& call, const Operand& x,
                    const std::array<std::vector<int64_t>, kLanes>& sizes);
// `x`, [..., in], by a layer's weight [out, in] and bias [out], which may be left out.
Operand EmitLinear(AtenCall& call, const Operand& x, const Operand& weight, const Operand& bias);
// `x` in the type `dtype`.
Operand EmitCast(Lowering& to, const Operand& x, at::ScalarType dtype);

// How one aten operator is written with ONNX's.
struct AtenRow {
  absl::string_view op;  // "aten::relu"; also stands for "aten::relu_"
  Operand (*lower)(AtenCall&);
  bool view = false;  // the result shares memory with argument 0
  // Where there are several results; where `lower` is null, the one result is the list of them.
  std::vector<Operand> (*lower_list)(AtenCall&) = nullptr;
};

// Null if `op` is in none of the tables.
const AtenRow* FindAtenRow(absl::string_view op);

absl::Span<const AtenRow> AttentionRows();
absl::Span<const AtenRow> CompareRows();
absl::Span<const AtenRow> IndexRows();
absl::Span<const AtenRow> LayerRows();
absl::Span<const AtenRow> PointwiseRows();
absl::Span<const AtenRow> PoolRows();
absl::Span<const AtenRow> ReduceRows();
absl::Span<const AtenRow> ShapeRows();

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_ATEN_TABLE_H_
