#include "worker/engine/script/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;

TEST(Probe, WhatEndsIsFine) {
  int calls = 0;
  EXPECT_TRUE(ProbeInChild([&] { ++calls; }, {}).ok());
  EXPECT_EQ(calls, 0);  // it was another process's
  EXPECT_TRUE(ProbeInChild([] { throw std::runtime_error("no such file"); }, {}).ok());
}

TEST(Probe, CrashesAreErrors) {
  for (const int signal : {SIGSEGV, SIGABRT, SIGFPE}) {
    const absl::Status status = ProbeInChild([signal] { std::raise(signal); }, {});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("LibTorch crashes on it"));
  }
  EXPECT_EQ(ProbeInChild([] { std::_Exit(7); }, {}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(Probe, EndlessOnesAreStopped) {
  const auto endless = [] {
    volatile bool go_on = true;
    while (go_on) {
    }
  };
  const absl::Status status = ProbeInChild(endless, {.cpu_seconds = 1});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("does not end within 1 s"));
}

TEST(Probe, ALackOfMemoryIsAnError) {
  const absl::Status status = ProbeInChild([] { throw std::bad_alloc(); }, {});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("memory"));
}

}  // namespace
}  // namespace quantry::engine
