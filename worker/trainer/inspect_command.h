#ifndef QUANTRY_WORKER_TRAINER_INSPECT_COMMAND_H_
#define QUANTRY_WORKER_TRAINER_INSPECT_COMMAND_H_

#include <filesystem>

namespace quantry::trainer {

struct InspectCommand {
  std::filesystem::path model;
  bool json = false;  // one JSON object instead of text for people
};

// `quantry-trainer inspect MODEL`: what an ONNX file is, its operators, which the engine lacks, and
// what the default quant_config would quantize. Returns the exit code: kExitFailed if the file is
// no ONNX model or can't be used.
int InspectModel(const InspectCommand& command);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_INSPECT_COMMAND_H_
