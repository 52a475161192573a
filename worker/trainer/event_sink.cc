#include "worker/trainer/event_sink.h"

#include <google/protobuf/message.h>

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/delimited.h"
#include "common/utf8.h"

namespace quantry::trainer {
namespace {

constexpr size_t kMaxLogBytes = 8192;

std::string PhaseName(v1::Phase phase) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::Phase_Name(phase), "PHASE_"));
}

std::string Text(const v1::Progress& progress) {
  std::string text = PhaseName(progress.phase());
  if (!progress.subject().empty()) absl::StrAppend(&text, " ", progress.subject());
  if (progress.epoch() > 0) {
    absl::StrAppendFormat(&text, "  epoch %d/%d", progress.epoch(), progress.epochs());
  }
  if (progress.steps() > 0) {
    absl::StrAppendFormat(&text, "  step %d/%d", progress.step(), progress.steps());
  }
  if (progress.images_per_second() > 0) {
    absl::StrAppendFormat(&text, "  %.1f images/s", progress.images_per_second());
  }
  if (progress.has_loss()) absl::StrAppendFormat(&text, "  loss %.4f", progress.loss());
  if (progress.has_top1()) absl::StrAppendFormat(&text, "  top1 %.4f", progress.top1());
  if (progress.has_learning_rate()) {
    absl::StrAppendFormat(&text, "  lr %.5g", progress.learning_rate());
  }
  if (progress.has_data_wait_share()) {
    absl::StrAppendFormat(&text, "  waiting for data %.0f %%", 100 * progress.data_wait_share());
  }
  if (progress.corrupt() > 0) absl::StrAppendFormat(&text, "  %d corrupt", progress.corrupt());
  if (progress.has_eta_seconds()) {
    absl::StrAppendFormat(&text, "  %.0f s left", progress.eta_seconds());
  }
  return text;
}

std::string Text(const v1::Metrics& metrics) {
  std::string text = absl::StrCat(metrics.subject(), ":");
  if (metrics.has_loss()) absl::StrAppendFormat(&text, " loss %.4f ", metrics.loss());
  for (const v1::TaskMetric& value : metrics.values()) {
    absl::StrAppendFormat(&text, " %s %.4f ", value.name(), value.value());
  }
  absl::StrAppendFormat(&text, " (%d examples, %.1f s", metrics.examples(), metrics.seconds());
  if (metrics.corrupt() > 0) absl::StrAppendFormat(&text, ", %d corrupt", metrics.corrupt());
  return absl::StrCat(text, ")");
}

std::string Text(const v1::Result& result) {
  std::string text = "done:";
  if (result.has_float_top1()) absl::StrAppendFormat(&text, " float %.4f", result.float_top1());
  if (result.has_fake_quant_top1()) {
    absl::StrAppendFormat(&text, " fake_quant %.4f", result.fake_quant_top1());
  }
  if (result.has_artifact_top1()) {
    absl::StrAppendFormat(&text, " artifact %.4f", result.artifact_top1());
  }
  return text;
}

std::string Text(const v1::TrainerEvent& event) {
  switch (event.event_case()) {
    case v1::TrainerEvent::kProgress:
      return Text(event.progress());
    case v1::TrainerEvent::kMetrics:
      return Text(event.metrics());
    case v1::TrainerEvent::kLog:
      return event.log().message();
    case v1::TrainerEvent::kCheckpoint:
      return absl::StrFormat("checkpoint at step %d", event.checkpoint().step());
    case v1::TrainerEvent::kArtifact:
      return absl::StrFormat("wrote %s (%d bytes)", event.artifact().name(),
                             event.artifact().size_bytes());
    case v1::TrainerEvent::kResult:
      return Text(event.result());
    case v1::TrainerEvent::kFailure:
      return absl::StrCat("failed: ", event.failure().reason(), ": ", event.failure().message());
    case v1::TrainerEvent::EVENT_NOT_SET:
      break;
  }
  return "";
}

// Names of files and of a model's nodes may hold any bytes; a protobuf string that is not UTF-8
// can't be parsed by whoever receives it.
void MakeStringsValid(google::protobuf::Message& message) {
  using google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->type() == FieldDescriptor::TYPE_MESSAGE) {
        MakeStringsValid(field->is_repeated()
                             ? *reflection.MutableRepeatedMessage(&message, field, i)
                             : *reflection.MutableMessage(&message, field));
      } else if (field->type() == FieldDescriptor::TYPE_STRING && field->is_repeated()) {
        reflection.SetRepeatedString(&message, field, i,
                                     ToValidUtf8(reflection.GetRepeatedString(message, field, i)));
      } else if (field->type() == FieldDescriptor::TYPE_STRING) {
        reflection.SetString(&message, field, ToValidUtf8(reflection.GetString(message, field)));
      }
    }
  }
}

}  // namespace

void PipeEventSink::Send(const v1::TrainerEvent& event) {
  if (broken_) return;
  v1::TrainerEvent valid = event;
  MakeStringsValid(valid);
  broken_ = !WriteDelimited(fd_, valid.SerializeAsString()).ok();
}

void TextEventSink::Send(const v1::TrainerEvent& event) { out_ << Text(event) << std::endl; }

void OtherRankSink::Send(const v1::TrainerEvent& event) {
  const bool matters = event.has_failure() ||
                       (event.has_log() && event.log().level() >= v1::LogLine::WARNING);
  if (matters) inner_.Send(event);
}

void SendLog(EventSink& sink, v1::LogLine::Level level, absl::string_view message) {
  v1::TrainerEvent event;
  event.mutable_log()->set_level(level);
  event.mutable_log()->set_message(std::string(message.substr(0, kMaxLogBytes)));
  sink.Send(event);
}

}  // namespace quantry::trainer
