#ifndef QUANTRY_WORKER_ENGINE_DATA_TARGET_H_
#define QUANTRY_WORKER_ENGINE_DATA_TARGET_H_

#include "absl/strings/string_view.h"

namespace quantry::engine {

// What an example is labelled with, which decides losses, metrics and what a model must give.
enum class TargetKind {
  kClass,       // one of k classes
  kMultiLabel,  // of k labels any number at once: k times 0 or 1
  kValues,      // k real numbers
  kNone,        // nothing
};

// "classes", "labels", "values", "none": as messages and reports call it.
inline absl::string_view TargetKindName(TargetKind kind) {
  switch (kind) {
    case TargetKind::kClass:
      return "classes";
    case TargetKind::kMultiLabel:
      return "labels";
    case TargetKind::kValues:
      return "values";
    case TargetKind::kNone:
      break;
  }
  return "none";
}

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_TARGET_H_
