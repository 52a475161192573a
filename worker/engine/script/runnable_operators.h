#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_RUNNABLE_OPERATORS_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_RUNNABLE_OPERATORS_H_

#include <ATen/core/ivalue.h>

#include <optional>
#include <vector>

#include "absl/strings/string_view.h"

namespace quantry::engine {

// Which operators of a TorchScript program are run as they are, rather than written into the graph.
// Nothing else is: a file must not reach the file system or allocate at will.

// What is asked of the process, or of a tensor where the engine has one kind only: no short cuts of
// inference ("aten::is_grad_enabled"), no autocast, no nested tensors. Empty: `op` is something
// else.
std::optional<bool> FixedAnswer(absl::string_view op);

// On numbers, lists and strings, and on what can be asked of a tensor's shape and type.
bool RunsOnNumbers(absl::string_view op);

// Asks a tensor for its shape or type only, or a list for its length.
bool AsksShape(absl::string_view op);

// Takes a number out of a tensor ("aten::Bool", "aten::item").
bool AsksValue(absl::string_view op);

// May be computed at once where no tensor takes part but those that numbers alone have made: masks,
// positions.
bool RunsOnConstants(absl::string_view op);

// Makes a tensor of numbers alone.
bool MakesConstant(absl::string_view op);

// Throws c10::Error where an operator of the last two kinds would make a tensor of more than 2^24
// elements of `arguments`.
void CheckConstantSize(absl::string_view op, const std::vector<c10::IValue>& arguments);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_RUNNABLE_OPERATORS_H_
