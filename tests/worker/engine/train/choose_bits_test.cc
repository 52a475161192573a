#include "worker/engine/train/choose_bits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;

// Two layers at 4 and 8 bits: a small one that matters and a large one that does not.
SensitivityTable TwoLayers() {
  SensitivityTable table{.batches = 1, .examples = 10, .signal = 100};
  const auto add = [&](const char* layer, int bits, int64_t weights, int64_t macs, double noise) {
    table.rows.push_back({.layer = layer,
                          .op_type = "Conv",
                          .bits = bits,
                          .weights = weights,
                          .macs = macs,
                          .planned_weight_bits = 8,
                          .planned_activation_bits = 8,
                          .sums = {.noise = noise}});
  };
  add("small", 8, 100, 1000, 0.1);
  add("small", 4, 100, 1000, 50);
  add("large", 8, 900, 500, 0.1);
  add("large", 4, 900, 500, 2);
  return table;
}

MixedPrecisionOptions Budget(BudgetKind kind, double limit) {
  return {.candidate_bits = {8, 4}, .budget = kind, .limit = limit};
}

TEST(ChooseBitsTest, SpendsTheBudgetWhereItHelps) {
  const auto choice = ChooseBits(TwoLayers(), Budget(BudgetKind::kMeanWeightBits, 5), 8, 1100);
  ASSERT_TRUE(choice.ok()) << choice.status();
  EXPECT_EQ(choice->ByName(),
            (std::map<std::string, LayerBits>{{"small", {8, 8}}, {"large", {4, 4}}}));
  EXPECT_DOUBLE_EQ(choice->used, 4.4);
  EXPECT_DOUBLE_EQ(choice->mean_weight_bits, 4.4);
  EXPECT_EQ(choice->size_bytes, (100 * 8 + 900 * 4) / 8 + 4 * 100);
  EXPECT_EQ(choice->bit_operations, 1000 * 64 + 500 * 16);
}

TEST(ChooseBitsTest, EachBudgetIsKept) {
  // 550 bytes of weights and 400 of the other parameters.
  const auto size = ChooseBits(TwoLayers(), Budget(BudgetKind::kSizeBytes, 950), 8, 1100);
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_EQ(size->used, 950);
  EXPECT_EQ(size->size_bytes, 950);
  const auto less = ChooseBits(TwoLayers(), Budget(BudgetKind::kSizeBytes, 949), 8, 1100);
  ASSERT_TRUE(less.ok()) << less.status();
  EXPECT_EQ(less->used, 900);
  const auto operations =
      ChooseBits(TwoLayers(), Budget(BudgetKind::kBitOperations, 72'000), 8, 1100);
  ASSERT_TRUE(operations.ok()) << operations.status();
  EXPECT_EQ(operations->used, 72'000);
  const auto all = ChooseBits(TwoLayers(), Budget(BudgetKind::kBitOperations, 1e300), 8, 1100);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->mean_weight_bits, 8);
}

TEST(ChooseBitsTest, WeightsOnlyKeepsTheInputs) {
  MixedPrecisionOptions options = Budget(BudgetKind::kMeanWeightBits, 4);
  options.weights_only = true;
  const auto choice = ChooseBits(TwoLayers(), options, 8, 1100);
  ASSERT_TRUE(choice.ok()) << choice.status();
  EXPECT_EQ(choice->ByName().at("small"), (LayerBits{4, 8}));
  EXPECT_EQ(choice->bit_operations, 1500 * 32);
}

TEST(ChooseBitsTest, WidthsThatQuantConfigGivesAreKept) {
  SensitivityTable table = TwoLayers();
  for (LayerMeasurement& row : table.rows) {
    if (row.layer == "small") row.planned_weight_bits = 6;
  }
  const auto choice = ChooseBits(table, Budget(BudgetKind::kMeanWeightBits, 8), 8, 1100);
  ASSERT_TRUE(choice.ok()) << choice.status();
  EXPECT_TRUE(choice->layers[0].fixed);
  EXPECT_EQ(choice->layers[0].bits, (LayerBits{6, 8}));
  EXPECT_FALSE(choice->layers[1].fixed);
}

TEST(ChooseBitsTest, TooSmallABudgetSaysWhatIsNeeded) {
  const auto mean = ChooseBits(TwoLayers(), Budget(BudgetKind::kMeanWeightBits, 3), 8, 1100);
  EXPECT_EQ(mean.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(mean.status().message()),
              HasSubstr("mean_weight_bits is 3; this model needs at least 4 "));
  const auto size = ChooseBits(TwoLayers(), Budget(BudgetKind::kSizeBytes, 899), 8, 1100);
  EXPECT_THAT(std::string(size.status().message()), HasSubstr("at least 900 "));
}

TEST(ChooseBitsTest, ACandidateThatWasNotMeasuredIsAnError) {
  MixedPrecisionOptions options = Budget(BudgetKind::kMeanWeightBits, 8);
  options.candidate_bits = {8, 3};
  EXPECT_EQ(ChooseBits(TwoLayers(), options, 8, 1100).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace quantry::engine
