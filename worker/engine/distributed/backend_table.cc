#include <array>

#include "worker/engine/distributed/backend.h"

namespace quantry::engine {

extern const BackendDef kGlooBackend;
extern const BackendDef kNcclBackend;

absl::Span<const BackendDef* const> BackendTable() {
  static constexpr std::array kTable = {&kGlooBackend, &kNcclBackend};
  return kTable;
}

}  // namespace quantry::engine
