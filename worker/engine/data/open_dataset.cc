#include "worker/engine/data/open_dataset.h"

#include "absl/strings/str_cat.h"
#include "common/dataset_uri.h"
#include "common/status_macros.h"
#include "worker/engine/data/arrays_dataset.h"
#include "worker/engine/data/cifar_dataset.h"
#include "worker/engine/data/csv_dataset.h"
#include "worker/engine/data/glyph_dataset.h"
#include "worker/engine/data/image_folder.h"
#include "worker/engine/data/mnist_dataset.h"
#include "worker/engine/data/open_remote.h"
#include "worker/engine/data/webdataset.h"

namespace quantry::engine {
namespace {

struct Reader {
  absl::string_view scheme;
  OpenFunction* open;
};

// A reader for every scheme of common/dataset_schemes.cc.
constexpr Reader kReaders[] = {
    {"file", OpenImageFolder}, {"synthetic", OpenGlyphs}, {"cifar10", OpenCifar},
    {"cifar100", OpenCifar},   {"mnist", OpenMnist},      {"csv", OpenCsv},
    {"wds", OpenWebDataset},   {"arrays", OpenArrays},
};

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> OpenDataset(absl::string_view uri,
                                                     const DatasetOptions& options) {
  QUANTRY_ASSIGN_OR_RETURN(const DatasetUri parsed, DatasetUri::Parse(uri));
  for (const Reader& reader : kReaders) {
    if (parsed.scheme().name != reader.scheme) continue;
    return parsed.remote() ? OpenRemote(parsed, options, reader.open)
                           : reader.open(parsed, options);
  }
  return absl::UnimplementedError(
      absl::StrCat("dataset scheme '", parsed.scheme().name, "' has no reader of pictures"));
}

}  // namespace quantry::engine
