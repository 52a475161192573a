#include "worker/engine/data/stored_array.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/files.h"
#include "common/safetensors.h"
#include "common/status_macros.h"
#include "worker/engine/data/npy_header.h"
#include "worker/engine/data/zip_index.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;
using File = std::shared_ptr<const RandomAccessFile>;

constexpr int64_t kMaxInflatedBytes = int64_t{4} << 30;

absl::StatusOr<StoredArray> FromHeader(std::string name, const NpyHeader& header,
                                       int64_t available) {
  if (header.data_bytes > available - header.data_offset) {
    return absl::InvalidArgumentError(
        absl::StrCat("array '", name, "' has ", header.data_bytes, " bytes of data, but only ",
                     available - header.data_offset, " follow its header; write the file again"));
  }
  StoredArray array;
  array.name = std::move(name);
  array.dtype = header.dtype;
  array.shape = header.shape;
  array.offset = header.data_offset;
  return array;
}

absl::StatusOr<std::vector<StoredArray>> OpenNpy(const File& file) {
  const int64_t head_bytes = std::min(file->size(), kMaxNpyHeaderBytes);
  QUANTRY_ASSIGN_OR_RETURN(const std::string head, file->Read(0, head_bytes));
  QUANTRY_ASSIGN_OR_RETURN(const NpyHeader header, ParseNpyHeader(head));
  QUANTRY_ASSIGN_OR_RETURN(StoredArray array,
                           FromHeader(file->path().stem().string(), header, file->size()));
  array.file = file;
  return std::vector<StoredArray>{std::move(array)};
}

absl::StatusOr<StoredArray> OpenMember(const File& file, const ZipMember& member) {
  std::string name(absl::StripSuffix(member.name, ".npy"));
  if (!member.deflated) {
    const int64_t head_bytes = std::min(member.content_bytes, kMaxNpyHeaderBytes);
    QUANTRY_ASSIGN_OR_RETURN(const std::string head, file->Read(member.offset, head_bytes));
    QUANTRY_ASSIGN_OR_RETURN(const NpyHeader header, ParseNpyHeader(head));
    QUANTRY_ASSIGN_OR_RETURN(StoredArray array,
                             FromHeader(std::move(name), header, member.content_bytes));
    array.file = file;
    array.offset += member.offset;
    return array;
  }
  QUANTRY_ASSIGN_OR_RETURN(std::string content, InflateMember(*file, member, kMaxInflatedBytes));
  QUANTRY_ASSIGN_OR_RETURN(const NpyHeader header, ParseNpyHeader(content));
  QUANTRY_ASSIGN_OR_RETURN(StoredArray array,
                           FromHeader(std::move(name), header, member.content_bytes));
  array.memory = std::make_shared<const std::string>(std::move(content));
  return array;
}

absl::StatusOr<std::vector<StoredArray>> OpenNpz(const File& file) {
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<ZipMember> members, IndexZip(*file));
  std::vector<StoredArray> arrays;
  for (const ZipMember& member : members) {
    if (!absl::EndsWith(member.name, ".npy")) {
      return absl::InvalidArgumentError(
          absl::StrCat("member '", member.name, "' is no array; store .npy files only"));
    }
    absl::StatusOr<StoredArray> array = OpenMember(file, member);
    if (!array.ok()) return WithContext(array.status(), member.name);
    arrays.push_back(*std::move(array));
  }
  return arrays;
}

struct TypeName {
  absl::string_view name;
  c10::ScalarType dtype;
};
constexpr TypeName kSafetensorsTypes[] = {
    {"BOOL", c10::ScalarType::Bool}, {"U8", c10::ScalarType::Byte},
    {"I8", c10::ScalarType::Char},   {"I16", c10::ScalarType::Short},
    {"I32", c10::ScalarType::Int},   {"I64", c10::ScalarType::Long},
    {"F16", c10::ScalarType::Half},  {"BF16", c10::ScalarType::BFloat16},
    {"F32", c10::ScalarType::Float}, {"F64", c10::ScalarType::Double},
};

// A file's bytes as they lie in the page cache. Only the header is ever touched through it: data is
// read by pread, which a file that becomes shorter can't turn into a signal.
class Mapping {
 public:
  explicit Mapping(const RandomAccessFile& file) : size_(static_cast<size_t>(file.size())) {
    const int fd = open(file.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || size_ == 0) return;
    address_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
  }
  ~Mapping() {
    if (ok()) munmap(address_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  bool ok() const { return address_ != MAP_FAILED; }
  absl::string_view bytes() const { return {static_cast<const char*>(address_), size_}; }

 private:
  const size_t size_;
  void* address_ = MAP_FAILED;
};

absl::StatusOr<std::vector<StoredArray>> OpenSafetensors(const File& file) {
  const Mapping mapping(*file);
  if (!mapping.ok()) return absl::InvalidArgumentError("the file can't be mapped, or is empty");
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<SafetensorsEntry> entries,
                           ParseSafetensors(mapping.bytes()));
  std::vector<StoredArray> arrays;
  for (const SafetensorsEntry& entry : entries) {
    const auto* type = std::find_if(std::begin(kSafetensorsTypes), std::end(kSafetensorsTypes),
                                    [&](const TypeName& t) { return t.name == entry.dtype; });
    if (type == std::end(kSafetensorsTypes)) {
      return absl::InvalidArgumentError(absl::StrCat("array '", entry.name, "' is of type ",
                                                     entry.dtype, ", which LibTorch lacks"));
    }
    StoredArray array;
    array.name = entry.name;
    array.dtype = type->dtype;
    array.shape = entry.shape;
    array.file = file;
    array.offset = entry.bytes.data() - mapping.bytes().data();
    arrays.push_back(std::move(array));
  }
  return arrays;
}

// One kind of file. A new one: a function and a line.
struct Format {
  absl::string_view ending;
  absl::StatusOr<std::vector<StoredArray>> (*open)(const File& file);
};
constexpr Format kFormats[] = {
    {".npy", OpenNpy}, {".npz", OpenNpz}, {".safetensors", OpenSafetensors}};

absl::StatusOr<std::vector<StoredArray>> OpenOne(const fs::path& path) {
  for (const Format& format : kFormats) {
    if (path.extension() != std::string(format.ending)) continue;
    QUANTRY_ASSIGN_OR_RETURN(File file, RandomAccessFile::Open(path));
    absl::StatusOr<std::vector<StoredArray>> arrays = format.open(file);
    if (!arrays.ok()) return WithContext(arrays.status(), path.string());
    return arrays;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(path.string(),
                   " is no file of arrays; allowed: .npy, .npz, .safetensors, or a "
                   "folder of .npy files"));
}

absl::StatusOr<std::vector<fs::path>> NpyFilesOf(const fs::path& folder, const PathPolicy& policy) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator entries(folder, error); !error && entries != fs::directory_iterator();
       entries.increment(error)) {
    const fs::path name = entries->path().filename();
    if (name.extension() != ".npy" || name.string().front() == '.') continue;
    // The array is named after the link, if it is one.
    QUANTRY_RETURN_IF_ERROR(policy.Resolve(entries->path()).status());
    paths.push_back(entries->path());
  }
  if (error) return ErrnoToStatus(error.value(), absl::StrCat("cannot list ", folder.string()));
  if (!paths.empty()) return paths;
  return absl::InvalidArgumentError(absl::StrCat("folder ", folder.string(), " has no files .npy"));
}

}  // namespace

int64_t StoredArray::row_bytes() const {
  auto bytes = static_cast<int64_t>(c10::elementSize(dtype));
  for (size_t i = 1; i < shape.size(); ++i) bytes *= shape[i];
  return bytes;
}

absl::Status StoredArray::Read(int64_t first, int64_t count, char* out) const {
  const int64_t begin = offset + first * row_bytes();
  const int64_t bytes = count * row_bytes();
  if (memory == nullptr) return file->ReadInto(begin, bytes, out);
  std::memcpy(out, memory->data() + begin, static_cast<size_t>(bytes));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<StoredArray>> OpenArrayFiles(const fs::path& path,
                                                        const PathPolicy& policy) {
  QUANTRY_ASSIGN_OR_RETURN(const fs::path real, policy.Resolve(path));
  std::error_code error;
  std::vector<fs::path> paths = {real};
  if (fs::is_directory(real, error)) {
    QUANTRY_ASSIGN_OR_RETURN(paths, NpyFilesOf(real, policy));
  }
  std::vector<StoredArray> arrays;
  for (const fs::path& each : paths) {
    QUANTRY_ASSIGN_OR_RETURN(std::vector<StoredArray> found, OpenOne(each));
    for (StoredArray& array : found) arrays.push_back(std::move(array));
  }
  std::sort(arrays.begin(), arrays.end(),
            [](const StoredArray& a, const StoredArray& b) { return a.name < b.name; });
  return arrays;
}

}  // namespace quantry::engine
