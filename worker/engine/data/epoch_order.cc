#include "worker/engine/data/epoch_order.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "worker/engine/data/counter_rng.h"

namespace quantry::engine {
namespace {

// What a key is for, so that no two uses of one seed share their numbers.
constexpr uint64_t kChoice = 1;
constexpr uint64_t kOrder = 2;

// Fisher and Yates's shuffle.
void Shuffle(CounterRng rng, std::vector<int64_t>* values) {
  for (auto i = static_cast<int64_t>(values->size()) - 1; i > 0; --i) {
    std::swap((*values)[i], (*values)[rng.Below(i + 1)]);
  }
}

}  // namespace

std::vector<int64_t> ChooseExamples(int64_t size, const LoaderOptions& options) {
  std::vector<int64_t> examples(size);
  std::iota(examples.begin(), examples.end(), 0);
  if (!options.max_examples.has_value() || *options.max_examples >= size) return examples;
  Shuffle(CounterRng({options.seed, kChoice}), &examples);
  examples.resize(*options.max_examples);
  std::sort(examples.begin(), examples.end());
  return examples;
}

std::vector<int64_t> OrderOfEpoch(std::vector<int64_t> examples, int64_t epoch,
                                  const LoaderOptions& options) {
  if (options.shuffle) {
    Shuffle(CounterRng({options.seed, kOrder, static_cast<uint64_t>(epoch)}), &examples);
  }
  return examples;
}

}  // namespace quantry::engine
