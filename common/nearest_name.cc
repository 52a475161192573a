#include "common/nearest_name.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"

namespace quantry {
namespace {

constexpr size_t kMaxLength = 256;

}  // namespace

size_t EditDistance(absl::string_view a, absl::string_view b) {
  // One row of the Wagner-Fischer table at a time: row[j] is the distance of a's prefix to b[0, j).
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replace, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string NearestName(absl::string_view given, absl::Span<const absl::string_view> known) {
  if (given.size() > kMaxLength) return "";
  absl::string_view best;
  size_t best_distance = kMaxLength;
  for (const absl::string_view name : known) {
    if (name.size() > kMaxLength) continue;
    const size_t distance = EditDistance(given, name);
    if (distance < best_distance && 2 * distance <= std::max(given.size(), name.size())) {
      best = name;
      best_distance = distance;
    }
  }
  return std::string(best);
}

std::string DidYouMean(absl::string_view given, absl::Span<const absl::string_view> known) {
  const std::string nearest = NearestName(given, known);
  return nearest.empty() ? "" : absl::StrCat("; did you mean '", nearest, "'?");
}

}  // namespace quantry
