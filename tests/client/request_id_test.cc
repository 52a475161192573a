#include "client/request_id.h"

#include <gtest/gtest.h>

#include <set>

namespace quantry::client {
namespace {

TEST(RequestIdTest, MakesDistinctUuids) {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    ids.insert(NewRequestId());
    EXPECT_TRUE(IsRequestId(*ids.rbegin())) << *ids.rbegin();
  }
  EXPECT_EQ(ids.size(), 100u);
}

TEST(RequestIdTest, KnowsVersionFour) {
  EXPECT_TRUE(IsRequestId("f47ac10b-58cc-4372-a567-0e02b2c3d479"));
  EXPECT_TRUE(IsRequestId("F47AC10B-58CC-4372-A567-0E02B2C3D479"));
  for (const char* wrong :
       {"", "7", "f47ac10b-58cc-1372-a567-0e02b2c3d479", "f47ac10b-58cc-4372-c567-0e02b2c3d479",
        "f47ac10b-58cc-4372-a567-0e02b2c3d47", "f47ac10b-58cc-4372-a567-0e02b2c3d4799",
        "g47ac10b-58cc-4372-a567-0e02b2c3d479", "f47ac10b058cc-4372-a567-0e02b2c3d479"}) {
    EXPECT_FALSE(IsRequestId(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace quantry::client
