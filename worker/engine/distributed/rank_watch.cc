#include "worker/engine/distributed/rank_watch.h"

#include <exception>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/clock.h"

namespace quantry::engine {
namespace {

constexpr absl::Duration kBeat = absl::Milliseconds(250);
// Once connections break, who gives no sign for so long is the one that is gone.
constexpr absl::Duration kSilenceWhenBroken = absl::Milliseconds(1500);
constexpr absl::Duration kExplanationWait = absl::Seconds(6);

// Keys, and values of a rank's sign: a number while it lives.
constexpr char kVerdict[] = "verdict";
constexpr char kBroken[] = "broken";
constexpr char kLeft[] = "left";
constexpr char kFailed[] = "failed: ";

std::string SignKey(int rank) { return absl::StrCat("sign/", rank); }

absl::Duration Now() { return SystemClock().Monotonic(); }

void Set(c10d::Store& store, const std::string& key, const std::string& value) {
  store.set(key, std::vector<uint8_t>(value.begin(), value.end()));
}

std::string Get(c10d::Store& store, const std::string& key) {
  const std::vector<uint8_t> value = store.get(key);
  return std::string(value.begin(), value.end());
}

std::string FirstLine(absl::string_view text) {
  return std::string(text.substr(0, std::min(text.find('\n'), size_t{300})));
}

}  // namespace

RankWatch::RankWatch(c10::intrusive_ptr<c10d::Store> store, const RankOptions& options)
    : state_(std::make_shared<State>(std::move(store), options)) {
  {
    absl::MutexLock lock(&state_->mutex);
    state_->last_answer = Now();
  }
  thread_ = std::thread([state = state_] { state->Run(); });
}

RankWatch::~RankWatch() {
  state_->stopping = true;
  const absl::Duration end = Now() + absl::Seconds(2);
  while (!state_->finished && Now() < end) absl::SleepFor(absl::Milliseconds(5));
  state_->finished ? thread_.join() : thread_.detach();
}

void RankWatch::State::Run() {
  others.resize(static_cast<size_t>(options.size));
  for (Other& other : others) other.since = Now();
  for (int64_t number = 1; !stopping; ++number) {
    try {
      Beat(number);
      absl::MutexLock lock(&mutex);
      last_answer = Now();
    } catch (const std::exception& error) {
      // Its own store can't be lost to rank 0 while it lives.
      SetFailure(options.rank == 0
                     ? absl::StrCat("the store of the ranks failed: ", FirstLine(error.what()))
                     : absl::StrCat("rank 0 of ", options.size,
                                    " was lost: its store does not answer any more (",
                                    FirstLine(error.what()), ")"));
      break;
    }
    const absl::Duration next = Now() + kBeat;
    while (!stopping && Now() < next) absl::SleepFor(absl::Milliseconds(10));
  }
  finished = true;
}

void RankWatch::State::Beat(int64_t number) {
  Set(*store, SignKey(options.rank), absl::StrCat(number));
  if (broken && !told) {
    Set(*store, kBroken, "1");
    told = true;
  }
  options.rank == 0 ? LookAtOthers() : ReadVerdict();
}

void RankWatch::State::LookAtOthers() {
  const absl::Duration limit =
      store->check({kBroken}) ? std::min(kSilenceWhenBroken, options.silence) : options.silence;
  std::vector<std::string> lost;
  for (int rank = 1; rank < options.size; ++rank) {
    Other& other = others[static_cast<size_t>(rank)];
    if (other.left) continue;
    const std::string sign = store->check({SignKey(rank)}) ? Get(*store, SignKey(rank)) : "";
    if (absl::StartsWith(sign, kFailed)) {
      lost.push_back(absl::StrCat("rank ", rank, " of ", options.size,
                                  " ended with an error: ", absl::StripPrefix(sign, kFailed)));
      break;
    }
    other.left = sign == kLeft;
    if (sign != other.sign) {
      other.sign = sign;
      other.since = Now();
    }
    if (!other.left && Now() - other.since > limit) {
      lost.push_back(absl::StrCat(
          "rank ", rank, " of ", options.size, " was lost: it has given no sign of life for ",
          absl::FormatDuration(absl::Trunc(Now() - other.since, absl::Milliseconds(100)))));
    }
  }
  if (lost.empty()) return;
  // All that are gone at once, if several are.
  for (size_t i = 1; i < lost.size(); ++i) absl::StrAppend(&lost[0], "; ", lost[i]);
  Set(*store, kVerdict, lost[0]);
  SetFailure(lost[0]);
}

void RankWatch::State::ReadVerdict() {
  if (store->check({kVerdict})) SetFailure(Get(*store, kVerdict));
}

void RankWatch::State::SetFailure(const std::string& text) {
  absl::MutexLock lock(&mutex);
  if (failure.ok()) failure = absl::UnavailableError(text);
}

absl::Status RankWatch::Health() const {
  absl::MutexLock lock(&state_->mutex);
  if (!state_->failure.ok()) return state_->failure;
  const absl::Duration quiet = Now() - state_->last_answer;
  if (quiet <= state_->options.silence) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("rank 0 of ", state_->options.size, " was lost: its store has not answered for ",
                   absl::FormatDuration(absl::Trunc(quiet, absl::Milliseconds(100)))));
}

absl::Status RankWatch::Explain(absl::string_view error) {
  state_->broken = true;
  const absl::Duration end = Now() + kExplanationWait;
  while (Now() < end) {
    if (absl::Status status = Health(); !status.ok()) return status;
    absl::SleepFor(absl::Milliseconds(20));
  }
  return absl::UnavailableError(
      absl::StrCat("the connection to the other ranks broke: ", FirstLine(error)));
}

void RankWatch::Leave(const absl::Status& how) {
  const bool lost = !Health().ok();
  state_->stopping = true;
  const absl::Duration end = Now() + absl::Seconds(2);
  while (!state_->finished && Now() < end) absl::SleepFor(absl::Milliseconds(5));
  if (!state_->finished) return;
  const RankOptions& options = state_->options;
  try {
    if (!how.ok() && !lost && options.rank == 0) {
      Set(*state_->store, kVerdict,
          absl::StrCat("rank 0 of ", options.size,
                       " ended with an error: ", FirstLine(how.message())));
    } else if (options.rank != 0) {
      Set(*state_->store, SignKey(options.rank),
          how.ok() ? kLeft : absl::StrCat(kFailed, FirstLine(how.message())));
    }
    if (options.rank == 0) {
      if (!how.ok()) return absl::SleepFor(3 * kBeat);
      std::vector<int> staying;
      for (int rank = 1; rank < options.size; ++rank) staying.push_back(rank);
      // Its store ends with it, so it goes last.
      const absl::Duration patience = Now() + options.silence;
      while (!staying.empty() && Now() < patience) {
        std::erase_if(staying,
                      [&](int rank) { return Get(*state_->store, SignKey(rank)) == kLeft; });
        if (!staying.empty()) absl::SleepFor(absl::Milliseconds(20));
      }
    }
  } catch (const std::exception&) {
    // The store is gone, so nobody is left to be told.
  }
}

}  // namespace quantry::engine
