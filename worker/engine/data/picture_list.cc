#include "worker/engine/data/picture_list.h"

#include <utility>

#include "worker/engine/data/picture_file.h"

namespace quantry::engine {
namespace {

class ListedPictures : public Dataset {
 public:
  explicit ListedPictures(PictureList list) : list_(std::move(list)) {}

  int64_t size() const override { return static_cast<int64_t>(list_.entries.size()); }
  std::string Name(int64_t index) const override { return list_.entries[index].name; }
  TargetKind target_kind() const override { return list_.kind; }
  const std::vector<std::string>& class_names() const override { return list_.class_names; }
  int64_t Label(int64_t index) const override { return list_.entries[index].label; }
  absl::Span<const float> Targets(int64_t index) const override {
    if (list_.targets.empty()) return {};
    const size_t width = list_.class_names.size();
    return absl::MakeConstSpan(list_.targets).subspan(index * width, width);
  }
  std::optional<int> native_size() const override { return std::nullopt; }
  bool mirrors_well() const override { return true; }

  absl::StatusOr<Picture> Get(int64_t index) const override {
    const PictureList::Entry& entry = list_.entries[index];
    return ReadPictureFile(entry.path, entry.name, entry.label);
  }

 private:
  const PictureList list_;
};

}  // namespace

std::unique_ptr<Dataset> MakePictureDataset(PictureList list) {
  return std::make_unique<ListedPictures>(std::move(list));
}

}  // namespace quantry::engine
