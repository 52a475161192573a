#include "worker/engine/data/mnist_dataset.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/data/idx_file.h"
#include "worker/engine/data/path_policy.h"
#include "worker/engine/data/selection.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxSide = 4096;

class Mnist : public Dataset {
 public:
  Mnist(IdxArray images, std::string labels, std::vector<std::string> class_names,
        std::string split)
      : height_(images.shape[1]),
        width_(images.shape[2]),
        pixels_(std::move(images.values)),
        labels_(std::move(labels)),
        class_names_(std::move(class_names)),
        split_(std::move(split)) {}

  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::optional<int> native_size() const override {
    return height_ == width_ ? std::optional<int>(static_cast<int>(width_)) : std::nullopt;
  }
  bool mirrors_well() const override { return false; }
  int64_t Label(int64_t index) const override { return static_cast<uint8_t>(labels_[index]); }
  std::string Name(int64_t index) const override { return absl::StrCat(split_, " ", index); }

  absl::StatusOr<Picture> Get(int64_t index) const override {
    Picture picture{.width = static_cast<int>(width_),
                    .height = static_cast<int>(height_),
                    .rgb = {},
                    .label = Label(index)};
    const int64_t count = height_ * width_;
    picture.rgb.reserve(3 * count);
    for (int64_t i = 0; i < count; ++i) {
      picture.rgb.insert(picture.rgb.end(), 3, static_cast<uint8_t>(pixels_[index * count + i]));
    }
    return picture;
  }

 private:
  const int64_t height_;
  const int64_t width_;
  const std::string pixels_;
  const std::string labels_;
  const std::vector<std::string> class_names_;
  const std::string split_;
};

// The file of that name, compressed or not; some unpackers write a dot for the second hyphen.
absl::StatusOr<fs::path> FindFile(const fs::path& folder, absl::string_view stem,
                                  absl::string_view suffix, const PathPolicy& policy) {
  for (const absl::string_view separator : {"-", "."}) {
    for (const absl::string_view ending : {"", ".gz"}) {
      const fs::path path = folder / absl::StrCat(stem, separator, suffix, ending);
      absl::StatusOr<fs::path> real = policy.Resolve(path);
      if (real.ok() || !absl::IsNotFound(real.status())) return real;
    }
  }
  return absl::NotFoundError(absl::StrCat("folder ", folder.string(), " has no ", stem, "-", suffix,
                                          " or ", stem, "-", suffix, ".gz"));
}

absl::StatusOr<std::string> ReadLabels(const fs::path& folder, absl::string_view split,
                                       const PathPolicy& policy) {
  QUANTRY_ASSIGN_OR_RETURN(const fs::path path,
                           FindFile(folder, absl::StrCat(split, "-labels"), "idx1-ubyte", policy));
  QUANTRY_ASSIGN_OR_RETURN(IdxArray labels, ReadIdx(path, 1));
  return std::move(labels.values);
}

// "0" to the largest label of the training set, which both splits use.
absl::StatusOr<std::vector<std::string>> ClassNames(const std::string& train,
                                                    const std::string& labels,
                                                    const fs::path& folder) {
  std::vector<std::string> names;
  const int largest = *std::max_element(train.begin(), train.end(), [](char a, char b) {
    return static_cast<uint8_t>(a) < static_cast<uint8_t>(b);
  }) & 0xff;
  for (int i = 0; i <= largest; ++i) names.push_back(absl::StrCat(i));
  for (size_t i = 0; i < labels.size(); ++i) {
    if (static_cast<uint8_t>(labels[i]) <= largest) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        folder.string(), ": evaluation label ", i, " is ", static_cast<uint8_t>(labels[i]),
        ", but the training labels end at ", largest, "; the files do not belong together"));
  }
  return names;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> OpenMnist(const DatasetUri& uri,
                                                   const DatasetOptions& options) {
  const PathPolicy policy(options.allowed_roots);
  QUANTRY_ASSIGN_OR_RETURN(const fs::path folder, policy.Resolve(uri.path()));
  const std::string split = options.split == Split::kTrain ? "train" : "t10k";
  QUANTRY_ASSIGN_OR_RETURN(const std::string train, ReadLabels(folder, "train", policy));
  QUANTRY_ASSIGN_OR_RETURN(std::string labels, ReadLabels(folder, split, policy));
  QUANTRY_ASSIGN_OR_RETURN(std::vector<std::string> names, ClassNames(train, labels, folder));
  QUANTRY_ASSIGN_OR_RETURN(const fs::path path,
                           FindFile(folder, absl::StrCat(split, "-images"), "idx3-ubyte", policy));
  QUANTRY_ASSIGN_OR_RETURN(IdxArray images, ReadIdx(path, 3));
  if (images.shape[0] != static_cast<int64_t>(labels.size()) || images.shape[1] > kMaxSide ||
      images.shape[2] > kMaxSide) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), " holds ", images.shape[0], " pictures of ", images.shape[1],
                     " x ", images.shape[2], " pixels; allowed: ", labels.size(),
                     ", one per label, of up to ", kMaxSide, " x ", kMaxSide));
  }
  return Select(
      std::make_unique<Mnist>(std::move(images), std::move(labels), std::move(names), split), uri,
      options, HoldOut::kNone);
}

}  // namespace quantry::engine
