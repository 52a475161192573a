#ifndef QUANTRY_WORKER_AGENT_DEVICES_H_
#define QUANTRY_WORKER_AGENT_DEVICES_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "quantry/v1/worker_service.pb.h"

namespace quantry::agent {

// Where the machine describes its devices; other places in tests.
struct DeviceSources {
  std::filesystem::path nvidia_smi = "/usr/bin/nvidia-smi";
  std::filesystem::path nvidia_gpus = "/proc/driver/nvidia/gpus";
  std::filesystem::path cpu_info = "/proc/cpuinfo";
  std::filesystem::path memory_info = "/proc/meminfo";
};

// The devices that `trainer` can train on, as it says itself ("quantry-trainer devices", up to
// 60 s): "cpu", "cuda:0", ... FAILED_PRECONDITION: the program can't be run or does not answer.
absl::StatusOr<std::vector<std::string>> TrainableDevices(const std::filesystem::path& trainer);

// The devices that a worker offers for its option `device`: every GPU among `trainable`, or the CPU
// where there is none, for "auto"; else the one named. GPUs are found without any CUDA library, in
// PCI bus order. NOT_FOUND: a GPU is named that the machine does not have or the trainer can't use.
// May run nvidia-smi (up to 20 s).
absl::StatusOr<std::vector<v1::Device>> FindDevices(absl::string_view device,
                                                    const std::vector<std::string>& trainable,
                                                    const DeviceSources& sources = {});

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_DEVICES_H_
