#include "client/cli/transfer_bar.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/event_text.h"
#include "client/cli/format.h"
#include "client/cli/text_table.h"

namespace quantry::client {
namespace {

constexpr absl::Duration kRedraw = absl::Milliseconds(100);
constexpr size_t kBarWidth = 24;
constexpr absl::string_view kEraseLine = "\r\x1b[K";

}  // namespace

TransferBar::TransferBar(std::ostream& out, const Terminal& terminal, std::string label,
                         const Clock& clock)
    : out_(out),
      terminal_(terminal),
      label_(std::move(label)),
      clock_(clock),
      start_(clock.Monotonic()) {}

TransferBar::~TransferBar() {
  if (terminal_.interactive && first_done_) out_ << kEraseLine << std::flush;
}

void TransferBar::Update(int64_t done, int64_t total) {
  if (!first_done_) first_done_ = done;
  const absl::Duration now = clock_.Monotonic();
  if (!terminal_.interactive || total <= 0 || (now - drawn_ < kRedraw && done < total)) return;
  drawn_ = now;
  const double share = static_cast<double>(done) / static_cast<double>(total);
  const double seconds = absl::ToDoubleSeconds(now - start_);
  std::string line = absl::StrCat(label_, " [", Bar(share, kBarWidth, terminal_), "] ",
                                  absl::StrFormat("%3.0f%%", 100 * share), "  ", FormatBytes(done),
                                  " of ", FormatBytes(total));
  if (seconds > 0.5 && done > *first_done_) {
    const double rate = static_cast<double>(done - *first_done_) / seconds;
    absl::StrAppend(&line, "  ", FormatBytes(static_cast<int64_t>(rate)), "/s  ",
                    FormatElapsed(absl::Seconds(static_cast<double>(total - done) / rate)),
                    " left");
  }
  out_ << kEraseLine << CutToWidth(line, terminal_.columns - 1) << std::flush;
}

}  // namespace quantry::client
