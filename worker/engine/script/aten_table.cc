#include "worker/engine/script/aten_table.h"

#include <ATen/ATen.h>

#include <cmath>

#include "worker/engine/ops/onnx_dtype.h"

namespace quantry::engine {

Operand AtenCall::Tensor(size_t i) {
  if (IsNone(i)) return {};
  TORCH_CHECK(IsTensor(i), "argument ", i, " must be a tensor");
  return lowering_.OperandOf(at(i));
}

Operand AtenCall::TensorLike(size_t i, const Operand& like) {
  if (IsTensor(i)) {
    const at::Tensor tensor = at(i)[0].toTensor();
    // A number that a trace has made a tensor takes the other's type, as in torch.
    const bool number = tensor.dim() == 0 && like.value != nullptr && like.rank() > 0 &&
                        lowering_.IsPlain(tensor) && tensor.is_floating_point() &&
                        like.lanes[0].is_floating_point();
    return number ? lowering_.Constant(tensor.to(like.lanes[0].scalar_type())) : Tensor(i);
  }
  const bool whole = at::isIntegralType(like.lanes[0].scalar_type(), /*includeBool=*/true);
  TORCH_CHECK(!whole || Number(i) == std::trunc(Number(i)), "argument ", i, " is ", Number(i),
              ", the tensor holds integers");
  return lowering_.Constant(at::scalar_tensor(Number(i), like.lanes[0].scalar_type()));
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

Operand EmitCast(AtenCall& call, const Operand& x, at::ScalarType dtype) {
  if (x.lanes[0].scalar_type() == dtype) return x;
  constexpr int64_t kLastType = 16;
  for (int64_t type = 1; type <= kLastType; ++type) {
    if (DtypeOf(type) == dtype) return call.lowering().Emit("Cast", {x}, {{"to", type}});
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
