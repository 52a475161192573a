#ifndef QUANTRY_WORKER_ENGINE_EXPORT_QDQ_OPTIONS_H_
#define QUANTRY_WORKER_ENGINE_EXPORT_QDQ_OPTIONS_H_

#include <optional>
#include <string>

#include "common/quant_config.h"

namespace quantry::engine {

// In which form a trained graph is written for the runtime that is to serve it.
struct QdqOptions {
  // quant_config's profile: "onnxruntime", "tensorrt", "openvino" or "paddle".
  std::string profile = "onnxruntime";
  // Storage of weights of up to 8 bits: "int8"; "uint8", with zero point 128; or "int4", for those
  // of up to 4 bits, with int8 for the others.
  std::string weight_dtype = "int8";
  // Storage of activations of up to 8 bits: "int8" or "uint8". Absent: int8 where they were trained
  // symmetric and the profile is not "onnxruntime", else uint8.
  std::optional<std::string> activation_dtype;
};

inline QdqOptions QdqOptionsOf(const QuantConfig& config) {
  return {.profile = config.profile,
          .weight_dtype = config.dtype,
          .activation_dtype = config.activation_dtype};
}

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_QDQ_OPTIONS_H_
