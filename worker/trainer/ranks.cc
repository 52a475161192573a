#include "worker/trainer/ranks.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/trainer/failure.h"

namespace quantry::trainer {
namespace {

absl::StatusOr<std::optional<int>> Number(const Environment& environment, const std::string& name) {
  const std::optional<std::string> text = environment(name);
  if (!text || text->empty()) return std::optional<int>();
  int value = 0;
  if (absl::SimpleAtoi(*text, &value)) return std::optional<int>(value);
  return absl::InvalidArgumentError(
      absl::StrCat("environment variable ", name, " is '", *text, "'; it must be a number"));
}

// Splits HOST:PORT; the host may be an IPv6 address in brackets.
absl::Status ReadRendezvous(const std::string& text, engine::RankOptions& options) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(text.substr(colon + 1), &options.port)) {
    return absl::InvalidArgumentError(
        absl::StrCat("rendezvous is '", text, "'; it must be HOST:PORT"));
  }
  options.host = text.substr(0, colon);
  if (options.host.size() > 2 && options.host.front() == '[' && options.host.back() == ']') {
    options.host = options.host.substr(1, options.host.size() - 2);
  }
  return absl::OkStatus();
}

absl::StatusOr<RankPlace> Find(const RankFlags& flags, const Environment& environment) {
  RankPlace place;
  QUANTRY_ASSIGN_OR_RETURN(const auto rank, Number(environment, "RANK"));
  QUANTRY_ASSIGN_OR_RETURN(const auto size, Number(environment, "WORLD_SIZE"));
  QUANTRY_ASSIGN_OR_RETURN(const auto local, Number(environment, "LOCAL_WORLD_SIZE"));
  QUANTRY_ASSIGN_OR_RETURN(const auto port, Number(environment, "MASTER_PORT"));
  engine::RankOptions& options = place.options;
  options.size = flags.world_size ? *flags.world_size : size.value_or(1);
  if (options.size > 1 && !flags.rank && !rank) {
    return absl::InvalidArgumentError(
        absl::StrCat("world size is ", options.size,
                     ", but neither --rank nor RANK says which this process is"));
  }
  options.rank = flags.rank ? *flags.rank : rank.value_or(0);
  if (!flags.rendezvous.empty()) {
    QUANTRY_RETURN_IF_ERROR(ReadRendezvous(flags.rendezvous, options));
  } else {
    options.host = environment("MASTER_ADDR").value_or("");
    options.port = port.value_or(0);
  }
  options.token = environment("QUANTRY_RENDEZVOUS_TOKEN")
                      .value_or(environment("TORCHELASTIC_RUN_ID").value_or(""));
  place.local_size = std::clamp(local.value_or(options.size), 1, std::max(1, options.size));
  QUANTRY_RETURN_IF_ERROR(options.Validate());
  return place;
}

}  // namespace

absl::StatusOr<RankPlace> FindPlace(const RankFlags& flags, const Environment& environment) {
  auto place = Find(flags, environment);
  if (!place.ok()) return WithReason(place.status(), "RANKS_INVALID");
  return place;
}

std::optional<std::string> ProcessEnvironment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

void DivideThreads(int local_size, bool threads_given, bool decode_threads_given,
                   RunOptions& options) {
  if (!threads_given) options.threads = std::max(1, options.threads / local_size);
  if (!decode_threads_given) {
    options.data.decode_threads = std::max(1, options.data.decode_threads / local_size);
  }
}

}  // namespace quantry::trainer
