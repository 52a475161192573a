#include "worker/engine/data/webdataset.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/data/path_policy.h"
#include "worker/engine/data/picture_codec.h"
#include "worker/engine/data/picture_file.h"
#include "worker/engine/data/random_access_file.h"
#include "worker/engine/data/selection.h"
#include "worker/engine/data/shard_names.h"
#include "worker/engine/data/tar_index.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxLabelBytes = 256;

struct Sample {
  const RandomAccessFile* shard;
  std::string key;
  int64_t offset;  // of the encoded picture
  int64_t bytes;
  int64_t label;
};

class WebDataset : public Dataset {
 public:
  // No classes: unlabelled.
  WebDataset(std::vector<std::unique_ptr<RandomAccessFile>> shards,
             std::vector<std::string> class_names, std::vector<Sample> samples)
      : kind_(class_names.empty() ? TargetKind::kNone : TargetKind::kClass),
        shards_(std::move(shards)),
        class_names_(std::move(class_names)),
        samples_(std::move(samples)) {}

  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::optional<int> native_size() const override { return std::nullopt; }
  bool mirrors_well() const override { return true; }
  TargetKind target_kind() const override { return kind_; }
  int64_t Label(int64_t index) const override { return samples_[index].label; }
  std::string Name(int64_t index) const override {
    const Sample& sample = samples_[index];
    return absl::StrCat(sample.shard->path().filename().string(), ":", sample.key);
  }

  absl::StatusOr<Picture> Get(int64_t index) const override {
    const Sample& sample = samples_[index];
    if (sample.bytes > kMaxPictureBytes) {
      return absl::DataLossError(absl::StrCat(Name(index), ": the picture has ", sample.bytes,
                                              " bytes; allowed: up to ", kMaxPictureBytes));
    }
    QUANTRY_ASSIGN_OR_RETURN(const std::string file,
                             sample.shard->Read(sample.offset, sample.bytes));
    absl::StatusOr<Picture> picture = DecodePicture(file, sample.label);
    if (!picture.ok()) return WithContext(picture.status(), Name(index));
    return picture;
  }

 private:
  const TargetKind kind_;
  const std::vector<std::unique_ptr<RandomAccessFile>> shards_;
  const std::vector<std::string> class_names_;
  const std::vector<Sample> samples_;
};

absl::StatusOr<std::vector<fs::path>> ShardsOf(const std::string& path, const PathPolicy& policy) {
  std::error_code error;
  std::vector<fs::path> shards;
  const absl::StatusOr<fs::path> folder = policy.Resolve(path);
  if (!folder.ok() && !absl::IsNotFound(folder.status())) return folder.status();
  if (!folder.ok() || !fs::is_directory(*folder, error)) {
    QUANTRY_ASSIGN_OR_RETURN(const std::vector<std::string> names, ExpandBraces(path));
    for (const std::string& name : names) {
      QUANTRY_ASSIGN_OR_RETURN(fs::path shard, policy.Resolve(name));
      shards.push_back(std::move(shard));
    }
    return shards;
  }
  for (fs::directory_iterator entries(*folder, error);
       !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const fs::path name = entries->path().filename();
    if (name.extension() != ".tar" || name.string().front() == '.') continue;
    QUANTRY_ASSIGN_OR_RETURN(fs::path shard, policy.Resolve(entries->path()));
    shards.push_back(std::move(shard));
  }
  if (error) return ErrnoToStatus(error.value(), absl::StrCat("cannot list ", path));
  std::sort(shards.begin(), shards.end());
  if (!shards.empty()) return shards;
  return absl::InvalidArgumentError(absl::StrCat(
      "folder ", path, " has no files *.tar; give a folder of shards, one shard, or a ",
      "range such as ", path, "/train-{000..127}.tar"));
}

// A member's name up to the first dot of the file name, and what follows in lower case.
std::pair<std::string, std::string> SplitName(const std::string& name) {
  const size_t slash = name.rfind('/');
  const size_t dot = name.find('.', slash == std::string::npos ? 0 : slash + 1);
  if (dot == std::string::npos) return {name, ""};
  return {name.substr(0, dot), absl::AsciiStrToLower(name.substr(dot + 1))};
}

// The parts of a sample that are used.
struct Parts {
  std::optional<TarMember> picture;
  std::optional<TarMember> label;
};

absl::Status BadSample(const RandomAccessFile& shard, const std::string& key, int64_t offset,
                       absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(shard.path().string(), ", offset ", offset, ": sample '", key, "' ", what));
}

// `labels` null: samples have none.
absl::Status AddSample(const RandomAccessFile& shard, const std::string& key, const Parts& parts,
                       std::vector<Sample>* samples, std::vector<std::string>* labels) {
  if (labels == nullptr) {
    if (!parts.picture) return absl::OkStatus();
    samples->push_back({&shard, key, parts.picture->offset, parts.picture->bytes, 0});
    return absl::OkStatus();
  }
  if (!parts.picture && !parts.label) return absl::OkStatus();
  const int64_t offset = (parts.picture ? parts.picture : parts.label)->offset;
  if (!parts.picture) return BadSample(shard, key, offset, "has no .jpg, .jpeg or .png");
  if (!parts.label) return BadSample(shard, key, offset, "has no .cls");
  if (parts.label->bytes > kMaxLabelBytes) {
    return BadSample(shard, key, parts.label->offset,
                     absl::StrCat("has a .cls of ", parts.label->bytes, " bytes; allowed: up to ",
                                  kMaxLabelBytes));
  }
  QUANTRY_ASSIGN_OR_RETURN(const std::string text,
                           shard.Read(parts.label->offset, parts.label->bytes));
  std::string label(absl::StripAsciiWhitespace(text));
  if (label.empty()) return BadSample(shard, key, parts.label->offset, "has an empty .cls");
  samples->push_back({&shard, key, parts.picture->offset, parts.picture->bytes, 0});
  labels->push_back(std::move(label));
  return absl::OkStatus();
}

absl::Status ReadShard(const RandomAccessFile& shard, std::vector<Sample>* samples,
                       std::vector<std::string>* labels) {
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<TarMember> members, IndexTar(shard));
  std::string key;
  Parts parts;
  for (const TarMember& member : members) {
    const auto [stem, extension] = SplitName(member.name);
    if (stem != key) {
      QUANTRY_RETURN_IF_ERROR(AddSample(shard, key, parts, samples, labels));
      key = stem;
      parts = {};
    }
    const bool is_picture = extension == "jpg" || extension == "jpeg" || extension == "png";
    if (!is_picture && extension != "cls") continue;
    std::optional<TarMember>& place = is_picture ? parts.picture : parts.label;
    if (place) return BadSample(shard, key, member.offset, "has two pictures or two .cls");
    place = member;
  }
  return AddSample(shard, key, parts, samples, labels);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> OpenWebDataset(const DatasetUri& uri,
                                                        const DatasetOptions& options) {
  const PathPolicy policy(options.allowed_roots);
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<fs::path> paths, ShardsOf(uri.path(), policy));
  std::vector<std::unique_ptr<RandomAccessFile>> shards;
  std::vector<Sample> samples;
  std::vector<std::string> labels;
  const bool labelled = uri.Text("task") != "none";
  for (const fs::path& path : paths) {
    QUANTRY_ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> shard, RandomAccessFile::Open(path));
    QUANTRY_RETURN_IF_ERROR(ReadShard(*shard, &samples, labelled ? &labels : nullptr));
    shards.push_back(std::move(shard));
  }
  if (samples.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(uri.path(), " has no samples: KEY.jpg (.jpeg, .png) with KEY.cls after it"));
  }
  std::vector<std::string> classes = ClassesOf(labels);
  std::map<absl::string_view, int64_t> index;
  for (const std::string& name : classes) index.emplace(name, index.size());
  for (size_t i = 0; i < labels.size(); ++i) samples[i].label = index.at(labels[i]);
  return Select(
      std::make_unique<WebDataset>(std::move(shards), std::move(classes), std::move(samples)), uri,
      options, HoldOutOf(uri));
}

}  // namespace quantry::engine
