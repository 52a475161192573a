#include "worker/engine/data/cifar_dataset.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/data/path_policy.h"
#include "worker/engine/data/random_access_file.h"
#include "worker/engine/data/selection.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;

constexpr int kSide = 32;
constexpr int64_t kPlane = kSide * kSide;
constexpr int64_t kPixels = 3 * kPlane;
constexpr int64_t kRecordsPerRead = 1024;
constexpr int64_t kMaxNamesBytes = 65536;

// How one of the two sets, with one of its labels, is laid out.
struct Layout {
  int64_t label_bytes;   // in front of the pixels
  int64_t label_offset;  // of the label that is used
  size_t num_classes;
  const char* names_file;  // beside the data, a class per line; may be missing
};

struct Record {
  const RandomAccessFile* file;
  int64_t offset;  // of the pixels
  int64_t label;
};

class Cifar : public Dataset {
 public:
  Cifar(std::vector<std::unique_ptr<RandomAccessFile>> files, std::vector<std::string> class_names,
        std::vector<Record> records)
      : files_(std::move(files)),
        class_names_(std::move(class_names)),
        records_(std::move(records)) {}

  int64_t size() const override { return static_cast<int64_t>(records_.size()); }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::optional<int> native_size() const override { return kSide; }
  bool mirrors_well() const override { return true; }
  int64_t Label(int64_t index) const override { return records_[index].label; }

  std::string Name(int64_t index) const override {
    const Record& record = records_[index];
    return absl::StrCat(record.file->path().filename().string(), " ", record.offset / kPixels);
  }

  absl::StatusOr<Picture> Get(int64_t index) const override {
    const Record& record = records_[index];
    QUANTRY_ASSIGN_OR_RETURN(const std::string planes, record.file->Read(record.offset, kPixels));
    Picture picture{.width = kSide, .height = kSide, .rgb = {}, .label = record.label};
    picture.rgb.resize(kPixels);
    for (int64_t i = 0; i < kPixels; ++i) {
      picture.rgb[3 * (i % kPlane) + i / kPlane] = static_cast<uint8_t>(planes[i]);
    }
    return picture;
  }

 private:
  const std::vector<std::unique_ptr<RandomAccessFile>> files_;
  const std::vector<std::string> class_names_;
  const std::vector<Record> records_;
};

absl::StatusOr<std::vector<fs::path>> FilesOf(const fs::path& folder, bool is_cifar10,
                                              Split split) {
  const absl::string_view prefix = is_cifar10
                                       ? (split == Split::kTrain ? "data_batch_" : "test_batch")
                                       : (split == Split::kTrain ? "train" : "test");
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entries(folder, error); !error && entries != fs::directory_iterator();
       entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    const bool whole = split == Split::kVal || !is_cifar10;
    if (whole ? name == absl::StrCat(prefix, ".bin")
              : absl::StartsWith(name, prefix) && absl::EndsWith(name, ".bin")) {
      files.push_back(entries->path());
    }
  }
  if (error) return ErrnoToStatus(error.value(), absl::StrCat("cannot list ", folder.string()));
  if (files.empty()) {
    return absl::NotFoundError(absl::StrCat(
        "folder ", folder.string(), " has no ", prefix,
        is_cifar10 && split == Split::kTrain ? "N" : "",
        ".bin; give the folder of the unpacked binary version of CIFAR-", is_cifar10 ? 10 : 100));
  }
  std::sort(files.begin(), files.end());
  return files;
}

absl::Status ReadLabels(const RandomAccessFile& file, const Layout& layout,
                        std::vector<Record>* records) {
  const int64_t bytes = layout.label_bytes + kPixels;
  const int64_t count = file.size() / bytes;
  if (count == 0 || file.size() % bytes != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        file.path().string(), " has ", file.size(), " bytes, not a whole number of records of ",
        bytes, "; what is left begins at offset ", count * bytes, "; download the file again"));
  }
  for (int64_t first = 0; first < count; first += kRecordsPerRead) {
    const int64_t here = std::min(kRecordsPerRead, count - first);
    QUANTRY_ASSIGN_OR_RETURN(const std::string chunk, file.Read(first * bytes, here * bytes));
    for (int64_t i = 0; i < here; ++i) {
      const auto label = static_cast<uint8_t>(chunk[i * bytes + layout.label_offset]);
      const int64_t offset = (first + i) * bytes;
      if (label >= layout.num_classes) {
        return absl::InvalidArgumentError(absl::StrCat(
            file.path().string(), ": the label at offset ", offset + layout.label_offset, " is ",
            label, "; allowed: 0 to ", layout.num_classes - 1, "; is it the right scheme?"));
      }
      records->push_back({&file, offset + layout.label_bytes, label});
    }
  }
  return absl::OkStatus();
}

// The classes as the file beside the data calls them; their numbers where there is none.
absl::StatusOr<std::vector<std::string>> ClassNames(const fs::path& folder, const Layout& layout,
                                                    const PathPolicy& policy) {
  std::vector<std::string> names;
  const absl::StatusOr<fs::path> path = policy.Resolve(folder / layout.names_file);
  if (absl::IsNotFound(path.status())) {
    for (size_t i = 0; i < layout.num_classes; ++i) names.push_back(absl::StrCat(i));
    return names;
  }
  QUANTRY_RETURN_IF_ERROR(path.status());
  QUANTRY_ASSIGN_OR_RETURN(const std::string text, ReadFile(*path, kMaxNamesBytes));
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const absl::string_view name = absl::StripAsciiWhitespace(line);
    if (!name.empty()) names.emplace_back(name);
  }
  if (names.size() == layout.num_classes) return names;
  return absl::InvalidArgumentError(absl::StrCat(path->string(), " names ", names.size(),
                                                 " classes; allowed: ", layout.num_classes,
                                                 ", one per line; repair or remove the file"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> OpenCifar(const DatasetUri& uri,
                                                   const DatasetOptions& options) {
  const bool is_cifar10 = uri.scheme().name == "cifar10";
  Layout layout{1, 0, 10, "batches.meta.txt"};
  if (!is_cifar10) {
    layout = uri.Text("labels") == "fine" ? Layout{2, 1, 100, "fine_label_names.txt"}
                                          : Layout{2, 0, 20, "coarse_label_names.txt"};
  }
  const PathPolicy policy(options.allowed_roots);
  QUANTRY_ASSIGN_OR_RETURN(const fs::path folder, policy.Resolve(uri.path()));
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<fs::path> paths,
                           FilesOf(folder, is_cifar10, options.split));
  QUANTRY_ASSIGN_OR_RETURN(std::vector<std::string> names, ClassNames(folder, layout, policy));
  std::vector<std::unique_ptr<RandomAccessFile>> files;
  std::vector<Record> records;
  for (const fs::path& path : paths) {
    QUANTRY_ASSIGN_OR_RETURN(const fs::path real, policy.Resolve(path));
    QUANTRY_ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> file, RandomAccessFile::Open(real));
    QUANTRY_RETURN_IF_ERROR(ReadLabels(*file, layout, &records));
    files.push_back(std::move(file));
  }
  return Select(std::make_unique<Cifar>(std::move(files), std::move(names), std::move(records)),
                uri, options, HoldOut::kNone);
}

}  // namespace quantry::engine
