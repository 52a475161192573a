#include "worker/engine/data/array_targets.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 28;
constexpr int64_t kMaxClasses = 1'000'000;

std::string Describe(const StoredArray& array) {
  return absl::StrCat("target '", array.name, "', ", c10::toString(array.dtype), " [",
                      absl::StrJoin(array.shape, ", "), "],");
}

absl::StatusOr<TargetKind> KindOf(const StoredArray& array, absl::string_view task) {
  const bool whole = c10::isIntegralType(array.dtype, /*includeBool=*/false);
  const bool column = array.shape.size() == 1 || array.shape[1] == 1;
  if (task == "classes" || (task == "auto" && whole && column)) {
    if (whole && column) return TargetKind::kClass;
    return absl::InvalidArgumentError(
        absl::StrCat(Describe(array),
                     " can't hold classes, which are whole numbers [n]; set task=labels or "
                     "task=values"));
  }
  const bool flags = array.dtype == at::kBool || array.dtype == at::kByte;
  if (task == "labels" || (task == "auto" && flags)) return TargetKind::kMultiLabel;
  if (task == "values" || c10::isFloatingType(array.dtype)) return TargetKind::kValues;
  return absl::InvalidArgumentError(absl::StrCat(
      Describe(array), " may be meant in several ways; set task=labels or task=values"));
}

// All of the array as `dtype` [n, k].
absl::StatusOr<at::Tensor> ReadAll(const StoredArray& array, at::ScalarType dtype) {
  at::Tensor all = at::empty(array.shape, array.dtype == at::kBool ? at::kByte : array.dtype);
  QUANTRY_RETURN_IF_ERROR(array.Read(0, array.rows(), static_cast<char*>(all.data_ptr())));
  return all.to(dtype).reshape({array.rows(), -1}).contiguous();
}

absl::Status ReadClasses(const StoredArray& array, std::optional<int64_t> num_classes,
                         ArrayTargets* targets) {
  QUANTRY_ASSIGN_OR_RETURN(const at::Tensor all, ReadAll(array, at::kLong));
  const auto* const labels = all.data_ptr<int64_t>();
  targets->labels.assign(labels, labels + all.numel());
  const int64_t largest = *std::max_element(targets->labels.begin(), targets->labels.end());
  const int64_t classes =
      num_classes.value_or(std::min<int64_t>(std::max<int64_t>(largest, 0), kMaxClasses) + 1);
  for (size_t i = 0; i < targets->labels.size(); ++i) {
    const int64_t label = targets->labels[i];
    if (label >= 0 && label < classes && label < kMaxClasses) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(Describe(array), " has ", label, " as example ", i, "; allowed: 0 to ",
                     std::min(classes, kMaxClasses) - 1,
                     num_classes ? ", as the parameter 'num_classes' says" : ""));
  }
  for (int64_t i = 0; i < classes; ++i) targets->names.push_back(absl::StrCat(i));
  return absl::OkStatus();
}

absl::Status ReadNumbers(const StoredArray& array, ArrayTargets* targets) {
  QUANTRY_ASSIGN_OR_RETURN(const at::Tensor all, ReadAll(array, at::kFloat));
  const auto* const values = all.data_ptr<float>();
  targets->values.assign(values, values + all.numel());
  const int64_t columns = all.size(1);
  for (int64_t i = 0; i < columns; ++i) {
    targets->names.push_back(columns == 1 ? array.name : absl::StrCat(array.name, "[", i, "]"));
  }
  if (targets->kind == TargetKind::kValues) return absl::OkStatus();
  for (size_t i = 0; i < targets->values.size(); ++i) {
    if (targets->values[i] == 0.0f || targets->values[i] == 1.0f) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(Describe(array), " has ", targets->values[i], " as label ",
                     static_cast<int64_t>(i) % columns, " of example ",
                     static_cast<int64_t>(i) / columns, "; allowed: 0 and 1"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ArrayTargets> ReadArrayTargets(const StoredArray& array, absl::string_view task,
                                              std::optional<int64_t> num_classes) {
  int64_t elements = 1;
  for (const int64_t length : array.shape) elements *= length;
  if (array.shape.empty() || array.shape.size() > 2 || elements < 1 || elements > kMaxElements) {
    return absl::InvalidArgumentError(absl::StrCat(
        Describe(array), " must be [n] or [n, k], with 1 to ", kMaxElements, " elements"));
  }
  ArrayTargets targets;
  QUANTRY_ASSIGN_OR_RETURN(targets.kind, KindOf(array, task));
  if (num_classes && targets.kind != TargetKind::kClass) {
    return absl::InvalidArgumentError(
        absl::StrCat("dataset URI: parameter 'num_classes' has no effect as the target holds ",
                     TargetKindName(targets.kind), "; remove it"));
  }
  QUANTRY_RETURN_IF_ERROR(targets.kind == TargetKind::kClass
                              ? ReadClasses(array, num_classes, &targets)
                              : ReadNumbers(array, &targets));
  return targets;
}

}  // namespace quantry::engine
