#include "worker/engine/script/runnable_operators.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
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

constexpr std::array<absl::string_view, 58> kOnNumbers = {
    "aten::Bool",         "aten::Float",
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

constexpr std::array<absl::string_view, 10> kAsksShape = {
    "aten::dim",           "aten::is_floating_point",
    "aten::len",           "aten::numel",
    "aten::size",          "aten::__is__",
    "prim::device",        "prim::dtype",
    "prim::requires_grad", "aten::__isnot__"};

constexpr std::array<absl::string_view, 7> kAsksValue = {
    "aten::Bool",        "aten::Float", "aten::FloatImplicit", "aten::Int",
    "aten::IntImplicit", "aten::item",  "aten::ScalarImplicit"};

constexpr std::array<absl::string_view, 26> kOnConstants = {
    "aten::new_zeros", "aten::new_ones", "aten::new_full",    "aten::zeros",   "aten::ones",
    "aten::arange",    "aten::full",     "aten::slice",       "aten::select",  "aten::fill_",
    "aten::zero_",     "aten::view",     "aten::reshape",     "aten::permute", "aten::transpose",
    "aten::unsqueeze", "aten::squeeze",  "aten::contiguous",  "aten::sub",     "aten::add",
    "aten::ne",        "aten::eq",       "aten::masked_fill", "aten::copy_",   "aten::flatten",
    "aten::to"};
constexpr int64_t kMaxConstantElements = int64_t{1} << 24;

// These make a tensor of sizes that they are told; the position of the sizes. Negative: none.
int64_t SizesPosition(absl::string_view op) {
  if (absl::StartsWith(op, "aten::new_")) return 1;
  const bool first =
      op == "aten::zeros" || op == "aten::ones" || op == "aten::full" || op == "aten::empty";
  return first ? 0 : -1;
}

template <size_t n>
bool Contains(const std::array<absl::string_view, n>& list, absl::string_view op) {
  return std::find(list.begin(), list.end(), op) != list.end();
}

}  // namespace

std::optional<bool> FixedAnswer(absl::string_view op) {
  for (const auto& [question, answer] : kFixedAnswers) {
    if (question == op) return answer;
  }
  return std::nullopt;
}

bool RunsOnNumbers(absl::string_view op) { return Contains(kOnNumbers, op); }

bool AsksShape(absl::string_view op) { return Contains(kAsksShape, op); }

bool AsksValue(absl::string_view op) { return Contains(kAsksValue, op); }

bool RunsOnConstants(absl::string_view op) { return Contains(kOnConstants, op); }

bool MakesConstant(absl::string_view op) {
  return SizesPosition(op) >= 0 || op == "aten::arange" || op == "aten::tensor";
}

void CheckConstantSize(absl::string_view op, const std::vector<c10::IValue>& arguments) {
  double elements = 1.0;
  if (const int64_t position = SizesPosition(op); position >= 0) {
    for (const int64_t size : arguments.at(static_cast<size_t>(position)).toIntVector()) {
      elements *= static_cast<double>(size);
    }
  } else if (op == "aten::arange") {
    elements = 0.0;
    for (const c10::IValue& value : arguments) {
      if (value.isScalar()) elements += std::abs(value.toScalar().toDouble());
    }
  }
  TORCH_CHECK(elements <= kMaxConstantElements, "makes a tensor of more than ",
              kMaxConstantElements, " elements");
}

}  // namespace quantry::engine
