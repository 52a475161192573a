#ifndef QUANTRY_WORKER_ENGINE_EVALUATE_CHECK_MODEL_H_
#define QUANTRY_WORKER_ENGINE_EVALUATE_CHECK_MODEL_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/engine/data/dataset.h"
#include "worker/engine/data/loader_options.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// What a model is to do with a dataset.
struct ModelTask {
  TargetKind kind = TargetKind::kClass;
  int64_t targets = 0;  // classes, labels or values; none with kNone
  size_t output = 0;    // of the graph: what is compared with the targets
};

// The output of `graph` by its name; empty: the first one. INVALID_ARGUMENT if there is none.
absl::StatusOr<size_t> FindOutput(const Graph& graph, const std::string& name);

// Which array of the dataset each input of `graph` takes, and as which type: by name where every
// input's name is an array's, else in order. Every type that holds all values of the array's is
// fine, and float for whole numbers and bytes. INVALID_ARGUMENT names the input.
absl::StatusOr<std::vector<ArrayInput>> MatchInputs(const Graph& graph,
                                                    absl::Span<const ArraySpec> arrays);

// A batch of two examples of zeros: what Batch::inputs is like.
std::vector<at::Tensor> ExamplePictures(int64_t image_size);
std::vector<at::Tensor> ExampleArrays(absl::Span<const ArraySpec> arrays,
                                      absl::Span<const ArrayInput> inputs);

// Runs `graph` once on `inputs`, two examples, to see that it takes them and that the task's output
// fits: float [2, classes] for classes and labels, float with as many values per example for
// values, anything with a batch axis and one float output for none. INVALID_ARGUMENT says what it
// takes or gives instead.
absl::Status CheckModel(const Graph& graph, absl::Span<const at::Tensor> inputs,
                        const ModelTask& task);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EVALUATE_CHECK_MODEL_H_
