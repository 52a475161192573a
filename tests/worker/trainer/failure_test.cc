#include "worker/trainer/failure.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

namespace quantry::trainer {
namespace {

using ::testing::HasSubstr;

TEST(FailureTest, KindFollowsTheCode) {
  EXPECT_EQ(ToFailure(absl::InvalidArgumentError("x")).kind(), v1::FAILURE_KIND_USER);
  EXPECT_EQ(ToFailure(absl::NotFoundError("x")).kind(), v1::FAILURE_KIND_USER);
  EXPECT_EQ(ToFailure(absl::FailedPreconditionError("x")).kind(), v1::FAILURE_KIND_USER);
  EXPECT_EQ(ToFailure(absl::InternalError("x")).kind(), v1::FAILURE_KIND_INFRASTRUCTURE);
  EXPECT_EQ(ToFailure(absl::ResourceExhaustedError("x")).kind(), v1::FAILURE_KIND_INFRASTRUCTURE);
  EXPECT_EQ(ToFailure(absl::DataLossError("x")).kind(), v1::FAILURE_KIND_INFRASTRUCTURE);
}

TEST(FailureTest, TheFirstReasonStays) {
  const absl::Status status =
      WithReason(WithReason(absl::NotFoundError("gone"), "MODEL_INVALID"), "OTHER");
  const v1::Failure failure = ToFailure(status);
  EXPECT_EQ(failure.reason(), "MODEL_INVALID");
  EXPECT_EQ(failure.message(), "gone");
  EXPECT_EQ(ToFailure(absl::InternalError("x")).reason(), "TRAINER_FAILED");
  EXPECT_TRUE(WithReason(absl::OkStatus(), "X").ok());
}

TEST(CatchExceptionsTest, ExceptionsBecomeStatus) {
  const absl::Status memory = CatchExceptions([]() -> absl::Status { throw std::bad_alloc(); });
  EXPECT_EQ(memory.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ToFailure(memory).reason(), "OUT_OF_MEMORY");
  const absl::Status torch = CatchExceptions([] {
    at::ones({2}).matmul(at::ones({3}));
    return absl::OkStatus();
  });
  EXPECT_EQ(torch.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(torch.message()), HasSubstr("LibTorch"));
  EXPECT_EQ(CatchExceptions([]() -> absl::Status { throw std::runtime_error("x"); }).code(),
            absl::StatusCode::kInternal);
  EXPECT_TRUE(CatchExceptions([] { return absl::OkStatus(); }).ok());
}

}  // namespace
}  // namespace quantry::trainer
