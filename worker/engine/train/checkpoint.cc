#include "worker/engine/train/checkpoint.h"

#include <ATen/ATen.h>

#include <bit>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"

namespace quantry::engine {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr absl::string_view kMagic = "QNTRYCKP";
constexpr uint32_t kVersion = 2;
constexpr size_t kPrefixSize = 16;  // magic, version, header length
constexpr size_t kDigestSize = 64;

using Json = nlohmann::json;

// Names of the element types that a checkpoint can hold; fixed, as they are stored.
struct DtypeName {
  at::ScalarType dtype;
  absl::string_view name;
};
constexpr DtypeName kDtypes[] = {
    {at::kFloat, "float32"}, {at::kDouble, "float64"}, {at::kLong, "int64"}, {at::kInt, "int32"},
    {at::kChar, "int8"},     {at::kByte, "uint8"},     {at::kBool, "bool"},
};

absl::StatusOr<std::string> NameOf(at::ScalarType dtype) {
  for (const DtypeName& entry : kDtypes) {
    if (entry.dtype == dtype) return std::string(entry.name);
  }
  return absl::UnimplementedError(
      absl::StrCat("a checkpoint can't hold tensors of type ", c10::toString(dtype)));
}

absl::StatusOr<at::ScalarType> DtypeOf(absl::string_view name) {
  for (const DtypeName& entry : kDtypes) {
    if (entry.name == name) return entry.dtype;
  }
  return absl::DataLossError(absl::StrCat("unknown tensor type '", name, "'"));
}

std::string Shape(const at::Tensor& tensor) {
  return absl::StrCat(c10::toString(tensor.scalar_type()), "[", absl::StrJoin(tensor.sizes(), ","),
                      "]");
}

// Appends the tensors' bytes to `data` and describes them.
absl::StatusOr<Json> Pack(const std::vector<NamedTensor>& tensors, std::string& data) {
  Json list = Json::array();
  for (const NamedTensor& named : tensors) {
    const at::Tensor tensor =
        named.tensor.detach().to(at::kCPU).contiguous(at::MemoryFormat::Contiguous);
    QUANTRY_ASSIGN_OR_RETURN(const std::string dtype, NameOf(tensor.scalar_type()));
    list.push_back({{"name", named.name},
                    {"dtype", dtype},
                    {"shape", tensor.sizes().vec()},
                    {"offset", data.size()}});
    if (tensor.nbytes() == 0) continue;  // an empty tensor has no address
    data.append(static_cast<const char*>(tensor.data_ptr()), tensor.nbytes());
  }
  return list;
}

absl::StatusOr<std::vector<NamedTensor>> Unpack(const Json& list, absl::string_view data) {
  std::vector<NamedTensor> tensors;
  for (const Json& entry : list) {
    const std::string name = entry.at("name").get<std::string>();
    QUANTRY_ASSIGN_OR_RETURN(const at::ScalarType dtype,
                             DtypeOf(entry.at("dtype").get<std::string>()));
    at::Tensor tensor = at::empty(entry.at("shape").get<std::vector<int64_t>>(), dtype);
    const size_t offset = entry.at("offset").get<size_t>();
    if (offset > data.size() || tensor.nbytes() > data.size() - offset) {
      return absl::DataLossError(absl::StrCat("tensor '", name, "' lies outside the file"));
    }
    if (tensor.nbytes() > 0) {
      std::memcpy(tensor.data_ptr(), data.data() + offset, tensor.nbytes());
    }
    tensors.push_back({name, std::move(tensor)});
  }
  return tensors;
}

void AppendUint32(std::string& out, uint32_t value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

uint32_t ReadUint32(absl::string_view bytes, size_t offset) {
  uint32_t value = 0;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

// The lists of tensors and their keys in the header.
struct TensorList {
  const char* key;
  std::vector<NamedTensor> Checkpoint::*list;
};
constexpr TensorList kTensorLists[] = {{"state", &Checkpoint::state},
                                       {"optimizer", &Checkpoint::optimizer},
                                       {"gradients", &Checkpoint::gradients},
                                       {"averages", &Checkpoint::averages},
                                       {"best", &Checkpoint::best}};

absl::StatusOr<Checkpoint> FromHeader(const Json& header, absl::string_view data) {
  Checkpoint checkpoint;
  checkpoint.identity = header.at("identity").get<std::map<std::string, std::string>>();
  checkpoint.notes = header.value("notes", std::map<std::string, std::string>());
  checkpoint.steps_done = header.at("steps_done").get<int64_t>();
  checkpoint.steps_per_epoch = header.at("steps_per_epoch").get<int64_t>();
  checkpoint.train_seconds = header.at("train_seconds").get<double>();
  for (const auto& [key, list] : kTensorLists) {
    QUANTRY_ASSIGN_OR_RETURN(checkpoint.*list, Unpack(header.at(key), data));
  }
  return checkpoint;
}

}  // namespace

absl::StatusOr<std::string> SerializeCheckpoint(const Checkpoint& checkpoint) {
  std::string data;
  Json header = {{"identity", checkpoint.identity},
                 {"notes", checkpoint.notes},
                 {"steps_done", checkpoint.steps_done},
                 {"steps_per_epoch", checkpoint.steps_per_epoch},
                 {"train_seconds", checkpoint.train_seconds}};
  for (const auto& [key, list] : kTensorLists) {
    QUANTRY_ASSIGN_OR_RETURN(header[key], Pack(checkpoint.*list, data));
  }
  const std::string text = header.dump();
  std::string bytes(kMagic);
  AppendUint32(bytes, kVersion);
  AppendUint32(bytes, static_cast<uint32_t>(text.size()));
  bytes.append(text).append(data);
  bytes.append(Sha256Hex(bytes));
  return bytes;
}

absl::StatusOr<Checkpoint> ParseCheckpoint(absl::string_view bytes) {
  if (bytes.size() < kPrefixSize + kDigestSize || bytes.substr(0, kMagic.size()) != kMagic) {
    return absl::DataLossError("this is no checkpoint");
  }
  const uint32_t version = ReadUint32(bytes, kMagic.size());
  if (version != kVersion) {
    return absl::FailedPreconditionError(absl::StrCat("the checkpoint has format version ", version,
                                                      ", this program reads ", kVersion));
  }
  const absl::string_view content = bytes.substr(0, bytes.size() - kDigestSize);
  if (Sha256Hex(content) != bytes.substr(content.size())) {
    return absl::DataLossError("the checkpoint is damaged: its SHA-256 does not fit");
  }
  const size_t header_size = ReadUint32(bytes, kMagic.size() + sizeof(uint32_t));
  if (header_size > content.size() - kPrefixSize) {
    return absl::DataLossError("the checkpoint's header is longer than the file");
  }
  try {
    const Json header = Json::parse(content.substr(kPrefixSize, header_size));
    return FromHeader(header, content.substr(kPrefixSize + header_size));
  } catch (const std::exception& error) {
    return absl::DataLossError(absl::StrCat("the checkpoint's header is wrong: ", error.what()));
  }
}

absl::Status WriteCheckpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string bytes, SerializeCheckpoint(checkpoint));
  return WriteFileAtomically(path, bytes);
}

absl::StatusOr<Checkpoint> ReadCheckpoint(const std::filesystem::path& path) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, int64_t{64} << 30));
  absl::StatusOr<Checkpoint> checkpoint = ParseCheckpoint(bytes);
  if (!checkpoint.ok()) return WithContext(checkpoint.status(), path.string());
  return checkpoint;
}

absl::Status CheckIdentity(const std::map<std::string, std::string>& checkpoint,
                           const std::map<std::string, std::string>& run) {
  std::set<std::string> keys;
  for (const auto& [key, value] : checkpoint) keys.insert(key);
  for (const auto& [key, value] : run) keys.insert(key);
  for (const std::string& key : keys) {
    const auto theirs = checkpoint.find(key);
    const auto ours = run.find(key);
    const std::string was = theirs == checkpoint.end() ? "absent" : theirs->second;
    const std::string is = ours == run.end() ? "absent" : ours->second;
    if (was == is) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("the checkpoint belongs to another run: ", key, " was ", was, ", here it is ",
                     is, "; use another output folder or the same settings"));
  }
  return absl::OkStatus();
}

absl::Status RestoreTensors(const std::vector<NamedTensor>& from,
                            const std::vector<NamedTensor>& to) {
  std::map<std::string, at::Tensor> sources;
  for (const NamedTensor& source : from) sources[source.name] = source.tensor;
  for (const NamedTensor& target : to) {
    const auto source = sources.find(target.name);
    if (source == sources.end()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the checkpoint lacks tensor '", target.name, "'"));
    }
    if (Shape(source->second) != Shape(target.tensor)) {
      return absl::FailedPreconditionError(
          absl::StrCat("tensor '", target.name, "' is ", Shape(source->second),
                       " in the checkpoint and ", Shape(target.tensor), " in the model"));
    }
  }
  if (sources.size() != to.size()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the checkpoint has ", sources.size(), " tensors, the model ", to.size()));
  }
  const at::NoGradGuard no_grad;
  for (const NamedTensor& target : to) {
    at::Tensor destination = target.tensor;
    destination.copy_(sources[target.name]);
  }
  return absl::OkStatus();
}

}  // namespace quantry::engine
