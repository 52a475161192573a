#include "client/cli/watch_command.h"

#include <unistd.h>

#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/interrupt_scope.h"
#include "client/cli/job_text.h"
#include "client/cli/json_watch_view.h"
#include "client/cli/live_watch_view.h"
#include "client/cli/plain_watch_view.h"
#include "client/cli/terminal.h"
#include "client/job_watcher.h"

namespace quantry::client {
namespace {

ExitCode ExitCodeOfJob(const v1::Job& job) {
  switch (job.state()) {
    case v1::JOB_STATE_SUCCEEDED:
      return kExitOk;
    case v1::JOB_STATE_CANCELLED:
      return kExitCancelled;
    default:
      return kExitFailed;
  }
}

ExitCode Detach(const WatchOptions& options, const CliContext& context) {
  const absl::string_view id = absl::StripPrefix(options.job, "jobs/");
  std::cerr << "Detached; jobs/" << id << " goes on.\n"
            << "  " << context.program << " watch " << id << "   follows it again\n"
            << "  " << context.program << " cancel " << id << "  ends it\n";
  return kExitDetached;
}

}  // namespace

std::unique_ptr<WatchView> MakeTextView(std::ostream& out, int fd) {
  if (!DetectTerminal(fd).interactive) return std::make_unique<PlainWatchView>(out);
  return std::make_unique<LiveWatchView>(out, [fd] { return DetectTerminal(fd); });
}

ExitCode FollowJob(const JobClient& client, const WatchOptions& options, const CliContext& context,
                   WatchView& view, v1::Job& final_job) {
  const absl::StatusOr<std::string> name = JobName(options.job);
  if (!name.ok()) return context.FailUsage(name.status());
  JobWatchOptions watch_options{.after_sequence = options.after_sequence,
                                .give_up_first_after = context.Retry().give_up_after};
  watch_options.retry.give_up_after = absl::Seconds(options.reconnect_seconds);
  JobWatcher watcher(client, *name, watch_options);
  absl::Status status;
  {
    InterruptScope interrupt([&watcher] { watcher.Stop(); });
    status = watcher.Run(
        [&view](const v1::Event& event) {
          view.OnEvent(event);
          return true;
        },
        [&view](const absl::Status& error, absl::Duration pause) {
          view.OnReconnect(error, pause);
        });
    view.Finish();
    if (!status.ok() && interrupt.interrupted()) return Detach(options, context);
  }
  if (!status.ok()) return context.Fail(status);
  absl::StatusOr<v1::Job> job = client.GetJob(*name);
  if (!job.ok()) return context.Fail(job.status());
  final_job = *std::move(job);
  return ExitCodeOfJob(final_job);
}

int RunWatch(const WatchOptions& options, const CliContext& context) {
  const std::unique_ptr<WatchView> view = context.json ? std::make_unique<JsonWatchView>(std::cout)
                                                       : MakeTextView(std::cout, STDOUT_FILENO);
  const JobClient client = context.Connect();
  v1::Job job;
  const ExitCode exit_code = FollowJob(client, options, context, *view, job);
  const std::string result = ResultTable(job);
  if (!context.json && !result.empty()) std::cout << '\n' << result;
  return exit_code;
}

}  // namespace quantry::client
