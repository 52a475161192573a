#ifndef QUANTRY_CLIENT_CLI_EVENT_TEXT_H_
#define QUANTRY_CLIENT_CLI_EVENT_TEXT_H_

#include <optional>
#include <string>

#include "client/cli/terminal.h"
#include "quantry/v1/event.pb.h"

namespace quantry::client {

// One line, without time and line end, for an event that is worth reading once; none for progress,
// for log lines below WARNING and for what the result table tells at the end.
std::optional<std::string> DescribeEvent(const v1::Event& event, const Terminal& terminal);

// A log line with its level, as 'quantry logs' shows it.
std::string DescribeLog(const v1::LogLine& log, const Terminal& terminal);

// Progress as one line: "training 52%  epoch 3/5  step 812/1560  1,234 img/s  loss 0.532  ...".
std::string DescribeProgress(const v1::Progress& progress);

// The same with a bar, at most `terminal.columns` - 1 wide: what matters least is left out first.
std::string ProgressBarLine(const v1::Progress& progress, const Terminal& terminal);

// A bar of `width` characters, `share` of it (0 to 1) filled.
std::string Bar(double share, size_t width, const Terminal& terminal);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_EVENT_TEXT_H_
