#include "server/core/job_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "server/core/error_details.h"

namespace quantry::server {
namespace {

using ::testing::HasSubstr;
using Kind = JobFilter::Kind;

JobFilter Parse(const std::string& text) {
  const auto filter = ParseJobFilter(text);
  EXPECT_TRUE(filter.ok()) << text << ": " << filter.status();
  return filter.ok() ? *filter : JobFilter();
}

std::string ErrorOf(const std::string& text) {
  const auto filter = ParseJobFilter(text);
  EXPECT_FALSE(filter.ok()) << text;
  EXPECT_EQ(ErrorReason(filter.status()), "INVALID_FILTER");
  return std::string(filter.status().message());
}

TEST(JobFilter, ReadsEachKindOfValue) {
  EXPECT_EQ(Parse("state = RUNNING").number, v1::JOB_STATE_RUNNING);
  EXPECT_EQ(Parse("state=job_state_failed").number, v1::JOB_STATE_FAILED);
  EXPECT_EQ(Parse("mode != qat").op, FilterOp::kNotEqual);
  EXPECT_EQ(Parse("priority>=-3").number, -3);
  EXPECT_EQ(Parse("create_time < 1970-01-01T00:00:01Z").number, 1'000'000);
  EXPECT_EQ(Parse("end_time < \"1970-01-01T01:00:01+01:00\"").number, 1'000'000);
  EXPECT_EQ(Parse("display_name = \"a \\\"b\\\" c\"").text, "a \"b\" c");
  EXPECT_EQ(Parse("worker = workers/w-1").text, "workers/w-1");
  const JobFilter label = Parse("labels.team:vis");
  EXPECT_EQ(label.label, "team");
  EXPECT_EQ(label.text, "vis");
  EXPECT_EQ(Parse("labels:team").label, "team");
}

TEST(JobFilter, OrBindsTighterThanAnd) {
  const JobFilter filter = Parse("priority = 1 AND priority = 2 OR NOT priority = 3");
  ASSERT_EQ(filter.kind, Kind::kAnd);
  ASSERT_EQ(filter.children.size(), 2u);
  ASSERT_EQ(filter.children[1].kind, Kind::kOr);
  EXPECT_EQ(filter.children[1].children[1].kind, Kind::kNot);
  EXPECT_EQ(Parse("(priority = 1 AND priority = 2) OR -state = FAILED").kind, Kind::kOr);
}

TEST(JobFilter, ErrorsNameThePlaceAndWhatIsAllowed) {
  EXPECT_THAT(ErrorOf("colour = red"),
              HasSubstr("character 1: 'colour' is no field; allowed: state"));
  EXPECT_THAT(ErrorOf("state = SLEEPING"), HasSubstr("allowed: QUEUED"));
  EXPECT_THAT(ErrorOf("state < RUNNING"), HasSubstr("allowed: = !="));
  EXPECT_THAT(ErrorOf("priority = much"), HasSubstr("a whole number"));
  EXPECT_THAT(ErrorOf("create_time > yesterday"), HasSubstr("2026-01-31"));
  EXPECT_THAT(ErrorOf("labels = x"), HasSubstr("labels.KEY"));
  EXPECT_THAT(ErrorOf("(state = FAILED"), HasSubstr("')' is missing"));
  EXPECT_THAT(ErrorOf("state = FAILED state = QUEUED"), HasSubstr("AND, OR or the end"));
  EXPECT_THAT(ErrorOf("display_name = \"x"), HasSubstr("not closed"));
  EXPECT_THAT(ErrorOf("state"), HasSubstr("allowed: = !="));
  EXPECT_THAT(ErrorOf(""), HasSubstr("is no field"));
  EXPECT_THAT(ErrorOf("state = QUEUED;"), HasSubstr("unexpected character"));
}

TEST(JobFilter, IsBounded) {
  EXPECT_THAT(ErrorOf(std::string(5000, ' ')), HasSubstr("at most 4096"));
  EXPECT_THAT(ErrorOf(std::string(2000, '(')), HasSubstr("levels deep"));
  std::string many = "priority = 0";
  for (int i = 1; i < 65; ++i) absl::StrAppend(&many, " OR priority = ", i);
  EXPECT_THAT(ErrorOf(many), HasSubstr("more than 64 comparisons"));
}

TEST(JobOrder, ReadsAFieldAndADirection) {
  EXPECT_TRUE(ParseJobOrder("priority desc")->descending);
  EXPECT_FALSE(ParseJobOrder(" create_time ")->descending);
  EXPECT_EQ(ParseJobOrder("end_time asc")->field, JobField::kEndTime);
  for (const char* wrong : {"", "labels", "state", "priority up", "priority desc, name"}) {
    EXPECT_EQ(ErrorReason(ParseJobOrder(wrong).status()), "INVALID_ORDER") << wrong;
  }
}

}  // namespace
}  // namespace quantry::server
