#include "worker/engine/script_export/source_table.h"

namespace quantry::engine {

std::vector<const SourceRow*> AllSourceRows() {
  std::vector<const SourceRow*> rows;
  for (const auto& table : {LayerSourceRows(), PointwiseSourceRows(), ShapeSourceRows()}) {
    for (const SourceRow& row : table) rows.push_back(&row);
  }
  return rows;
}

const SourceRow* FindSourceRow(absl::string_view op) {
  for (const SourceRow* row : AllSourceRows()) {
    if (row->op == op) return row;
  }
  return nullptr;
}

}  // namespace quantry::engine
