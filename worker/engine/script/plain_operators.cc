#include "worker/engine/script/plain_operators.h"

#include <ATen/core/ivalue.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"

namespace quantry::engine {
namespace {

constexpr std::pair<absl::string_view, bool> kFixedAnswers[] = {
    {"aten::is_autocast_cpu_enabled", false},
    {"aten::is_autocast_enabled", false},
    {"aten::is_grad_enabled", true},
    {"prim::is_cuda", false},
    {"prim::is_nested", false}};

constexpr absl::string_view kPlain[] = {"aten::Bool",         "aten::Float",
                                        "aten::Int",          "aten::__and__",
                                        "aten::__contains__", "aten::__derive_index",
                                        "aten::__getitem__",  "aten::__is__",
                                        "aten::__isnot__",    "aten::__not__",
                                        "aten::__or__",       "aten::__range_length",
                                        "aten::_set_item",    "aten::add",
                                        "aten::all",          "aten::any",
                                        "aten::append",       "aten::ceil",
                                        "aten::copy",         "aten::dim",
                                        "aten::div",          "aten::eq",
                                        "aten::extend",       "aten::find",
                                        "aten::floor",        "aten::floor_divide",
                                        "aten::floordiv",     "aten::format",
                                        "aten::ge",           "aten::gt",
                                        "aten::insert",       "aten::is_floating_point",
                                        "aten::items",        "aten::keys",
                                        "aten::le",           "aten::len",
                                        "aten::log",          "aten::lt",
                                        "aten::mul",          "aten::ne",
                                        "aten::neg",          "aten::numel",
                                        "aten::pow",          "aten::remainder",
                                        "aten::reverse",      "aten::rsub",
                                        "aten::size",         "aten::slice",
                                        "aten::sqrt",         "aten::str",
                                        "aten::sub",          "aten::sum",
                                        "aten::values",       "prim::device",
                                        "prim::dtype",        "prim::max",
                                        "prim::min",          "prim::requires_grad"};

constexpr absl::string_view kAsksShape[] = {
    "aten::__is__", "aten::__isnot__",    "aten::dim",  "aten::is_floating_point",
    "aten::len",    "aten::numel",        "aten::size", "prim::device",
    "prim::dtype",  "prim::requires_grad"};

constexpr absl::string_view kAsksValue[] = {
    "aten::Bool",        "aten::Float", "aten::FloatImplicit", "aten::Int",
    "aten::IntImplicit", "aten::item",  "aten::ScalarImplicit"};

constexpr absl::string_view kOnConstants[] = {
    "aten::add",      "aten::arange",    "aten::contiguous", "aten::copy_",       "aten::eq",
    "aten::fill_",    "aten::flatten",   "aten::full",       "aten::masked_fill", "aten::ne",
    "aten::new_full", "aten::new_ones",  "aten::new_zeros",  "aten::ones",        "aten::permute",
    "aten::reshape",  "aten::select",    "aten::slice",      "aten::squeeze",     "aten::sub",
    "aten::to",       "aten::transpose", "aten::unsqueeze",  "aten::view",        "aten::zero_",
    "aten::zeros"};

constexpr int64_t kMaxConstantElements = int64_t{1} << 24;

template <size_t n>
bool Contains(const absl::string_view (&list)[n], absl::string_view op) {
  return std::find(std::begin(list), std::end(list), op) != std::end(list);
}

// The position of the sizes that a maker of tensors is told. Negative: none.
int64_t SizesPosition(absl::string_view op) {
  if (absl::StartsWith(op, "aten::new_")) return 1;
  return op == "aten::zeros" || op == "aten::ones" || op == "aten::full" ? 0 : -1;
}

}  // namespace

std::optional<bool> FixedAnswer(absl::string_view op) {
  for (const auto& [question, answer] : kFixedAnswers) {
    if (question == op) return answer;
  }
  return std::nullopt;
}

bool IsPlainOperator(absl::string_view op) { return Contains(kPlain, op); }

bool AsksShape(absl::string_view op) { return Contains(kAsksShape, op); }

bool AsksValue(absl::string_view op) { return Contains(kAsksValue, op); }

bool RunsOnConstants(absl::string_view op) { return Contains(kOnConstants, op); }

bool MakesConstant(absl::string_view op) {
  return SizesPosition(op) >= 0 || op == "aten::arange" || op == "aten::tensor";
}

void CheckConstantSize(absl::string_view op, const torch::jit::Stack& stack) {
  double elements = 1.0;
  if (const int64_t position = SizesPosition(op); position >= 0) {
    for (const int64_t size : stack.at(static_cast<size_t>(position)).toIntVector()) {
      elements *= static_cast<double>(size);
    }
  } else if (op == "aten::arange") {
    elements = 0.0;
    for (const c10::IValue& value : stack) {
      if (value.isScalar()) elements += std::abs(value.toScalar().toDouble());
    }
  }
  TORCH_CHECK(elements <= kMaxConstantElements, "makes a tensor of more than ",
              kMaxConstantElements, " elements");
}

}  // namespace quantry::engine
