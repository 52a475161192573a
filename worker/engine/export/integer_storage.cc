#include "worker/engine/export/integer_storage.h"

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"

namespace quantry::engine {
namespace {

// ONNX Runtime's integer kernels want one type for input and output, and non-negative tensors need
// uint8, so that all get it: for a symmetric one that is int8 moved by 128.
bool IsSigned(bool was_signed, bool wide, const QdqOptions& options) {
  if (options.activation_dtype) return *options.activation_dtype == "int8";
  return was_signed && (wide || options.profile != "onnxruntime");
}

}  // namespace

IntegerStorage ActivationStorageOf(const QParams& qparams, const QdqOptions& options) {
  const bool wide = qparams.qmax - qparams.qmin > 255;
  const int64_t half = wide ? 1 << 15 : 1 << 7;
  const bool was_signed = qparams.qmin < 0;
  const bool is_signed = IsSigned(was_signed, wide, options);
  const int64_t shift = is_signed == was_signed ? 0 : (is_signed ? -half : half);
  const at::ScalarType narrow_type = is_signed ? at::kChar : at::kByte;
  const at::ScalarType wide_type = is_signed ? at::kShort : at::kInt;
  return {.dtype = absl::StrCat(is_signed ? "int" : "uint", wide ? 16 : 8),
          .zero_point = at::full({}, qparams.zero_point + shift, wide ? wide_type : narrow_type),
          .type_min = is_signed ? -half : 0,
          .type_max = is_signed ? half - 1 : 2 * half - 1,
          .qmin = qparams.qmin + shift,
          .qmax = qparams.qmax + shift};
}

std::string WeightDtype(const QParams& qparams, const QdqOptions& options) {
  if (qparams.qmax > 127) return "int16";
  const bool fits_int4 = qparams.qmin >= -8 && qparams.qmax <= 7;
  if (options.weight_dtype == "int4") return fits_int4 ? "int4" : "int8";
  return options.weight_dtype;
}

}  // namespace quantry::engine
