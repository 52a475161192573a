#include "worker/engine/ops/precision.h"

#include <ATen/Context.h>

#include "absl/strings/str_cat.h"

namespace quantry::engine {

absl::string_view NameOf(Precision precision) {
  switch (precision) {
    case Precision::kBf16:
      return "bf16";
    case Precision::kFloat64:
      return "float64";
    case Precision::kFloat32:
      break;
  }
  return "float32";
}

absl::StatusOr<Precision> ParsePrecision(absl::string_view name) {
  for (const Precision precision : {Precision::kFloat32, Precision::kBf16, Precision::kFloat64}) {
    if (name == NameOf(precision)) return precision;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("precision is '", name, "'; it must be 'float32', 'bf16' or 'float64'"));
}

// LibTorch's products of bfloat16 are oneDNN's, which wants these instructions.
Bf16Support FindBf16Support() {
  if (!at::hasMKLDNN()) return Bf16Support::kNone;
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512bf16")) return Bf16Support::kNative;
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq")) {
    return Bf16Support::kEmulated;
  }
#endif
  return Bf16Support::kNone;
}

absl::Status CheckPrecision(Precision precision, Bf16Support support) {
  if (precision != Precision::kBf16 || support != Bf16Support::kNone) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "precision is 'bf16', which this machine does not have: it takes a CPU with AVX-512 "
      "(AVX512_BF16 "
      "to be fast) and a LibTorch with oneDNN; use 'float32'");
}

}  // namespace quantry::engine
