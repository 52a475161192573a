#include "client/transfer/bearer_token.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace quantry::client {
namespace {

namespace fs = std::filesystem;
using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;

constexpr absl::Duration kLookAgainAfter = absl::Seconds(1);

absl::StatusOr<std::string> ReadToken(const fs::path& file) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string content, ReadFile(file));
  std::string token(absl::StripAsciiWhitespace(content));
  if (!token.empty()) return token;
  return absl::InvalidArgumentError(absl::StrCat("the token file ", file.string(), " is empty"));
}

// The token as it is now. Thread-safe.
class TokenSource {
 public:
  TokenSource(std::string token, fs::path file) : token_(std::move(token)), file_(std::move(file)) {
    if (!file_.empty()) changed_ = fs::last_write_time(file_, ignored_);
  }

  std::string Get() {
    absl::MutexLock lock(&mutex_);
    const absl::Duration now = SystemClock().Monotonic();
    if (file_.empty() || now - looked_ < kLookAgainAfter) return token_;
    looked_ = now;
    const auto changed = fs::last_write_time(file_, ignored_);
    if (changed == changed_) return token_;
    // A file that is just being replaced: the old token goes on until it can be read.
    if (auto token = ReadToken(file_); token.ok()) {
      token_ = *std::move(token);
      changed_ = changed;
    }
    return token_;
  }

 private:
  absl::Mutex mutex_;
  std::string token_ ABSL_GUARDED_BY(mutex_);
  const fs::path file_;
  std::error_code ignored_;
  fs::file_time_type changed_ ABSL_GUARDED_BY(mutex_);
  absl::Duration looked_ ABSL_GUARDED_BY(mutex_) = SystemClock().Monotonic();
};

class AddToken final : public Interceptor {
 public:
  explicit AddToken(TokenSource& source) : source_(source) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("authorization",
                                                 absl::StrCat("Bearer ", source_.Get()));
    }
    methods->Proceed();
  }

 private:
  TokenSource& source_;
};

class AddTokenFactory final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  AddTokenFactory(std::string token, fs::path file) : source_(std::move(token), std::move(file)) {}

  Interceptor* CreateClientInterceptor(ClientRpcInfo*) override { return new AddToken(source_); }

 private:
  TokenSource source_;
};

}  // namespace

absl::StatusOr<Interceptors> MakeBearerToken(const std::string& token, const fs::path& file) {
  Interceptors interceptors;
  if (!token.empty()) {
    interceptors.push_back(std::make_unique<AddTokenFactory>(token, fs::path()));
  } else if (!file.empty()) {
    QUANTRY_ASSIGN_OR_RETURN(std::string text, ReadToken(file));
    interceptors.push_back(std::make_unique<AddTokenFactory>(std::move(text), file));
  }
  return interceptors;
}

}  // namespace quantry::client
