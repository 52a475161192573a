// Operators that work element by element, and MatMul and Softmax, which are written alike.
#include <ATen/ATen.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/script_export/source_table.h"

namespace quantry::engine {
namespace {

// f(x): `kName` is the function's name below torch.
template <const char* kName>
absl::StatusOr<std::string> Unary(const SourceCall& call) {
  return absl::StrCat("torch.", kName, "(", call.Input(0), ")");
}

// f(a, b).
template <const char* kName>
absl::StatusOr<std::string> Binary(const SourceCall& call) {
  return absl::StrCat("torch.", kName, "(", call.Input(0), ", ", call.Input(1), ")");
}

// f(f(a, b), c) and so on.
template <const char* kName>
absl::StatusOr<std::string> Folded(const SourceCall& call) {
  std::string text = call.Input(0);
  for (size_t i = 1; i < call.size(); ++i) {
    text = absl::StrCat("torch.", kName, "(", text, ", ", call.Input(i), ")");
  }
  return text;
}

// f(x, axis), the axis an attribute.
template <const char* kName>
absl::StatusOr<std::string> AlongAxis(const SourceCall& call) {
  return absl::StrCat("torch.", kName, "(", call.Input(0), ", ", call.node().Int("axis", -1), ")");
}

constexpr char kAbs[] = "abs", kAdd[] = "add", kCeil[] = "ceil", kCos[] = "cos", kDiv[] = "div",
               kErf[] = "erf", kExp[] = "exp", kFloor[] = "floor", kHardSwish[] = "hardswish",
               kLog[] = "log", kLogSoftmax[] = "log_softmax", kMatMul[] = "matmul",
               kMaximum[] = "maximum", kMinimum[] = "minimum", kMish[] = "mish", kMul[] = "mul",
               kNeg[] = "neg", kPow[] = "pow", kReciprocal[] = "reciprocal", kRelu[] = "relu",
               kRound[] = "round", kSigmoid[] = "sigmoid", kSign[] = "sign", kSin[] = "sin",
               kSoftmax[] = "softmax", kSoftplus[] = "softplus", kSqrt[] = "sqrt", kSub[] = "sub",
               kTanh[] = "tanh";

absl::StatusOr<std::string> Same(const SourceCall& call) { return call.Input(0); }

absl::StatusOr<std::string> Clip(const SourceCall& call) {
  std::string bounds[2] = {"None", "None"};
  for (const size_t i : {size_t{1}, size_t{2}}) {
    if (!call.Has(i)) continue;
    QUANTRY_ASSIGN_OR_RETURN(const double bound, call.Number(i));
    bounds[i - 1] = Literal(bound);
  }
  if (!call.Has(1) && !call.Has(2)) return call.Input(0);
  return absl::StrCat("torch.clamp(", call.Input(0), ", ", bounds[0], ", ", bounds[1], ")");
}

absl::StatusOr<std::string> HardSigmoid(const SourceCall& call) {
  const float alpha = call.node().Float("alpha", 0.2f);
  const float beta = call.node().Float("beta", 0.5f);
  if (std::abs(alpha - 1.0f / 6.0f) < 1e-6f && beta == 0.5f) {
    return absl::StrCat("torch.hardsigmoid(", call.Input(0), ")");
  }
  return absl::StrCat("torch.clamp(", call.Input(0), " * ", Literal(double{alpha}), " + ",
                      Literal(double{beta}), ", 0.0, 1.0)");
}

absl::StatusOr<std::string> LeakyRelu(const SourceCall& call) {
  return absl::StrCat("torch.leaky_relu(", call.Input(0), ", ",
                      FloatLiteral(call.node(), "alpha", 0.01f), ")");
}

absl::StatusOr<std::string> Elu(const SourceCall& call) {
  return absl::StrCat("torch.elu(", call.Input(0), ", ", FloatLiteral(call.node(), "alpha", 1.0f),
                      ")");
}

absl::StatusOr<std::string> PRelu(const SourceCall& call) {
  const std::string x = call.Input(0);
  return absl::StrCat("torch.where(", x, " < 0, ", x, " * ", call.Input(1), ", ", x, ")");
}

absl::StatusOr<std::string> Gelu(const SourceCall& call) {
  QUANTRY_RETURN_IF_ERROR(call.Require("approximate", "none"));
  return absl::StrCat("torch.gelu(", call.Input(0), ")");
}

absl::StatusOr<std::string> Where(const SourceCall& call) {
  return absl::StrCat("torch.where(", call.Input(0), ", ", call.Input(1), ", ", call.Input(2), ")");
}

constexpr SourceRow kRows[] = {
    {"Abs", Unary<kAbs>},
    {"Add", Binary<kAdd>},
    {"Ceil", Unary<kCeil>},
    {"Clip", Clip},
    {"Cos", Unary<kCos>},
    {"Div", Binary<kDiv>},
    {"Dropout", Same},
    {"Elu", Elu},
    {"Erf", Unary<kErf>},
    {"Exp", Unary<kExp>},
    {"Floor", Unary<kFloor>},
    {"Gelu", Gelu},
    {"HardSigmoid", HardSigmoid},
    {"HardSwish", Unary<kHardSwish>},
    {"Identity", Same},
    {"LeakyRelu", LeakyRelu},
    {"Log", Unary<kLog>},
    {"LogSoftmax", AlongAxis<kLogSoftmax>},
    {"MatMul", Binary<kMatMul>},
    {"Max", Folded<kMaximum>},
    {"Min", Folded<kMinimum>},
    {"Mish", Unary<kMish>},
    {"Mul", Binary<kMul>},
    {"Neg", Unary<kNeg>},
    {"PRelu", PRelu},
    {"Pow", Binary<kPow>},
    {"Reciprocal", Unary<kReciprocal>},
    {"Relu", Unary<kRelu>},
    {"Round", Unary<kRound>},
    {"Sigmoid", Unary<kSigmoid>},
    {"Sign", Unary<kSign>},
    {"Sin", Unary<kSin>},
    {"Softmax", AlongAxis<kSoftmax>},
    {"Softplus", Unary<kSoftplus>},
    {"Sqrt", Unary<kSqrt>},
    {"Sub", Binary<kSub>},
    {"Sum", Folded<kAdd>},
    {"Tanh", Unary<kTanh>},
    {"Where", Where},
};

}  // namespace

absl::Span<const SourceRow> PointwiseSourceRows() { return kRows; }

}  // namespace quantry::engine
