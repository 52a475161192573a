#include <gtest/gtest.h>

#include "worker/trainer/modes/mode.h"

namespace quantry::trainer {
namespace {

TEST(ModeTableTest, EveryModeHasALine) {
  for (int number = 1; number <= 6; ++number) {
    const auto mode = static_cast<RunMode>(number);
    EXPECT_EQ(ModeOf(mode).mode, mode);
  }
  EXPECT_EQ(FindMode(0), nullptr);
  EXPECT_EQ(FindMode(7), nullptr);
  EXPECT_EQ(ModeTable().size(), 6u);
}

}  // namespace
}  // namespace quantry::trainer
