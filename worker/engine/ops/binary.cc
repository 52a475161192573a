// Functions of corresponding elements of two or more tensors, which broadcast as NumPy's do.
#include <ATen/ATen.h>

#include <limits>
#include <string>

#include "common/status_macros.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

using Function = std::vector<at::Tensor> (*)(const Node&, absl::Span<const at::Tensor>,
                                             const EvaluateContext&);

OperatorDef OfTwo(absl::string_view op, Function evaluate) {
  return {.op = op, .min_inputs = 2, .max_inputs = 2, .evaluate = evaluate};
}

OperatorDef OfMany(absl::string_view op, Function evaluate) {
  return {.op = op,
          .min_inputs = 1,
          .max_inputs = std::numeric_limits<int>::max(),
          .validate =
              [](const Node& node) {
                for (size_t i = 0; i < node.inputs().size(); ++i) {
                  if (node.input(i) != nullptr) continue;
                  return absl::InvalidArgumentError(absl::StrCat("input ", i, " is missing"));
                }
                return absl::OkStatus();
              },
          .evaluate = evaluate};
}

// The result has the base's type, whatever that of the exponent.
at::Tensor Power(const at::Tensor& base, const at::Tensor& exponent) {
  const bool plain = exponent.dim() == 0 && exponent.device().is_cpu() && !exponent.requires_grad();
  const at::Tensor y = plain ? at::pow(base, exponent.item()) : at::pow(base, exponent);
  return y.to(base.scalar_type());
}

// With fmod=0 the result has the sign of the divisor, else that of the dividend.
at::Tensor Modulo(const Node& node, const at::Tensor& a, const at::Tensor& b) {
  return node.Int("fmod", 0) != 0 ? at::fmod(a, b) : at::remainder(a, b);
}

at::Tensor Shifted(const Node& node, const at::Tensor& a, const at::Tensor& b) {
  return node.String("direction", "") == "LEFT" ? at::bitwise_left_shift(a, b)
                                                : at::bitwise_right_shift(a, b);
}

std::vector<at::Tensor> Mean(const Node& node, absl::Span<const at::Tensor> inputs,
                             const EvaluateContext& context) {
  constexpr auto kAdd = [](const at::Tensor& a, const at::Tensor& b) { return at::add(a, b); };
  return {at::div(Folded<kAdd>(node, inputs, context)[0], static_cast<int64_t>(inputs.size()))};
}

}  // namespace

#define QUANTRY_TWO(f) Binary<[](const at::Tensor& a, const at::Tensor& b) { return at::f(a, b); }>

extern const OperatorDef kAndOperator = OfTwo("And", QUANTRY_TWO(logical_and));
extern const OperatorDef kBitwiseAndOperator = OfTwo("BitwiseAnd", QUANTRY_TWO(bitwise_and));
extern const OperatorDef kBitwiseOrOperator = OfTwo("BitwiseOr", QUANTRY_TWO(bitwise_or));
extern const OperatorDef kBitwiseXorOperator = OfTwo("BitwiseXor", QUANTRY_TWO(bitwise_xor));
extern const OperatorDef kEqualOperator = OfTwo("Equal", QUANTRY_TWO(eq));
extern const OperatorDef kGreaterOperator = OfTwo("Greater", QUANTRY_TWO(gt));
extern const OperatorDef kGreaterOrEqualOperator = OfTwo("GreaterOrEqual", QUANTRY_TWO(ge));
extern const OperatorDef kLessOperator = OfTwo("Less", QUANTRY_TWO(lt));
extern const OperatorDef kLessOrEqualOperator = OfTwo("LessOrEqual", QUANTRY_TWO(le));
extern const OperatorDef kOrOperator = OfTwo("Or", QUANTRY_TWO(logical_or));
extern const OperatorDef kXorOperator = OfTwo("Xor", QUANTRY_TWO(logical_xor));

#undef QUANTRY_TWO

extern const OperatorDef kMaxOperator = OfMany("Max", Folded<at::maximum>);
extern const OperatorDef kMeanOperator = OfMany("Mean", Mean);
extern const OperatorDef kMinOperator = OfMany("Min", Folded<at::minimum>);
extern const OperatorDef kSumOperator =
    OfMany("Sum", Folded<[](const at::Tensor& a, const at::Tensor& b) { return at::add(a, b); }>);

extern const OperatorDef kPowOperator = OfTwo("Pow", Binary<Power>);

extern const OperatorDef kModOperator = {
    .op = "Mod",
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {{"fmod", AttributeKind::kInt}},
    .validate = [](const Node& node) { return CheckInt(node, "fmod", 0, 1); },
    .evaluate = BinaryOf<Modulo>};

extern const OperatorDef kBitShiftOperator = {
    .op = "BitShift",
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {{"direction", AttributeKind::kString, /*required=*/true}},
    .validate =
        [](const Node& node) {
          return CheckOneOf(node, "direction", {"LEFT", "RIGHT"});
        },
    .evaluate = BinaryOf<Shifted>};

extern const OperatorDef kWhereOperator = {
    .op = "Where",
    .min_inputs = 3,
    .max_inputs = 3,
    .evaluate = [](const Node&, absl::Span<const at::Tensor> inputs, const EvaluateContext&) {
      return std::vector<at::Tensor>{at::where(inputs[0], inputs[1], inputs[2])};
    }};

}  // namespace quantry::engine
