#ifndef QUANTRY_WORKER_ENGINE_TRAIN_KNAPSACK_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_KNAPSACK_H_

#include <cstdint>
#include <optional>
#include <vector>

namespace quantry::engine {

// One of the things of which a group takes exactly one.
struct KnapsackOption {
  int64_t cost = 0;   // of the budget, >= 0
  double loss = 0.0;  // what is to be small in sum; finite
};

// The multiple-choice knapsack problem: one option of each group, so that the costs sum up to at
// most `budget` and the losses to as little as possible. Returns the index of the option per group;
// absent if even the cheapest options cost more than `budget`. Groups must have 1 to 255 options,
// and the sum of the largest costs must fit an int64.
//
// By dynamic programming over what is spent beyond the cheapest options (Dudzinski & Walukiewicz
// 1987), in units of the costs' greatest common divisor: exact, as long as that takes at most
// kKnapsackCells units. Else in larger units, with costs rounded up, so that no choice can exceed
// the budget; the budget is then missed by less than one unit per group, and what the rounding left
// over goes to single better options, best first. Deterministic: of equal losses the cheaper, then
// the first option wins.
std::optional<std::vector<size_t>> SolveKnapsack(
    const std::vector<std::vector<KnapsackOption>>& groups, int64_t budget);

inline constexpr int64_t kKnapsackCells = int64_t{1} << 18;

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_KNAPSACK_H_
