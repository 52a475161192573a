// Functions of each element alone that have no attributes.
#include <ATen/ATen.h>

#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {

extern const OperatorDef kAbsOperator = {.op = "Abs", .evaluate = Unary<at::abs>};
extern const OperatorDef kAcosOperator = {.op = "Acos", .evaluate = Unary<at::acos>};
extern const OperatorDef kAcoshOperator = {.op = "Acosh", .evaluate = Unary<at::acosh>};
extern const OperatorDef kAsinOperator = {.op = "Asin", .evaluate = Unary<at::asin>};
extern const OperatorDef kAsinhOperator = {.op = "Asinh", .evaluate = Unary<at::asinh>};
extern const OperatorDef kAtanOperator = {.op = "Atan", .evaluate = Unary<at::atan>};
extern const OperatorDef kAtanhOperator = {.op = "Atanh", .evaluate = Unary<at::atanh>};
extern const OperatorDef kBitwiseNotOperator = {.op = "BitwiseNot",
                                                .evaluate = Unary<at::bitwise_not>};
extern const OperatorDef kCeilOperator = {.op = "Ceil", .evaluate = Unary<at::ceil>};
extern const OperatorDef kCosOperator = {.op = "Cos", .evaluate = Unary<at::cos>};
extern const OperatorDef kCoshOperator = {.op = "Cosh", .evaluate = Unary<at::cosh>};
extern const OperatorDef kDetOperator = {.op = "Det", .evaluate = Unary<at::det>};
extern const OperatorDef kErfOperator = {.op = "Erf", .evaluate = Unary<at::erf>};
extern const OperatorDef kExpOperator = {.op = "Exp", .evaluate = Unary<at::exp>};
extern const OperatorDef kFloorOperator = {.op = "Floor", .evaluate = Unary<at::floor>};
extern const OperatorDef kIsNaNOperator = {.op = "IsNaN", .evaluate = Unary<at::isnan>};
extern const OperatorDef kLogOperator = {.op = "Log", .evaluate = Unary<at::log>};
extern const OperatorDef kMishOperator = {.op = "Mish", .evaluate = Unary<at::mish>};
extern const OperatorDef kNegOperator = {.op = "Neg", .evaluate = Unary<at::neg>};
extern const OperatorDef kNotOperator = {.op = "Not", .evaluate = Unary<at::logical_not>};
extern const OperatorDef kReciprocalOperator = {.op = "Reciprocal",
                                                .evaluate = Unary<at::reciprocal>};
extern const OperatorDef kRoundOperator = {
    .op = "Round", .evaluate = Unary<[](const at::Tensor& x) { return at::round(x); }>};
extern const OperatorDef kSignOperator = {.op = "Sign", .evaluate = Unary<at::sign>};
extern const OperatorDef kSinOperator = {.op = "Sin", .evaluate = Unary<at::sin>};
extern const OperatorDef kSinhOperator = {.op = "Sinh", .evaluate = Unary<at::sinh>};
extern const OperatorDef kSizeOperator = {
    .op = "Size",
    .evaluate = Unary<[](const at::Tensor& x) { return at::scalar_tensor(x.numel(), at::kLong); }>};
extern const OperatorDef kSoftplusOperator = {
    .op = "Softplus", .evaluate = Unary<[](const at::Tensor& x) { return at::softplus(x); }>};
extern const OperatorDef kSoftsignOperator = {
    .op = "Softsign",
    .evaluate = Unary<[](const at::Tensor& x) { return at::div(x, at::add(at::abs(x), 1)); }>};
extern const OperatorDef kSqrtOperator = {.op = "Sqrt", .evaluate = Unary<at::sqrt>};
extern const OperatorDef kTanOperator = {.op = "Tan", .evaluate = Unary<at::tan>};
extern const OperatorDef kTanhOperator = {.op = "Tanh", .evaluate = Unary<at::tanh>};

}  // namespace quantry::engine
