#include "worker/agent/devices.h"

#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/files.h"
#include "common/process.h"
#include "common/status_macros.h"

namespace quantry::agent {
namespace {

namespace fs = std::filesystem;

// The value of the first "key : value" line in `text`; empty if there is none.
std::string ValueOf(absl::string_view text, absl::string_view key) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (absl::StripAsciiWhitespace(parts.first) == key) {
      return std::string(absl::StripAsciiWhitespace(parts.second));
    }
  }
  return "";
}

v1::Device Cpu(const DeviceSources& sources) {
  v1::Device device;
  device.set_id("cpu");
  device.set_kind("cpu");
  if (const auto text = ReadFile(sources.cpu_info); text.ok()) {
    device.set_model(ValueOf(*text, "model name"));
  }
  if (const auto text = ReadFile(sources.memory_info); text.ok()) {
    int64_t kibibytes = 0;
    const std::string total = ValueOf(*text, "MemTotal");
    if (absl::SimpleAtoi(absl::StripSuffix(total, " kB"), &kibibytes)) {
      device.set_memory_bytes(kibibytes << 10);
    }
  }
  return device;
}

v1::Device Gpu(size_t index, absl::string_view model, int64_t memory_bytes) {
  v1::Device device;
  device.set_id(absl::StrCat("cuda:", index));
  device.set_kind("cuda");
  device.set_model(std::string(model));
  device.set_memory_bytes(memory_bytes);
  return device;
}

// A program's standard output and error, up to a pipe's capacity.
absl::StatusOr<std::string> OutputOf(const std::vector<std::string>& arguments,
                                     absl::Duration timeout) {
  QUANTRY_ASSIGN_OR_RETURN(const auto process, Process::Start({.arguments = arguments}));
  const auto exit = process->WaitFor(timeout);
  std::string text(1 << 16, '\0');
  const ssize_t count = read(process->output_fd(), text.data(), text.size());
  text.resize(count > 0 ? static_cast<size_t>(count) : 0);
  if (exit.has_value() && exit->Succeeded()) return text;
  return absl::FailedPreconditionError(
      absl::StrCat(absl::StrJoin(arguments, " "), ": ",
                   exit.has_value() ? exit->ToString()
                                    : absl::StrCat("no end after ", absl::FormatDuration(timeout)),
                   text.empty() ? "" : ": ", absl::StripAsciiWhitespace(text)));
}

// From nvidia-smi, a line "NVIDIA H200, 143771" (name, MiB) per GPU in PCI bus order.
std::vector<v1::Device> GpusFromSmi(const fs::path& program) {
  std::vector<v1::Device> gpus;
  if (!fs::exists(program)) return gpus;
  const auto text =
      OutputOf({program.string(), "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"},
               absl::Seconds(20));
  if (!text.ok()) return gpus;
  for (absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipWhitespace())) {
    const size_t comma = line.rfind(',');
    int64_t mebibytes = 0;
    if (comma == absl::string_view::npos || !absl::SimpleAtoi(line.substr(comma + 1), &mebibytes)) {
      continue;
    }
    gpus.push_back(
        Gpu(gpus.size(), absl::StripAsciiWhitespace(line.substr(0, comma)), mebibytes << 20));
  }
  return gpus;
}

// From the driver: a folder per GPU, named by its PCI address, with a file "information".
std::vector<v1::Device> GpusFromDriver(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  std::vector<v1::Device> gpus;
  for (const fs::path& entry : entries) {
    const auto text = ReadFile(entry / "information");
    if (text.ok()) gpus.push_back(Gpu(gpus.size(), ValueOf(*text, "Model"), 0));
  }
  return gpus;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> TrainableDevices(const fs::path& trainer) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string text,
                           OutputOf({trainer.string(), "devices"}, absl::Seconds(60)));
  return std::vector<std::string>(absl::StrSplit(text, '\n', absl::SkipWhitespace()));
}

absl::StatusOr<std::vector<v1::Device>> FindDevices(absl::string_view device,
                                                    const std::vector<std::string>& trainable,
                                                    const DeviceSources& sources) {
  if (device == "cpu") return std::vector<v1::Device>{Cpu(sources)};
  std::vector<v1::Device> gpus = GpusFromSmi(sources.nvidia_smi);
  if (gpus.empty()) gpus = GpusFromDriver(sources.nvidia_gpus);
  const size_t present = gpus.size();
  std::erase_if(gpus, [&](const v1::Device& gpu) {
    return std::find(trainable.begin(), trainable.end(), gpu.id()) == trainable.end();
  });
  if (device == "auto") {
    if (gpus.empty()) gpus.push_back(Cpu(sources));
    return gpus;
  }
  std::vector<std::string> usable = {"cpu"};
  for (const v1::Device& gpu : gpus) {
    if (gpu.id() == device) return std::vector<v1::Device>{gpu};
    usable.push_back(gpu.id());
  }
  return absl::NotFoundError(absl::StrCat("device is '", device, "'; this machine has ", present,
                                          " GPUs, and the trainer here can use ",
                                          absl::StrJoin(usable, ", ")));
}

}  // namespace quantry::agent
