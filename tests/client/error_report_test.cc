#include "client/cli/error_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/transfer/grpc_status.h"
#include "tests/client/fake_server.h"

namespace quantry::client {
namespace {

using testing::HasSubstr;
using testing::Not;

template <typename Detail>
absl::Status WithDetail(absl::Status status, const Detail& detail) {
  status.SetPayload("type.googleapis.com/" + Detail::descriptor()->full_name(),
                    absl::Cord(detail.SerializeAsString()));
  return status;
}

TEST(ErrorReportTest, ListsViolations) {
  EXPECT_EQ(DescribeError(FromGrpc(InvalidSpecError()), "h:1"),
            "error: the spec is invalid (INVALID_ARGUMENT, SPEC_INVALID)\n"
            "  spec.training.epochs: is -1; allowed: 0 or more\n"
            "  spec.quant_config.weight_bits: is 1; allowed: 2 to 8\n");
}

TEST(ErrorReportTest, DoesNotSayViolationsTwice) {
  google::rpc::BadRequest bad;
  bad.add_field_violations()->set_field("spec.mode");
  bad.mutable_field_violations(0)->set_description("is missing");
  EXPECT_EQ(
      DescribeError(WithDetail(absl::InvalidArgumentError("spec.mode: is missing"), bad), "h:1"),
      "error: the request was refused (INVALID_ARGUMENT)\n  spec.mode: is missing\n");
}

TEST(ErrorReportTest, PreconditionsAndQuotas) {
  google::rpc::PreconditionFailure precondition;
  precondition.add_violations()->set_subject("jobs/x");
  precondition.mutable_violations(0)->set_description("has ended");
  EXPECT_THAT(DescribeError(WithDetail(absl::FailedPreconditionError("no"), precondition), "h:1"),
              HasSubstr("  jobs/x: has ended\n"));
  google::rpc::QuotaFailure quota;
  quota.add_violations()->set_subject("disk");
  quota.mutable_violations(0)->set_description("is full");
  EXPECT_THAT(DescribeError(WithDetail(absl::ResourceExhaustedError("no"), quota), "h:1"),
              HasSubstr("  disk: is full\n"));
}

TEST(ErrorReportTest, SaysWhatToDoNext) {
  EXPECT_THAT(DescribeError(absl::UnavailableError("refused"), "h:1"),
              HasSubstr("no server answers at h:1: refused (UNAVAILABLE)\nIs the server at h:1"));
  EXPECT_THAT(DescribeError(absl::UnimplementedError("later"), "h:1"), HasSubstr("capabilities"));
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(90);
  const std::string text =
      DescribeError(WithDetail(absl::UnavailableError("draining"), retry), "h:1");
  EXPECT_THAT(text, HasSubstr("Try again in 1m30s.\n"));
  EXPECT_THAT(text, Not(HasSubstr("quantry-server")));
}

TEST(ErrorReportTest, ForeignTextCannotSteerTheTerminal) {
  EXPECT_EQ(DescribeError(absl::NotFoundError("a\x1b[2Jb\nc"), "h:1"),
            "error: a [2Jb c (NOT_FOUND)\n");
}

TEST(ErrorReportTest, ExitCodes) {
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), 4);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), 1);
  EXPECT_EQ(ExitCodeOf(FromGrpc(InvalidSpecError())), 2);
  google::rpc::ErrorInfo damaged;
  damaged.set_reason("HASH_MISMATCH");
  EXPECT_EQ(ExitCodeOf(WithDetail(absl::InvalidArgumentError(""), damaged)), 1);
}

}  // namespace
}  // namespace quantry::client
