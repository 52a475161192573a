#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_EXPORT_SOURCE_TABLE_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_EXPORT_SOURCE_TABLE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/engine/script_export/source_call.h"

namespace quantry::engine {

// How one ONNX operator is written as a TorchScript expression, with the ATen functions that
// ops/ evaluates it with. A new operator: one line in one of the tables.
struct SourceRow {
  absl::string_view op;
  absl::StatusOr<std::string> (*write)(const SourceCall&) = nullptr;
  bool is_list = false;  // the expression is a list of all outputs; else of the only one
};

// Null if `op` is in none of the tables.
const SourceRow* FindSourceRow(absl::string_view op);

absl::Span<const SourceRow> LayerSourceRows();
absl::Span<const SourceRow> PointwiseSourceRows();
absl::Span<const SourceRow> ShapeSourceRows();

// All rows of all tables.
std::vector<const SourceRow*> AllSourceRows();

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_EXPORT_SOURCE_TABLE_H_
