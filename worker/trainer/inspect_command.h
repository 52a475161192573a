#ifndef QUANTRY_WORKER_TRAINER_INSPECT_COMMAND_H_
#define QUANTRY_WORKER_TRAINER_INSPECT_COMMAND_H_

#include <cstdint>
#include <filesystem>
#include <string>

namespace quantry::trainer {

struct InspectCommand {
  std::filesystem::path model;  // ONNX file; empty: the built-in network
  std::string builtin;          // name of a built-in network; empty: the file
  int64_t num_classes = 1000;   // of the built-in network; >= 2
  double width = 1.0;           // channel multiplier of the built-in network; in (0, 4]
  int64_t image_size = 224;     // of the pictures that a TorchScript model is read for; >= 1
  bool json = false;            // one JSON object instead of text for people
};

// `quantry-trainer inspect MODEL`: what an ONNX or TorchScript file or a built-in network is, its
// operators, which the engine lacks, and what the default quant_config would quantize. Returns the
// exit code: kExitFailed if the file is no model or can't be used.
int InspectModel(const InspectCommand& command);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_INSPECT_COMMAND_H_
