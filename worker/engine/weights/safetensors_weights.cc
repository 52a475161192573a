#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "absl/base/config.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/safetensors.h"
#include "common/status_macros.h"
#include "worker/engine/weights/read_weights.h"

#ifdef ABSL_IS_BIG_ENDIAN
#error "safetensors are little-endian; this reader copies them as they are"
#endif

namespace quantry::engine {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{16} << 30;

constexpr std::pair<absl::string_view, at::ScalarType> kTypes[] = {
    {"F32", at::kFloat},  {"F16", at::kHalf}, {"BF16", at::kBFloat16},
    {"F64", at::kDouble}, {"I64", at::kLong},
};

absl::StatusOr<at::Tensor> ToTensor(const SafetensorsEntry& entry) {
  const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](const auto& row) { return row.first == entry.dtype; });
  if (type == std::end(kTypes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor '", absl::CHexEscape(entry.name.substr(0, 120)), "' has dtype ",
                     entry.dtype, ", which no weight has; allowed: F32, F16, BF16, F64, I64"));
  }
  // Copied before it is converted: the bytes in the file are not aligned.
  at::Tensor tensor = at::empty(entry.shape, at::TensorOptions(type->second));
  if (!entry.bytes.empty()) std::memcpy(tensor.data_ptr(), entry.bytes.data(), entry.bytes.size());
  return tensor.is_floating_point() ? tensor.to(at::kFloat) : tensor;
}

}  // namespace

absl::StatusOr<WeightMap> ReadSafetensorsWeights(const std::filesystem::path& path) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxFileBytes));
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<SafetensorsEntry> entries, ParseSafetensors(bytes));
  WeightMap weights;
  for (const SafetensorsEntry& entry : entries) {
    QUANTRY_ASSIGN_OR_RETURN(weights[entry.name], ToTensor(entry));
  }
  return weights;
}

}  // namespace quantry::engine
