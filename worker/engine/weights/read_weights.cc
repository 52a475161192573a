#include "worker/engine/weights/read_weights.h"

#include <cerrno>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/files.h"
#include "common/safetensors.h"
#include "common/status_macros.h"
#include "worker/engine/script/import_script.h"

namespace quantry::engine {
namespace {

// Bytes from a file's start that tell its kind.
constexpr size_t kHeadBytes = 16;

// An ONNX file starts with the tag of a field of ModelProto: ir_version, or, from writers that put
// fields in another order, a string, the graph or an operator set.
bool LooksLikeOnnx(absl::string_view head) {
  return !head.empty() && absl::StrContains("\x08\x12\x1a\x22\x32\x3a\x42", head.substr(0, 1));
}

struct WeightsFormat {
  absl::string_view name;
  bool (*looks_like)(absl::string_view head);
  absl::StatusOr<WeightMap> (*read)(const std::filesystem::path& path);
};

// A new kind: its file and a line. The first that fits is taken.
constexpr WeightsFormat kFormats[] = {
    {"safetensors", LooksLikeSafetensors, ReadSafetensorsWeights},
    {"ONNX", LooksLikeOnnx, ReadOnnxWeights},
    {"TorchScript", LooksLikeTorchScript, ReadTorchScriptWeights},
};

absl::StatusOr<std::string> ReadHead(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return ErrnoToStatus(errno, absl::StrCat("cannot open ", path.string()));
  std::string head(kHeadBytes, '\0');
  stream.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(stream.gcount()));
  return head;
}

}  // namespace

absl::StatusOr<WeightMap> ReadWeightsFile(const std::filesystem::path& path) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string head, ReadHead(path));
  for (const WeightsFormat& format : kFormats) {
    if (!format.looks_like(head)) continue;
    absl::StatusOr<WeightMap> weights = format.read(path);
    if (weights.ok()) return weights;
    return WithContext(weights.status(), absl::StrCat("weights (", format.name, ")"));
  }
  const std::string kinds = absl::StrJoin(
      kFormats, ", ",
      [](std::string* out, const WeightsFormat& format) { absl::StrAppend(out, format.name); });
  return absl::InvalidArgumentError(
      absl::StrCat("weights: the file's kind is unknown; allowed: ", kinds));
}

}  // namespace quantry::engine
