#ifndef QUANTRY_WORKER_ENGINE_DATA_PICTURE_LIST_H_
#define QUANTRY_WORKER_ENGINE_DATA_PICTURE_LIST_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "worker/engine/data/dataset.h"

namespace quantry::engine {

// Picture files, one by one, and what each is labelled with.
struct PictureList {
  struct Entry {
    std::string name;  // for people, and of the hashes of Select
    std::filesystem::path path;
    int64_t label = 0;  // kClass
  };

  TargetKind kind = TargetKind::kClass;
  std::vector<std::string> class_names;  // of classes, labels or values
  std::vector<Entry> entries;            // at least one
  std::vector<float> targets;            // kMultiLabel, kValues: class_names.size() per entry
};

// The pictures of the list as a dataset: files are read and decoded when asked for.
std::unique_ptr<Dataset> MakePictureDataset(PictureList list);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_PICTURE_LIST_H_
