#include "worker/engine/data/cached_dataset.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"

namespace quantry::engine {

CachedDataset::CachedDataset(std::unique_ptr<Dataset> source)
    : source_(std::move(source)),
      picture_bytes_(int64_t{3} * *source_->native_size() * *source_->native_size()),
      pixels_(std::make_unique_for_overwrite<uint8_t[]>(picture_bytes_ * source_->size())),
      states_(source_->size()) {}

absl::StatusOr<Picture> CachedDataset::Get(int64_t index) const {
  uint8_t* const slot = &pixels_[index * picture_bytes_];
  std::atomic<State>& state = states_[index];
  if (state.load(std::memory_order_acquire) == kFull) {
    return Picture{.width = *native_size(),
                   .height = *native_size(),
                   .rgb = std::vector<uint8_t>(slot, slot + picture_bytes_),
                   .label = Label(index)};
  }
  QUANTRY_ASSIGN_OR_RETURN(Picture picture, source_->Get(index));
  State expected = kEmpty;
  if (state.compare_exchange_strong(expected, kFilling, std::memory_order_acquire)) {
    std::copy(picture.rgb.begin(), picture.rgb.end(), slot);
    state.store(kFull, std::memory_order_release);
  }
  return picture;
}

}  // namespace quantry::engine
