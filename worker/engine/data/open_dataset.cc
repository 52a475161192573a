#include "worker/engine/data/open_dataset.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/nearest_name.h"
#include "common/status_macros.h"
#include "worker/engine/data/dataset_uri.h"
#include "worker/engine/data/glyph_dataset.h"
#include "worker/engine/data/image_folder.h"

namespace quantry::engine {
namespace {

struct Reader {
  absl::string_view scheme;
  absl::StatusOr<std::unique_ptr<Dataset>> (*open)(const DatasetUri&, const DatasetOptions&);
};

constexpr Reader kReaders[] = {
    {"file", OpenImageFolder},
    {"synthetic", OpenGlyphs},
};

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> OpenDataset(absl::string_view uri,
                                                     const DatasetOptions& options) {
  QUANTRY_ASSIGN_OR_RETURN(const DatasetUri parsed, DatasetUri::Parse(uri));
  std::vector<absl::string_view> schemes;
  for (const Reader& reader : kReaders) {
    if (parsed.scheme() == reader.scheme) return reader.open(parsed, options);
    schemes.push_back(reader.scheme);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "dataset URI '", uri, "': unknown scheme '", parsed.scheme(), "'",
      DidYouMean(parsed.scheme(), schemes), "; allowed: ", absl::StrJoin(schemes, ", ")));
}

std::vector<std::string> DatasetSchemes() {
  std::vector<std::string> schemes;
  for (const Reader& reader : kReaders) schemes.emplace_back(reader.scheme);
  return schemes;
}

}  // namespace quantry::engine
