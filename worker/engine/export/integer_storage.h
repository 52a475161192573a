#ifndef QUANTRY_WORKER_ENGINE_EXPORT_INTEGER_STORAGE_H_
#define QUANTRY_WORKER_ENGINE_EXPORT_INTEGER_STORAGE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "worker/engine/export/qdq_options.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {

// As what an activation's integers are stored.
struct IntegerStorage {
  std::string dtype;      // "int8", "uint8", "int16", "uint16"
  at::Tensor zero_point;  // scalar of that type; uint16 is held in int32 (ops/quantize_linear.cc)
  int64_t type_min = 0;   // what QuantizeLinear saturates at
  int64_t type_max = 0;
  int64_t qmin = 0;  // what was trained, in [type_min, type_max]
  int64_t qmax = 0;

  // Whether QuantizeLinear by itself reaches as far as what was trained, but for `spare` integers
  // below.
  bool Fills(int64_t spare = 0) const { return qmin - type_min <= spare && qmax == type_max; }
};

// Of 8 bits, or 16 where those don't suffice. Quantizers count in signed integers if they are
// symmetric, else in unsigned ones; these are moved by half the type's range where the other is to
// be stored.
IntegerStorage ActivationStorageOf(const QParams& qparams, const QdqOptions& options);

// The type of a weight's integers in the file: "int4", "int8", "uint8" or "int16".
std::string WeightDtype(const QParams& qparams, const QdqOptions& options);

// The zero point of weights of that type.
inline int64_t WeightZeroPoint(const std::string& dtype) { return dtype == "uint8" ? 128 : 0; }

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_INTEGER_STORAGE_H_
