#include "client/cli/event_text.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/cli/format.h"
#include "client/cli/job_text.h"
#include "client/cli/text_table.h"

namespace quantry::client {
namespace {

constexpr size_t kLongestBar = 30;
constexpr size_t kShortestBar = 8;

std::string DescribeStateChange(const v1::StateChange& change, const Terminal& terminal) {
  const std::string state = StateText(change.state());
  std::string text;
  switch (change.state()) {
    case v1::JOB_STATE_SUCCEEDED:
      text = Colored(terminal, Color::kGreen, state);
      break;
    case v1::JOB_STATE_FAILED:
      text = Colored(terminal, Color::kRed, state);
      break;
    case v1::JOB_STATE_CANCELLED:
      text = Colored(terminal, Color::kYellow, state);
      break;
    default:
      text = Colored(terminal, Color::kBold, state);
  }
  // Reasons often name the worker.
  if (!change.worker().empty() && !absl::StrContains(change.reason(), change.worker())) {
    absl::StrAppend(&text, " on ", SanitizeLine(change.worker()));
  }
  if (change.attempt() > 1) absl::StrAppend(&text, ", attempt ", change.attempt());
  if (!change.reason().empty()) absl::StrAppend(&text, ": ", SanitizeLine(change.reason()));
  if (change.has_failure() && change.state() != v1::JOB_STATE_FAILED) {
    absl::StrAppend(&text, " (", SanitizeLine(change.failure().message()), ")");
  }
  return text;
}

std::string DescribeMetrics(const v1::Metrics& metrics) {
  std::string text = metrics.epoch() > 0 ? absl::StrFormat("epoch %d  ", metrics.epoch()) : "";
  absl::StrAppendFormat(&text, "%-10s", SanitizeLine(metrics.subject()));
  if (metrics.has_loss()) absl::StrAppend(&text, "  loss ", FormatNumber(metrics.loss()));
  if (metrics.has_top1()) absl::StrAppend(&text, "  top-1 ", FormatShare(metrics.top1()));
  if (metrics.has_top5()) absl::StrAppend(&text, "  top-5 ", FormatShare(metrics.top5()));
  for (const v1::TaskMetric& value : metrics.values()) {
    if (metrics.has_top1() && (value.name() == "top1" || value.name() == "top5")) continue;
    absl::StrAppend(&text, "  ", SanitizeLine(value.name()), " ", FormatNumber(value.value()));
  }
  if (metrics.examples() > 0) {
    absl::StrAppend(&text, "  (", FormatCount(metrics.examples()), " pictures in ",
                    FormatElapsed(absl::Seconds(metrics.seconds())), ")");
  }
  if (metrics.corrupt() > 0) {
    absl::StrAppend(&text, "  ", FormatCount(metrics.corrupt()), " corrupt");
  }
  return text;
}

std::string DescribeCheckpoint(const v1::CheckpointSaved& checkpoint) {
  return absl::StrCat("checkpoint at step ", FormatCount(checkpoint.step()), " (",
                      FormatBytes(checkpoint.size_bytes()), ")");
}

double ShareDone(const v1::Progress& progress) {
  if (progress.steps() <= 0) return 0;
  return std::clamp(static_cast<double>(progress.step()) / static_cast<double>(progress.steps()),
                    0.0, 1.0);
}

std::string PhaseText(const v1::Progress& progress) {
  std::string text =
      absl::AsciiStrToLower(absl::StripPrefix(v1::Phase_Name(progress.phase()), "PHASE_"));
  if (!progress.subject().empty()) absl::StrAppend(&text, " ", SanitizeLine(progress.subject()));
  return text;
}

// A part of a progress line; parts with a larger rank are left out first.
struct Part {
  int rank;
  std::string text;
};

std::vector<Part> ProgressParts(const v1::Progress& progress) {
  std::vector<Part> parts;
  if (progress.epochs() > 0) {
    parts.push_back({1, absl::StrCat("epoch ", progress.epoch(), "/", progress.epochs())});
  }
  if (progress.steps() > 0) {
    parts.push_back({4, absl::StrCat("step ", progress.step(), "/", progress.steps())});
  }
  if (progress.images_per_second() > 0) {
    parts.push_back(
        {3, absl::StrCat(FormatCount(std::llround(progress.images_per_second())), " img/s")});
  }
  if (progress.has_loss()) parts.push_back({2, absl::StrFormat("loss %.3f", progress.loss())});
  if (progress.has_top1()) {
    parts.push_back({2, absl::StrFormat("top-1 %.1f%%", 100 * progress.top1())});
  }
  if (progress.has_learning_rate()) {
    parts.push_back({5, absl::StrFormat("lr %.3g", progress.learning_rate())});
  }
  if (progress.has_data_wait_share()) {
    parts.push_back({6, absl::StrFormat("data wait %.0f%%", 100 * progress.data_wait_share())});
  }
  if (progress.corrupt() > 0) {
    parts.push_back({3, absl::StrCat(FormatCount(progress.corrupt()), " corrupt")});
  }
  if (progress.has_eta_seconds()) {
    parts.push_back(
        {0, absl::StrCat(FormatElapsed(absl::Seconds(progress.eta_seconds())), " left")});
  }
  return parts;
}

std::string JoinParts(const std::vector<Part>& parts, int largest_rank) {
  std::vector<absl::string_view> texts;
  for (const Part& part : parts) {
    if (part.rank <= largest_rank) texts.push_back(part.text);
  }
  return absl::StrJoin(texts, "  ");
}

}  // namespace

std::optional<std::string> DescribeEvent(const v1::Event& event, const Terminal& terminal) {
  switch (event.event_case()) {
    case v1::Event::kStateChange:
      return DescribeStateChange(event.state_change(), terminal);
    case v1::Event::kMetrics:
      return DescribeMetrics(event.metrics());
    case v1::Event::kCheckpoint:
      return Colored(terminal, Color::kDim, DescribeCheckpoint(event.checkpoint()));
    case v1::Event::kLog:
      if (event.log().level() < v1::LogLine::WARNING) return std::nullopt;
      return DescribeLog(event.log(), terminal);
    case v1::Event::kProgress:
    case v1::Event::kArtifact:
    case v1::Event::kResult:
    case v1::Event::EVENT_NOT_SET:
      return std::nullopt;
  }
  return std::nullopt;
}

std::string DescribeLog(const v1::LogLine& log, const Terminal& terminal) {
  const std::string text = SanitizeLine(log.message());
  switch (log.level()) {
    case v1::LogLine::WARNING:
      return absl::StrCat(Colored(terminal, Color::kYellow, "WARNING"), " ", text);
    case v1::LogLine::ERROR:
      return absl::StrCat(Colored(terminal, Color::kRed, "ERROR"), " ", text);
    case v1::LogLine::DEBUG:
      return absl::StrCat("DEBUG ", text);
    default:
      return absl::StrCat("INFO ", text);
  }
}

std::string DescribeProgress(const v1::Progress& progress) {
  std::string text = PhaseText(progress);
  if (progress.steps() > 0) absl::StrAppendFormat(&text, " %.0f%%", 100 * ShareDone(progress));
  const std::string parts = JoinParts(ProgressParts(progress), 5);
  return absl::StrCat(text, parts.empty() ? "" : "  ", parts);
}

std::string ProgressBarLine(const v1::Progress& progress, const Terminal& terminal) {
  const size_t columns = terminal.columns - 1;
  const std::string phase = PhaseText(progress);
  if (progress.steps() <= 0) return CutToWidth(absl::StrCat(phase, " ..."), columns);
  const std::string percent = absl::StrFormat("%3.0f%%", 100 * ShareDone(progress));
  const size_t fixed = DisplayWidth(phase) + percent.size() + 4;  // spaces and the bar's ends
  const std::vector<Part> parts = ProgressParts(progress);
  for (int rank = 6; rank >= 0; --rank) {
    const std::string tail = JoinParts(parts, rank);
    const size_t needed = fixed + tail.size() + (tail.empty() ? 0 : 2);
    if (needed + kShortestBar > columns) continue;
    const std::string bar =
        Bar(ShareDone(progress), std::min(columns - needed, kLongestBar), terminal);
    return absl::StrCat(phase, " [", bar, "] ", percent, tail.empty() ? "" : "  ", tail);
  }
  return CutToWidth(absl::StrCat(phase, " ", percent), columns);
}

std::string Bar(double share, size_t width, const Terminal& terminal) {
  const auto filled =
      static_cast<size_t>(std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(width)));
  std::string bar;
  for (size_t i = 0; i < width; ++i) {
    if (terminal.unicode) {
      bar += i < filled ? "\u2588" : "\u2591";
    } else {
      bar += i < filled ? '#' : '-';
    }
  }
  return bar;
}

}  // namespace quantry::client
