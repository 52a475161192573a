#include "worker/engine/data/shard_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantry::engine {
namespace {

using testing::ElementsAre;

TEST(ExpandBracesTest, Expands) {
  EXPECT_THAT(*ExpandBraces("a.tar"), ElementsAre("a.tar"));
  EXPECT_THAT(*ExpandBraces("a-{008..010}.tar"),
              ElementsAre("a-008.tar", "a-009.tar", "a-010.tar"));
  EXPECT_THAT(*ExpandBraces("{9..10}"), ElementsAre("9", "10"));
  EXPECT_THAT(*ExpandBraces("x{0..0}y"), ElementsAre("x0y"));
}

TEST(ExpandBracesTest, RefusesWhatIsNoSingleRange) {
  for (const char* pattern :
       {"{", "}", "}{", "{}", "{1}", "{1..}", "{..1}", "{2..1}", "{a..b}", "{1..2..3}", "{-1..2}",
        "{0..100000}", "{00..100}", "{0..1}{0..1}", "{{0..1}}", "{0..99999999999}"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ExpandBraces(pattern).status())) << pattern;
  }
}

}  // namespace
}  // namespace quantry::engine
