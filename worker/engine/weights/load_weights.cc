#include "worker/engine/weights/load_weights.h"

#include <ATen/ATen.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/nearest_name.h"

namespace quantry::engine {
namespace {

constexpr size_t kMaxNamed = 10;

using Names = std::vector<absl::string_view>;

std::string Quoted(absl::string_view name) {
  return absl::StrCat("'", absl::CHexEscape(name.substr(0, 120)), "'");
}

std::string Shape(const at::Tensor& tensor) {
  return absl::StrCat("[", absl::StrJoin(tensor.sizes(), ","), "]");
}

// Differences between file and network; only the first few are put into words.
class Problems {
 public:
  template <typename MakeText>
  void Add(MakeText text) {
    if (count_++ < kMaxNamed) texts_.push_back(text());
  }
  absl::Status ToStatus(absl::string_view network) const {
    if (count_ == 0) return absl::OkStatus();
    std::string message = absl::StrCat("the weights do not fit the network '", network,
                                       "': ", absl::StrJoin(texts_, "; "));
    if (count_ > kMaxNamed) absl::StrAppend(&message, "; and ", count_ - kMaxNamed, " more");
    return absl::InvalidArgumentError(message);
  }

 private:
  size_t count_ = 0;
  std::vector<std::string> texts_;
};

std::vector<Value*> Targets(const Graph& graph) {
  std::vector<Value*> targets = graph.initializers(InitializerRole::kParameter);
  const std::vector<Value*> buffers = graph.initializers(InitializerRole::kBuffer);
  targets.insert(targets.end(), buffers.begin(), buffers.end());
  return targets;
}

// Names of the initializers of the node that makes the first output.
std::set<std::string, std::less<>> ClassifierNames(const Graph& graph) {
  std::set<std::string, std::less<>> names;
  const Node* node = graph.outputs().empty() ? nullptr : graph.outputs().front()->producer();
  if (node == nullptr) return names;
  for (const Value* input : node->inputs()) {
    if (input != nullptr && input->is_initializer()) names.insert(input->name());
  }
  return names;
}

std::string Nearest(absl::string_view name, const Names& known, absl::string_view where) {
  const std::string nearest = NearestName(name, known);
  return nearest.empty() ? ""
                         : absl::StrCat(" (nearest in the ", where, ": ", Quoted(nearest), ")");
}

void CompareTensor(const Value& target, const at::Tensor& source, bool is_classifier,
                   Problems& problems) {
  const std::string name = Quoted(target.name());
  if (source.sizes() != target.tensor().sizes()) {
    problems.Add([&] {
      return absl::StrCat(name, " is ", Shape(source), " in the file and ", Shape(target.tensor()),
                          " in the network",
                          is_classifier ? " (set new_classifier to train a new last layer)" : "");
    });
  } else if (source.scalar_type() != target.tensor().scalar_type()) {
    problems.Add([&] { return absl::StrCat(name, " has no floating-point values"); });
  } else if (!source.isfinite().all().item<bool>()) {
    problems.Add([&] { return absl::StrCat(name, " holds NaN or infinite values"); });
  }
}

bool IsCounter(absl::string_view name) { return absl::EndsWith(name, ".num_batches_tracked"); }

}  // namespace

absl::Status LoadWeights(const WeightMap& weights, const LoadWeightsOptions& options,
                         Graph& graph) {
  const std::set<std::string, std::less<>> classifier = ClassifierNames(graph);
  const auto is_kept = [&](absl::string_view name) {
    return options.new_classifier && classifier.contains(name);
  };
  std::vector<Value*> targets = Targets(graph);
  std::erase_if(targets, [&](const Value* value) { return is_kept(value->name()); });
  std::set<absl::string_view> wanted;
  for (const Value* target : targets) wanted.insert(target->name());
  Names spare;   // in the file only
  Names absent;  // in the network only
  for (const auto& [name, tensor] : weights) {
    if (!wanted.contains(name) && !is_kept(name) && !IsCounter(name)) spare.push_back(name);
  }
  for (const Value* target : targets) {
    if (!weights.contains(target->name())) absent.push_back(target->name());
  }

  Problems problems;
  for (const Value* target : targets) {
    const auto source = weights.find(target->name());
    if (source == weights.end()) continue;
    CompareTensor(*target, source->second, classifier.contains(target->name()), problems);
  }
  for (const absl::string_view name : absent) {
    problems.Add([&] {
      return absl::StrCat(Quoted(name), " is missing in the file", Nearest(name, spare, "file"));
    });
  }
  for (const absl::string_view name : spare) {
    problems.Add([&] {
      return absl::StrCat(Quoted(name), " is not in the network", Nearest(name, absent, "network"));
    });
  }
  if (absl::Status status = problems.ToStatus(graph.name); !status.ok()) return status;
  for (Value* target : targets) {
    graph.SetTensor(target, weights.find(target->name())->second.clone());
  }
  return absl::OkStatus();
}

}  // namespace quantry::engine
