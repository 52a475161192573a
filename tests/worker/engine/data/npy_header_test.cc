#include "worker/engine/data/npy_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/data/test_files.h"

namespace quantry::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(NpyHeaderTest, ReadsTypeShapeAndPlaceOfTheData) {
  const std::string file = NpyFile("<f2", "(2, 3)", std::string(12, 'x'));
  const auto header = ParseNpyHeader(file);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->dtype, c10::ScalarType::Half);
  EXPECT_THAT(header->shape, ElementsAre(2, 3));
  EXPECT_EQ(header->data_bytes, 12);
  EXPECT_EQ(header->data_offset, static_cast<int64_t>(file.size()) - 12);
}

TEST(NpyHeaderTest, OneAxisAndNoneAreTuplesToo) {
  EXPECT_THAT(ParseNpyHeader(NpyFile("|u1", "(7,)", ""))->shape, ElementsAre(7));
  EXPECT_THAT(ParseNpyHeader(NpyFile("|u1", "()", ""))->shape, ElementsAre());
  EXPECT_TRUE(ParseNpyHeader(NpyFile("|u1", "(7,)", "", true)).ok()) << "one axis has one order";
}

struct BadHeader {
  std::string file;
  const char* message;
};
class BadHeaderTest : public testing::TestWithParam<BadHeader> {};

TEST_P(BadHeaderTest, IsRefusedWithAReason) {
  const absl::Status status = ParseNpyHeader(GetParam().file).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadHeaderTest,
    testing::Values(BadHeader{"", "does not begin"},
                    BadHeader{"NUMPY\x01\x00 {}", "does not begin"},
                    BadHeader{NpyFile("<f4", "(2,)", "").substr(0, 30), "ends within"},
                    BadHeader{NpyFile("<c8", "(2,)", ""), "type is '<c8'"},
                    BadHeader{NpyFile(">f4", "(2,)", ""), "little-endian"},
                    BadHeader{NpyFile("|O", "(2,)", ""), "type is '|O'"},
                    BadHeader{NpyFile("<f4", "(2, 3)", "", true), "Fortran order"},
                    BadHeader{NpyFile("<f4", "(-2,)", ""), "whole numbers"},
                    BadHeader{NpyFile("<f4", "(9223372036854775807, 2)", ""), "overflows"},
                    BadHeader{NpyFile("<f4", "(0, 9223372036854775807, 9)", ""), "overflows"},
                    BadHeader{NpyFile("<f4", "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)", ""),
                              "at most 16"},
                    BadHeader{NpyFile("<f4", "(2,), 'shape': (3,)", ""), "there twice"},
                    BadHeader{NpyFile("<f4", "(2,), 'other': 1", ""), "'other'"},
                    BadHeader{NpyFile("<f4', 'descr': '<f8", "(2,)", ""), "there twice"}));

}  // namespace
}  // namespace quantry::engine
