#include "worker/engine/train/knapsack.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace quantry::engine {
namespace {

using Groups = std::vector<std::vector<KnapsackOption>>;

struct Sum {
  int64_t cost = 0;
  double loss = 0;
};

Sum SumOf(const Groups& groups, const std::vector<size_t>& chosen) {
  Sum sum;
  for (size_t g = 0; g < groups.size(); ++g) {
    sum.cost += groups[g].at(chosen[g]).cost;
    sum.loss += groups[g].at(chosen[g]).loss;
  }
  return sum;
}

// The least loss by trying all choices; infinite if none fits.
double BruteForce(const Groups& groups, int64_t budget, size_t group = 0) {
  if (budget < 0) return std::numeric_limits<double>::infinity();
  if (group == groups.size()) return 0;
  double best = std::numeric_limits<double>::infinity();
  for (const KnapsackOption& option : groups[group]) {
    best = std::min(best, option.loss + BruteForce(groups, budget - option.cost, group + 1));
  }
  return best;
}

Groups RandomGroups(uint32_t seed, int64_t unit) {
  std::mt19937 random(seed);
  Groups groups;
  for (int g = 0; g < 6; ++g) {
    const auto weights = static_cast<int64_t>(random() % 50 + 1);
    std::vector<KnapsackOption>& group = groups.emplace_back();
    for (int64_t bits = 2; bits <= 6; ++bits) {
      group.push_back({weights * bits * unit, static_cast<double>(random() % 1000)});
    }
  }
  return groups;
}

TEST(KnapsackTest, FindsTheBestOfAllChoices) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    const Groups groups = RandomGroups(seed, 1);
    for (const int64_t budget : {100, 300, 500, 700, 2000}) {
      const double best = BruteForce(groups, budget);
      const auto chosen = SolveKnapsack(groups, budget);
      ASSERT_EQ(chosen.has_value(), best < std::numeric_limits<double>::infinity())
          << "seed " << seed << " budget " << budget;
      if (!chosen) continue;
      const Sum sum = SumOf(groups, *chosen);
      EXPECT_LE(sum.cost, budget);
      EXPECT_EQ(sum.loss, best) << "seed " << seed << " budget " << budget;
      EXPECT_EQ(*chosen, *SolveKnapsack(groups, budget));
    }
  }
}

TEST(KnapsackTest, CostsWithACommonDivisorStayExact) {
  const int64_t unit = int64_t{1} << 40;
  for (uint32_t seed = 0; seed < 10; ++seed) {
    const Groups groups = RandomGroups(seed, unit);
    const auto chosen = SolveKnapsack(groups, 500 * unit + 7);
    if (!chosen) continue;
    EXPECT_EQ(SumOf(groups, *chosen).loss, BruteForce(groups, 500 * unit + 7));
  }
}

// Costs too fine for the table: rounding must never let a choice exceed the budget, and hardly
// costs anything.
TEST(KnapsackTest, RoundedCostsKeepToTheBudget) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    Groups groups = RandomGroups(seed, int64_t{1} << 30);
    std::mt19937 random(seed + 1000);
    for (auto& group : groups) {
      for (KnapsackOption& option : group) option.cost += static_cast<int64_t>(random() % 9973);
    }
    const int64_t budget = 600 * (int64_t{1} << 30) + 12345;
    const auto chosen = SolveKnapsack(groups, budget);
    if (!chosen) continue;
    const Sum sum = SumOf(groups, *chosen);
    EXPECT_LE(sum.cost, budget);
    const int64_t unit = budget / kKnapsackCells + 1;
    EXPECT_LE(sum.loss, BruteForce(groups, budget - 6 * unit)) << "seed " << seed;
  }
}

TEST(KnapsackTest, TheSmallestBudgetTakesTheCheapest) {
  const Groups groups = {{{10, 0.5}, {4, 2.0}}, {{7, 1.0}}, {{3, 5.0}, {3, 4.0}}};
  EXPECT_FALSE(SolveKnapsack(groups, 13).has_value());
  EXPECT_FALSE(SolveKnapsack(groups, -1).has_value());
  EXPECT_EQ(SolveKnapsack(groups, 14), (std::vector<size_t>{1, 0, 1}));
  EXPECT_EQ(SolveKnapsack(groups, 20), (std::vector<size_t>{0, 0, 1}));
  EXPECT_EQ(SolveKnapsack(groups, std::numeric_limits<int64_t>::max()),
            (std::vector<size_t>{0, 0, 1}));
}

TEST(KnapsackTest, NoGroupsAreNoChoice) { EXPECT_EQ(SolveKnapsack({}, 5), std::vector<size_t>()); }

}  // namespace
}  // namespace quantry::engine
