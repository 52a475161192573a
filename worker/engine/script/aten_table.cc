#include "worker/engine/script/aten_table.h"

#include <ATen/ATen.h>
#include <ATen/native/TypeProperties.h>

#include "worker/engine/ops/onnx_dtype.h"

namespace quantry::engine {

Operand AtenCall::Tensor(size_t i) {
  if (IsNone(i)) return {};
  TORCH_CHECK(IsTensor(i), "argument ", i, " must be a tensor");
  return lowering_.OperandOf(at(i));
}

at::ScalarType AtenCall::CommonType(size_t i, size_t j) const {
  at::native::ResultTypeState state;
  for (const size_t k : {i, j}) {
    TORCH_CHECK(k < size() && (IsTensor(k) || at(k)[0].isScalar()), "argument ", k,
                " must be a tensor or a number");
    state = IsTensor(k) ? at::native::update_result_type_state(at(k)[0].toTensor(), state)
                        : at::native::update_result_type_state(at(k)[0].toScalar(), state);
  }
  return at::native::result_type(state);
}

Operand AtenCall::As(size_t i, at::ScalarType dtype) {
  if (!IsTensor(i)) return lowering_.Constant(at::scalar_tensor(Number(i), dtype));
  const at::Tensor tensor = at(i)[0].toTensor();
  // A number that a trace has made a tensor.
  if (tensor.dim() == 0 && lowering_.IsPlain(tensor)) return lowering_.Constant(tensor.to(dtype));
  return EmitCast(lowering_, Tensor(i), dtype);
}

std::vector<Operand> AtenCall::Tensors(size_t i) {
  const auto first = at(i)[0].toListRef();
  const auto second = at(i)[1].toListRef();
  TORCH_CHECK(first.size() == second.size(), "a list's length depends on the batch size");
  std::vector<Operand> tensors;
  for (size_t k = 0; k < first.size(); ++k) {
    tensors.push_back(lowering_.OperandOf({first[k], second[k]}));
  }
  return tensors;
}

int64_t AtenCall::Int(size_t i) const {
  const auto value = at(i)[0].toInt();
  TORCH_CHECK(value == at(i)[1].toInt(), "argument ", i, " depends on the batch size");
  return value;
}

bool AtenCall::Bool(size_t i) const {
  const bool value = at(i)[0].toBool();
  TORCH_CHECK(value == at(i)[1].toBool(), "argument ", i, " depends on the batch size");
  return value;
}

double AtenCall::Number(size_t i) const {
  TORCH_CHECK(at(i)[0].isScalar(), "argument ", i, " must be a number");
  const double value = at(i)[0].toScalar().toDouble();
  TORCH_CHECK(value == at(i)[1].toScalar().toDouble(), "argument ", i,
              " depends on the batch size");
  return value;
}

std::vector<int64_t> AtenCall::Ints(size_t i) const {
  if (at(i)[0].isInt()) return {Int(i)};
  std::vector<int64_t> ints = at(i)[0].toIntVector();
  TORCH_CHECK(ints == at(i)[1].toIntVector(), "argument ", i, " depends on the batch size");
  return ints;
}

std::vector<int64_t> AtenCall::Ints(size_t i, size_t n, std::vector<int64_t> fallback) const {
  if (IsNone(i)) return fallback;
  const std::vector<int64_t> ints = Ints(i);
  if (ints.empty()) return fallback;
  if (ints.size() == 1) return std::vector<int64_t>(n, ints[0]);
  TORCH_CHECK(ints.size() == n, "argument ", i, " must have ", n, " elements");
  return ints;
}

Operand AtenCall::IntsConstant(const std::vector<int64_t>& ints) {
  return lowering_.Constant(at::tensor(ints, at::kLong));
}

Operand AtenCall::FloatConstant(double value) {
  return lowering_.Constant(at::scalar_tensor(value, at::kFloat));
}

std::vector<int64_t> TwoSided(std::vector<int64_t> pads) {
  const std::vector<int64_t> before = pads;
  pads.insert(pads.end(), before.begin(), before.end());
  return pads;
}

Operand EmitCast(Lowering& to, const Operand& x, at::ScalarType dtype) {
  if (x.lanes[0].scalar_type() == dtype) return x;
  constexpr int64_t kLastType = 16;
  for (int64_t type = 1; type <= kLastType; ++type) {
    if (DtypeOf(type) == dtype) return to.Emit("Cast", {x}, {{"to", type}});
  }
  TORCH_CHECK(false, "the type ", dtype, " is not supported");
}

const AtenRow* FindAtenRow(absl::string_view op) {
  for (const auto rows : {AttentionRows(), CompareRows(), IndexRows(), LayerRows(), PointwiseRows(),
                          PoolRows(), ReduceRows(), ShapeRows()}) {
    for (const AtenRow& row : rows) {
      if (row.op == op) return &row;
    }
  }
  return nullptr;
}

}  // namespace quantry::engine
