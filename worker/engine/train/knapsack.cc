#include "worker/engine/train/knapsack.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace quantry::engine {
namespace {

using Groups = std::vector<std::vector<KnapsackOption>>;

int64_t CheapestOf(const std::vector<KnapsackOption>& group) {
  return std::min_element(group.begin(), group.end(),
                          [](const auto& a, const auto& b) { return a.cost < b.cost; })
      ->cost;
}

// How costs become cells of the table.
struct Grid {
  int64_t unit = 1;
  int64_t cells = 0;  // the budget; 0: nothing but the cheapest options
  int64_t CellsOf(int64_t extra) const { return (extra + unit - 1) / unit; }
};

Grid MakeGrid(const Groups& groups, const std::vector<int64_t>& cheapest, int64_t spare) {
  int64_t divisor = 0;
  int64_t most = 0;  // that can be spent beyond the cheapest
  for (size_t g = 0; g < groups.size(); ++g) {
    int64_t dearest = 0;
    for (const KnapsackOption& option : groups[g]) {
      divisor = std::gcd(divisor, option.cost - cheapest[g]);
      dearest = std::max(dearest, option.cost - cheapest[g]);
    }
    most += dearest;
  }
  spare = std::min(spare, most);
  Grid grid{.unit = std::max<int64_t>(1, divisor)};
  if (spare / grid.unit > kKnapsackCells) grid.unit = spare / kKnapsackCells + 1;
  grid.cells = spare / grid.unit;
  return grid;
}

// best[c]: the least loss of the groups so far that spends at most c cells; adds a group and
// returns the option taken for each c.
std::vector<uint8_t> AddGroup(const std::vector<KnapsackOption>& group, int64_t cheapest,
                              const Grid& grid, std::vector<double>& best) {
  std::vector<size_t> order(group.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return group[a].cost < group[b].cost; });
  std::vector<double> next(best.size(), std::numeric_limits<double>::infinity());
  std::vector<uint8_t> taken(best.size(), 0);
  for (const size_t index : order) {
    const int64_t cells = grid.CellsOf(group[index].cost - cheapest);
    for (int64_t c = cells; c <= grid.cells; ++c) {
      const double loss = best[static_cast<size_t>(c - cells)] + group[index].loss;
      if (loss < next[static_cast<size_t>(c)]) {
        next[static_cast<size_t>(c)] = loss;
        taken[static_cast<size_t>(c)] = static_cast<uint8_t>(index);
      }
    }
  }
  best = std::move(next);
  return taken;
}

// Takes better options, the greatest gain first, as long as `spare` pays for one.
void SpendRest(const Groups& groups, int64_t spare, std::vector<size_t>& chosen) {
  while (true) {
    double gain = 0;
    size_t group = 0;
    size_t option = 0;
    for (size_t g = 0; g < groups.size(); ++g) {
      const KnapsackOption& now = groups[g][chosen[g]];
      for (size_t i = 0; i < groups[g].size(); ++i) {
        const KnapsackOption& other = groups[g][i];
        if (other.cost - now.cost > spare || now.loss - other.loss <= gain) continue;
        gain = now.loss - other.loss;
        group = g;
        option = i;
      }
    }
    if (gain <= 0) return;
    spare -= groups[group][option].cost - groups[group][chosen[group]].cost;
    chosen[group] = option;
  }
}

}  // namespace

std::optional<std::vector<size_t>> SolveKnapsack(const Groups& groups, int64_t budget) {
  std::vector<int64_t> cheapest;
  for (const auto& group : groups) cheapest.push_back(CheapestOf(group));
  const int64_t spare = budget - std::accumulate(cheapest.begin(), cheapest.end(), int64_t{0});
  if (spare < 0) return std::nullopt;
  const Grid grid = MakeGrid(groups, cheapest, spare);
  std::vector<double> best(static_cast<size_t>(grid.cells) + 1, 0.0);
  std::vector<std::vector<uint8_t>> taken;
  for (size_t g = 0; g < groups.size(); ++g) {
    taken.push_back(AddGroup(groups[g], cheapest[g], grid, best));
  }
  std::vector<size_t> chosen(groups.size());
  int64_t cell = grid.cells;
  int64_t rest = spare;
  for (size_t g = groups.size(); g-- > 0;) {
    chosen[g] = taken[g][static_cast<size_t>(cell)];
    const int64_t extra = groups[g][chosen[g]].cost - cheapest[g];
    cell -= grid.CellsOf(extra);
    rest -= extra;
  }
  SpendRest(groups, rest, chosen);
  return chosen;
}

}  // namespace quantry::engine
