#ifndef QUANTRY_WORKER_ENGINE_OPS_PRECISION_H_
#define QUANTRY_WORKER_ENGINE_OPS_PRECISION_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry::engine {

// What sums of products (convolutions and matrix products) are computed in while training, forward
// and backward. Parameters, optimizer, statistics and quantizers are float32 whatever stands here, and
// so is all evaluation.
enum class Precision {
  kFloat32 = 1,
  // Operands are bfloat16 (8 significant bits, float32's range), sums within a product float32. What
  // is quantized runs on its integers, which are exact in it (fuse/layer_operator.h).
  kBf16 = 2,
  // Operands are float32; products and their sums, and the sums of batch normalization, are
  // float64 and rounded to float32 at the end. So results do not show in which order was added up:
  // for comparing runs that divide the work differently. Slow.
  kFloat64 = 3,
};

// Which precisions an operator follows.
enum class PrecisionUse {
  kNone = 0,
  kFloat64 = 1,  // LibTorch has no right bfloat16 for it
  kAll = 2,
};

inline bool Follows(PrecisionUse use, Precision precision) {
  return precision == Precision::kFloat64
             ? use != PrecisionUse::kNone
             : precision == Precision::kBf16 && use == PrecisionUse::kAll;
}

// "float32", "bf16", "float64".
absl::string_view NameOf(Precision precision);
// INVALID_ARGUMENT lists the names.
absl::StatusOr<Precision> ParsePrecision(absl::string_view name);

// How this machine's CPU takes bfloat16.
enum class Bf16Support {
  kNone = 1,      // LibTorch has no fast products of bfloat16 for it
  kEmulated = 2,  // by float32 instructions: slower than float32
  kNative = 3,    // by instructions of its own (AVX512_BF16, AMX)
};
Bf16Support FindBf16Support();

// FAILED_PRECONDITION that says what is missing where `support` does not do for `precision`.
absl::Status CheckPrecision(Precision precision, Bf16Support support = FindBf16Support());

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_PRECISION_H_
